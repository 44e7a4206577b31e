package repository_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sessionkit/sessionkit"

// frameworks and drivers are prefixes of import paths.
var (
	frameworks = []string{"github.com/labstack/", "github.com/gin-gonic/"}
	drivers    = []string{"github.com/go-sql-driver/", "github.com/jackc/", "modernc.org/", "github.com/lib/pq", "github.com/mattn/go-sqlite3"}
	databases  = append(slices.Clone(drivers), "database/sql", module+"/sqlstore")
)

// An app that imports one package builds that package and its dependencies only.
func TestImports_BuildNoOtherPartOfTheLibrary(t *testing.T) {
	for _, c := range []struct {
		imports string
		builds  []string // import paths that show that the listing and the prefixes are right
		not     [][]string
	}{
		{"session", []string{module + "/session/store"}, [][]string{frameworks, databases, {module + "/middleware", "testing"}}},
		{"session/store", nil, [][]string{frameworks, databases, {module + "/middleware", module + "/session\n", "testing"}}},
		{"middleware/nethttp", []string{module + "/session"}, [][]string{frameworks, databases, {module + "/middleware\n", "testing"}}},
		{"middleware", []string{module + "/middleware/nethttp", "github.com/labstack/echo/v4"}, [][]string{databases, {"testing"}}},
		{"sqlstore", []string{module + "/session/store", "database/sql"}, [][]string{frameworks, {module + "/middleware", "testing"}}},
	} {
		packages := builtBy(t, module+"/"+c.imports)
		for _, want := range c.builds {
			if !slices.Contains(packages, want) {
				t.Errorf("an app that imports %s does not build %s: is the listing complete?", c.imports, want)
			}
		}
		for _, pkg := range packages {
			for _, prefix := range slices.Concat(c.not...) {
				if strings.HasPrefix(pkg+"\n", prefix) {
					t.Errorf("an app that imports only %s builds %s", c.imports, pkg)
				}
			}
		}
	}
}

// builtBy returns the packages that the build of an app needs which imports pkg.
func builtBy(t *testing.T, pkg string) []string {
	t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(app, []byte("package main\n\nimport _ \""+pkg+"\"\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(goIn(t, dir, "list", "-deps", app)))
	if !slices.Contains(packages, pkg) {
		t.Fatalf("go list -deps does not name %s itself: %q", pkg, packages)
	}
	return packages
}
