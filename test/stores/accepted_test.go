package stores

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// Either Migrate refuses a type, and says what to do, or it warns of the user who has such a
// value, or that user can log in, and the kit reads what the row has.
func TestMigrate_WhatItAcceptsCanLogIn(t *testing.T) {
	for _, e := range []struct {
		dialect sqlstore.Dialect
		open    func(*testing.T, ...string) *sql.DB
		sources []string
		kinds   map[string]string // types, and a value of each
	}{
		{sqlstore.PostgreSQL, postgres, []string{"x", "(SELECT o.x FROM users o WHERE o.id = u.id)"}, map[string]string{
			"SMALLINT": "5", "INTEGER": "5", "BIGINT": "9223372036854775807", "NUMERIC(9,0)": "5", "NUMERIC": "1.5", "REAL": "1.5", "DOUBLE PRECISION": "1.5", "MONEY": "1.5",
			"BOOLEAN": "TRUE", "DATE": "'2001-02-03'", "TIMESTAMP": "'2001-02-03'", "TIMESTAMPTZ": "'2001-02-03'", "TIME": "'01:02:03'", "INTERVAL": "'1 day'",
			"CHAR(9)": "'admin'", "VARCHAR(9)": "'admin'", "TEXT": "'admin'", "NAME": "'admin'", "level": "'admin'", "level[]": "'{admin}'", "rank": "'admin'", "TEXT[]": "'{admin}'", "INTEGER[]": "'{1}'",
			"JSON": `'["admin"]'`, "JSONB": `'["admin"]'`, "BYTEA": `'\x00ff'`, "UUID": "gen_random_uuid()", "INET": "'192.0.2.1'", "BIT(3)": "B'101'", "POINT": "'(1,1)'", "XML": "'<a/>'", "INT4RANGE": "'[1,2)'",
		}},
		{sqlstore.SQLite, func(t *testing.T, _ ...string) *sql.DB { return sqlite(t) }, []string{"x", "(u.x)", "(COALESCE(u.x, u.x))", "(SELECT o.x FROM users o WHERE o.id = u.id)"}, map[string]string{
			"INTEGER": "5", "INT": "5", "BOOLEAN": "1", "REAL": "1.5", "NUMERIC": "5", "DECIMAL(9,2)": "1.5", "TEXT": "'admin'", "VARCHAR(9)": "'admin'", "BLOB": "x'00ff'", "DATETIME": "'2001-02-03'", "DATE": "'2001-02-03'", "JSON": `'["admin"]'`, "": "'admin'",
		}},
	} {
		t.Run(e.dialect.String(), func(t *testing.T) {
			log, before := new(bytes.Buffer), slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
			t.Cleanup(func() { slog.SetDefault(before) })
			db := e.open(t)
			if e.dialect == sqlstore.PostgreSQL {
				execute(t, db, "CREATE TYPE level AS ENUM ('admin'); CREATE DOMAIN rank AS TEXT CHECK (VALUE <> '')")
			}
			tried, refused := 0, 0
			for kind, value := range e.kinds {
				execute(t, db, "DROP TABLE IF EXISTS users")
				execute(t, db, fmt.Sprintf("CREATE TABLE users (id INTEGER PRIMARY KEY, x %s NOT NULL)", kind))
				execute(t, db, "INSERT INTO users VALUES (1, "+value+")")
				for _, source := range e.sources {
					for field, cfg := range map[string]sqlstore.Config{
						"Epoch": {Epoch: source, Disabled: "(FALSE)", Roles: "(NULL)"}, "Disabled": {Epoch: "(1)", Disabled: source, Roles: "(NULL)"},
						"Roles": {Epoch: "(1)", Disabled: "(FALSE)", Roles: source}, "Attrs": {Epoch: "(1)", Disabled: "(FALSE)", Roles: "(NULL)", Attrs: map[string]string{"a": source}},
					} {
						tried++
						cfg.Dialect = e.dialect
						rows, err := sqlstore.New(db, cfg)
						if err != nil {
							t.Fatal(err)
						}
						log.Reset()
						if err := rows.Migrate(t.Context()); err != nil {
							if !strings.Contains(err.Error(), "such as") && !strings.Contains(err.Error(), "cannot read Config.") {
								t.Errorf("%s, %s = %s: no remedy in %v", kind, field, source, err)
							}
							refused++
							continue
						}
						login := store.NewSession{ID: store.ID{byte(tried), byte(tried >> 8)}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}
						err = rows.Create(t.Context(), login)
						if field == "Disabled" && errors.Is(err, store.ErrUserBanned) {
							continue
						}
						var snap store.Snapshot
						if err == nil {
							snap, err = rows.Find(t.Context(), login.ID)
						}
						if strings.Contains(log.String(), "Config."+field) {
							continue // the operator knows
						}
						if err != nil {
							t.Errorf("%s, %s = %s: %v", kind, field, source, err)
							continue
						}
						user := snap.Record.User
						if got, ok := user.Attrs["a"]; field == "Attrs" && (!ok || !utf8.ValidString(got)) || field == "Roles" && !slices.Contains(user.Roles, "admin") && (e.dialect != sqlstore.SQLite || strings.Contains(value, "admin")) {
							t.Errorf("%s, %s = %s: %+v", kind, field, source, user)
						}
					}
				}
			}
			t.Logf("%d of %d sources are refused", refused, tried)
		})
	}
}
