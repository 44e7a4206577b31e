// Package mysqltest gives tests a real MariaDB or MySQL server of their own: no
// container, no port, no setup. The server listens on a Unix socket in a
// temporary directory (in memory where there is /dev/shm), starts in about a
// second, and dies with the test process, however that ends.
//
//	dsn := mysqltest.Database(t, "parseTime=true")
//	db, err := sql.Open("mysql", dsn)
//
// It needs mariadbd (or mysqld) on this machine:
//
//	apt-get install mariadb-server-core
//
// or, in SESSIONKIT_TEST_MYSQL, the DSN of a server with an account that may
// create databases: root:secret@tcp(127.0.0.1:3306)/ . A test that has neither
// fails. It is never skipped: a test that quietly did not run is worth less
// than none.
package mysqltest

import (
	"crypto/rand"
	"database/sql"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Env is the environment variable with the DSN of a server to use in place of
// one that is started for the tests.
const Env = "SESSIONKIT_TEST_MYSQL"

// Database creates an empty database for one test and returns its DSN, with
// params ("parseTime=true", values URL-escaped) added to it. The database is
// dropped when the test ends. All tests of a test binary share one server, which
// is started by the first call; tests may run in parallel.
func Database(tb testing.TB, params ...string) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	logVersion(tb, s)
	return s.Database(tb, params...)
}

// shared returns the server that the tests of this binary share. It is kept, and
// with it the pipe to its guardian, as long as the process lives.
var shared = sync.OnceValues(func() (*Server, error) {
	if dsn := os.Getenv(Env); dsn != "" {
		return &Server{given: dsn}, nil
	}
	return newServer(false)
})

// Database creates an empty database on this server, through its socket, as the
// function Database does.
func (s *Server) Database(tb testing.TB, params ...string) string {
	tb.Helper()
	cfg, err := mysql.ParseDSN(s.dsn())
	if err != nil {
		tb.Fatalf("mysqltest: %s: %v", Env, err)
	}
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatalf("mysqltest: %v", err)
	}
	name := "sessionkit_test_" + strings.ToLower(rand.Text()[:12])
	if _, err := db.ExecContext(tb.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
		tb.Fatalf("mysqltest: %v", err)
	}
	tb.Cleanup(func() {
		// The server may be down by now; its directory goes with it.
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

// logVersion says once per test binary what the tests ran on.
func logVersion(tb testing.TB, s *Server) {
	tb.Helper()
	versionLogged.Do(func() {
		db, err := sql.Open("mysql", s.dsn())
		if err != nil {
			tb.Fatalf("mysqltest: %v", err)
		}
		defer db.Close()
		var version string
		if err := db.QueryRowContext(tb.Context(), "SELECT VERSION()").Scan(&version); err != nil {
			tb.Fatalf("mysqltest: %v", err)
		}
		tb.Logf("mysqltest: the server is %s", version)
	})
}
