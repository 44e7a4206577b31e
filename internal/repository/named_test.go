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

var (
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)
	namedTest    = regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")
)

func TestDocuments_NameTestsThatExist(t *testing.T) {
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
	named := map[string]int{}
	for _, path := range documents(t) {
		text, err := fs.ReadFile(files, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range namedTest.FindAllSubmatch(text, -1) {
			named[path]++
			if !declared[string(name[1])] {
				t.Errorf("%s names %s, which does not exist", path, name[1])
			}
		}
	}
	for _, path := range []string{"docs/security.md", "docs/asvs.md"} {
		if named[path] == 0 {
			t.Errorf("%s names no test", path)
		}
	}
}
