package sqlstore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Config names what the app's database calls things. The zero Config is MySQL
// with a table users(id, session_epoch, disabled, roles), whose id is an integer.
//
// Users, ID and Sessions are names. Epoch, Disabled, Roles and the values of
// Attrs are either the name of a column of the users table, or an SQL
// expression in parentheses over its row, which is called u:
//
//	Disabled: "(u.deleted_at IS NOT NULL)",
//	Roles:    "(SELECT JSON_ARRAYAGG(r.name) FROM user_roles r WHERE r.user_id = u.id)",
//
// An expression stands in every statement word for word: it is the developer's
// own SQL and must never be made from anything a user has sent. It stays one
// operand: New refuses what could reach beyond its parentheses, such as a quote
// or a parenthesis that does not close, a comment, a semicolon or a parameter.
// What it reads is not judged. Names are checked and quoted.
type Config struct {
	_ [0]func()

	// Dialect is the kind of database. Zero: MySQL, which MariaDB speaks as well.
	Dialect Dialect

	// Sessions names the kit's own table, which Migrate creates. Empty:
	// "sessions". A second table of the same name with "_epoch" appended stands
	// beside it. In MySQL a table may be written database.table.
	Sessions string

	// Users names the app's table (or a view of it). Empty: "users".
	Users string

	// ID names the column of Users that UserID is compared with. It must be
	// unique and indexed, because every refresh looks there. Empty: "id".
	ID string

	// IDKind says how a user id is written. Zero: Integer.
	IDKind IDKind

	// Epoch is a number that is never NULL and that the app raises, in its own
	// transaction, to end all of a user's sessions. It begins at 1, because 0 in
	// session.Login.Epoch means "not checked". Empty: "session_epoch". "(0)" does
	// without.
	Epoch string

	// Disabled is true (not zero) for a user who may not log in; NULL is false.
	// A column may be a boolean, a number, or a time such as banned_at. Empty:
	// "disabled". "(FALSE)" does without.
	Disabled string

	// Roles is a JSON array of strings, or names separated by commas; NULL and
	// '' are none. Anything else is an error when it is read. In an expression
	// prefer JSON_ARRAYAGG: GROUP_CONCAT cuts at group_concat_max_len, and half of
	// a role's name may be another role. Empty: "roles". "(NULL)" does without.
	Roles string

	// Attrs says where session.Session.Attrs come from: attribute to column or
	// expression, read as text. A value that is NULL leaves its attribute out.
	Attrs map[string]string
}

// names is a Config that was found good, spelled in SQL.
type names struct {
	sessions, epochs, users table
	id                      string // of the users table, unquoted
	epoch, disabled, roles  source
	attrs                   []source
	attrNames               []string // one for each of attrs
}

// source is where something about a user comes from.
type source struct {
	field  string // of Config, for messages
	column string // empty: an expression
	sql    string
}

// table is a name that may be qualified by its database.
type table struct{ schema, name string }

func (t table) String() string {
	if t.schema == "" {
		return quote(t.name)
	}
	return quote(t.schema) + "." + quote(t.name)
}

// quote is safe for what identifier has matched. SQLite knows backquotes too,
// and, unlike double quotes, never takes what stands in them for a string.
func quote(name string) string { return "`" + name + "`" }

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

const (
	maxName     = 64 // MySQL's limit for an identifier
	epochSuffix = "_epoch"
)

// names judges the Config whole and reports all its faults at once.
func (c Config) names() (names, error) {
	j := judgement{dialect: c.Dialect}
	if c.Dialect != MySQL && c.Dialect != SQLite {
		j.fault("Dialect", "%d is none: use sqlstore.MySQL or sqlstore.SQLite", c.Dialect)
	}
	if c.IDKind < Integer || c.IDKind > Text {
		j.fault("IDKind", "%d is none: use sqlstore.Integer, sqlstore.UUID or sqlstore.Text", c.IDKind)
	}
	n := names{
		sessions: j.table("Sessions", c.Sessions, "sessions", maxName-len(epochSuffix)),
		users:    j.table("Users", c.Users, "users", maxName),
		id:       j.column("ID", c.ID, "id"),
		epoch:    j.source("Epoch", c.Epoch, "session_epoch"),
		disabled: j.source("Disabled", c.Disabled, "disabled"),
		roles:    j.source("Roles", c.Roles, "roles"),
	}
	n.epochs = table{n.sessions.schema, n.sessions.name + epochSuffix}
	for _, own := range []table{n.sessions, n.epochs} {
		if own == n.users && own.name != "" {
			j.fault("Users", "%q is a table of the kit's own: name the app's table, or choose another Sessions", own.name)
		}
	}
	n.attrNames = slices.Sorted(maps.Keys(c.Attrs))
	for _, attr := range n.attrNames {
		field := fmt.Sprintf("Attrs[%q]", attr)
		if attr == "" || c.Attrs[attr] == "" {
			j.fault(field, "is empty: give the attribute's name and its column or expression")
			continue
		}
		n.attrs = append(n.attrs, j.source(field, c.Attrs[attr], ""))
	}
	return n, errors.Join(j.faults...)
}

// judgement collects what is wrong with a Config.
type judgement struct {
	dialect Dialect
	faults  []error
}

func (j *judgement) fault(field, format string, args ...any) {
	j.faults = append(j.faults, fmt.Errorf("sqlstore: Config.%s: %s", field, fmt.Sprintf(format, args...)))
}

func (j *judgement) table(field, value, byDefault string, limit int) table {
	if value == "" {
		value = byDefault
	}
	schema, name, qualified := strings.Cut(value, ".")
	if !qualified {
		schema, name = "", value
	} else if j.dialect == SQLite {
		j.fault(field, "%q names a database: with SQLite write the table alone", value)
		return table{}
	}
	if !isName(name, limit) || qualified && !isName(schema, maxName) {
		j.fault(field, "%q is no table name: letters, digits and _ only, at most %d, after at most one database name and a dot", value, limit)
		return table{}
	}
	return table{schema, name}
}

func (j *judgement) column(field, value, byDefault string) string {
	if value == "" {
		value = byDefault
	}
	if !isName(value, maxName) {
		j.fault(field, "%q is no column name: letters, digits and _ only, at most %d", value, maxName)
	}
	return value
}

func (j *judgement) source(field, value, byDefault string) source {
	if !strings.HasPrefix(value, "(") {
		if column := cmp.Or(value, byDefault); isName(column, maxName) {
			return source{field, column, "u." + quote(column)}
		}
		j.fault(field, "%q is neither a column name (letters, digits and _) nor an SQL expression in parentheses", value)
		return source{}
	}
	if fault := beyond(value); fault != "" {
		j.fault(field, "%q %s", value, fault)
	}
	// One more pair, because "(a) OR (b)" begins and ends with one too.
	return source{field, "", "(" + value + ")"}
}

func isName(s string, limit int) bool { return len(s) <= limit && identifier.MatchString(s) }
