package sqlstore_test

import (
	"database/sql"
	"maps"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// New refuses a Config, or every statement and the schema are those of a plain Config,
// except for quoted names, operands in parentheses and the type of user_id. This holds
// in whatever way the database splits SQL into tokens.
func FuzzNoConfigReachesSQLUnchecked(f *testing.F) {
	const integer, text = byte(sqlstore.Integer), byte(sqlstore.Text)
	for _, seed := range []string{
		"", "users", "crm.people", "(u.deleted_at IS NOT NULL)", "(u.a) OR (u.b)", "(SELECT JSON_ARRAYAGG(r.name) FROM user_roles r WHERE r.user_id = u.id)",
		"users`", "a.b.c", "x; DROP TABLE users", "(1); DROP TABLE users; (2)", "(1)) OR ((1)", "(1 -- )", "(1 # )", "(1 /* )", "(1 /*! ) */", "('it''s')",
		`('\')`, `('\\')`, `("\")`, "(`a)", "([a)", "($$a)", "(?)", "(:a)", "(@a)", "(u.a--1)", "(1)\x00)", "(\xbf\\')", "(u.ü)", "('a' 'b)", "(\"a'\")", "(a) ')", "((1)", "('\x00')", "(u.a->>'$.b')", "(1;)", "({x})",
		"(u.a::text)", "(E'\\'')", "($a$)$a$)", "(u.a[1] @> b #>> c)", "(/* /* */ )", "(u.a ` b)",
	} {
		for i := range 6 {
			fields := [6]string{"sessions", "users", "id", "session_epoch", "disabled", "roles"}
			fields[i] = seed
			f.Add(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], "(u.name)", "", byte(i%3), byte(i/2))
			f.Add("", "", "", "", "", "", seed, "", byte(i%3), byte(i/2))
		}
	}
	for _, seed := range []string{
		"TEXT", "VARBINARY(64)", "varbinary(64)", "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "varchar(26) character set ascii collate ascii_bin",
		"VARCHAR(255)", "VARBINARY(64) NOT NULL", "VARBINARY(64), x INT", "VARBINARY(64)) --", "VARBINARY(64)\n", "TEXT, x", "VARCHAR(9) CHARACTER SET a COLLATE b c",
	} {
		for d := range sqlstore.Dialects {
			f.Add("", "", "", "", "", "", "(u.name)", seed, byte(d), text)
			f.Add("", "", "", "", "", "", "(u.name)", seed, byte(d), integer)
		}
	}
	f.Fuzz(func(t *testing.T, sessions, users, id, epoch, disabled, roles, attr, idColumnType string, dialect, kind byte) {
		cfg := sqlstore.Config{
			Dialect: sqlstore.Dialect(int(dialect) % len(sqlstore.Dialects)), IDKind: sqlstore.IDKind(kind % 3), IDColumnType: idColumnType,
			Sessions: sessions, Users: users, ID: id, Epoch: epoch, Disabled: disabled, Roles: roles, Attrs: map[string]string{"a": attr},
		}
		got, ok := allSQL(t, cfg)
		if !ok {
			return
		}
		plain, names := plainConfig(cfg)
		want, ok := allSQL(t, plain)
		if !ok {
			t.Fatalf("the plain Config %+v is refused", plain)
		}
		if len(got) != len(want) {
			t.Fatalf("%d statements; want %d", len(got), len(want))
		}
		for name, statement := range got {
			for _, l := range lexersOf(cfg.Dialect) {
				if fault := l.differs(l.tokens(statement), l.tokens(want[name]), names); fault != "" {
					t.Fatalf("%s reads in the statement %s: %s\n%s", l.name, name, fault, statement)
				}
			}
		}
	})
}

// allSQL returns the statements of a Config and its schema, if the function Schema can
// know that. False: the Config is refused.
func allSQL(t *testing.T, cfg sqlstore.Config) (map[string]string, bool) {
	t.Helper()
	text, schemaErr := sqlstore.Schema(cfg)
	s, err := sqlstore.New(new(sql.DB), cfg)
	if err != nil {
		if schemaErr == nil {
			t.Fatalf("Schema accepts what New refuses: %v", err)
		}
		return nil, false
	}
	audit, err := sqlstore.AuditSchema(cfg)
	if err != nil {
		t.Fatalf("AuditSchema refuses what New accepts: %v", err)
	}
	all := maps.Clone(s.Statements())
	all["audit schema"] = audit
	if schemaErr == nil {
		all["schema"] = text
	}
	return all, true
}

// plainConfig returns a Config that has a plain name where cfg has a name, place where
// cfg has an expression, and placeType where it has a type. names maps each plain name
// to the one in cfg, both in quotes.
func plainConfig(cfg sqlstore.Config) (plain sqlstore.Config, names map[token]token) {
	names = map[token]token{}
	quoted := func(name string) token { return quotedName(cfg.Dialect, name) }
	name := func(value, byDefault, plain string) string {
		if value == "" {
			value = byDefault
		}
		schema, name, qualified := strings.Cut(value, ".")
		if !qualified {
			names[quoted(plain)] = quoted(value)
			return plain
		}
		names[quoted(plain)], names[quoted(plain+"_db")] = quoted(name), quoted(schema)
		return plain + "_db." + plain
	}
	source := func(value, byDefault, plain string) string {
		if strings.HasPrefix(value, "(") {
			return "(" + place + ")"
		}
		return name(value, byDefault, plain)
	}
	plain = cfg
	plain.Sessions = name(cfg.Sessions, "sessions", "plain_sessions")
	for _, suffix := range []string{"_epoch", "_by_user", "_by_external", "_by_change", "_by_expiry",
		"_devices", "_devices_by_code", "_devices_by_network", "_devices_by_end", "_audit", "_audit_by_user", "_audit_by_actor"} {
		sessions := names[quoted("plain_sessions")]
		names[quoted("plain_sessions"+suffix)] = sessions[:len(sessions)-1] + suffix + sessions[len(sessions)-1:]
	}
	plain.Users = name(cfg.Users, "users", "plain_users")
	plain.ID = name(cfg.ID, "id", "plain_id")
	plain.Epoch = source(cfg.Epoch, "session_epoch", "plain_epoch")
	plain.Disabled = source(cfg.Disabled, "disabled", "plain_disabled")
	plain.Roles = source(cfg.Roles, "roles", "plain_roles")
	plain.Attrs = map[string]string{"a": source(cfg.Attrs["a"], "", "plain_attr")}
	if cfg.Dialect == sqlstore.MySQL && cfg.IDColumnType != "" {
		plain.IDColumnType = placeType
	}
	return plain, names
}
