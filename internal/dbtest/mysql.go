package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Env is the name of the environment variable that contains the DSN of a server. If
// it is set, Database uses this server and starts none. What starts a server all the same
// fails if that has another version.
const Env = "SESSIONKIT_TEST_MYSQL"

// Database creates an empty database for one test and returns its DSN. params, such
// as "parseTime=true", are added to the DSN; their values must be URL-escaped. The
// database is dropped when the test ends. All tests of a test binary share one
// server, which the first call starts. Database is safe for concurrent use. The test
// fails if there is no server.
func Database(tb testing.TB, params ...string) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	logVersion(tb, s)
	return s.Database(tb, params...)
}

// shared returns the server that the tests of this binary share. The variable keeps
// the pipe to the guardian open until the process ends.
var shared = sync.OnceValues(func() (*Server, error) {
	dsn := os.Getenv(Env)
	if dsn == "" {
		return newServer(false)
	}
	if os.Getenv(EnvProgram) != "" {
		if _, err := findProgram(); err != nil {
			return nil, err
		}
	}
	return &Server{given: dsn}, nil
})

// Database creates an empty database on this server, as the function Database does.
// The DSN names the Unix socket of the server.
func (s *Server) Database(tb testing.TB, params ...string) string {
	tb.Helper()
	cfg, err := mysql.ParseDSN(s.dsn())
	if err != nil {
		tb.Fatalf("dbtest: %s: %v", Env, err)
	}
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	name := "sessionkit_test_" + strings.ToLower(rand.Text()[:12])
	if _, err := db.ExecContext(tb.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	tb.Cleanup(func() {
		// The server may have stopped already. Its directory is removed with it.
		_, _ = db.Exec("DROP DATABASE IF EXISTS " + name)
		db.Close()
	})
	cfg.DBName = name
	dsn := cfg.FormatDSN()
	if len(params) == 0 {
		return dsn
	}
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	return dsn + separator + strings.Join(params, "&")
}

// version asks a server for its version.
func version(dsn string) (version string, err error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return "", err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	return version, err
}

var versionLogged sync.Once

// logVersion logs the version of the server, once per test binary.
func logVersion(tb testing.TB, s *Server) {
	tb.Helper()
	versionLogged.Do(func() {
		version, err := version(s.dsn())
		if err != nil {
			tb.Fatalf("dbtest: %v", err)
		}
		if !strings.Contains(version, "MariaDB") {
			version = "MySQL " + version
		}
		tb.Logf("dbtest: the server is %s", version)
		Report(tb, "the servers of the tests", version)
	})
}

// Report adds a line about this test binary to a file in the folder SESSIONKIT_REPORTS.
// The go command hides what a package logs whose tests pass, so make test sets this
// variable and prints all files in the end. Without it, Report does nothing.
func Report(tb testing.TB, name, line string) {
	tb.Helper()
	folder := os.Getenv("SESSIONKIT_REPORTS")
	if folder == "" {
		return
	}
	line = fmt.Sprintf("%-12s %s", strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"), line)
	if err := appendLine(filepath.Join(folder, name), line); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
}
