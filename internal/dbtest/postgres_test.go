package dbtest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
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
	output, err := tryPSQL(t.Context(), dsn, statement)
	if err != nil {
		t.Fatalf("%s: %v: %s", statement, err, output)
	}
	return output
}

func tryPSQL(ctx context.Context, dsn, statement string) (string, error) {
	output, err := exec.CommandContext(ctx, psqlProgram(), "-X", "-q", "-t", "-A", "-d", dsn, "-c", statement).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func psqlProgram() string {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql"); len(found) > 0 {
		return found[0]
	}
	return "psql"
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

func TestPostgres_KeepsItsDataAfterStopAndKill(t *testing.T) {
	s := dbtest.StartPostgres(t)
	dsn := s.Database(t)
	psql(t, dsn, "CREATE TABLE t (n INT)")
	psql(t, dsn, "INSERT INTO t VALUES (42)")
	for name, end := range map[string]func(testing.TB){"Stop": s.Stop, "Kill": s.Kill} {
		idle := exec.Command("sleep", "60") // the input of a client whose connection stays open
		input, err := idle.StdoutPipe()
		if err != nil || idle.Start() != nil {
			t.Fatal(err)
		}
		client := exec.Command(psqlProgram(), "-X", "-d", dsn)
		client.Stdin = input
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		end(t)
		idle.Process.Kill()
		_, _ = idle.Wait(), client.Wait()
		if _, err := tryPSQL(t.Context(), dsn, "SELECT 1"); err == nil {
			t.Errorf("after %s the server still answers", name)
		}
		s.Restart(t)
		if n := psql(t, dsn, "SELECT n FROM t"); n != "42" {
			t.Errorf("after %s and Restart: %s; want 42", name, n)
		}
	}

	// The same over TCP, which tests with a proxy use.
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if n := psql(t, dsn+" host="+host+" port="+port, "SELECT n FROM t"); n != "42" {
		t.Errorf("over TCP: %s; want 42", n)
	}

	s.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := tryPSQL(ctx, dsn, "SELECT 1"); err == nil || ctx.Err() == nil {
		t.Errorf("error %v after Freeze; want no answer", err)
	}
	s.Thaw(t)
	if n := psql(t, dsn, "SELECT n FROM t"); n != "42" {
		t.Errorf("after Thaw: %s; want 42", n)
	}
	s.Freeze(t) // the cleanup ends also a frozen server
}

func TestPostgres_StandbyFollows(t *testing.T) {
	s := dbtest.StartPostgres(t)
	dsn := s.Database(t)
	replica := s.Standby(t)
	psql(t, dsn, "CREATE TABLE t AS SELECT 42 AS n")
	there := replica.Same(dsn)
	for psql(t, there, "SELECT to_regclass('t') IS NOT NULL") != "t" {
		time.Sleep(10 * time.Millisecond) // it is replayed soon
	}
	if n := psql(t, there, "SELECT n FROM t"); n != "42" {
		t.Errorf("the replica has %s; want 42", n)
	}
	if _, err := tryPSQL(t.Context(), there, "INSERT INTO t VALUES (1)"); err == nil {
		t.Error("the replica accepts changes")
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
