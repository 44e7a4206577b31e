package dbtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// failing is a test whose failure is expected.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) { f.text = fmt.Sprint(args...); runtime.Goexit() }

func (f *failing) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// failureOf returns the text with which a test fails, or "".
func failureOf(t *testing.T, test func(tb testing.TB)) string {
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() { // Fatal ends the goroutine
		defer close(done)
		test(f)
	}()
	<-done
	return f.text
}

// script writes a shell script.
func script(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStart_StartsTheNamedProgram(t *testing.T) {
	program, err := dbtest.Program()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(dbtest.Env, "")
	t.Setenv(dbtest.EnvProgram, script(t, "exec '"+program+"' \"$@\" --auto-increment-increment=7"))
	s := dbtest.Start(t)
	if got := ask(t, open(t, s.Database(t)), "SELECT @@GLOBAL.auto_increment_increment"); got != "7" {
		t.Errorf("the option of the named program is %s; want 7", got)
	}
}

// A server is installed on the machine on which this test runs, and would start.
func TestProgram_IsNotReplacedByAnother(t *testing.T) {
	starts := map[string]func(tb testing.TB){
		"Start":        func(tb testing.TB) { dbtest.Start(tb) },
		"StartCluster": func(tb testing.TB) { dbtest.StartCluster(tb, 2) },
	}
	t.Setenv(dbtest.Env, "")
	for program, want := range map[string]string{
		"/nowhere/mysqld":       "names /nowhere/mysqld, which does not run",
		script(t, "exit 1"):     "which does not run",
		script(t, "echo hello"): "printed no version",
	} {
		t.Setenv(dbtest.EnvProgram, program)
		for name, start := range starts {
			if text := failureOf(t, start); !strings.Contains(text, dbtest.EnvProgram+" names ") || !strings.Contains(text, want) {
				t.Errorf("%s with %s: %q; want %q", name, program, text, want)
			}
		}
	}
	t.Setenv(dbtest.EnvProgram, script(t, "echo server  Ver 9.7.4 for tests"))
	if text := failureOf(t, starts["StartCluster"]); !strings.Contains(text, "is not MariaDB") {
		t.Errorf("a cluster of MySQL: %q", text)
	}
}

// The server that all tests of a binary share is started once, so this needs a process of
// its own.
func TestDatabase_RunsOnNoOtherProgramThanTheNamedOne(t *testing.T) {
	const env = "DBTEST_NAMED_PROGRAM"
	if os.Getenv(env) != "" {
		dbtest.Database(t)
		return
	}
	dsn := sharedDSN(t)
	for name, c := range map[string]struct{ program, dsn, want string }{
		"no program":               {"/nowhere/mysqld", "", "names /nowhere/mysqld, which does not run"},
		"no program and a DSN":     {"/nowhere/mysqld", dsn, "names /nowhere/mysqld, which does not run"},
		"a program of another DSN": {script(t, "echo server  Ver 3.23.4 for tests"), dsn, "which this test would start, has 3.23.4"},
		"a DSN alone":              {"", dsn, ""},
	} {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), env+"=1", dbtest.EnvProgram+"="+c.program, dbtest.Env+"="+c.dsn)
		output, err := child.CombinedOutput()
		if (err != nil) != (c.want != "") || !strings.Contains(string(output), c.want) {
			t.Errorf("%s: %v, %s; want %q", name, err, output, c.want)
		}
	}
}

func TestStart_RunsOnNoOtherVersionThanThatOfTheDSN(t *testing.T) {
	dsn := sharedDSN(t)
	program, err := dbtest.Program()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(dbtest.Env, dsn)
	t.Setenv(dbtest.EnvProgram, script(t, "echo server  Ver 3.23.4 for tests"))
	start := func(tb testing.TB) { dbtest.Start(tb) }
	if text := failureOf(t, start); !strings.Contains(text, "has the version ") || !strings.Contains(text, "has 3.23.4: set "+dbtest.EnvProgram) {
		t.Errorf("another version: %q", text)
	}
	t.Setenv(dbtest.EnvProgram, program)
	if text := failureOf(t, start); text != "" {
		t.Errorf("the same version: %s", text)
	}
	t.Setenv(dbtest.Env, "root@unix(/nowhere)/")
	if text := failureOf(t, start); !strings.Contains(text, "the server in "+dbtest.Env) {
		t.Errorf("no server: %q", text)
	}
}

// sharedDSN returns the DSN of the server that the tests of this binary share.
func sharedDSN(t *testing.T) string {
	t.Helper()
	dsn := dbtest.Database(t)
	return dsn[:strings.LastIndex(dsn, "/")+1]
}
