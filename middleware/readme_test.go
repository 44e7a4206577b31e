package middleware_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The README's code is the example's, which compiles.
func TestTheReadmesCodeCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
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
			t.Errorf("not in example_test.go: %s", line)
		}
	}
}

// What the README says is shown by a test is shown by one that there is.
func TestTheReadmesTestsExist(t *testing.T) {
	root := os.DirFS("..")
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	if err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := fs.ReadFile(root, path)
		for _, match := range declared.FindAllSubmatch(code, -1) {
			there[string(match[1])] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	readme, err := fs.ReadFile(root, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllSubmatch(readme, -1)
	for _, name := range named {
		if !there[string(name[1])] {
			t.Errorf("the README names %s, which is nowhere", name[1])
		}
	}
	if len(named) == 0 {
		t.Error("the README names no test")
	}
}
