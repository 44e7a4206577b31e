package stores

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// idTypes are user ids of each IDKind in SQLite: the column, a user's id, its value as
// SQL, and ids that name no user.
var idTypes = map[string]struct {
	kind      sqlstore.IDKind
	column    string
	id, value string
	others    []string
}{
	"integer": {sqlstore.Integer, "INTEGER PRIMARY KEY", "7", "7", []string{"07", "+7", "8", "9223372036854775808"}},
	"UUID": {sqlstore.UUID, "BLOB NOT NULL PRIMARY KEY", "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "x'0190b5a87c1e7b1a8c6f3d2f1e0a9b8c'",
		[]string{"0190B5A8-7C1E-7B1A-8C6F-3D2F1E0A9B8C", "0190b5a87c1e7b1a8c6f3d2f1e0a9b8c"}},
	"UUID as BINARY":        {sqlstore.UUID, "BINARY(16) NOT NULL PRIMARY KEY", "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "x'0190b5a87c1e7b1a8c6f3d2f1e0a9b8c'", nil},
	"UUID as VARBINARY":     {sqlstore.UUID, "VARBINARY(16) NOT NULL PRIMARY KEY", "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "x'0190b5a87c1e7b1a8c6f3d2f1e0a9b8c'", nil},
	"text":                  {sqlstore.Text, "TEXT NOT NULL PRIMARY KEY", "ada", "'ada'", []string{"Ada", "ada ", ""}},
	"case-insensitive text": {sqlstore.Text, "TEXT NOT NULL PRIMARY KEY COLLATE NOCASE", "ada", "'ada'", []string{"Ada", "ADA", "ada "}},
}

// A migration tool runs the SQL of Schema before the app starts.
func TestSQLite_SchemaLeavesMigrateNothingToDo(t *testing.T) {
	for name, c := range idTypes {
		t.Run(name, func(t *testing.T) {
			cfg := sqlstore.Config{Dialect: sqlstore.SQLite, IDKind: c.kind}
			db, rows := usersDatabase(t, c.column, cfg)
			text, err := rows.Schema(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if without, err := sqlstore.Schema(cfg); err != nil || without != text {
				t.Errorf("without a database Schema returns %v and\n%s\nwant\n%s", err, without, text)
			}
			if got := objects(t, db); got != "" {
				t.Errorf("Schema created\n%s\nwant nothing", got)
			}
			for range 2 { // it may be run again
				execute(t, db, text)
			}
			before, changes := objects(t, db), totalChanges(t, db)
			if err := rows.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := objects(t, db); after != before {
				t.Errorf("the database had\n%s\nMigrate made it\n%s", before, after)
			}
			if n := totalChanges(t, db) - changes; n != 0 {
				t.Errorf("Migrate changed %d rows; want none", n)
			}

			migrated, other := usersDatabase(t, c.column, cfg)
			if err := other.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := objects(t, migrated); got != before {
				t.Errorf("Schema creates\n%s\nMigrate creates\n%s", before, got)
			}
		})
	}
}

func TestSQLite_AcceptsOneSpellingOfEachUserID(t *testing.T) {
	dbtest.Suite(t, sqlite(t), "each type of user id")
	for name, c := range idTypes {
		t.Run(name, func(t *testing.T) {
			db, rows := usersDatabase(t, c.column, sqlstore.Config{Dialect: sqlstore.SQLite, IDKind: c.kind})
			if err := rows.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			execute(t, db, "INSERT INTO users VALUES ("+c.value+", 1, 0, 'admin,staff')")
			login := store.NewSession{ID: store.ID{1}, UserID: c.id, Lifetime: time.Hour, RetainFor: time.Hour}
			if err := rows.Create(t.Context(), login); err != nil {
				t.Fatal(err)
			}
			if snap, err := rows.Find(t.Context(), login.ID); err != nil || snap.Record == nil || snap.Record.UserID != c.id || len(snap.Record.User.Roles) != 2 {
				t.Errorf("the session is %+v, %v", snap.Record, err)
			}
			for _, other := range c.others {
				err := rows.Create(t.Context(), store.NewSession{ID: store.ID{2}, UserID: other, Lifetime: time.Hour, RetainFor: time.Hour})
				if !errors.Is(err, store.ErrUserDisabled) {
					t.Errorf("a login of %q: %v; want ErrUserDisabled", other, err)
				}
				if list, err := rows.List(t.Context(), other, store.ID{}, 100); err != nil || len(list) != 0 {
					t.Errorf("%q has %d sessions, %v; want none", other, len(list), err)
				}
			}
			if list, err := rows.List(t.Context(), c.id, store.ID{}, 100); err != nil || len(list) != 1 {
				t.Errorf("%q has %d sessions, %v; want 1", c.id, len(list), err)
			}
		})
	}
}

// usersDatabase is a database with a users table, on one connection.
func usersDatabase(t *testing.T, idColumn string, cfg sqlstore.Config) (*sql.DB, *sqlstore.Store) {
	t.Helper()
	db := sqlite(t)
	db.SetMaxOpenConns(1)
	execute(t, db, "CREATE TABLE users (id "+idColumn+", session_epoch INTEGER NOT NULL, disabled INTEGER NOT NULL, roles TEXT)")
	rows, err := sqlstore.New(db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return db, rows
}

func execute(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// objects returns the definitions of all tables and indexes, without the app's table.
func objects(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name <> 'users' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var definition string
		if err := rows.Scan(&definition); err != nil {
			t.Fatal(err)
		}
		all.WriteString(definition + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// totalChanges returns how many rows the only connection has changed.
func totalChanges(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT total_changes()").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
