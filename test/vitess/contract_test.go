package vitess

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// app is the tables of one test: a users table, and the store's.
type app struct {
	db              *sql.DB
	users, sessions string
	*sqlstore.Store
}

var apps atomic.Int64

// newApp creates all tables. All tests share the two keyspaces, so their names are new.
func (v *vtgate) newApp(t *testing.T, keyspace string, params ...string) app {
	t.Helper()
	a := v.newTables(t, keyspace, params...)
	a.migrate(t)
	return a
}

// newTables creates the users table.
func (v *vtgate) newTables(t *testing.T, keyspace string, params ...string) app {
	t.Helper()
	n := apps.Add(1)
	a := app{db: v.open(t, keyspace, params...), users: fmt.Sprintf("users_%d", n), sessions: fmt.Sprintf("logins_%d", n)}
	a.exec(t, `CREATE TABLE `+a.users+` (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(255) CHARACTER SET utf8mb4 NULL,
		session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1, disabled BOOLEAN NOT NULL DEFAULT FALSE, roles VARCHAR(255) NOT NULL DEFAULT '')`)
	var err error
	if a.Store, err = sqlstore.New(a.db, sqlstore.Config{Users: a.users, Sessions: a.sessions, Attrs: map[string]string{"name": "name"}}); err != nil {
		t.Fatal(err)
	}
	return a
}

// migrate runs what Migrate asks for, until it asks for nothing more.
func (a app) migrate(t *testing.T) (ran []string) {
	t.Helper()
	for range 5 {
		err := a.Migrate(t.Context())
		if err == nil {
			return ran
		}
		statements := printed(err)
		if len(statements) == 0 {
			t.Fatal(err)
		}
		for _, statement := range statements {
			a.exec(t, statement)
		}
		ran = append(ran, statements...)
	}
	t.Fatalf("Migrate has not ended after the statements\n%s", strings.Join(ran, "\n"))
	return nil
}

// printed returns the statements in an error of Migrate: the lines that begin with a tab.
func printed(err error) (statements []string) {
	for line := range strings.Lines(err.Error()) {
		if statement, ok := strings.CutPrefix(line, "\t"); ok {
			statements = append(statements, strings.TrimSuffix(strings.TrimSpace(statement), ";"))
		}
	}
	return statements
}

func (a app) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := a.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func (a app) setUser(t *testing.T, id string, u store.User) {
	t.Helper()
	roles := []byte(nil)
	if len(u.Roles) > 0 {
		var err error
		if roles, err = json.Marshal(u.Roles); err != nil {
			t.Fatal(err)
		}
	}
	// vtgate has no REPLACE in a keyspace with shards.
	a.exec(t, "INSERT INTO "+a.users+` (id, name, session_epoch, disabled, roles) VALUES (?, ?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE name = VALUES(name), session_epoch = VALUES(session_epoch), disabled = VALUES(disabled), roles = VALUES(roles)`,
		id, sql.NullString{String: u.Attrs["name"], Valid: u.Attrs != nil}, u.Epoch, u.Disabled, string(roles))
}

func (v *vtgate) contract(t *testing.T, keyspace string, params ...string) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		a := v.newApp(t, keyspace, params...)
		return storetest.Backend{
			Store:      a.Store,
			SetUser:    a.setUser,
			RemoveUser: func(t *testing.T, id string) { a.exec(t, "DELETE FROM "+a.users+" WHERE id = ?", id) },

			LoseRevokeAll: func(t *testing.T) { a.exec(t, "UPDATE "+a.sessions+"_epoch SET epoch = epoch - 1 WHERE id = 1") },
			ExpiresAt: func(t *testing.T, id store.ID) time.Time {
				var at int64
				if err := a.db.QueryRowContext(t.Context(), "SELECT expires_at FROM "+a.sessions+" WHERE id = ?", id[:]).Scan(&at); err != nil {
					t.Fatal(err)
				}
				return time.UnixMicro(at).UTC()
			},

			Alice: "1", Bob: "18446744073709551615", Nobody: "1 OR 1=1",
		}
	})
}
