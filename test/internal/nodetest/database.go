package nodetest

import (
	"database/sql"
	"flag"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

var onPostgres = flag.Bool("postgres", false, "run on PostgreSQL in place of MariaDB or MySQL")

// OnPostgres reports whether the tests run on PostgreSQL, by the flag -postgres. Use it
// where the databases differ.
func OnPostgres() bool { return *onPostgres }

// Server is a database server for one test that stops, kills or freezes it.
type Server interface {
	Database(tb testing.TB, params ...string) (dsn string)
	Addr() string
	Stop(tb testing.TB)
	Kill(tb testing.TB)
	Restart(tb testing.TB)
	Freeze(tb testing.TB)
	Thaw(tb testing.TB)
}

// StartServer starts a server of the database that the tests run on.
func StartServer(t testing.TB) Server {
	t.Helper()
	if OnPostgres() {
		return dbtest.StartPostgres(t)
	}
	return dbtest.Start(t)
}

// Database creates an empty database for one test and returns its DSN.
func Database(t testing.TB) (dsn string) {
	t.Helper()
	if OnPostgres() {
		return dbtest.PostgresDatabase(t)
	}
	return dbtest.Database(t)
}

// nodeFlag is the flag of the example that takes the DSN.
func nodeFlag() string {
	if OnPostgres() {
		return "-postgres"
	}
	return "-mysql"
}

// DB is a connection of the tests to the database. Its statements have the placeholder ?
// on each database.
type DB struct{ *sql.DB }

// Open opens the database of a DSN.
func Open(t testing.TB, dsn string) DB {
	t.Helper()
	driver := "mysql"
	if OnPostgres() {
		driver = "pgx"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return DB{db}
}

// Exec runs a statement.
func (db DB) Exec(statement string, args ...any) (sql.Result, error) {
	return db.DB.Exec(bind(statement), args...)
}

// Query runs a statement that returns rows.
func (db DB) Query(statement string, args ...any) (*sql.Rows, error) {
	return db.DB.Query(bind(statement), args...)
}

// QueryRow runs a statement that returns one row.
func (db DB) QueryRow(statement string, args ...any) *sql.Row {
	return db.DB.QueryRow(bind(statement), args...)
}

// bind writes placeholders as PostgreSQL expects them: $1, $2 and so on.
func bind(statement string) string {
	if !OnPostgres() {
		return statement
	}
	parts := strings.Split(statement, "?")
	for i := range parts[1:] {
		parts[i] += "$" + strconv.Itoa(i+1)
	}
	return strings.Join(parts, "")
}

// Address returns where the database of a DSN listens.
func Address(dsn string) (network, addr string, err error) {
	if !OnPostgres() {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return "", "", err
		}
		return cfg.Net, cfg.Addr, nil
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", "", err
	}
	network, addr = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	return network, addr, nil
}

// Through returns a DSN that leads to the same database through a proxy, which listens on
// a TCP address.
func Through(dsn, addr string) (string, error) {
	if !OnPostgres() {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return "", err
		}
		cfg.Net, cfg.Addr = "tcp", addr
		return cfg.FormatDSN(), nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if !strings.Contains(dsn, "://") {
		// The last one of two settings is in effect.
		return dsn + " host=" + host + " port=" + port + " sslmode=disable", nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Del("host")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = addr, query.Encode()
	return u.String(), nil
}
