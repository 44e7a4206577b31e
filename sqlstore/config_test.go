package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestNew_ReportsEveryFaultAtOnce(t *testing.T) {
	_, err := sqlstore.New(nil, sqlstore.Config{
		Dialect:  7,
		Sessions: "no such-table",
		Users:    "a.b.c",
		ID:       "(u.id)",
		IDKind:   -1,
		Epoch:    "(u.epoch",
		Disabled: "disabled; DROP TABLE users",
		Roles:    "(SELECT '?')",
		Attrs:    map[string]string{"": "name", "tenant": "", "locale": "u.locale"},
	})
	if err == nil {
		t.Fatal("New accepted a Config in which everything is wrong")
	}
	faults := strings.Split(err.Error(), "\n")
	for _, field := range []string{
		"db is nil", "Config.Dialect", "Config.Sessions", "Config.Users", "Config.ID:", "Config.IDKind", "Config.Epoch",
		"Config.Disabled", "Config.Roles", `Config.Attrs[""]: is empty`, `Config.Attrs["tenant"]: is empty`, `Config.Attrs["locale"]`,
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s", field)
		}
	}
	if len(faults) != 12 {
		t.Errorf("%d faults; want 12:\n%v", len(faults), err)
	}
	for _, fault := range faults {
		if !strings.HasPrefix(fault, "sqlstore: ") {
			t.Errorf("%q does not name the package", fault)
		}
	}
}

func TestConfig_AcceptsOnlyIdentifiersAsNames(t *testing.T) {
	db := new(sql.DB)
	for _, name := range []string{
		"users`", "users u", "users;", "users--", "1users", "users.", ".users", "a.b.users", "(users)", "us\x00ers",
		"usérs", "users\n", `"users"`, "[users]", "users/**/", strings.Repeat("u", 65),
	} {
		for field, cfg := range map[string]sqlstore.Config{
			"Users": {Users: name}, "Sessions": {Sessions: name}, "ID": {ID: name},
		} {
			if _, err := sqlstore.New(db, cfg); err == nil {
				t.Errorf("%s = %q was accepted", field, name)
			}
		}
		if strings.HasPrefix(name, "(") {
			continue // an expression
		}
		for field, cfg := range map[string]sqlstore.Config{
			"Epoch": {Epoch: name}, "Disabled": {Disabled: name}, "Roles": {Roles: name},
			"Attrs": {Attrs: map[string]string{"a": name}},
		} {
			if _, err := sqlstore.New(db, cfg); err == nil {
				t.Errorf("%s = %q was accepted", field, name)
			}
		}
	}
}

