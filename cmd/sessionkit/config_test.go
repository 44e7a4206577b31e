package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

func TestConfig_NamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		faults []string
	}{
		{`{"dialect": "oracle", "dsn": "app:secret@tcp(db)/app", "Users": "people", "roles": 7, "attrs": ["name"], "id_kind": "number", "epoch": "x y", "sessions": "a-b"}`, []string{
			`"dsn" is no field`, `"Users" is no field`, `"roles" is not a text`, `"attrs" is not an object of texts`, `"dialect" is "oracle"`, `"id_kind" is "number"`,
			`"dsn_env" is the name`, "Config.Epoch", "Config.Sessions",
		}},
		{`{}`, []string{`"dialect" is ""`, `"dsn_env" is the name`}},
		{`{"dialect": "mysql", "dsn_env": "A", "dsn_file": "b"}`, []string{`name the DSN's place once`}},
		{`{"dialect": "sqlite", "dsn_env": "A", "users": "app.users"}`, []string{"Config.Users"}},
		{`{"dialect": "mysql", "dsn_env": "A", "id_kind": "text", "epoch": "a;b"}`, []string{"Config.Epoch"}},
		{``, []string{"not one JSON object"}},
		{`[]`, []string{"not one JSON object"}},
		{`{"dialect": "mysql", "dsn_env": "A"} {}`, []string{"something follows"}},
	} {
		_, err := parseConfig([]byte(c.text))
		if err == nil {
			t.Errorf("%s is accepted", c.text)
			continue
		}
		for _, fault := range c.faults {
			if !strings.Contains(err.Error(), fault) {
				t.Errorf("%s: there is no %q in %v", c.text, fault, err)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has a secret: %v", c.text, err)
		}
	}
}

func TestConfig_HasAllOfSqlstore(t *testing.T) {
	t.Parallel()
	c, err := parseConfig([]byte(`{"dialect": "mysql", "dsn_file": "dsn", "sessions": "s", "users": "u1", "id": "i", "id_kind": "text", "id_column_type": "VARBINARY(64)",
		"epoch": "e", "disabled": "(u.x IS NOT NULL)", "roles": "r", "attrs": {"name": "n"}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := c.store
	if s.Dialect != sqlstore.MySQL || s.Sessions != "s" || s.Users != "u1" || s.ID != "i" || s.IDKind != sqlstore.Text || s.IDColumnType != "VARBINARY(64)" ||
		s.Epoch != "e" || s.Disabled != "(u.x IS NOT NULL)" || s.Roles != "r" || len(s.Attrs) != 1 || s.Attrs["name"] != "n" || c.dsnFile != "dsn" {
		t.Errorf("the configuration is %+v", c)
	}
}

func TestConfig_IsFound(t *testing.T) {
	w := newWorld(t)
	named := w.env["SESSIONKIT_CONFIG"]
	delete(w.env, "SESSIONKIT_CONFIG")
	t.Chdir(w.folder)
	w.run(t, "stats").want(t, exitUsage, "there is no configuration")
	w.run(t, "stats", "-config", named).want(t, exitDone)
	w.run(t, "stats", "-config", "none.json").want(t, exitFailed, "no such file")
	if err := os.Rename(named, defaultConfig); err != nil {
		t.Fatal(err)
	}
	w.run(t, "stats").want(t, exitDone)
	w.env["SESSIONKIT_CONFIG"] = "none.json"
	w.run(t, "stats").want(t, exitFailed, "no such file")
	w.run(t, "stats", "-config", defaultConfig).want(t, exitDone)

	// The DSN's file is beside the configuration, unless its path is absolute.
	if err := os.WriteFile(filepath.Join(w.folder, "dsn"), []byte(w.dsn+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, file := range []string{"dsn", filepath.Join(w.folder, "dsn")} {
		w.env["SESSIONKIT_CONFIG"] = w.writeConfig(t, `{"dialect": "sqlite", "dsn_file": "`+file+`"}`)
		w.run(t, "stats").want(t, exitDone)
	}
}

// A DSN holds a password. Whatever is wrong with it, no output has it.
func TestDSN_IsInNoOutput(t *testing.T) {
	t.Parallel()
	const secret = "Tr0ub4dor"
	w := newDatabase(t)
	file := filepath.Join(w.folder, "dsn")
	for _, c := range []struct {
		name, dialect, dsn string
		code               int
	}{
		{"not a DSN", "mysql", "app:" + secret, exitFailed},
		{"a faulty parameter", "mysql", "app:" + secret + "@tcp(127.0.0.1:1)/app?timeout=" + secret, exitFailed},
		{"no server", "mysql", "app:" + secret + "@tcp(127.0.0.1:1)/app", exitUnavailable},
		{"the DSN of another database", "mysql", "postgres://app:" + secret + "@127.0.0.1:1/app", exitFailed},
		{"not a DSN", "postgres", "postgres://app:" + secret + "@127.0.0.1:port/app", exitFailed},
		{"a faulty parameter", "postgres", "host=127.0.0.1 password=" + secret + " sslmode=" + secret, exitFailed},
		{"no server", "postgres", "postgres://app:" + secret + "@127.0.0.1:1/app", exitUnavailable},
		{"the DSN of another database", "postgres", "app:" + secret + "@tcp(127.0.0.1:1)/app", exitFailed},
		{"no file", "sqlite", "file:/none/" + secret + ".db", exitUnavailable},
		{"a folder", "sqlite", "/", exitUnavailable},
		{"in memory", "sqlite", ":memory:", exitUnavailable},
		{"the DSN of another database", "sqlite", "postgres://app:" + secret + "@127.0.0.1:1/app", exitUnavailable},
		{"empty", "sqlite", " ", exitFailed},
	} {
		t.Run(c.dialect+" "+c.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.dsn), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, config := range []string{`"dsn_env": "DATABASE_DSN"`, `"dsn_file": "dsn"`} {
				w.env = map[string]string{"DATABASE_DSN": c.dsn, "SESSIONKIT_CONFIG": w.writeConfig(t, `{"dialect": "`+c.dialect+`", `+config+`}`)}
				for _, args := range [][]string{{"list", "-user", "1"}, {"migrate", "-yes"}, {"doctor"}} {
					a := w.run(t, args...)
					a.want(t, c.code)
					if strings.Contains(a.out+a.err, secret) {
						t.Errorf("%q prints the secret: %s%s", args, a.out, a.err)
					}
				}
			}
		})
	}
	// Whoever confuses the fields does not see the DSN either.
	for _, field := range []string{"dsn_env", "dsn_file"} {
		w.env = map[string]string{"SESSIONKIT_CONFIG": w.writeConfig(t, `{"dialect": "mysql", "`+field+`": "app:`+secret+`@tcp(127.0.0.1:1)/app"}`)}
		a := w.run(t, "stats")
		a.want(t, exitFailed, field)
		if strings.Contains(a.out+a.err, secret) {
			t.Errorf("it prints the secret: %s%s", a.out, a.err)
		}
	}
	if _, err := os.Stat(":memory:"); err == nil {
		t.Error("a file was created")
	}
}
