package sqlstore

import (
	_ "embed"
	"math"
)

// Dialect is a kind of database.
type Dialect int

const (
	// MySQL is MySQL from 8.0 and MariaDB from 10.6, in strict SQL mode, through
	// github.com/go-sql-driver/mysql. Migrate refuses what a DSN can say to change
	// what a session means; interpolateParams=true saves a round trip per statement.
	// Open the primary: a replica that lags shows sessions as they were.
	MySQL Dialect = iota

	// SQLite is SQLite from 3.42, for one machine. Open it so that writers wait
	// for each other and readers do not, for example with modernc.org/sqlite:
	//
	//	file:app.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)
	SQLite
)

var (
	//go:embed mysql.sql
	mysqlSchema string
	//go:embed sqlite.sql
	sqliteSchema string
)

// traits are what differs between the dialects, and nothing more.
type traits struct {
	schema string

	// userID is the type of sessions.user_id for each IDKind.
	userID [3]string

	// columns asks for the names and types of a table's columns, and whether ALTER
	// TABLE should keep NULL out of each: not of a view's, nor in SQLite, which
	// cannot. It takes the database's name, which may be empty, and the table's.
	columns string

	// indexes asks for the first columns of a table's indexes, and whether each
	// is unique; views, whether a table is a view. They take what columns does.
	indexes, views string

	// settings asks for the connection's SQL mode, its character set, whether it
	// commits by itself, whether the server is read-only, and how it keeps commits;
	// empty: there is no such thing.
	settings string

	// now is the database's clock in microseconds since 1970. It stands still
	// within a statement, and no time zone has a part in it.
	now string

	// unlessThere ends an INSERT that leaves a row alone that is there.
	unlessThere string

	// exactly holds when two texts are the same bytes.
	exactly func(a, b string) string

	// order tells apart sessions that were created at the same moment.
	order string

	// largestID is the largest Integer there is.
	largestID uint64
}

func (d Dialect) traits() traits {
	if d == SQLite {
		return traits{
			schema:  sqliteSchema,
			userID:  [...]string{Integer: "INTEGER", UUID: "BLOB", Text: "TEXT"},
			columns: `SELECT name, lower(type), 0 FROM pragma_table_info(?2) WHERE ?1 = ''`,
			// The primary key may be the rowid, which is no index and better.
			indexes: `SELECT k.name, i."unique" FROM pragma_index_list(?2) i JOIN pragma_index_info(i.name) k WHERE ?1 = '' AND k.seqno = 0
				UNION ALL SELECT name, 1 FROM pragma_table_info(?2) WHERE pk = 1`,
			views: `SELECT COUNT(*) FROM sqlite_schema WHERE ?1 = '' AND type = 'view' AND lower(name) = lower(?2)`,
			// SQLite's clock has milliseconds. A float holds them well enough to
			// round, not to cut off.
			now:         "(CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER) * 1000)",
			unlessThere: "ON CONFLICT (id) DO NOTHING",
			exactly: func(a, b string) string {
				return "CAST(" + a + " AS BLOB) = CAST(" + b + " AS BLOB)"
			},
			order:     "s.rowid",
			largestID: math.MaxInt64,
		}
	}
	return traits{
		schema: mysqlSchema,
		// A text id takes over the collation of the app's column, see schema:
		// between two collations no join uses an index.
		userID: [...]string{Integer: "BIGINT UNSIGNED", UUID: "BINARY(16)", Text: ""},
		columns: `SELECT COLUMN_NAME, LOWER(CONCAT(COLUMN_TYPE, COALESCE(
			CONCAT(' character set ', CHARACTER_SET_NAME, ' collate ', COLLATION_NAME), ''))), IS_NULLABLE = 'YES' AND TABLE_TYPE = 'BASE TABLE'
			FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME)
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`,
		indexes: `SELECT COLUMN_NAME, NON_UNIQUE = 0 FROM information_schema.STATISTICS
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND SEQ_IN_INDEX = 1 AND COLUMN_NAME IS NOT NULL`,
		views: `SELECT COUNT(*) FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE LIKE '%VIEW'`,
		now: "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		// What is read-only is 0 or 1, or a word (MariaDB 12), of which OFF is one.
		settings: `SELECT @@SESSION.sql_mode, COALESCE(@@SESSION.character_set_results, 'binary'), @@SESSION.autocommit, @@GLOBAL.read_only NOT IN ('0', 'OFF'),
			@@GLOBAL.innodb_read_only NOT IN ('0', 'OFF'), @@GLOBAL.innodb_flush_log_at_trx_commit`,
		// Not INSERT IGNORE, which would let every other error pass as well.
		unlessThere: "ON DUPLICATE KEY UPDATE {into}.id = {into}.id",
		exactly: func(a, b string) string {
			bytes := func(s string) string { return "CAST(CONVERT(" + s + " USING utf8mb4) AS BINARY)" }
			return bytes(a) + " = " + bytes(b)
		},
		order:     "s.id",
		largestID: math.MaxUint64,
	}
}
