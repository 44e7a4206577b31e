package sqlstore_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The operator runs what the error prints, as it is, until the app starts. All else of each
// column stays as it was, and so do the values in it.
func TestMigrate_StatementsOfItsErrorsChangeNothingElse(t *testing.T) {
	const others = ", disabled BOOLEAN NOT NULL, roles VARCHAR(20) NOT NULL"
	text := sqlstore.Config{IDKind: sqlstore.Text}
	for name, c := range map[string]struct {
		users string
		row   string // values of the columns without a default
		cfg   sqlstore.Config
		then  sqlstore.Config // after an error without statements
		epoch string          // the type, default and comment of session_epoch in the end; empty: as it was
	}{
		"a number":                  {"id INT PRIMARY KEY, session_epoch INT NULL" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1||"},
		"a small number":            {"id INT PRIMARY KEY, session_epoch SMALLINT UNSIGNED NULL" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "smallint unsigned|1||"},
		"a default and a comment":   {"id INT PRIMARY KEY, session_epoch BIGINT NULL DEFAULT 7 COMMENT 'it''s NULL, DEFAULT NULL, `x`'" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "bigint|7|it's NULL, DEFAULT NULL, `x`|"},
		"a comment":                 {"id INT PRIMARY KEY, session_epoch INT NULL COMMENT 'no DEFAULT NULL' " + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1|no DEFAULT NULL|"},
		"a default expression":      {"id INT PRIMARY KEY, session_epoch INT NULL DEFAULT (1 + 1)" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1 + 1||"},
		"an invisible column":       {"id INT PRIMARY KEY, session_epoch INT NULL INVISIBLE DEFAULT 3" + others, "1, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|3||invisible"},
		"a check":                   {"id INT PRIMARY KEY, session_epoch INT NULL CHECK (session_epoch < 9)" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1||"},
		"another case":              {"id INT PRIMARY KEY, Session_Epoch INT NULL" + others, "1, NULL, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1||"},
		"the last column":           {"id INT PRIMARY KEY, disabled BOOLEAN NOT NULL, roles VARCHAR(20) NOT NULL, session_epoch INT NULL", "1, 0, '', NULL", sqlstore.Config{}, sqlstore.Config{}, "int|1||"},
		"a time of the last change": {"id INT PRIMARY KEY, session_epoch INT NULL, `change` DATETIME NOT NULL DEFAULT '2001-01-01' ON UPDATE CURRENT_TIMESTAMP" + others, "1, NULL, DEFAULT, 0, ''", sqlstore.Config{}, sqlstore.Config{}, "int|1||"},
		"computed and stored":       {"id INT PRIMARY KEY, version INT NULL, session_epoch INT AS (version + 1) STORED" + others, "1, NULL, DEFAULT, 0, ''", sqlstore.Config{}, sqlstore.Config{Epoch: "(COALESCE(u.`session_epoch`, 0))"}, ""},
		"computed":                  {"id INT PRIMARY KEY, version INT NULL, session_epoch INT AS (version + 1) VIRTUAL" + others, "1, NULL, DEFAULT, 0, ''", sqlstore.Config{}, sqlstore.Config{Epoch: "(COALESCE(u.`session_epoch`, 0))"}, ""},
		"reserved words": {"`key` INT PRIMARY KEY, `order` INT NULL", "1, NULL",
			sqlstore.Config{ID: "key", Epoch: "order", Disabled: "rank", Roles: "groups", Attrs: map[string]string{"a": "select"}}, sqlstore.Config{}, ""},
		"nothing but an id":           {"id INT NOT NULL", "1", sqlstore.Config{}, sqlstore.Config{}, ""},
		"a name of an index is taken": {"id INT NOT NULL, session_epoch INT NOT NULL" + others + ", KEY users_id (roles)", "1, 1, 0, ''", sqlstore.Config{}, sqlstore.Config{}, ""},
		"a long text as an id":        {"id VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL, session_epoch INT NOT NULL" + others, "'ada', 1, 0, ''", text, sqlstore.Config{}, ""},
		"a text without a length":     {"id TEXT NOT NULL, session_epoch INT NOT NULL" + others, "'ada', 1, 0, ''", text, sqlstore.Config{}, ""},
		"bytes without a length":      {"id BLOB NOT NULL, session_epoch INT NOT NULL" + others, "'0123456789abcdef', 1, 0, ''", sqlstore.Config{IDKind: sqlstore.UUID}, sqlstore.Config{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := app{db: open(t)}
			a.exec(t, "CREATE TABLE users ("+c.users+")")
			a.exec(t, "INSERT INTO users VALUES ("+c.row+")")
			before := a.usersColumns(t)
			err := newStore(t, a.db, c.cfg).Migrate(t.Context())
			for range 9 {
				if err == nil {
					break
				}
				statements := remedies(err)
				if len(statements) == 0 {
					if !strings.Contains(err.Error(), c.then.Epoch) || c.then.Epoch == "" {
						t.Fatalf("the error has no statement, and does not name %q: %v", c.then.Epoch, err)
					}
					c.cfg = c.then
				}
				for _, statement := range statements {
					a.exec(t, statement)
				}
				err = newStore(t, a.db, c.cfg).Migrate(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			after := a.usersColumns(t)
			for column, was := range before {
				if column == "session_epoch" && c.epoch != "" {
					was = "NO|" + c.epoch
				}
				if column == "order" {
					was = "NO|int|1||"
				}
				if after[column] != was {
					t.Errorf("the column %s was %s, and is %s", column, was, after[column])
				}
			}
			if at, ok := before["change"]; ok {
				var year int
				if err := a.db.QueryRowContext(t.Context(), "SELECT YEAR(`change`) FROM users").Scan(&year); err != nil || year != 2001 {
					t.Errorf("the time of the last change (%s) has become %d, %v", at, year, err)
				}
			}
			if name == "a check" {
				if _, err := a.db.ExecContext(t.Context(), "UPDATE users SET session_epoch = 10"); err == nil {
					t.Error("the check is gone")
				}
			}
		})
	}
}

var displayWidth = regexp.MustCompile(`(int)\(\d+\)`)

// usersColumns returns whether each column of users may be NULL, its type, its default, its
// comment, and what else the catalog says of it.
func (a app) usersColumns(t *testing.T) map[string]string {
	t.Helper()
	rows, err := a.db.QueryContext(t.Context(), `SELECT LOWER(COLUMN_NAME), CONCAT_WS('|', IS_NULLABLE, COLUMN_TYPE, COALESCE(NULLIF(COLUMN_DEFAULT, 'NULL'), 'none'), COLUMN_COMMENT, LOWER(EXTRA)),
		COALESCE(GENERATION_EXPRESSION, '') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'users'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := map[string]string{}
	for rows.Next() {
		var name, text, generated string
		if err := rows.Scan(&name, &text, &generated); err != nil {
			t.Fatal(err)
		}
		text = displayWidth.ReplaceAllString(text, "$1") // MariaDB has it
		columns[name] = strings.NewReplacer("(1 + 1)", "1 + 1", "default_generated", "").Replace(text + generated)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

// Either Migrate refuses a type, and says what to do, or a user can log in, and the kit reads
// what the row has.
func TestMigrate_WhatItAcceptsCanLogIn(t *testing.T) {
	types := map[string]string{
		"TINYINT": "5", "SMALLINT UNSIGNED": "5", "MEDIUMINT": "5", "INT": "5", "BIGINT": "5", "BIGINT UNSIGNED": "18446744073709551615", "BOOLEAN": "1", "BIT(1)": "b'1'", "BIT(20)": "b'1'",
		"DECIMAL(9,0)": "5", "DECIMAL(9,2)": "1.5", "FLOAT": "1.5", "DOUBLE": "1.5", "DATE": "'2001-02-03'", "DATETIME": "'2001-02-03'", "DATETIME(6)": "'2001-02-03 04:05:06.7'", "TIMESTAMP NULL": "'2001-02-03'", "TIME": "'01:02:03'", "YEAR": "2001",
		"CHAR(9)": "'admin'", "VARCHAR(9)": "'admin'", "VARCHAR(9) CHARACTER SET latin1": "'admin'", "VARCHAR(9) CHARACTER SET utf16": "'admin'", "TINYTEXT": "'admin'", "TEXT": "'admin'", "LONGTEXT": "'admin'",
		"ENUM('admin')": "'admin'", "SET('admin', 'staff')": "'admin,staff'", "JSON": `'["admin"]'`,
		"BINARY(3)": "X'00ff00'", "VARBINARY(9)": "X'00ff00'", "BLOB": "X'00ff00'", "LONGBLOB": "X'00ff00'", "GEOMETRY": "ST_GeomFromText('POINT(1 1)')",
	}
	sources := map[string]string{"x": "", "(u.x)": "", "(COALESCE(u.x, NULL))": "", "(SELECT MAX(o.x) FROM users o WHERE o.id = u.id)": ""}
	a := app{db: open(t)}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // many of these disable the only user
	t.Cleanup(func() { slog.SetDefault(before) })
	tried, accepted := 0, 0
	try := func(t *testing.T, source string, never ...string) {
		one := sqlstore.Config{Epoch: source, Disabled: source, Roles: source, Attrs: map[string]string{"a": source}}
		err := newStore(t, a.db, one).Migrate(t.Context())
		refused := func(field string) bool {
			tried++
			if err == nil || !strings.Contains(err.Error(), field) {
				accepted++
				if slices.Contains(never, field) {
					t.Errorf("%s = %s is accepted", field, source)
				}
				return false
			}
			return true
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if strings.Contains(line, "sqlstore: Migrate: ") && !strings.Contains(line, "such as") && !strings.Contains(line, "cannot read Config.") && !strings.Contains(line, "run\n") {
					t.Errorf("%s: no remedy in %s", source, line)
				}
			}
		}
		if refused("Config.Epoch") {
			one.Epoch = "(1)"
		}
		if refused("Config.Disabled") {
			one.Disabled = "(FALSE)"
		}
		if refused("Config.Roles") {
			one.Roles = "(NULL)"
		}
		if refused(`Config.Attrs["a"]`) {
			one.Attrs = nil
		}
		s := newStore(t, a.db, one)
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("%s: without what is refused, %+v: %v", source, one, err)
			return
		}
		login := func(s *sqlstore.Store, id store.ID) error {
			return s.Create(t.Context(), store.NewSession{ID: id, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour})
		}
		if err := login(s, newID()); err != nil && (!errors.Is(err, store.ErrUserBanned) || one.Disabled == "(FALSE)") {
			t.Errorf("%s: %v", source, err)
		}
		one.Disabled = "(FALSE)"
		s = newStore(t, a.db, one)
		id := newID()
		if err := login(s, id); err != nil {
			t.Errorf("%s: %v", source, err)
			return
		}
		snap, err := s.Find(t.Context(), id)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			return
		}
		user := snap.Record.User
		if one.Roles == source && !slices.Contains(user.Roles, "admin") {
			t.Errorf("%s: roles %q", source, user.Roles)
		}
		if value, ok := user.Attrs["a"]; one.Attrs != nil && (!ok || !utf8.ValidString(value) || strings.ContainsAny(value, "\x00\x01?")) {
			t.Errorf("%s: attributes %q", source, user.Attrs)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		t.Run(kind, func(t *testing.T) {
			a.exec(t, "DROP TABLE IF EXISTS users")
			a.exec(t, fmt.Sprintf("CREATE TABLE users (id INT PRIMARY KEY, x %s)", strings.TrimSuffix(kind, " NULL")+" NOT NULL"))
			a.exec(t, "INSERT INTO users VALUES (1, "+types[kind]+")")
			for source := range sources {
				try(t, source)
			}
		})
	}
	a.exec(t, "DROP TABLE users")
	a.exec(t, "CREATE TABLE users (id INT PRIMARY KEY, n INT NOT NULL, d DATETIME NOT NULL, d6 DATETIME(6) NOT NULL, t VARCHAR(20) NOT NULL, j JSON NOT NULL)")
	a.exec(t, `INSERT INTO users VALUES (1, 5, '2001-02-03', '2001-02-03 04:05:06.7', 'admin', '["admin"]')`)
	for source, never := range map[string][]string{
		"(NULL)":                               {"Config.Epoch"},
		"(NOW())":                              {"Config.Epoch"},
		"(UNIX_TIMESTAMP(u.d))":                {"Config.Roles"},
		"(UNIX_TIMESTAMP(u.d6))":               {"Config.Epoch", "Config.Roles"},
		"(u.n / 2)":                            {"Config.Epoch", "Config.Roles"},
		"(u.n + 0.5)":                          {"Config.Epoch"},
		"(CAST(u.n AS UNSIGNED))":              {"Config.Roles"},
		"(CRC32(u.t))":                         {"Config.Roles"},
		"(u.t = 'admin')":                      {"Config.Roles"},
		"(u.t)":                                {"Config.Epoch", "Config.Disabled"},
		"(IF(u.n > 1, 'admin', ''))":           {"Config.Epoch", "Config.Disabled"},
		"(CASE WHEN u.n > 1 THEN 'admin' END)": {"Config.Epoch", "Config.Disabled"},
		"(CONCAT('[', JSON_QUOTE(u.t), ']'))":  {"Config.Epoch", "Config.Disabled"},
		"(JSON_EXTRACT(u.j, '$'))":             {"Config.Epoch", "Config.Disabled"},
		"(SHA2(u.t, 256))":                     {"Config.Epoch", "Config.Disabled"},
		"(UNHEX(SHA2(u.t, 256)))":              {"Config.Epoch", "Config.Disabled", "Config.Roles", `Config.Attrs["a"]`},
	} {
		if source == "(NULL)" || source == "(SHA2(u.t, 256))" { // these have no role "admin", and (NULL) no attribute
			err := newStore(t, a.db, sqlstore.Config{Epoch: source, Disabled: source, Roles: source}).Migrate(t.Context())
			for _, field := range never {
				if err == nil || !strings.Contains(err.Error(), field) {
					t.Errorf("%s: %v; want %s", source, err, field)
				}
			}
			if strings.Contains(err.Error(), "Config.Roles") {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		try(t, source, never...)
	}
	t.Logf("%d of %d sources are accepted, and each of their users logs in", accepted, tried)
}
