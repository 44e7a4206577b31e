package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/sessionkit/sessionkit"

// tree is a directory whose packages are mutated, with those below it, down to the
// next go.mod. The tests of a package's own directory must kill its mutants; only
// where that directory has none, or they pass, those of the tree's root run.
type tree struct {
	root   string
	except []string // packages that only tests use
	tests  string   // a directory of another module whose tests run, too; "": none

	// module says that the root has a go.mod of its own. Otherwise it is in the core module.
	module bool
}

// trees is the place to edit when directories move.
var trees = []tree{
	{root: "assertion", module: true},
	{root: "oidc", module: true},
	{root: "metrics/sessionotel", module: true},
	{root: "metrics/sessionprom", module: true},
	{root: "middleware/echov5", module: true, tests: "test/skins"},
	{root: "middleware/gin", module: true, tests: "test/skins"},
	{root: "session", except: []string{"session/store/storetest", "session/sessiontest"}},
	{root: "middleware", except: []string{"middleware/internal/guardtest"}},
	{root: "sqlstore"},
}

// elsewhere names the directory whose tests must kill the mutants of a file, where that
// is not the file's own: the driver that they need is not in the core's go.mod. The tests
// beside the file run if these pass.
var elsewhere = map[string]string{
	"sqlstore/postgres.go": "test/stores",
	"sqlstore/sqlite.go":   "test/stores",
}

// treeOf returns the tree that a package's directory belongs to, the first of them.
func treeOf(dir string) (tree, bool) {
	for _, t := range trees {
		if (dir == t.root || strings.HasPrefix(dir, t.root+"/")) && !slices.Contains(t.except, dir) {
			return t, true
		}
	}
	return tree{}, false
}

// testDirs returns the directories whose tests must kill a mutant of a file, in the
// order in which they run.
func testDirs(root, file string) ([]string, error) {
	dir, _, _ := cutLast(file, "/")
	t, ok := treeOf(dir)
	if !ok {
		return nil, fmt.Errorf("%s is in no directory that is mutated: see trees in packages.go", file)
	}
	var dirs []string
	candidates := slices.Compact([]string{dir, t.root})
	if t.tests != "" {
		candidates = append(candidates, t.tests)
	}
	if other, ok := elsewhere[file]; ok {
		candidates = slices.Insert(candidates, 0, other)
	}
	for _, candidate := range candidates {
		tests, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(candidate), "*_test.go"))
		if err != nil {
			return nil, err
		}
		if len(tests) > 0 {
			dirs = append(dirs, candidate)
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%s has no tests, nor has %s", dir, t.root)
	}
	return dirs, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// findRoot returns the directory of the core module, at or above dir.
func findRoot(dir string) (string, error) {
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module "+module+"\n") {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("the module " + module + " is not above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
