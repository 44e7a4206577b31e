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

// Config says which tables, columns and expressions a Store uses. The zero Config
// means MySQL and a table users(id, session_epoch, disabled, roles) whose id is an
// integer.
//
// Users, ID and Sessions are names. Epoch, Disabled, Roles and the values of Attrs
// are the name of a column of the users table, or an SQL expression in parentheses
// over a row of that table, which is called u:
//
//	Disabled: "(u.deleted_at IS NOT NULL)",
//	Roles:    "(SELECT CONCAT('[', GROUP_CONCAT(JSON_QUOTE(r.name)), ']') FROM user_roles r WHERE r.user_id = u.id)",
//
// Names are checked and quoted. An expression becomes part of every statement as it
// is: write it in the source code, and never build it from input. New refuses an
// expression that could end outside its parentheses or hide what follows it: an
// unclosed quote or parenthesis, a comment, a semicolon, a parameter. It does not
// judge what the expression reads.
type Config struct {
	_ [0]func()

	// Dialect is the kind of database. The zero value is MySQL.
	Dialect Dialect

	// Sessions is the kit's own table, which Migrate creates. Two other tables have
	// the same name with "_epoch" and "_devices" appended. In MySQL a table may be written
	// as database.table, in PostgreSQL as schema.table. Empty: "sessions".
	Sessions string

	// Users is the app's table, or a view of it. Empty: "users".
	Users string

	// ID is the column of Users that contains the user id. It must be unique and
	// have an index, because every refresh looks a user up by it. Empty: "id".
	ID string

	// IDKind is the kind of value in that column. The zero value is Integer.
	IDKind IDKind

	// IDColumnType is the type of the column user_id in the kit's table, for the
	// IDKind Text only. In PostgreSQL and SQLite it is TEXT. In MySQL it is a VARCHAR or
	// VARBINARY such as
	//
	//	VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
	//
	// with the character set and the collation of the app's column, because
	// otherwise no query uses an index. Empty: Migrate and Store.Schema read them
	// from the app's column; the function Schema, which has no database, returns an
	// error in MySQL.
	IDColumnType string

	// Epoch is an integer that is never NULL. The app raises it, in its own
	// transaction, to end all sessions of a user. Let it start at 1, because 0 in
	// session.Login.Epoch means "not checked". Empty: "session_epoch". "(0)": there
	// is none.
	//
	// A session belongs to a user id. Before you delete a user, call
	// session.Manager.RevokeUser. If a later user may get the id of a deleted one, let
	// the epoch start at a value that does not repeat, such as the time of creation in
	// seconds: a session whose epoch is not the user's is over. SQLite gives ids again
	// (INTEGER PRIMARY KEY without AUTOINCREMENT), and Migrate warns of it; InnoDB does
	// not, unless the table is truncated, its counter is set back, or the app chooses
	// the ids.
	Epoch string

	// Disabled is true for a user who may not log in. It may be a boolean, a number
	// (0 is false) or a time such as banned_at; if it is a text, write
	// "(u.banned_at IS NOT NULL)". A flag with the opposite meaning, such as is_active, needs
	// "(NOT u.is_active)". NULL is false. Empty: "disabled".
	// "(FALSE)": there is none.
	Disabled string

	// Roles is a JSON array of strings, or names separated by commas. NULL and ''
	// mean no roles. Any other text is an error when it is read. A subquery must give one
	// row for each user, with all roles. For an expression
	// in MySQL or MariaDB that collects rows, build the JSON array as above: a list
	// that exceeds group_concat_max_len is cut, and half of a role's name may be
	// the name of another role, while a cut array is an error. Empty: "roles".
	// "(NULL)": there are none.
	Roles string

	// Attrs maps each attribute of session.Session.Attrs to the column or
	// expression that it is read from, as text. A value that is NULL leaves its
	// attribute out. Empty: no attributes.
	Attrs map[string]string
}

// names is a valid Config, as SQL.
type names struct {
	sessions, devices, epochs table // the kit's
	audit                     table // of AuditLog, which not every app has
	users                     table
	id                        string // a column of users, not quoted
	epoch, disabled, roles    source
	attrs                     []source
	attrNames                 []string // one for each of attrs
}

// kit returns the kit's tables, the one that the schema creates last first.
func (n names) kit() []table { return []table{n.epochs, n.devices, n.sessions} }

// source is what one field of Config reads from the user's row.
type source struct {
	field  string // of Config, for messages
	column string // not quoted; empty: the source is an expression
	sql    string
}

// table is the name of a table.
type table struct {
	schema, name string // not quoted; schema may be empty
	sql          string // quoted
}

// String returns the quoted name.
func (t table) String() string { return t.sql }

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// What the names of the kit's other tables end with, after that of the sessions table.
const (
	epochSuffix   = "_epoch"
	devicesSuffix = "_devices"
	auditSuffix   = "_audit"
)

