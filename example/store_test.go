package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
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
