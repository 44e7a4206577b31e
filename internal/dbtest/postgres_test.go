package dbtest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// psql runs a statement on a database, without a driver.
func psql(t *testing.T, dsn, statement string) string {
	t.Helper()
	program := "psql"
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql"); len(found) > 0 {
		program = found[0]
	}
	output, err := exec.CommandContext(t.Context(), program, "-X", "-q", "-t", "-A", "-d", dsn, "-c", statement).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", statement, err, output)
	}
	return strings.TrimSpace(string(output))
}

func TestPostgresDatabase_IsSeparateForEachTest(t *testing.T) {
	one, other := dbtest.PostgresDatabase(t), dbtest.PostgresDatabase(t, "options='-c timezone=Asia/Tokyo'")
	for _, dsn := range []string{one, other} {
		psql(t, dsn, "CREATE TABLE t (n INT)")
	}
	if zone := psql(t, other, "SHOW timezone"); os.Getenv(dbtest.EnvPostgres) == "" && zone != "Asia/Tokyo" {
		t.Errorf("the parameters are not in effect: timezone is %s", zone)
	}
}

// As for MySQL: also the processes of its connections end, and its directory is removed.
func TestPostgresDatabase_EndsWithTheTestProcess(t *testing.T) {
	const env = "DBTEST_EXIT_WITHOUT_CLEANUP"
	if os.Getenv(env) != "" {
		dsn := dbtest.PostgresDatabase(t)
		fmt.Println("directory", filepath.Dir(psql(t, dsn, "SHOW data_directory")))
		os.Exit(3)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), env+"=1", dbtest.EnvPostgres+"=")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "directory "); ok {
			dir = path
		}
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != 3 || dir == "" {
		t.Fatalf("the child ended with %v before it had started a server (directory %q)", err, dir)
	}
	for ctx, tick := t.Context(), time.NewTicker(10*time.Millisecond); ; {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s still exists after the process has ended", dir)
		}
	}
}
