package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The kit's own tests run on MySQL, because this module is where SQLite is at
// hand.
func TestTheStoreKeepsItsContractOnSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		db := testDatabases(t).sessions
		exec := func(t *testing.T, query string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		exec(t, `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, session_epoch INTEGER NOT NULL,
			disabled INTEGER NOT NULL, roles TEXT)`)
		store, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite, Attrs: map[string]string{"name": "name"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return storetest.Backend{
			Store: store,
			SetUser: func(t *testing.T, id string, u session.User) {
				roles := []byte("[]")
				if len(u.Roles) > 0 {
					var err error
					if roles, err = json.Marshal(u.Roles); err != nil {
						t.Fatal(err)
					}
				}
				name, named := u.Attrs["name"]
				exec(t, `REPLACE INTO users (id, name, session_epoch, disabled, roles) VALUES (?, ?, ?, ?, ?)`,
					id, sql.NullString{String: name, Valid: named}, int64(u.Epoch), u.Disabled, string(roles))
			},
			RemoveUser: func(t *testing.T, id string) { exec(t, `DELETE FROM users WHERE id = ?`, id) },
			Alice:      "1",
			Bob:        "9223372036854775807",
			Nobody:     "1 OR 1=1",
		}
	})
}

// Migrate must find the app's own table good, at the first start and at the next.
func TestTheAppsOwnTableFitsTheStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "test.db")
	for range 2 {
		db, err := openDatabases(t.Context(), options{db: file})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := session.ParseKeys(session.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newApp(t.Context(), keys, db, options{}, true); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Migrate refuses on SQLite what it refuses on MySQL.
func TestEachFaultOfASQLiteDatabaseStopsTheStart(t *testing.T) {
	const users = `CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch INTEGER NOT NULL, disabled INTEGER NOT NULL, roles TEXT)`
	for _, c := range []struct {
		name   string
		users  string
		breaks string
		says   []string // nothing: it is good
	}{
		{name: "nothing", users: users},
		{name: "a view", users: strings.Replace(users, "users", "people", 1), breaks: "CREATE VIEW users AS SELECT * FROM people"},
		{name: "a column without a type", users: strings.Replace(users, "roles TEXT", "roles", 1)},
		{name: "no table", users: "SELECT 1", says: []string{"no table `users`"}},
		{name: "id without an index", users: strings.Replace(users, "id INTEGER PRIMARY KEY", "id INTEGER", 1), says: []string{"CREATE UNIQUE INDEX users_id"}},
		{name: "id with an index", users: strings.Replace(users, "id INTEGER PRIMARY KEY", "id INTEGER UNIQUE", 1)},
		{name: "text for an epoch", users: strings.Replace(users, "session_epoch INTEGER", "session_epoch TEXT", 1), says: []string{"session_epoch is text"}},
		{name: "no roles", users: strings.Replace(users, ", roles TEXT", "", 1), says: []string{"ADD COLUMN roles"}},
		{name: "another's table", users: users, breaks: "CREATE TABLE sessions (id TEXT)", says: []string{"`sessions` is not the kit's"}},
		{name: "an index gone", users: users, breaks: "DROP INDEX sessions_by_user", says: []string{"no index on user_id"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := testDatabases(t).sessions
			store, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), c.users); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(c.breaks, "DROP") {
				if err := store.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := db.ExecContext(t.Context(), c.breaks); err != nil {
				t.Fatal(err)
			}
			err = store.Migrate(t.Context())
			if (err != nil) != (len(c.says) > 0) {
				t.Fatalf("Migrate: %v", err)
			}
			for _, words := range c.says {
				if !strings.Contains(err.Error(), words) || strings.Count(err.Error(), "sqlstore: Migrate: ") != 1 {
					t.Errorf("the error is not %q alone: %v", words, err)
				}
			}
		})
	}
}
