package dbtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// EnvPostgres is the name of the environment variable that contains the DSN of a
// PostgreSQL server. If it is set, PostgresDatabase uses this server and starts none.
const EnvPostgres = "SESSIONKIT_TEST_POSTGRES"

// EnvPostgresBin is the environment variable that names the directory of the programs with which
// servers are started. Without it they are the newest of this machine.
const EnvPostgresBin = "SESSIONKIT_TEST_POSTGRES_BIN"

// PostgresDatabase creates an empty PostgreSQL database for one test and returns its
// DSN, as Database does for MySQL. params, such as "search_path=app", are added to the
// DSN. The DSN is that of pgx and of libpq. The package imports no driver for PostgreSQL
// and runs the server's own psql.
func PostgresDatabase(tb testing.TB, params ...string) string {
	tb.Helper()
	p, err := sharedPostgres()
	if err != nil {
		tb.Fatal(err)
	}
	return p.Database(tb, params...)
}

// Database creates an empty database on this server, as PostgresDatabase does. The DSN
// names the Unix socket of the server.
func (p *Postgres) Database(tb testing.TB, params ...string) string {
	tb.Helper()
	postgresLogged.Do(func() {
		version, err := p.psql("SHOW server_version")
		if err != nil {
			tb.Fatal(err)
		}
		tb.Logf("dbtest: the server is PostgreSQL %s", version)
		Report(tb, "the servers of the tests", "PostgreSQL "+version)
	})
	name := "sessionkit_test_" + strings.ToLower(rand.Text()[:12])
	if _, err := p.psql("CREATE DATABASE " + name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// Databases of a server of our own are removed with it.
		if p.given != "" {
			_, _ = p.psql("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
		}
	})
	dsn, err := withDatabase(p.dsn(), name, params)
	if err != nil {
		tb.Fatal(err)
	}
	return dsn
}

var postgresLogged sync.Once

// Postgres is a PostgreSQL server for one test that stops, kills or freezes it, as
// Server is for MySQL. Make one with StartPostgres.
type Postgres struct {
	guarded
	bin   string // the directory of its programs
	port  string // of the loopback interface; empty if the server listens on the socket only
	given string // DSN of a server from EnvPostgres; it has no guardian
}

// sharedPostgres returns the server that the tests of this binary share.
var sharedPostgres = sync.OnceValues(func() (*Postgres, error) {
	if dsn := os.Getenv(EnvPostgres); dsn != "" {
		bin, err := findPostgres()
		return &Postgres{bin: bin, given: dsn}, err
	}
	return newPostgres(false)
})

// findPostgres returns the directory that EnvPostgresBin names, else that of the newest
// PostgreSQL on this machine. Debian keeps each version in a directory of its own, which is in
// no PATH.
func findPostgres() (string, error) {
	if bin := os.Getenv(EnvPostgresBin); bin != "" {
		if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
			return "", fmt.Errorf("dbtest: %s: %w", EnvPostgresBin, err)
		}
		return bin, nil
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int {
			if len(a) != len(b) {
				return len(a) - len(b) // version 9 is before 10
			}
			return strings.Compare(a, b)
		})), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("dbtest: no PostgreSQL is installed: run `.ci/deps`, or `apt-get install postgresql`, " +
		"which also starts a server of its own; " + EnvPostgres + " may name another server, but psql is needed then, too")
}

// dsn returns the DSN of the server and of its database postgres.
func (p *Postgres) dsn() string {
	if p.given != "" {
		return p.given
	}
	dsn := "host=" + p.dir + " user=postgres dbname=postgres"
	if p.port != "" {
		dsn += " port=" + p.port // which is also in the name of the socket
	}
	return dsn
}

// withDatabase returns a DSN, which is a URL or a list of settings, with the name of
// another database and more parameters.
func withDatabase(dsn, name string, params []string) (string, error) {
	if !strings.Contains(dsn, "://") {
		// The last one of two settings is in effect.
		return strings.Join(append([]string{dsn, "dbname=" + name}, params...), " "), nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("dbtest: %s is no URL", EnvPostgres) // the cause would quote the password
	}
	u.Path = "/" + name
	u.RawQuery = strings.Join(slices.DeleteFunc(append([]string{u.RawQuery}, params...), func(s string) bool { return s == "" }), "&")
	return u.String(), nil
}

// psql runs a statement and returns the value in its answer.
func (p *Postgres) psql(statement string) (string, error) {
	psql := filepath.Join(p.bin, "psql")
	if _, err := os.Stat(psql); err != nil {
		psql = "psql"
	}
	cmd := exec.Command(psql, "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", p.dsn(), "-c", statement)
	output, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(output))
	if err != nil {
		return "", fmt.Errorf("dbtest: psql: %w: %s", err, text)
	}
	return text, nil
}
