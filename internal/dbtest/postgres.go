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
	"time"
)

// EnvPostgres is the name of the environment variable that contains the DSN of a
// PostgreSQL server. If it is set, PostgresDatabase uses this server and starts none.
const EnvPostgres = "SESSIONKIT_TEST_POSTGRES"

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

// postgres is a PostgreSQL server.
type postgres struct {
	guarded
	bin   string // the directory of its programs
	given string // DSN of a server from EnvPostgres; it has no guardian
}

// sharedPostgres returns the server that the tests of this binary share.
var sharedPostgres = sync.OnceValues(func() (*postgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, given: os.Getenv(EnvPostgres)}
	if p.given != "" {
		return p, nil
	}
	if err := p.begin(); err != nil {
		p.close()
		return nil, fmt.Errorf("dbtest: starting PostgreSQL: %w", err)
	}
	return p, nil
})

// findPostgres returns the directory of the newest PostgreSQL on this machine. Debian
// keeps each version in a directory of its own, which is in no PATH.
func findPostgres() (string, error) {
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
func (p *postgres) dsn() string {
	if p.given != "" {
		return p.given
	}
	return "host=" + p.dir + " user=postgres dbname=postgres"
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

// begin creates a server and starts it.
func (p *postgres) begin() (err error) {
	if p.dir, err = temporary("postgres"); err != nil {
		return err
	}
	var as []string
	if os.Geteuid() == 0 { // the server refuses to run as root
		const nobody = 65534
		if err := os.Chown(p.dir, nobody, nobody); err != nil {
			return err
		}
		as = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}
	}
	data := filepath.Join(p.dir, "data")
	// A commit must survive the end of the server process, but not of the machine.
	command := append(slices.Clone(as), filepath.Join(p.bin, "postgres"), "-D", data, "-k", p.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap")
	// After SIGKILL the processes of its connections would run on for a moment, and its
	// shared memory would stay. SIGQUIT ends all of them at once.
	if err := p.guard("QUIT", command); err != nil {
		return err
	}
	initdb := append(slices.Clone(as), filepath.Join(p.bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	cmd := exec.Command(initdb[0], initdb[1:]...)
	cmd.Dir = p.dir
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("creating its data: %w\n%s", err, output)
	}
	return p.run()
}

// run starts the server through the guardian, and waits until the server answers.
func (p *postgres) run() error {
	if err := p.order("start"); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		_, err := p.psql("SELECT 1")
		if err == nil {
			return nil
		}
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		if strings.Contains(string(log), "FATAL:  could not") || time.Now().After(deadline) {
			return fmt.Errorf("%w; its log ends with:\n%s", err, log[max(0, len(log)-2000):])
		}
		time.Sleep(20 * time.Millisecond) // there is no event to wait for
	}
}

// psql runs a statement and returns the value in its answer.
func (p *postgres) psql(statement string) (string, error) {
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
