package stores

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// SQLite gives the id of a deleted user to the next one. It may be harmless, so it is a
// warning, with the declaration that prevents it, and not an error.
func TestSQLite_MigrateWarnsWhereIDsRepeat(t *testing.T) {
	const columns, fixed = ", disabled INTEGER NOT NULL, roles TEXT", ", session_epoch INTEGER NOT NULL DEFAULT 1"
	for name, c := range map[string]struct {
		users  string
		cfg    sqlstore.Config
		repeat bool
	}{
		"the row number":            {"CREATE TABLE users (id INTEGER PRIMARY KEY" + fixed + columns + ")", sqlstore.Config{}, true},
		"in a constraint":           {"CREATE TABLE users (id INTEGER" + fixed + columns + ", PRIMARY KEY (id))", sqlstore.Config{}, true},
		"in other letters":          {"CREATE TABLE Users (ID integer primary key" + fixed + columns + ")", sqlstore.Config{}, true},
		"under other names":         {"CREATE TABLE people (person INTEGER PRIMARY KEY, version INTEGER NOT NULL" + columns + ")", sqlstore.Config{Users: "people", ID: "person", Epoch: "version"}, true},
		"without an epoch":          {"CREATE TABLE users (id INTEGER PRIMARY KEY" + columns + ")", sqlstore.Config{Epoch: "(0)"}, true},
		"AUTOINCREMENT":             {"CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT" + fixed + columns + ")", sqlstore.Config{}, false},
		"an epoch from the clock":   {"CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch INTEGER NOT NULL DEFAULT (unixepoch())" + columns + ")", sqlstore.Config{}, false},
		"not the row number":        {"CREATE TABLE users (id INT PRIMARY KEY" + fixed + columns + ")", sqlstore.Config{}, false},
		"unique, not the key":       {"CREATE TABLE users (id INTEGER UNIQUE" + fixed + columns + ")", sqlstore.Config{}, false},
		"of a table without rowids": {"CREATE TABLE users (id INTEGER PRIMARY KEY" + fixed + columns + ") WITHOUT ROWID", sqlstore.Config{}, false},
		"one of two columns":        {"CREATE TABLE users (id INTEGER UNIQUE, tenant INTEGER" + fixed + columns + ", PRIMARY KEY (id, tenant))", sqlstore.Config{}, false},
		"text":                      {"CREATE TABLE users (id TEXT PRIMARY KEY" + fixed + columns + ")", sqlstore.Config{IDKind: sqlstore.Text}, false},
	} {
		t.Run(name, func(t *testing.T) {
			db, log := sqlite(t), new(bytes.Buffer)
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
			t.Cleanup(func() { slog.SetDefault(before) })
			execute(t, db, c.users)
			c.cfg.Dialect = sqlstore.SQLite
			rows, err := sqlstore.New(db, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := rows.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			text := log.String()
			says := strings.Contains(text, " INTEGER PRIMARY KEY AUTOINCREMENT, or ") && strings.Contains(text, " INTEGER NOT NULL DEFAULT (unixepoch())") && strings.Contains(text, "RevokeUser")
			if got := strings.Count(text, "level=WARN"); c.repeat && (got != 1 || !says) || !c.repeat && got != 0 {
				t.Errorf("%d warnings; want one: %v, with both declarations: %s", got, c.repeat, text)
			}
		})
	}
}

// A user who gets the id of a deleted one gets none of their sessions if the epoch
// begins with the clock.
func TestSQLite_EpochFromTheClockKeepsSessionsOfADeletedUserOut(t *testing.T) {
	for name, c := range map[string]struct {
		epoch string
		out   bool
	}{
		"a constant, of which Migrate warns": {"1", false},
		"the time of creation":               {"(unixepoch() + (SELECT n FROM later))", true}, // the second user comes an hour later
	} {
		t.Run(name, func(t *testing.T) {
			db := sqlite(t)
			execute(t, db, `CREATE TABLE later (n INTEGER); INSERT INTO later VALUES (0);
				CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0, roles TEXT)`)
			insert := `INSERT INTO users (session_epoch) VALUES (` + c.epoch + `)`
			execute(t, db, insert)
			rows, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
			if err != nil {
				t.Fatal(err)
			}
			if err := rows.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys, err := session.ParseKeys(session.GenerateKey())
			if err != nil {
				t.Fatal(err)
			}
			sessions, err := session.New(keys, rows, session.Config{AccessTTL: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			sessiontest.LoginAs(t, sessions, r, "1")
			sessiontest.ExpireAccess(r)

			execute(t, db, `DELETE FROM users; UPDATE later SET n = 3600; `+insert)
			var id string
			if err := db.QueryRowContext(t.Context(), "SELECT id FROM users").Scan(&id); err != nil || id != "1" {
				t.Fatalf("the next user has the id %q, %v; want 1 again", id, err)
			}
			v, err := sessions.Authenticate(r)
			if c.out && !errors.Is(err, session.ErrUnauthenticated) || !c.out && err != nil {
				t.Errorf("the session of the deleted user: %v, %v; want it refused: %v", v, err, c.out)
			}
		})
	}
}
