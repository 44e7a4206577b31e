package repository_test

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

// floors holds the oldest versions without a known vulnerability that matters here.
var floors = map[string]string{
	"github.com/go-sql-driver/mysql":  "v1.10.1",
	"github.com/gorilla/securecookie": "v1.1.2",  // size limits, and MACs compared in constant time
	"github.com/labstack/echo/v4":     "v4.16.0", // open redirects, static files that bypass middleware
	"golang.org/x/net":                "v0.61.0", // HTTP/2
}

// toolchainFloor is the oldest Go whose HTTP/2 server no client can crash.
const toolchainFloor = "go1.26.9"

var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`)

// atLeast compares versions of modules. A version that is not a plain release, such as
// v1.2.3, is below all others.
func atLeast(got, floor string) bool {
	asGo := func(v string) string { return "go" + strings.TrimPrefix(v, "v") }
	return release.MatchString(got) && version.Compare(asGo(got), asGo(floor)) >= 0
}

func TestAtLeast_ComparesVersionsAsNumbers(t *testing.T) {
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

// modules returns the directories of all modules of the repository.
func modules(t *testing.T) (folders []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
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

// goIn runs the go command in a directory.
func goIn(t *testing.T, folder string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s in %s: %v\n%s", strings.Join(args, " "), folder, err, &stderr)
	}
	return output
}

// Users of the library, and those who copy the example, start at or above the floors.
func TestModules_SelectVersionsWithoutKnownVulnerabilities(t *testing.T) {
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
				t.Errorf("%s: %s is %s; want at least %s", folder, path, selected, floor)
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

var servesTLS = regexp.MustCompile(`\b(ListenAndServeTLS|ServeTLS|StartTLS|StartAutoTLS|tls\.NewListener|tls\.Listen)\(`)

// A module whose code serves TLS, and so HTTP/2, requires a Go without known
// vulnerabilities there. The library requires none of its users: a proxy may serve TLS.
func TestModules_ThatServeTLSRequireASafeToolchain(t *testing.T) {
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
				t.Errorf("%s serves TLS and requires toolchain %q; want at least %s", folder, mod.Toolchain, toolchainFloor)
			}
		case folder == root && mod.Toolchain != "":
			t.Errorf("the library requires toolchain %s of its users", mod.Toolchain)
		}
	}
	if servers == 0 {
		t.Error("no module serves TLS: is the pattern still right?")
	}
	t.Logf("%d modules serve TLS; this is %s", servers, runtime.Version())
}
