package sqlstore_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// lexer is how a database tells tokens apart, as far as they differ.
type lexer struct {
	name        string
	backslashes bool // escape in quotes
	dashes      bool // "--" begins a comment, whatever follows
	brackets    bool // quote names
	dollars     bool // quote texts
}

var lexers = []lexer{
	{name: "MySQL", backslashes: true},
	{name: "MySQL with NO_BACKSLASH_ESCAPES"},
	{name: "MySQL 9", backslashes: true, dollars: true},
	{name: "SQLite", dashes: true, brackets: true},
}

// token is one of SQL. Its first byte tells the kind: a quote, a letter or digit
// of a word, a symbol. Comments are tokens here, so that they are seen.
type token = string

const unclosed token = "unclosed"

func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// tokens takes a statement apart, as the databases' manuals say it is done.
func (l lexer) tokens(sql string) (all []token) {
	for i := 0; i < len(sql); {
		rest := sql[i:]
		end := 1
		switch c := sql[i]; {
		case c == 0:
			return append(all, unclosed) // where a database in C may stop
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
			continue
		case c == '\'' || c == '"' || c == '`':
			end = l.quoted(rest, c)
		case c == '[' && l.brackets:
			end = strings.IndexByte(rest, ']') + 1
		case c == '$' && l.dollars && strings.HasPrefix(rest, "$$"):
			if end = strings.Index(rest[2:], "$$"); end >= 0 {
				end += 4
			}
		case c == '#' || strings.HasPrefix(rest, "--") && (l.dashes || len(rest) == 2 || rest[2] <= ' '):
			end = strings.IndexByte(rest, '\n')
		case strings.HasPrefix(rest, "/*"):
			if end = strings.Index(rest, "*/"); end >= 0 {
				end += 2
			}
		case isWord(c):
			for end < len(rest) && isWord(rest[end]) {
				end++
			}
		}
		if end <= 0 {
			return append(all, unclosed)
		}
		all = append(all, rest[:end])
		i += end
	}
	return all
}

// quoted returns the length of what is quoted at the beginning of s.
func (l lexer) quoted(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == 0:
			return -1 // as above
		case s[i] == '\\' && l.backslashes && quote != '`':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return -1
}

// place stands for an expression in the statements of the plain Config.
const place = "7777777"

// differs compares a statement with the same one of a plain Config. There may
// be other names in it, each one token in quotes, and at each place something
// within parentheses, of which nothing is a comment, a parameter or the end of
// a statement. All else must be the same, token by token.
func differs(got, plain []token, names map[token]token) string {
	for len(plain) > 0 {
		if len(plain) > 4 && slices.Equal(plain[:5], []token{"(", "(", place, ")", ")"}) {
			n := operand(got)
			if n < 0 {
				return fmt.Sprintf("no operand in parentheses at %q", got[:min(20, len(got))])
			}
			got, plain = got[n:], plain[5:]
			continue
		}
		want := plain[0]
		if name, ok := names[want]; ok {
			want = name
		}
		if len(got) == 0 || got[0] != want {
			return fmt.Sprintf("%q where %q should be", got[:min(20, len(got))], want)
		}
		got, plain = got[1:], plain[1:]
	}
	if len(got) > 0 {
		return fmt.Sprintf("%q behind the end", got)
	}
	return ""
}

// operand returns how many tokens a pair of parentheses at the beginning
// encloses, itself included; -1: it does not close, or holds what it must not.
func operand(all []token) int {
	depth := 0
	for i, t := range all {
		switch {
		case t == "(":
			depth++
		case t == ")":
			depth--
		case t == unclosed || strings.HasPrefix(t, "--") || strings.HasPrefix(t, "#") || strings.HasPrefix(t, "/*") || strings.Contains(";?@:$[]\\", t[:1]):
			return -1
		}
		if depth == 0 {
			if i == 0 {
				return -1
			}
			return i + 1
		}
	}
	return -1
}

