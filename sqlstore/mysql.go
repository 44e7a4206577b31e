package sqlstore

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strings"
)

// MySQL is MySQL from 8.0 or MariaDB from 10.6, through
// github.com/go-sql-driver/mysql. The DSN must name the primary, because a replica
// that lags shows sessions as they were. Strict SQL mode, autocommit and a utf8
// character set are required; all three are the driver's and the server's defaults,
// and Migrate refuses other settings. With interpolateParams=true in the DSN, a
// statement takes one round trip instead of two.
const MySQL Dialect = 0

//go:embed mysql.sql
var mysqlSchema string

var mysqlDialect = dialect{
	name:   "MySQL",
	schema: mysqlSchema,
	syntax: syntax{
		quote:           func(name string) string { return "`" + name + "`" },
		quoteMarks:      "'\"`",
		qualifiedTables: true,
		maxName:         64,
		maxSessions:     64 - len(epochSuffix),
		bind:            questionMarks,
		now:             "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		// INSERT IGNORE would hide every other error as well.
		onConflict: func(table string) string {
			return "ON DUPLICATE KEY UPDATE " + table + ".id = " + table + ".id"
		},
		sameBytes: func(a, b string) string {
			bytes := func(s string) string { return "CAST(CONVERT(" + s + " USING utf8mb4) AS BINARY)" }
			return bytes(a) + " = " + bytes(b)
		},
		text:    func(expression string) string { return "CAST(" + expression + " AS CHAR)" },
		isTrue:  func(expression string) string { return "(" + expression + " IS TRUE)" },
		integer: asItIs,
		order:   "id",
	},
	catalog: catalog{
		columns: `SELECT COLUMN_NAME, LOWER(CONCAT(COLUMN_TYPE, COALESCE(
			CONCAT(' character set ', CHARACTER_SET_NAME, ' collate ', COLLATION_NAME), ''))), IS_NULLABLE = 'YES' AND TABLE_TYPE = 'BASE TABLE'
			FROM information_schema.COLUMNS JOIN information_schema.TABLES USING (TABLE_SCHEMA, TABLE_NAME)
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ?`,
		// MariaDB adds a display width, as in bigint(20).
		columnType: func(fromCatalog string) string { return mysqlDisplayWidth.ReplaceAllString(fromCatalog, "$1") },
		class:      mysqlClass,
		indexes: `SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), NON_UNIQUE = 0 FROM information_schema.STATISTICS
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
		views: `SELECT COUNT(*) FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE LIKE '%VIEW'`,
		// InnoDB keeps the counter of AUTO_INCREMENT over a restart (MySQL from 8.0, MariaDB
		// from 10.2.4). Only TRUNCATE, an ALTER TABLE of the counter, or an app that chooses
		// the ids gives one a second time, and the catalog shows none of these.
		repeatsIDs: "",
	},
	alter: alter{
		addColumn:   "ADD COLUMN",
		waitBriefly: "SET SESSION lock_wait_timeout = 1",
		alone:       "DO GET_LOCK(CONCAT('sessionkit ', LEFT(SHA2(COALESCE(DATABASE(), ''), 256), 40)), 60)",
		withoutCopy: ", ALGORITHM = INSTANT",
		isLocked:    func(err error) bool { return strings.Contains(err.Error(), "Error 1205") },
	},
	ids: userIDs{
		integer:   "BIGINT UNSIGNED",
		uuid:      "BINARY(16)",
		text:      mysqlTextID,
		checkType: checkMySQLTextType,
		largest:   math.MaxUint64,
		parameter: plainParameter,
	},
	advice: advice{
		epochColumn:    columnAdvice{"BIGINT UNSIGNED NOT NULL DEFAULT 1", "(CAST(u.version AS UNSIGNED))"},
		disabledColumn: columnAdvice{"BOOLEAN NOT NULL DEFAULT FALSE", "(u.status = 'banned')"},
		textColumn:     columnAdvice{"VARCHAR(255) NOT NULL DEFAULT ''", "(IF(u.is_admin, 'admin', ''))"},
		setNotNull:     "ALTER TABLE {table} MODIFY {column} {definition}",
		otherID:        mysqlOtherID,
		printed:        asItIs,
		permit: func(privilege, table string) string {
			return "GRANT " + privilege + " ON " + table + " to this account, if it lacks that right"
		},
	},
	checkConnection: checkMySQLConnection,
}

var (
	mysqlDisplayWidth = regexp.MustCompile(`(int)\(\d+\)`)
	mysqlInteger      = regexp.MustCompile(`^(tiny|small|medium|big)?int\b`)
	mysqlText         = regexp.MustCompile(`char|text|enum|set|binary|blob|json`)
)

func mysqlClass(columnType string) (c class) {
	if mysqlInteger.MatchString(columnType) {
		c |= holdsInteger
	}
	if columnType == "binary(16)" || columnType == "varbinary(16)" || columnType == "blob" {
		c |= holdsUUID
	}
	if mysqlText.MatchString(columnType) {
		c |= holdsText
	}
	return c
}

var mysqlCollation = regexp.MustCompile(` character set [a-z0-9_]+ collate [a-z0-9_]+$`)

// mysqlTextID gives user_id the character set and the collation of the app's
// column. A join of two collations uses no index, and each refresh would read the
// whole users table.
func mysqlTextID(appColumn string) string {
	if collation := mysqlCollation.FindString(appColumn); collation != "" {
		return "VARCHAR(255)" + strings.NewReplacer("character set", "CHARACTER SET", "collate", "COLLATE").Replace(collation)
	}
	if mysqlClass(appColumn)&holdsText != 0 {
		return "VARBINARY(255)"
	}
	return ""
}

var mysqlTextType = regexp.MustCompile(`^(?:(?:VARCHAR|varchar)\([1-9][0-9]{0,3}\) (?:CHARACTER SET|character set) ([A-Za-z0-9_]+) (?:COLLATE|collate) ([A-Za-z0-9_]+)|(?:VARBINARY|varbinary)\([1-9][0-9]{0,3}\))$`)

func checkMySQLTextType(columnType string) (fault string) {
	parts := mysqlTextType.FindStringSubmatch(columnType)
	if parts == nil {
		return "is not spelled as VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin or as VARBINARY(255): give the length, and for VARCHAR the character set and the collation"
	}
	charset, collation := strings.ToLower(parts[1]), strings.ToLower(parts[2])
	if charset == "utf8" || strings.HasPrefix(collation, "utf8_") {
		return "uses the name utf8, which servers store as another one: write utf8mb4 or utf8mb3"
	}
	return ""
}

func mysqlOtherID(table, column, columnType string) string {
	if columnType != "uuid" { // MariaDB's own type
		return ""
	}
	return fmt.Sprintf("run\n\tALTER TABLE %[1]s ADD COLUMN %[2]s_text CHAR(36) CHARACTER SET ascii COLLATE ascii_bin AS (CAST(%[2]s AS CHAR)) STORED, ADD UNIQUE (%[2]s_text)\n"+
		"and set Config.ID to that column, and Config.IDKind to sqlstore.Text", table, column)
}

// mysqlSettings reads what checkMySQLConnection examines. The read-only variables are
// 0 or 1, or words from MariaDB 12 on, of which only OFF permits writes.
const mysqlSettings = `SELECT @@SESSION.sql_mode, COALESCE(@@SESSION.character_set_results, 'binary'), @@SESSION.autocommit, @@GLOBAL.read_only NOT IN ('0', 'OFF'),
	@@GLOBAL.innodb_read_only NOT IN ('0', 'OFF'), @@GLOBAL.innodb_flush_log_at_trx_commit`

func checkMySQLConnection(ctx context.Context, db *sql.DB) (faults []error, err error) {
	var mode, charset, flush string
	var autocommit bool
	var readOnly, engineReadOnly int
	if err := db.QueryRowContext(ctx, mysqlSettings).Scan(&mode, &charset, &autocommit, &readOnly, &engineReadOnly, &flush); err != nil {
		return nil, err
	}
	if !strings.Contains(mode, "STRICT_TRANS_TABLES") && !strings.Contains(mode, "STRICT_ALL_TABLES") {
		faults = append(faults, fmt.Errorf("sql_mode is %q, and without strict mode the database cuts values to fit: "+
			"add STRICT_TRANS_TABLES to the sql_mode of the DSN, or of the server if the DSN sets none", mode))
	}
	if !strings.HasPrefix(charset, "utf8") {
		faults = append(faults, fmt.Errorf("the connection's character set is %s, which changes user ids and roles in other scripts: "+
			"remove charset and collation from the DSN, or choose utf8mb4", charset))
	}
	if !autocommit {
		faults = append(faults, errors.New("autocommit is off, so no change would be kept: "+
			"remove it from the DSN, or switch it on at the server if the DSN does not set it"))
	}
	// Some accounts may write to a read-only server, but then to a replica.
	if readOnly != 0 || engineReadOnly != 0 {
		faults = append(faults, fmt.Errorf("the server is read-only, as replicas are (read_only = %d, innodb_read_only = %d): "+
			"open the primary", readOnly, engineReadOnly))
	}
	if flush != "1" {
		slog.WarnContext(ctx, "sqlstore: a crash of the database may lose logouts of the last second, and those sessions go on: "+
			"set innodb_flush_log_at_trx_commit = 1, unless this is intended", "innodb_flush_log_at_trx_commit", flush)
	}
	return faults, nil
}
