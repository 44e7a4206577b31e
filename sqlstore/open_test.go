package sqlstore_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// app is a database with a users table, and a Store on it.
type app struct {
	*sqlstore.Store
	db *sql.DB
}

const integerUsers = `CREATE TABLE users (
	id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
	name VARCHAR(255) CHARACTER SET utf8mb4 NULL,
	session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1,
	disabled BOOLEAN NOT NULL DEFAULT FALSE,
	roles VARCHAR(255) NOT NULL DEFAULT '')`

// newApp creates a database with the users table and migrates it. params are added to
// the DSN.
func newApp(t *testing.T, users string, cfg sqlstore.Config, params ...string) app {
	t.Helper()
	return appOn(t, dbtest.Database(t, params...), users, cfg)
}

func appOn(t *testing.T, dsn, users string, cfg sqlstore.Config) app {
	t.Helper()
	a := app{db: openDSN(t, dsn)}
	a.exec(t, users)
	a.Store = newStore(t, a.db, cfg)
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func newStore(t *testing.T, db *sql.DB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// suite notes in the table of what passed that this test did, on the server of this package.
func suite(t *testing.T, name string) {
	t.Helper()
	dbtest.Suite(t, open(t), name)
}

func open(t *testing.T, params ...string) *sql.DB {
	t.Helper()
	return openDSN(t, dbtest.Database(t, params...))
}

func openDSN(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(16)
	db.SetMaxOpenConns(16)
	t.Cleanup(func() { db.Close() })
	return db
}

func (a app) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := a.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// setUser writes the row of the user whose id has the value key in the database.
func (a app) setUser(t *testing.T, key any, u store.User) {
	t.Helper()
	roles, err := json.Marshal(u.Roles)
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Roles) == 0 {
		roles = nil
	}
	a.exec(t, "REPLACE INTO users (id, name, session_epoch, disabled, roles) VALUES (?, ?, ?, ?, ?)",
		key, sql.NullString{String: u.Attrs["name"], Valid: u.Attrs != nil}, u.Epoch, u.Disabled, string(roles))
}

// loseRevokeAll does what a failover to a copy that missed the last RevokeAll does.
func (a app) loseRevokeAll(t *testing.T) {
	t.Helper()
	a.exec(t, "UPDATE sessions_epoch SET epoch = epoch - 1")
}

// expiresAt returns when the time of a session's row is over.
func (a app) expiresAt(t *testing.T, id store.ID) time.Time {
	t.Helper()
	var at int64
	if err := a.db.QueryRowContext(t.Context(), "SELECT expires_at FROM sessions WHERE id = ?", id[:]).Scan(&at); err != nil {
		t.Fatal(err)
	}
	return time.UnixMicro(at).UTC()
}

func newID() (id store.ID) {
	rand.Read(id[:])
	return id
}

func newDigest() (d store.Digest) {
	rand.Read(d[:])
	return d
}
