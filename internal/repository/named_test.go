package repository_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the repository, as seen from this package.
const root = "../.."

// The README shows lines of the Example of package middleware, which compiles.
func TestReadme_CodeCompiles(t *testing.T) {
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(root + "/middleware/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(readme), "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !ok || !closed {
		t.Fatal("the README has no block of Go")
	}
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "//") && !strings.Contains(string(example), line) {
			t.Errorf("not in middleware/example_test.go: %s", line)
		}
	}
}

var (
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	namedTest    = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
)

func TestSecurity_NamesTestsThatExist(t *testing.T) {
	files := os.DirFS(root)
	declared := map[string]bool{}
	if err := fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := fs.ReadFile(files, path)
		for _, match := range declaredTest.FindAllSubmatch(code, -1) {
			declared[string(match[1])] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, document := range []struct {
		path string
		must bool // name a test
	}{{".github/SECURITY.md", true}, {".github/ASVS.md", true}, {"README.md", false}} {
		text, err := fs.ReadFile(files, document.path)
		if err != nil {
			t.Fatal(err)
		}
		named := namedTest.FindAllSubmatch(text, -1)
		for _, name := range named {
			if !declared[string(name[1])] {
				t.Errorf("%s names %s, which does not exist", document.path, name[1])
			}
		}
		if document.must && len(named) == 0 {
			t.Errorf("%s names no test", document.path)
		}
	}
}
