package dbtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec1(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func ask(t *testing.T, db *sql.DB, query string) (answer string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func TestDatabase_IsSeparateForEachTestAndIsDroppedAtItsEnd(t *testing.T) {
	var name string
	t.Run("one", func(t *testing.T) {
		db := open(t, dbtest.Database(t))
		name = ask(t, db, "SELECT DATABASE()")
		exec1(t, db, "CREATE TABLE t (n INT)")
	})
	db := open(t, dbtest.Database(t, "parseTime=true", "time_zone=%27%2B09:00%27"))
	exec1(t, db, "CREATE TABLE t (n INT)")
	if zone := ask(t, db, "SELECT @@time_zone"); zone != "+09:00" {
		t.Errorf("the parameters are not in effect: time_zone is %s", zone)
	}
	if n := ask(t, db, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '"+name+"'"); n != "0" {
		t.Errorf("the database of a finished test still exists")
	}
}

func TestServer_KeepsItsDataAfterStopAndKill(t *testing.T) {
	s := dbtest.Start(t)
	dsn := s.Database(t)
	db := open(t, dsn)
	exec1(t, db, "CREATE TABLE t (n INT)")
	exec1(t, db, "INSERT INTO t VALUES (42)")
	for name, end := range map[string]func(testing.TB){"Stop": s.Stop, "Kill": s.Kill} {
		end(t)
		if err := db.PingContext(t.Context()); err == nil {
			t.Errorf("after %s the server still answers", name)
		}
		s.Restart(t)
		if n := ask(t, db, "SELECT n FROM t"); n != "42" {
			t.Errorf("after %s and Restart: %s; want 42", name, n)
		}
	}

	// The same over TCP, which tests with a proxy use.
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Net, cfg.Addr = "tcp", s.Addr()
	if n := ask(t, open(t, cfg.FormatDSN()), "SELECT n FROM t"); n != "42" {
		t.Errorf("over TCP: %s; want 42", n)
	}

	s.Freeze(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := db.ExecContext(ctx, "DO 0"); err == nil {
		t.Error("the server answers after Freeze")
	}
	s.Thaw(t)
	if n := ask(t, db, "SELECT n FROM t"); n != "42" {
		t.Errorf("after Thaw: %s; want 42", n)
	}
}

// A test process may end without any cleanup: by os.Exit, a panic, a timeout or a
// signal, also one to its whole process group. The server must end and its directory must
// be removed in each case.
func TestServer_EndsWithTheTestProcess(t *testing.T) {
	const env = "DBTEST_END_WITHOUT_CLEANUP"
	if by := os.Getenv(env); by != "" {
		db := open(t, dbtest.Start(t).Database(t))
		fmt.Println("directory", filepath.Dir(ask(t, db, "SELECT @@socket")))
		if by == "exit" {
			os.Exit(3)
		}
		time.Sleep(time.Minute) // a signal ends it
	}
	for _, by := range []string{"exit", "signal"} {
		t.Run(by, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestServer_EndsWithTheTestProcess$")
			child.Env = append(os.Environ(), env+"="+by)
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			var dir string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				path, ok := strings.CutPrefix(lines.Text(), "directory ")
				if !ok {
					continue
				}
				dir = path
				if by == "signal" {
					if err := syscall.Kill(-child.Process.Pid, syscall.SIGTERM); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := child.Wait(); err == nil || dir == "" {
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
		})
	}
}
