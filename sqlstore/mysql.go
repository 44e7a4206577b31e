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
// that lags shows sessions as they were. Strict SQL mode, autocommit and the character
// set utf8mb4 are required; all three are the driver's and the server's defaults,
// and Migrate refuses other settings. With interpolateParams=true in the DSN, a
// statement takes one round trip instead of two.
const MySQL Dialect = 0

//go:embed mysql.sql
var mysqlSchema string

//go:embed mysql_audit.sql
var mysqlAuditSchema string

var mysqlDialect = dialect{
	name:        "MySQL",
	schema:      mysqlSchema,
	auditSchema: mysqlAuditSchema,
	syntax: syntax{
		quote:           func(name string) string { return "`" + name + "`" },
		quoteMarks:      "'\"`",
		qualifiedTables: true,
		maxName:         64,
		maxSessions:     64 - len(devicesSuffix),
		bind:            questionMarks,
		now:             "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		// INSERT IGNORE would hide every other error as well. Vitess changes no column that
		// decides on which shard a row or its id lies.
		onConflict: func(table, column string) string {
			return "ON DUPLICATE KEY UPDATE " + table + "." + column + " = " + table + "." + column
		},
		// It would also cut what is too long, which no entry is.
		insertNew: func(table, rest string) string { return "INSERT IGNORE INTO " + table + rest },
		sameBytes: func(a, b string) string {
			bytes := func(s string) string { return "CAST(CONVERT(" + s + " USING utf8mb4) AS BINARY)" }
			return bytes(a) + " = " + bytes(b)
		},
		text:    func(expression string) string { return "CAST(" + expression + " AS CHAR)" },
		isTrue:  func(expression string) string { return "(" + expression + " IS TRUE)" },
		integer: asItIs,
		// InnoDB finds a row unlocked a moment before it shows the row to other queries.
		latest: " LOCK IN SHARE MODE",
		order:  "id",
	},
	catalog: catalog{
		columns: `SELECT COLUMN_NAME, LOWER(CONCAT(COLUMN_TYPE, COALESCE(
			CONCAT(' character set ', CHARACTER_SET_NAME, ' collate ', COLLATION_NAME), ''))), IS_NULLABLE = 'YES' AND TABLE_TYPE <> 'VIEW', LOWER(EXTRA)
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
		repeatsIDs:   "",
		typeOfDriver: mysqlDriverType,
		padded:       "SELECT COALESCE(SUM(RIGHT(x.id, 1) = X'00'), 0) FROM (SELECT {id} AS id FROM {users} u ORDER BY {id} LIMIT 100) x",
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
		setNotNull:     mysqlSetNotNull,
		keep:           "on update",
		prefix:         mysqlPrefix,
		fromBytes:      "(CONVERT({sql} USING utf8mb4))",
		otherID:        mysqlOtherID,
		account:        "SELECT CONCAT('`', REPLACE(LEFT(a.name, CHAR_LENGTH(a.name) - CHAR_LENGTH(a.host) - 1), '`', '``'), '`@`', a.host, '`') FROM (SELECT CURRENT_USER() AS name, SUBSTRING_INDEX(CURRENT_USER(), '@', -1) AS host) a",
		isDenied:       func(err error) bool { return mysqlDenied.MatchString(err.Error()) },
		remedy:         mysqlRemedy,
	},
	checkConnection: checkMySQLConnection,
	checkShards:     checkVitess,
}

var (
	mysqlDisplayWidth = regexp.MustCompile(`(int)\(\d+\)`)
	mysqlInteger      = regexp.MustCompile(`^(tiny|small|medium|big)?int\b`)
	mysqlText         = regexp.MustCompile(`char|text|enum|set|binary|blob|json`)
	mysqlBytes        = regexp.MustCompile(`^(var)?binary|blob|^bit\b`)
	mysqlNoValue      = regexp.MustCompile(`^vector|^geom|^point|linestring|polygon|^multi`) // no text and no number
	mysqlDenied       = regexp.MustCompile(`Error (1044|1045|1142|1143|1227)\b`)
)

// mysqlDriverType rewrites a type such as "unsigned bigint".
func mysqlDriverType(fromDriver string) string {
	if number, ok := strings.CutPrefix(fromDriver, "unsigned "); ok {
		return number + " unsigned"
	}
	return fromDriver
}

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
	if mysqlBytes.MatchString(columnType) {
		c |= holdsBytes
	}
	if mysqlNoValue.MatchString(columnType) {
		c |= holdsText | holdsBytes | holdsNoID
	}
	if columnType == "null" {
		c |= holdsNull
	}
	return c
}

var mysqlLong = regexp.MustCompile(`text|blob|^var(char|binary)\((7[7-9]\d|[89]\d\d|\d{4,})\)`)

// mysqlPrefix keeps an index within the 3072 bytes that InnoDB allows. No id is longer.
func mysqlPrefix(columnType string) string {
	if mysqlLong.MatchString(columnType) {
		return fmt.Sprintf("(%d)", maxTextID)
	}
	return ""
}