func TestConfig_RefusesTablesThatAreTheKitsAndTheApps(t *testing.T) {
	for _, cfg := range []sqlstore.Config{
		{Sessions: "users"},
		{Users: "sessions"},
		{Users: "sessions_epoch"},
		{Users: "sessions_devices"},
		{Users: "app.people", Sessions: "app.people"},
		{Sessions: strings.Repeat("s", 57)}, // with "_devices" it is too long
		{Dialect: sqlstore.SQLite, Users: "main.users"},
		{Dialect: sqlstore.SQLite, Sessions: "main.sessions"},
	} {
		if _, err := sqlstore.New(new(sql.DB), cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestConfig_AcceptsValidConfigs(t *testing.T) {
	for _, cfg := range []sqlstore.Config{
		{},
		{Dialect: sqlstore.SQLite},
		{Sessions: "kit.logins", Users: "crm.people", ID: "person_id", IDKind: sqlstore.UUID},
		{Epoch: "(0)", Disabled: "(FALSE)", Roles: "(NULL)", IDKind: sqlstore.Text},
		{Attrs: map[string]string{"name": "full_name", "tenant": "(SELECT t.name FROM tenants t WHERE t.id = u.tenant_id)"}},
	} {
		if _, err := sqlstore.New(new(sql.DB), cfg); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestNew_RunsNoSQL(t *testing.T) {
	db, err := sql.Open("mysql", "nobody@unix(/nowhere)/none")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := sqlstore.New(db, sqlstore.Config{}); err != nil {
		t.Fatal(err)
	}
	if n := db.Stats().OpenConnections; n != 0 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestConfig_AcceptsOnlyTheConstantsOfIDKindAndDialect(t *testing.T) {
	for kind := sqlstore.Integer - 2; kind <= sqlstore.Text+2; kind++ {
		_, err := sqlstore.New(new(sql.DB), sqlstore.Config{IDKind: kind})
		if want := kind >= sqlstore.Integer && kind <= sqlstore.Text; (err == nil) != want || err != nil && !strings.Contains(err.Error(), "Config.IDKind") {
			t.Errorf("%v: %v; want it accepted: %v", kind, err, want)
		}
	}
	for dialect := sqlstore.MySQL - 2; dialect <= sqlstore.SQLite+2; dialect++ {
		_, err := sqlstore.New(new(sql.DB), sqlstore.Config{Dialect: dialect})
		if want := dialect == sqlstore.MySQL || dialect == sqlstore.SQLite || dialect == sqlstore.PostgreSQL; (err == nil) != want || err != nil && !strings.Contains(err.Error(), "Config.Dialect") {
			t.Errorf("%v: %v; want it accepted: %v", dialect, err, want)
		}
	}
}

// The limit of MySQL is 64. "_devices" is appended to the name of Sessions.
func TestConfig_AcceptsNamesUpToTheDatabaseLimit(t *testing.T) {
	n := func(length int) string { return strings.Repeat("n", length) }
	for _, c := range []struct {
		field string
		limit int
		cfg   func(name string) sqlstore.Config
	}{
		{"Users", 64, func(name string) sqlstore.Config { return sqlstore.Config{Users: name} }},
		{"Users", 64, func(name string) sqlstore.Config { return sqlstore.Config{Users: name + ".users"} }},
		{"Users", 64, func(name string) sqlstore.Config { return sqlstore.Config{Users: "crm." + name} }},
		{"Sessions", 56, func(name string) sqlstore.Config { return sqlstore.Config{Sessions: name} }},
		{"Sessions", 64, func(name string) sqlstore.Config { return sqlstore.Config{Sessions: name + ".sessions"} }},
		{"Sessions", 56, func(name string) sqlstore.Config { return sqlstore.Config{Sessions: "kit." + name} }},
		{"ID", 64, func(name string) sqlstore.Config { return sqlstore.Config{ID: name} }},
		{"Epoch", 64, func(name string) sqlstore.Config { return sqlstore.Config{Epoch: name} }},
		{"Disabled", 64, func(name string) sqlstore.Config { return sqlstore.Config{Disabled: name} }},
		{"Roles", 64, func(name string) sqlstore.Config { return sqlstore.Config{Roles: name} }},
		{"Attrs", 64, func(name string) sqlstore.Config { return sqlstore.Config{Attrs: map[string]string{"a": name}} }},
	} {
		if _, err := sqlstore.New(new(sql.DB), c.cfg(n(c.limit))); err != nil {
			t.Errorf("%s of %d letters: %v", c.field, c.limit, err)
		}
		if _, err := sqlstore.New(new(sql.DB), c.cfg(n(c.limit+1))); err == nil || !strings.Contains(err.Error(), "Config."+c.field) {
			t.Errorf("%s of %d letters: %v; want an error that names the field", c.field, c.limit+1, err)
		}
	}
}

// The type becomes part of the schema, and Migrate compares it with the catalog's own
// spelling.
func TestConfig_AcceptsOnlyOneCompleteTextTypeAsIDColumnType(t *testing.T) {
	for columnType, why := range map[string]string{
		"": "",
		"VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin": "",
		"varchar(26) character set ascii collate ascii_bin":      "",
		"VARCHAR(1) CHARACTER SET latin1 COLLATE latin1_bin":     "",
		"VARBINARY(64)":  "",
		"varbinary(255)": "",

		"VARCHAR(255)":                                                "is not spelled as",
		"VARCHAR(255) COLLATE utf8mb4_bin":                            "is not spelled as",
		"VARCHAR(255) CHARACTER SET latin1":                           "is not spelled as",
		"VARCHAR CHARACTER SET utf8mb4 COLLATE utf8mb4_bin":           "is not spelled as",
		"VARCHAR(0) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin":        "is not spelled as",
		"VARCHAR(99999) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin":    "is not spelled as",
		"VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin":     "is not spelled as",
		"VARCHAR(255) CHARACTER SET utf8mb4 COLLATE 'utf8mb4_bin'":    "is not spelled as",
		"VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL": "is not spelled as",
		"VARCHAR(255) CHARACTER ſET utf8mb4 COLLATE utf8mb4_bin":      "is not spelled as",
		"VARBINARY(64) NOT NULL":                                      "is not spelled as",
		"VARBINARY(64), x INT":                                        "is not spelled as",
		"VARBINARY(64)\n":                                             "is not spelled as",
		" VARBINARY(64)":                                              "is not spelled as",
		"VARBINARY(64)) ENGINE = MEMORY #":                            "is not spelled as",
		"CHAR(26) CHARACTER SET ascii COLLATE ascii_bin":              "is not spelled as",
		"TEXT":            "is not spelled as",
		"BIGINT UNSIGNED": "is not spelled as",

		"VARCHAR(255) CHARACTER SET utf8 COLLATE utf8_bin":    "uses the name utf8",
		"VARCHAR(255) CHARACTER SET UTF8 COLLATE utf8mb3_bin": "uses the name utf8",
		"VARCHAR(255) CHARACTER SET utf8mb3 COLLATE UTF8_bin": "uses the name utf8",
	} {
		_, err := sqlstore.New(new(sql.DB), sqlstore.Config{IDKind: sqlstore.Text, IDColumnType: columnType})
		if (err == nil) != (why == "") || err != nil && (!strings.Contains(err.Error(), "Config.IDColumnType: ") || !strings.Contains(err.Error(), why)) {
			t.Errorf("%q: %v; want %q", columnType, err, why)
		}
	}
	for _, cfg := range []sqlstore.Config{
		{IDColumnType: "BIGINT UNSIGNED"},
		{IDColumnType: "VARBINARY(64)"},
		{IDKind: sqlstore.UUID, IDColumnType: "VARBINARY(64)"},
		{Dialect: sqlstore.SQLite, IDKind: sqlstore.Text, IDColumnType: "VARBINARY(64)"},
		{Dialect: sqlstore.SQLite, IDKind: sqlstore.Text, IDColumnType: "TEXT COLLATE NOCASE"},
		{Dialect: sqlstore.SQLite, IDColumnType: "TEXT"},
	} {
		if _, err := sqlstore.New(new(sql.DB), cfg); err == nil || !strings.Contains(err.Error(), "Config.IDColumnType: ") {
			t.Errorf("%+v: %v; want an error that names Config.IDColumnType", cfg, err)
		}
	}
	if _, err := sqlstore.New(new(sql.DB), sqlstore.Config{Dialect: sqlstore.SQLite, IDKind: sqlstore.Text, IDColumnType: "TEXT"}); err != nil {
		t.Errorf("TEXT in SQLite: %v", err)
	}
}