// validate returns c as SQL, or an error that names every fault.
func (c Config) validate() (names, error) {
	v := validator{dialect: dialects[c.Dialect], id: cmp.Or(c.ID, "id")}
	if v.dialect == nil {
		v.dialect = &unknownDialect
		v.fail("Dialect", "%v does not exist: use %s", c.Dialect, dialectNames())
	}
	if c.IDKind < Integer || c.IDKind > Text {
		v.fail("IDKind", "%v does not exist: use sqlstore.Integer, sqlstore.UUID or sqlstore.Text", c.IDKind)
	}
	n := names{
		sessions: v.table("Sessions", c.Sessions, "sessions", v.dialect.maxSessions),
		users:    v.table("Users", c.Users, "users", v.dialect.maxName),
		id:       v.column("ID", c.ID, "id"),
		epoch:    v.source("Epoch", c.Epoch, "session_epoch"),
		disabled: v.source("Disabled", c.Disabled, "disabled"),
		roles:    v.source("Roles", c.Roles, "roles"),
	}
	v.idColumnType(c.IDKind, c.IDColumnType)
	n.epochs = v.newTable(n.sessions.schema, n.sessions.name+epochSuffix)
	n.devices = v.newTable(n.sessions.schema, n.sessions.name+devicesSuffix)
	n.audit = v.newTable(n.sessions.schema, n.sessions.name+auditSuffix)
	for _, kit := range append(n.kit(), n.audit) {
		if kit == n.users && kit.name != "" {
			v.fail("Users", "%q is one of the kit's own tables: name the app's table, or choose another Sessions", kit.name)
		}
	}
	n.attrNames = slices.Sorted(maps.Keys(c.Attrs))
	for _, attr := range n.attrNames {
		field := fmt.Sprintf("Attrs[%q]", attr)
		if attr == "" || c.Attrs[attr] == "" {
			v.fail(field, "is empty: give the attribute's name and its column or expression")
			continue
		}
		n.attrs = append(n.attrs, v.source(field, c.Attrs[attr], ""))
	}
	return n, errors.Join(v.faults...)
}

// validator collects the faults of a Config.
type validator struct {
	dialect *dialect
	id      string // Config.ID, for messages
	faults  []error
}

func (v *validator) fail(field, format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("sqlstore: Config.%s: %s", field, fmt.Sprintf(format, args...)))
}

func (v *validator) newTable(schema, name string) table {
	t := table{schema, name, v.dialect.quote(name)}
	if schema != "" {
		t.sql = v.dialect.quote(schema) + "." + t.sql
	}
	return t
}

func (v *validator) table(field, value, byDefault string, limit int) table {
	value = cmp.Or(value, byDefault)
	schema, name, qualified := strings.Cut(value, ".")
	if !qualified {
		schema, name = "", value
	} else if !v.dialect.qualifiedTables {
		v.fail(field, "%q names a database: with %s write the table alone", value, v.dialect.name)
		return table{}
	}
	if !isName(name, limit) || qualified && !isName(schema, v.dialect.maxName) {
		v.fail(field, "%q is not a table name: use letters, digits and _ only, at most %d, after at most one database name and a dot", value, limit)
		return table{}
	}
	return v.newTable(schema, name)
}

func (v *validator) column(field, value, byDefault string) string {
	value = cmp.Or(value, byDefault)
	if !isName(value, v.dialect.maxName) {
		v.fail(field, "%q is not a column name: use letters, digits and _ only, at most %d", value, v.dialect.maxName)
	}
	return value
}

func (v *validator) source(field, value, byDefault string) source {
	if !strings.HasPrefix(value, "(") {
		if column := cmp.Or(value, byDefault); isName(column, v.dialect.maxName) {
			return source{field, column, "u." + v.dialect.quote(column)}
		}
		v.fail(field, "%q is neither a column name (letters, digits and _) nor an SQL expression in parentheses", value)
		return source{}
	}
	if fault := checkExpression(value, v.dialect.quoteMarks, v.dialect.operators); fault != "" {
		v.fail(field, "%q %s", value, fault)
	} else if !namesUser(value, v.dialect.quoteMarks) {
		v.fail(field, "%q has a subquery that does not mention u, the user's row, or calls another table u, and so gives every user the same value: compare with a column of the user's row, such as u.%s", value, v.id)
	}
	// Another pair, because "(a) OR (b)" has a parenthesis at both ends as well.
	return source{field, "", "(" + value + ")"}
}

func (v *validator) idColumnType(kind IDKind, value string) {
	if value == "" {
		return
	}
	fault := "is for the IDKind Text only: leave it empty"
	if kind == Text {
		fault = v.dialect.ids.checkType(value)
	}
	if fault != "" {
		v.fail("IDColumnType", "%q %s", value, fault)
	}
}

func isName(s string, limit int) bool { return len(s) <= limit && identifier.MatchString(s) }
