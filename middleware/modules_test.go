package middleware_test

import (
	"bytes"
	"encoding/json"
	"go/version"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// floors are the oldest versions that have no known hole which matters here.
var floors = map[string]string{
	"github.com/go-sql-driver/mysql":  "v1.10.1",
	"github.com/gorilla/securecookie": "v1.1.2",  // sizes, and MACs that are compared in constant time
	"github.com/labstack/echo/v4":     "v4.16.0", // open redirects, static files that slip past guards
	"golang.org/x/net":                "v0.61.0", // HTTP/2
}

// toolchainFloor is the oldest Go whose own HTTP/2 server stands what strangers
// send to it: older ones crash.
const toolchainFloor = "go1.26.9"

var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`)

// atLeast compares versions of modules. One that is no plain release, v1.2.3, is
// below all others.
func atLeast(got, floor string) bool {
	asGo := func(v string) string { return "go" + strings.TrimPrefix(v, "v") }
	return release.MatchString(got) && version.Compare(asGo(got), asGo(floor)) >= 0
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	for _, c := range []struct {
		got, floor string
		want       bool
	}{
		{"v1.10.1", "v1.10.1", true}, {"v1.10.2", "v1.10.1", true}, {"v1.11.0", "v1.10.1", true}, {"v2.0.0", "v1.10.1", true}, {"v0.100.0", "v0.61.0", true},
		{"v1.10.0", "v1.10.1", false}, {"v1.9.9", "v1.10.1", false}, {"v0.7.0", "v0.61.0", false},
		{"v1.10.2-rc.1", "v1.10.1", false}, {"v0.0.0-20260101000000-0123456789ab", "v0.0.0", false}, {"", "v1.0.0", false}, {"(devel)", "v1.0.0", false},
	} {
		if got := atLeast(c.got, c.floor); got != c.want {
			t.Errorf("%q is at least %q: %v; want %v", c.got, c.floor, got, c.want)
		}
	}
}

// modules returns the folders of all modules of the repository.
func modules(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".." {
			return filepath.SkipDir
		}
		if err == nil && d.Name() == "go.mod" {
			folders = append(folders, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// goIn runs the go command in a module.
func goIn(t *testing.T, folder string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = folder
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s in %s: %v\n%s", strings.Join(args, " "), folder, err, &trouble)
	}
	return output
}

// Nobody who uses the kit, or copies the example, starts below the floors.
func TestEveryModuleSelectsVersionsWithoutKnownHoles(t *testing.T) {
	checked := map[string]int{}
	folders := modules(t)
	for _, folder := range folders {
		for line := range strings.Lines(string(goIn(t, folder, "list", "-m", "all"))) {
			path, selected, _ := strings.Cut(strings.TrimSpace(line), " ")
			floor, ok := floors[path]
			if !ok {
				continue
			}
			checked[path]++
			if !atLeast(selected, floor) {
				t.Errorf("%s: %s is %s; at least %s is wanted", folder, path, selected, floor)
			}
		}
	}
	for path := range floors {
		if checked[path] < len(folders) {
			t.Errorf("%s was found in %d of %d modules: is its floor still needed?", path, checked[path], len(folders))
		}
	}
	t.Logf("%d modules, each at or above %d floors", len(folders), len(floors))
}

var servesTLS = regexp.MustCompile(`\b(ListenAndServeTLS|ServeTLS|StartTLS|StartAutoTLS)\(`)

// A module whose code serves TLS itself, and HTTP/2 with it, asks for a Go that is
// good enough. The library asks its users for none: they may have a proxy.
func TestModulesThatServeTLSAskForAGoWithoutKnownHoles(t *testing.T) {
	servers := 0
	for _, folder := range modules(t) {
		var mod struct{ Toolchain string }
		if err := json.Unmarshal(goIn(t, folder, "mod", "edit", "-json"), &mod); err != nil {
			t.Fatal(err)
		}
		serves := false
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
					var code []byte
					code, err = os.ReadFile(path)
					serves = serves || servesTLS.Match(code)
				}
				return err
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != folder {
				return filepath.SkipDir // another module
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case serves:
			servers++
			if version.Compare(mod.Toolchain, toolchainFloor) < 0 {
				t.Errorf("%s serves TLS and asks for toolchain %q; want at least %s", folder, mod.Toolchain, toolchainFloor)
			}
		case folder == ".." && mod.Toolchain != "":
			t.Errorf("the library asks its users for toolchain %s", mod.Toolchain)
		}
	}
	if servers == 0 {
		t.Error("no module serves TLS: does the test still look for the right thing?")
	}
	t.Logf("%d modules serve TLS themselves; this is %s", servers, runtime.Version())
}
