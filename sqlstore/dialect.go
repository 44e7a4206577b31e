package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Dialect is the kind of database that a Store uses: one of the constants of this
// type. The zero value is MySQL. New and Schema refuse every other value.
type Dialect int

// dialects maps each exported constant to its implementation. To add a dialect,
// write one file with its constant, the number after the last one here, and its
// implementation, and a schema file that it embeds; and add its line here.
var dialects = map[Dialect]*dialect{
	MySQL:      &mysqlDialect,
	SQLite:     &sqliteDialect,
	PostgreSQL: &postgresDialect,
}

// String returns the name of the constant, such as "MySQL".
func (d Dialect) String() string {
	if known, ok := dialects[d]; ok {
		return known.name
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// dialectNames lists the constants, for messages.
func dialectNames() string {
	var names []string
	for _, d := range slices.Sorted(maps.Keys(dialects)) {
		names = append(names, "sqlstore."+d.String())
	}
	return strings.Join(names, " or ")
}

// dialect holds everything in which one kind of database differs from another. No
// other code asks which dialect it works for. Every dialect sets every field, unless
// the field's comment says what empty means.
type dialect struct {
	name string // of the exported constant

	// schema creates the kit's three tables and adds the epoch row, with placeholders
	// for names and for the type of user_id: see Store.schemaSQL.
	schema string

	// auditSchema creates the table of AuditLog.
	auditSchema string

	syntax
	catalog
	alter
	ids userIDs
	advice

	// checkConnection examines the settings of the server and of the connection.
	// Each fault names its remedy. An error means that they cannot be read.
	checkConnection func(ctx context.Context, db *sql.DB) (faults []error, err error)

	// checkShards does the same with where the rows of the tables lie, once these exist.
	// nil: the database has no shards.
	checkShards func(ctx context.Context, s *Store) (faults []error, err error)
}

// syntax is how a database spells what the statements need.
type syntax struct {
	// quote quotes a name that isName has accepted.
	quote func(name string) string

	// quoteMarks are the characters that an expression may use as quotes. Each
	// opens and closes a text or a name, and is written twice to stand for itself.
	quoteMarks string

	// operators are the characters that an expression may use outside quotes, besides
	// those of all dialects: see checkExpression.
	operators string

	// qualifiedTables says whether a table may be written as database.table.
	qualifiedTables bool

	// maxName is the length of the longest name of a table or a column. maxSessions is
	// that of the sessions table, which is the beginning of other names.
	maxName, maxSessions int

	// bind replaces each ? of a statement with the database's own placeholder. No
	// statement has a question mark that is not a parameter. A parameter is an integer,
	// a text, bytes or a user id: see IDKind.key.
	bind func(statement string) string

	// now is the database's clock in microseconds since 1970. It has the same value
	// throughout a statement and does not depend on a time zone.
	now string

	// onConflict is the end of an INSERT that leaves an existing row of the table
	// as it is, and hides no other error. The column is one that a shard may change.
	onConflict func(table, column string) string

	// insertNew is an INSERT into a table that leaves the rows that are there as they are, and
	// needs no right to UPDATE.
	insertNew func(table, columnsAndValues string) string

	// sameBytes is true when two texts have the same bytes, whatever their
	// collations.
	sameBytes func(a, b string) string

	// text reads an expression as a text of any length.
	text func(expression string) string

	// integer reads an expression, or a parameter, as an integer of 64 bits.
	integer func(expression string) string

	// isTrue is true when an expression is neither NULL nor zero nor false. It never
	// is NULL.
	isTrue func(expression string) string

	// findAndConfirm is {confirm}, of the table {sessions} s, and {find} {from} in one
	// statement, with the condition of store.Snapshot.IsNext. Its parameters are those of
	// findAndConfirmArgs. Empty: the database cannot.
	findAndConfirm string

	// lockByID ends a query for the rows that a statement is to change, and locks them in
	// the order of their ids: two statements that lock the same rows in two orders
	// deadlock. Empty: a statement with a list of ids does so itself.
	lockByID string

	// latest ends a query by primary key that must see a row if an INSERT before it has found
	// the row. Empty: each query does.
	latest string

	// order is the column that sorts the sessions that were created at the same
	// moment.
	order string
}

// alter is how tables are created while other nodes do so, and how a column is added to a table that
// is in use.
type alter struct {
	// isRaced reports whether CREATE IF NOT EXISTS has failed because another node created
	// the same at that moment, so that it succeeds now. nil: it does not fail for that.
	isRaced func(error) bool

	// addColumn is what ALTER TABLE does, up to the column's name.
	addColumn string

	// waitBriefly is a statement that makes the next one of the connection wait for locks
	// for at most a second; empty: the DSN says how long. That is less than what a
	// request waits for the store, so that no login fails for it.
	waitBriefly string

	// alone is a statement that waits, for at most a minute, until no other node has run it
	// on a connection that is still open; empty: one upgrade does not disturb another.
	alone string

	// withoutCopy is the end of an ALTER TABLE that fails where the server would have to
	// copy the table; empty: it never does.
	withoutCopy string

	// isLocked reports whether an error says that the table was in use for all that
	// time. The drivers are not part of this module, so it reads the text.
	isLocked func(error) bool
}

// catalog is how a database describes its tables. Each query takes the database's
// name, empty for the connection's own, and the table's name.
type catalog struct {
	// columns returns of each column: the name; the type, in lower case; whether it is
	// declared in a table, not in a view, and accepts NULL; and the words, in lower
	// case, "generated" for one that the database computes from others, and what
	// advice.setNotNull needs.
	columns string

	// columnType rewrites a type from the catalog as the schema spells it, but in
	// lower case.
	columnType func(fromCatalog string) string

	// class says what a column of this type can be read as.
	class func(columnType string) class

	// indexes returns a row for each column of each index: the index's name, the
	// column's name, empty for an expression, and whether the index is unique. The rows
	// of an index follow one another, in the order of its columns.
	indexes string

	// views returns 1 if the table is a view, else 0.
	views string

	// repeatsIDs returns 1 if the database may give the id of a deleted user to a
	// later one, else 0. It takes the names of the id's column and of the epoch's as
	// well, the second empty if there is none. Empty: the database never does so.
	repeatsIDs string

	// typeOf returns a query for the type of an expression over the tables of a FROM
	// clause, spelled as in columns. nil: the query of the expression itself has the
	// type, or the database has none.
	typeOf func(expression, from string) string

	// typeOfDriver rewrites the type that the driver names, in lower case, as in columns.
	typeOfDriver func(fromDriver string) string

	// padded returns how many ids of the table {users}, of the first 100 in {id}, end with
	// a zero byte. Empty: the database does not pad.
	padded string
}

// userIDs describes sessions.user_id.
type userIDs struct {
	integer, uuid string // its type for each IDKind

	// text returns its type for the IDKind Text, given the type of the app's
	// column, or nothing if that is unknown and the type depends on it. Two types of
	// the app's column for which it returns the same can be joined by an index.
	text func(appColumn string) string

	// checkType judges Config.IDColumnType. It accepts only what reads as one type
	// in every statement, and what the catalog spells in the same way.
	checkType func(columnType string) (fault string)

	largest uint64 // the largest id of the IDKind Integer

	// parameter returns the placeholder of a user id.
	parameter func(IDKind) string

	// spelledUUID says that a UUID is its spelling, both as a parameter and in a row that
	// is read. Otherwise it is 16 bytes.
	spelledUUID bool

	// withoutNUL says that no text contains a NUL, so that no id does.
	withoutNUL bool
}

// advice is what messages tell the operator to run or to configure.
type advice struct {
	// Columns of the app's table.
	epochColumn, disabledColumn, textColumn columnAdvice

	// setNotNull returns the statement that makes a column refuse NULL and gives it a
	// default, if it has none, but changes nothing else of it. nil: the database has none.
	setNotNull func(ctx context.Context, on querier, t table, c column) (string, error)

	// keep are the words in column.extra of a column that an UPDATE of others changes
	// as well. Empty: there is none.
	keep string

	// prefix follows a column of this type in CREATE INDEX.
	prefix func(columnType string) string

	// fromBytes is an expression that reads {sql}, a column of bytes, as a text.
	fromBytes string

	// otherID returns a remedy for an id column whose type fits no IDKind, or
	// nothing if there is none.
	otherID func(table, column, columnType string) string

	// account is a query for this account, as GRANT names it. Empty: the database has no
	// accounts.
	account string

	// isDenied reports whether an error says that this account lacks a right. The drivers
	// are not part of this module, so it reads the text.
	isDenied func(error) bool

	// remedy says what to do about an error of a statement of checkPrivileges that does
	// not say so; empty if nothing is known.
	remedy func(error) string

	// freshID and freshEpoch are the definitions of columns for which repeatsIDs
	// returns 0.
	freshID, freshEpoch string
}

type columnAdvice struct {
	definition string // for ADD COLUMN
	example    string // of an expression that Config accepts in place of the column
}

// class is what a column can be read as: any number of these.
type class uint8

const (
	holdsInteger class = 1 << iota
	holdsUUID
	holdsText

	// holdsNoID says that the column is no id although it holds a text, because no index
	// compares it with sessions.user_id.
	holdsNoID

	// holdsBytes says that the value has no character set: what is read as a text may be
	// lost.
	holdsBytes

	// holdsNull is the class of NULL itself.
	holdsNull
)

// noPrefix is advice.prefix for databases that index columns of all types.
func noPrefix(string) string { return "" }

// questionMarks is syntax.bind for databases whose placeholder is ?.
func questionMarks(statement string) string { return statement }

// insertUnlessThere is syntax.insertNew for databases with ON CONFLICT.
func insertUnlessThere(table, rest string) string {
	return "INSERT INTO " + table + rest + " ON CONFLICT DO NOTHING"
}

// asItIs is for dialects that need not rewrite an expression or a name.
func asItIs(text string) string { return text }

// plainParameter is userIDs.parameter for databases that convert parameters themselves.
func plainParameter(IDKind) string { return "?" }

// unknownDialect finds the other faults of a Config whose Dialect is unknown. It
// takes part in no statement, because New and Schema refuse that Config.
var unknownDialect = dialect{
	syntax: syntax{
		quote:           func(name string) string { return name },
		quoteMarks:      "'\"`",
		qualifiedTables: true,
		maxName:         64,
		maxSessions:     64 - len(devicesSuffix),
	},
	ids: userIDs{checkType: func(string) string { return "" }},
}
