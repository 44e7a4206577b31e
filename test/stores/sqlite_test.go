package stores

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"

	_ "modernc.org/sqlite"
)

// sqlite opens a new database for one test, with the settings that package sqlstore
// recommends.
func sqlite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestSQLite_KeepsTheStoreContract(t *testing.T) {
	dbtest.Suite(t, sqlite(t), "store contract and its races")
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		db := sqlite(t)
		exec := func(t *testing.T, query string, args ...any) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		exec(t, `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, session_epoch INTEGER NOT NULL,
			disabled INTEGER NOT NULL, roles TEXT)`)
		rows, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite, Attrs: map[string]string{"name": "name"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return storetest.Backend{
			Store: rows,
			SetUser: func(t *testing.T, id string, u store.User) {
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

			LoseRevokeAll: func(t *testing.T) { exec(t, `UPDATE sessions_epoch SET epoch = epoch - 1`) },
			ExpiresAt: func(t *testing.T, id store.ID) time.Time {
				var at int64
				if err := db.QueryRowContext(t.Context(), `SELECT expires_at FROM sessions WHERE id = ?`, id[:]).Scan(&at); err != nil {
					t.Fatal(err)
				}
				return time.UnixMicro(at).UTC()
			},

			Alice:  "1",
			Bob:    "9223372036854775807",
			Nobody: "1 OR 1=1",
		}
	})
}

// Migrate rejects the same faults on SQLite as on MySQL.
func TestSQLite_MigrateReportsEachFaultOfTheDatabase(t *testing.T) {
	dbtest.Suite(t, sqlite(t), "start-up checks")
	const users = `CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch INTEGER NOT NULL, disabled INTEGER NOT NULL, roles TEXT)`
	for _, c := range []struct {
		name   string
		users  string
		cfg    sqlstore.Config
		breaks string   // a statement that is executed before Migrate
		says   []string // parts of the error; empty if Migrate must succeed
	}{
		{name: "no fault", users: users},
		{name: "a view", users: strings.Replace(users, "users", "people", 1), breaks: "CREATE VIEW users AS SELECT * FROM people"},
		{name: "a column without a type", users: strings.Replace(users, "roles TEXT", "roles", 1)},
		{name: "no table", users: "SELECT 1", says: []string{"no table `users`"}},
		{name: "id without an index", users: strings.Replace(users, "id INTEGER PRIMARY KEY", "id INTEGER", 1), says: []string{"CREATE UNIQUE INDEX `users_id`"}},
		{name: "id with an index", users: strings.Replace(users, "id INTEGER PRIMARY KEY", "id INTEGER UNIQUE", 1)},
		{name: "epoch with type text", users: strings.Replace(users, "session_epoch INTEGER", "session_epoch TEXT", 1), says: []string{"session_epoch is text"}},
		{name: "no column roles", users: strings.Replace(users, ", roles TEXT", "", 1), says: []string{"ADD COLUMN `roles`"}},
		{name: "table of another program", users: users, breaks: "CREATE TABLE sessions (id TEXT)", says: []string{"`sessions` is not the kit's"}},
		{name: "reserved words", users: "CREATE TABLE users (`key` INTEGER NOT NULL, `order` INTEGER NOT NULL, `group` TEXT)", cfg: sqlstore.Config{ID: "key", Epoch: "order", Disabled: "select", Roles: "group"}, breaks: "ALTER TABLE users ADD COLUMN `select` INTEGER", says: []string{"no unique index on key"}},
		{name: "a reserved word is missing", users: users, cfg: sqlstore.Config{Roles: "group"}, says: []string{"ADD COLUMN `group`"}},
		{name: "a view without roles", users: "CREATE TABLE people (id INTEGER PRIMARY KEY, session_epoch INTEGER, disabled INTEGER)", breaks: "CREATE VIEW users AS SELECT * FROM people", says: []string{"the view `users` has no column roles"}},
		{name: "a name of an index is taken", users: strings.Replace(users, "id INTEGER PRIMARY KEY", "id INTEGER", 1), breaks: "CREATE INDEX users_id ON users (roles)", says: []string{"CREATE UNIQUE INDEX `users_id_2`"}},
		{name: "missing index", users: users, breaks: "DROP INDEX sessions_by_user", says: []string{"no index on user_id"}},
		{name: "missing index of user codes", users: users, breaks: "DROP INDEX sessions_devices_by_code", says: []string{"no unique index on user_code"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := sqlite(t)
			c.cfg.Dialect = sqlstore.SQLite
			store, err := sqlstore.New(db, c.cfg)
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
					t.Errorf("the error does not contain %q, or does not have its prefix exactly once: %v", words, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "\n\t") {
				runRemedies(t, db, err)
				if again := store.Migrate(t.Context()); again != nil {
					t.Errorf("after the statements of the error\n%v\nMigrate says\n%v", err, again)
				}
			}
		})
	}
}

// SQLite's clock has a resolution of one millisecond, so that many logins have the
// same time.
func TestSQLite_ListReturnsLoginsOfTheSameTimeNewestFirst(t *testing.T) {
	db := sqlite(t)
	for _, statement := range []string{
		`CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch INTEGER NOT NULL, disabled INTEGER NOT NULL, roles TEXT)`,
		`INSERT INTO users VALUES (1, 1, 0, '')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const logins = 50
	for i := range logins {
		// Descending ids, so that the order by id differs from the order of the logins.
		if err := kept.Create(t.Context(), store.NewSession{ID: store.ID{byte(logins - i)}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := kept.List(t.Context(), "1", store.ID{}, 100)
	if err != nil || len(list) != logins {
		t.Fatalf("listed %d sessions, %v; want %d", len(list), err, logins)
	}
	for i, row := range list {
		if want := (store.ID{byte(i + 1)}); row.ID != want {
			t.Errorf("listed %v at %d; want %v", row.ID, i, want)
		}
	}
}
