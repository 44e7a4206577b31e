package repository_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine is a folder with the programs that .ci/run finds first, and the user's cache.
type machine struct {
	*testing.T
	programs, cache string
}

func newMachine(t *testing.T) machine {
	m := machine{t, t.TempDir(), t.TempDir()}
	m.program(filepath.Join(m.programs, "make"), `echo "make $1"; [ "$1" != "$FAILING" ]`)
	return m
}

func (m machine) program(path, text string) {
	m.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755)
	}
	if err != nil {
		m.Fatal(err)
	}
}

// mysql puts a server into the cache, as .ci/mysql does.
func (m machine) mysql(text string) {
	m.program(filepath.Join(m.cache, "sessionkit/mysql/bin/mysqld"), text)
}

// run runs a script of .ci, and returns the lines of its standard output, its standard
// error and its exit code.
func (m machine) run(script, failing string) (lines []string, problems string, code int) {
	m.Helper()
	cmd := exec.CommandContext(m.Context(), root+"/.ci/"+script)
	cmd.Env = append(os.Environ(), "PATH="+m.programs+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+m.cache, "FAILING="+failing,
		"APT_CONFIG="+filepath.Join(m.programs, "apt.conf")) // if it does not exist, apt does without
	output, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code, problems = exit.ExitCode(), string(exit.Stderr)
	} else if err != nil {
		m.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(output)), "\n"), problems, code
}

func TestCI_RunsTheTestsOnMySQLAndFailsWithThem(t *testing.T) {
	all := []string{"make lint", "make test", "make test-postgres", "make test-users", "make test-fips", "make test-mysql", "make fuzz", "make vulncheck"}
	for failing, want := range map[string][]string{
		"":              all,
		"lint":          all[:1],
		"test":          all[:2],
		"test-postgres": all[:3],
		"test-users":    all[:4],
		"test-fips":     all[:5],
		"test-mysql":    all[:6],
		"fuzz":          all[:7],
		"vulncheck":     all,
	} {
		m := newMachine(t)
		m.mysql("echo 'mysqld  Ver 9.7.4'")
		lines, problems, code := m.run("run", failing)
		if !slices.Equal(lines, want) || (code != 0) != (failing != "") {
			t.Errorf("with a failing %q: exit code %d, %q, %s; want %q", failing, code, lines, problems, want)
		}
	}
}

// The package comes from a distribution that changes every day.
func TestCI_SaysInItsLastLineThatMySQLCannotBeHad(t *testing.T) {
	for name, apt := range map[string]string{
		"no mirror": `exit 0`,
		"a mirror without sid": `case "$*" in
			*indextargets*) echo http://mirror.invalid/debian/ ;;
			*) echo "404 Not Found"; exit 100 ;;
			esac`,
		"no package": `case "$*" in
			*indextargets*) echo http://mirror.invalid/debian/ ;;
			*install*) echo "Unable to locate package mysql-server-core"; exit 100 ;;
			esac`,
		"a download that breaks off": `case "$*" in
			*indextargets*) echo http://mirror.invalid/debian/ ;;
			*print-uris*) echo "'http://mirror.invalid/m.deb' mysql-server-core_9.7.4-2_amd64.deb 18000000 SHA256:0" ;;
			*install*) echo "Connection failed"; exit 100 ;;
			esac`,
	} {
		m := newMachine(t)
		m.program(filepath.Join(m.programs, "apt-get"), apt)
		lines, problems, code := m.run("run", "")
		want := []string{"make lint", "make test", "make test-postgres", "make test-users", "make test-fips", "make fuzz", "make vulncheck", "make test-mysql was not run: Oracle MySQL could not be had, for the reason above"}
		if code != 0 || !slices.Equal(lines, want) {
			t.Errorf("%s: exit code %d, %q, %s; want %q", name, code, lines, problems, want)
		}
		if _, problems, code := m.run("mysql", ""); code != 75 || !strings.Contains(problems, "Oracle MySQL cannot be had: ") {
			t.Errorf("%s: .ci/mysql has the exit code %d: %s; want 75", name, code, problems)
		}
		if left, err := filepath.Glob(m.cache + "/sessionkit/*"); err != nil || len(left) > 0 {
			t.Errorf("%s: %q is left in the cache, %v", name, left, err)
		}
		// A failure of the other tests still counts.
		if _, _, code := m.run("run", "vulncheck"); code == 0 {
			t.Errorf("%s: a failing make vulncheck is a success", name)
		}
	}
}

// Both formats of apt's sources name mirrors. apt itself reads them here, on a machine
// whose sources are two mirrors that nobody serves.
func TestCI_TakesTheMirrorFromTheMachinesOwnSources(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("this machine has no apt-get")
	}
	m := newMachine(t)
	for name, text := range map[string]string{
		"apt.conf":       `Dir::Etc::sourceparts "` + m.programs + `"; Dir::Etc::sourcelist "/dev/null"; Dir::State::lists "` + m.cache + `";`,
		"a.list":         "deb [arch=amd64,arm64] http://127.0.0.1:9/one bookworm main\n# deb http://127.0.0.1:9/not bookworm main\n",
		"b.sources":      "Types: deb\nURIs: http://127.0.0.1:9/two\nSuites: bookworm\nComponents: main\n",
		"c.sources":      "Enabled: no\nTypes: deb\nURIs: http://127.0.0.1:9/not\nSuites: bookworm\nComponents: main\n",
		"d.list.removed": "deb http://127.0.0.1:9/not bookworm main\n",
	} {
		if err := os.WriteFile(filepath.Join(m.programs, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, problems, code := m.run("mysql", "")
	if want := "no mirror in apt's sources has Debian sid: http://127.0.0.1:9/one/ http://127.0.0.1:9/two/\n"; code != 75 || !strings.HasSuffix(problems, want) {
		t.Errorf("exit code %d, %q; want 75 and %q", code, problems, want)
	}
}

// A fault of the script itself is no missing package.
func TestCI_FailsIfTheServerInTheCacheDoesNotRun(t *testing.T) {
	m := newMachine(t)
	m.mysql("exit 1")
	if lines, problems, code := m.run("run", ""); code == 0 || !slices.Equal(lines, []string{"make lint", "make test", "make test-postgres", "make test-users", "make test-fips"}) {
		t.Errorf("exit code %d, %q, %s", code, lines, problems)
	}
}