// mysqlSetNotNull takes the definition of the column from SHOW CREATE TABLE, because
// MODIFY removes all that it does not repeat: the type, the default, the comment, a CHECK.
func mysqlSetNotNull(ctx context.Context, on querier, t table, c column) (string, error) {
	var name, create string
	if err := on.QueryRowContext(ctx, "SHOW CREATE TABLE "+t.sql).Scan(&name, &create); err != nil {
		return "", err
	}
	// With some settings names have other quotes, or none.
	line := regexp.MustCompile("(?mi)^\\s*[`\"]?(" + c.name + ")[`\"]? ((?:tiny|small|medium|big)?int(?:\\(\\d+\\))?(?: unsigned)?(?: zerofill)?)(.*?),?$").FindStringSubmatch(create)
	if line == nil {
		return "", errors.New("SHOW CREATE TABLE does not have the column")
	}
	rest, comment, commented := strings.Cut(line[3], " COMMENT '")
	rest = strings.Replace(rest, " DEFAULT NULL", " DEFAULT 1", 1)
	if commented {
		rest += " COMMENT '" + comment
	}
	return fmt.Sprintf("ALTER TABLE %s MODIFY `%s` %s NOT NULL%s", t, line[1], line[2], rest), nil
}

// mysqlRemedy knows what keeps an account from writing that has all privileges.
func mysqlRemedy(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "Error 1665"):
		return "no privilege is missing; the server writes statements to its binary log, and the isolation of this connection is READ COMMITTED or READ UNCOMMITTED: " +
			"set binlog_format = ROW at the server, or transaction_isolation='REPEATABLE-READ' (tx_isolation in MariaDB before 11.1) in the DSN"
	case strings.Contains(text, "Error 1792"):
		return "no privilege is missing; the transactions of this connection are read-only: remove transaction_read_only (or tx_read_only) from the DSN, or, if the DSN does not set it, from the server"
	}
	return ""
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
	return fmt.Sprintf("run\n\tALTER TABLE %[1]s ADD COLUMN `%[2]s_text` CHAR(36) CHARACTER SET ascii COLLATE ascii_bin AS (CAST(`%[2]s` AS CHAR)) STORED, ADD UNIQUE (`%[2]s_text`);\n"+
		"and set Config.ID to that column, and Config.IDKind to sqlstore.Text", table, column)
}

// mysqlSettings reads what checkMySQLConnection examines. The read-only variables are
// 0 or 1, or words from MariaDB 12 on, of which only OFF permits writes. All three
// character sets matter: of parameters, of what CAST makes, of what is read.
const mysqlSettings = `SELECT @@SESSION.sql_mode, @@SESSION.sql_mode = @@GLOBAL.sql_mode,
	CONCAT_WS(' ', @@SESSION.character_set_client, @@SESSION.character_set_connection, COALESCE(@@SESSION.character_set_results, 'binary')),
	@@SESSION.autocommit, @@GLOBAL.autocommit, @@GLOBAL.read_only NOT IN ('0', 'OFF'),
	@@GLOBAL.innodb_read_only NOT IN ('0', 'OFF'), @@GLOBAL.innodb_flush_log_at_trx_commit`

// mysqlPlace says where a setting is to be changed. inDSN is what the DSN may hold.
func mysqlPlace(global bool, inDSN string) string {
	if global {
		return "the server sets it: change it there, or add " + inDSN + " to the DSN"
	}
	return "the DSN sets it: change it to " + inDSN + " there"
}

// mysqlModes are the SQL modes that change what is stored or compared. They are matched
// with commas around them.
var mysqlModes = []struct{ mode, effect string }{
	{"PAD_CHAR_TO_FULL_LENGTH", "appends spaces to ids and attributes in columns of the type CHAR"},
	{"EMPTY_STRING_IS_NULL", "makes NULL of an empty text, such as the User-Agent of a program"},
}

func checkMySQLConnection(ctx context.Context, db *sql.DB) (faults []error, err error) {
	var mode, charsets, flush string
	var globalMode, autocommit, globalAutocommit bool
	var readOnly, engineReadOnly int
	if err := db.QueryRowContext(ctx, mysqlSettings).Scan(&mode, &globalMode, &charsets, &autocommit, &globalAutocommit, &readOnly, &engineReadOnly, &flush); err != nil {
		return nil, err
	}
	if !strings.Contains(mode, "STRICT_TRANS_TABLES") && !strings.Contains(mode, "STRICT_ALL_TABLES") {
		faults = append(faults, fmt.Errorf("sql_mode is %q, and without strict mode the database cuts values to fit; %s",
			mode, mysqlPlace(globalMode, "sql_mode='STRICT_TRANS_TABLES'")))
	}
	for _, refused := range mysqlModes {
		if strings.Contains(","+mode+",", ","+refused.mode+",") {
			faults = append(faults, fmt.Errorf("sql_mode is %q, and %s %s; %s",
				mode, refused.mode, refused.effect, mysqlPlace(globalMode, "an sql_mode without it")))
		}
	}
	for charset := range strings.FieldsSeq(charsets) {
		if charset != "utf8mb4" {
			faults = append(faults, fmt.Errorf("the connection's character set is %s, which changes user ids and roles in other scripts: "+
				"set charset=utf8mb4 in the DSN, and no collation of another character set", charset))
			break
		}
	}
	if !autocommit {
		faults = append(faults, fmt.Errorf("autocommit is off, so no change would be kept; %s", mysqlPlace(!globalAutocommit, "autocommit=1")))
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
