package dbtest

import (
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Env is the name of the environment variable that contains the DSN of a server. If
// it is set, Database uses this server and starts none.
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
	if dsn := os.Getenv(Env); dsn != "" {
		return &Server{given: dsn}, nil
	}
	return newServer(false)
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

var versionLogged sync.Once

// logVersion logs the version of the server, once per test binary.
func logVersion(tb testing.TB, s *Server) {
	tb.Helper()
	versionLogged.Do(func() {
		db, err := sql.Open("mysql", s.dsn())
		if err != nil {
			tb.Fatalf("dbtest: %v", err)
		}
		defer db.Close()
		var version string
		if err := db.QueryRowContext(tb.Context(), "SELECT VERSION()").Scan(&version); err != nil {
			tb.Fatalf("dbtest: %v", err)
		}
		tb.Logf("dbtest: the server is %s", version)
	})
}
