package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
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
		"Config.Disabled", "Config.Roles", `Config.Attrs[""]`, `Config.Attrs["tenant"]`, `Config.Attrs["locale"]`,
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
			t.Errorf("%q does not say which package found it", fault)
		}
	}
}

func TestNamesAreIdentifiersAndNothingElse(t *testing.T) {
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
			continue // an expression, which is the developer's own SQL
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

func TestTheKitsTablesAreNotTheApps(t *testing.T) {
	for _, cfg := range []sqlstore.Config{
		{Sessions: "users"},
		{Users: "sessions"},
		{Users: "sessions_epoch"},
		{Users: "app.people", Sessions: "app.people"},
		{Sessions: strings.Repeat("s", 59)}, // with "_epoch" it is too long
		{Dialect: sqlstore.SQLite, Users: "main.users"},
		{Dialect: sqlstore.SQLite, Sessions: "main.sessions"},
	} {
		if _, err := sqlstore.New(new(sql.DB), cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestGoodConfigs(t *testing.T) {
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

func TestNewRunsNoSQL(t *testing.T) {
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