// quotedName is a table's or column's name as it must stand in a statement.
func quotedName(name string) token { return "`" + name + "`" }

// Whatever a Config says, New refuses it, or every statement is that of a plain
// Config but for quoted names, and for operands in parentheses, however the
// database reads it.
func FuzzNoConfigReachesSQLUnchecked(f *testing.F) {
	for _, seed := range []string{
		"", "users", "crm.people", "(u.deleted_at IS NOT NULL)", "(u.a) OR (u.b)", "(SELECT JSON_ARRAYAGG(r.name) FROM user_roles r WHERE r.user_id = u.id)",
		"users`", "a.b.c", "x; DROP TABLE users", "(1); DROP TABLE users; (2)", "(1)) OR ((1)", "(1 -- )", "(1 # )", "(1 /* )", "(1 /*! ) */", "('it''s')",
		`('\')`, `('\\')`, `("\")`, "(`a)", "([a)", "($$a)", "(?)", "(:a)", "(@a)", "(u.a--1)", "(1)\x00)", "(\xbf\\')", "(u.ü)", "('a' 'b)", "(\"a'\")", "(a) ')", "((1)", "('\x00')", "(u.a->>'$.b')", "(1;)", "({x})",
	} {
		for i := range 6 {
			fields := [6]string{"sessions", "users", "id", "session_epoch", "disabled", "roles"}
			fields[i] = seed
			f.Add(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], "(u.name)", byte(i%2), byte(i%3))
			f.Add("", "", "", "", "", "", seed, byte(i%2), byte(i%3))
		}
	}
	f.Fuzz(func(t *testing.T, sessions, users, id, epoch, disabled, roles, attr string, dialect, kind byte) {
		cfg := sqlstore.Config{
			Dialect: sqlstore.Dialect(dialect % 2), IDKind: sqlstore.IDKind(kind % 3),
			Sessions: sessions, Users: users, ID: id, Epoch: epoch, Disabled: disabled, Roles: roles, Attrs: map[string]string{"a": attr},
		}
		store, err := sqlstore.New(new(sql.DB), cfg)
		if err != nil {
			return
		}

		// The plain Config has a name where this one has, and a place where it
		// has an expression.
		names := map[token]token{}
		plainTable := func(value, byDefault, plain string) string {
			if value == "" {
				value = byDefault
			}
			schema, name, qualified := strings.Cut(value, ".")
			if !qualified {
				names[quotedName(plain)] = quotedName(value)
				return plain
			}
			names[quotedName(plain)], names[quotedName(plain+"_db")] = quotedName(name), quotedName(schema)
			return plain + "_db." + plain
		}
		plainSource := func(value, byDefault, plain string) string {
			if strings.HasPrefix(value, "(") {
				return "(" + place + ")"
			}
			return plainTable(value, byDefault, plain)
		}
		plain := cfg
		plain.Sessions = plainTable(sessions, "sessions", "plain_sessions")
		names["`plain_sessions_epoch`"] = strings.TrimSuffix(names["`plain_sessions`"], "`") + "_epoch`"
		plain.Users = plainTable(users, "users", "plain_users")
		plain.ID = plainTable(id, "id", "plain_id")
		plain.Epoch = plainSource(epoch, "session_epoch", "plain_epoch")
		plain.Disabled = plainSource(disabled, "disabled", "plain_disabled")
		plain.Roles = plainSource(roles, "roles", "plain_roles")
		plain.Attrs = map[string]string{"a": plainSource(attr, "", "plain_attr")}
		reference, err := sqlstore.New(new(sql.DB), plain)
		if err != nil {
			t.Fatalf("the plain Config %+v was refused: %v", plain, err)
		}
		for name, statement := range store.Statements() {
			for _, l := range lexers {
				if fault := differs(l.tokens(statement), l.tokens(reference.Statements()[name]), names); fault != "" {
					t.Fatalf("%s reads in the statement %s: %s\n%s", l.name, name, fault, statement)
				}
			}
		}
	})
}
