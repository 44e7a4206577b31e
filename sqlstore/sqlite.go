package sqlstore

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"math"
	"regexp"
	"strings"
)

// SQLite is SQLite from 3.42, for an app on one machine. The DSN must make writers
// wait for each other, and should use the write-ahead log, so that readers do not
// wait. With modernc.org/sqlite:
//
//	file:app.db?_pragma=busy_timeout(1500)&_pragma=journal_mode(WAL)
const SQLite Dialect = 1

//go:embed sqlite.sql
var sqliteSchema string

//go:embed sqlite_audit.sql
var sqliteAuditSchema string

var sqliteDialect = dialect{
	name:        "SQLite",
	schema:      sqliteSchema,
	auditSchema: sqliteAuditSchema,
	syntax: syntax{
		// SQLite reads a name in double quotes as a text if there is no such name.
		quote:           func(name string) string { return "`" + name + "`" },
		quoteMarks:      "'\"`",
		qualifiedTables: false,
		maxName:         64,
		maxSessions:     64 - len(devicesSuffix),
		bind:            questionMarks,
		// The clock counts milliseconds. A float64 holds them exactly enough to
		// round, but not to cut off.
		now:        "(CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER) * 1000)",
		onConflict: func(string, string) string { return "ON CONFLICT DO NOTHING" },
		insertNew:  insertUnlessThere,
		sameBytes: func(a, b string) string {
			return "CAST(" + a + " AS BLOB) = CAST(" + b + " AS BLOB)"
		},
		text:    func(expression string) string { return "CAST(" + expression + " AS TEXT)" },
		isTrue:  func(expression string) string { return "(" + expression + " IS TRUE)" },
		integer: asItIs,
		order:   "rowid",
	},
	catalog: catalog{
		// No statement of SQLite adds NOT NULL to a column, so none is reported.
		columns:    `SELECT name, lower(type), 0, '' FROM pragma_table_info(?2) WHERE ?1 = ''`,
		columnType: func(fromCatalog string) string { return fromCatalog },
		class:      sqliteClass,
		// A primary key may be the row number, which has no index and needs none.
		indexes: `SELECT name, col, uniq FROM (
				SELECT i.name, k.seqno, COALESCE(k.name, '') AS col, i."unique" AS uniq FROM pragma_index_list(?2) i JOIN pragma_index_info(i.name) k WHERE ?1 = ''
				UNION ALL SELECT '', 0, name, 1 FROM pragma_table_info(?2) WHERE pk = 1
			) ORDER BY name, seqno`,
		views: `SELECT COUNT(*) FROM sqlite_schema WHERE ?1 = '' AND type = 'view' AND lower(name) = lower(?2)`,
		// An INTEGER PRIMARY KEY is the row number. Without AUTOINCREMENT the next row gets
		// the largest number there is plus one, so that of a deleted row again. An epoch
		// whose default is an expression, which the catalog shows with its parentheses,
		// begins at another value.
		repeatsIDs: `SELECT COUNT(*) FROM sqlite_schema t JOIN pragma_table_info(?2) c
			WHERE ?1 = '' AND t.type = 'table' AND lower(t.name) = lower(?2) AND lower(c.name) = lower(?3)
			AND lower(c.type) = 'integer' AND c.pk = 1 AND (SELECT SUM(pk) FROM pragma_table_info(?2)) = 1
			AND t.sql NOT LIKE '%AUTOINCREMENT%' AND t.sql NOT LIKE '%WITHOUT%ROWID%'
			AND NOT EXISTS (SELECT 1 FROM pragma_table_info(?2) e WHERE lower(e.name) = lower(?4) AND e.dflt_value LIKE '%(%')`,
		typeOfDriver: asItIs, // of an expression that is a column; any other has none
		padded:       "",
	},
	alter: alter{
		addColumn:   "ADD COLUMN",
		waitBriefly: "",
		alone:       "",
		withoutCopy: "",
		isLocked:    func(err error) bool { return strings.Contains(err.Error(), "database is locked") },
	},
	ids: userIDs{
		integer: "INTEGER",
		uuid:    "BLOB",
		// A join uses the collation of the app's column, and so that column's index.
		text: func(string) string { return "TEXT" },
		checkType: func(columnType string) (fault string) {
			if columnType != "TEXT" {
				return "is not TEXT, the only type that SQLite needs: leave it empty"
			}
			return ""
		},
		largest:   math.MaxInt64,
		parameter: plainParameter,
	},
	advice: advice{
		epochColumn:    columnAdvice{"INTEGER NOT NULL DEFAULT 1", "(CAST(u.version AS INTEGER))"},
		disabledColumn: columnAdvice{"BOOLEAN NOT NULL DEFAULT FALSE", "(u.status = 'banned')"},
		textColumn:     columnAdvice{"TEXT NOT NULL DEFAULT ''", "(CASE WHEN u.is_admin THEN 'admin' ELSE '' END)"},
		setNotNull:     nil,
		keep:           "",
		prefix:         noPrefix,
		fromBytes:      "",
		otherID:        func(string, string, string) string { return "" },
		account:        "", // whose file it is, can use it
		isDenied:       func(error) bool { return false },
		remedy:         func(error) string { return "" },
		freshID:        "INTEGER PRIMARY KEY AUTOINCREMENT",
		freshEpoch:     "INTEGER NOT NULL DEFAULT (unixepoch())",
	},
	// No setting of SQLite changes what a session means.
	checkConnection: func(context.Context, *sql.DB) ([]error, error) { return nil, nil },
}

var sqliteText = regexp.MustCompile(`char|text|clob|enum|set|binary|blob|json`)

// sqliteClass reads the declared type, which may be any words.
func sqliteClass(columnType string) (c class) {
	if strings.Contains(columnType, "int") {
		c |= holdsInteger
	}
	if columnType == "blob" || columnType == "binary(16)" || columnType == "varbinary(16)" {
		c |= holdsUUID
	}
	if sqliteText.MatchString(columnType) {
		c |= holdsText
	}
	return c
}
