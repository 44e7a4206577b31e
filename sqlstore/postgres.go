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
	"strconv"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// PostgreSQL is PostgreSQL from 15, through the database/sql driver of
// github.com/jackc/pgx/v5. The DSN must name the primary:
//
//	postgres://app@db.example.com/app?target_session_attrs=read-write
//
// Behind a pooler that gives each transaction another connection, such as PgBouncer with
// pool_mode=transaction, add default_query_exec_mode=exec to the DSN, because prepared
// statements do not follow.
//
// Roles may be a text, json, jsonb or an array of texts. In an expression, the operators
// of PostgreSQL and casts such as u.level::text may be used; those with a question mark
// have functions, such as jsonb_exists. Names keep their case.
const PostgreSQL Dialect = 2

//go:embed postgres.sql
var postgresSchema string

//go:embed postgres_audit.sql
var postgresAuditSchema string

var postgresDialect = dialect{
	name:        "PostgreSQL",
	schema:      postgresSchema,
	auditSchema: postgresAuditSchema,
	syntax: syntax{
		quote:      func(name string) string { return `"` + name + `"` },
		quoteMarks: `'"`,
		// None of these begins a comment, a text or a parameter. $ does.
		operators:       ":[]#@",
		qualifiedTables: true,
		maxName:         63,
		maxSessions:     63 - len(devicesSuffix+"_by_network"), // a longer name of an index would be cut
		bind:            numbered,
		// clock_timestamp() would be another time for each row, and no index would be used.
		now:        "(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::BIGINT",
		onConflict: func(string, string) string { return "ON CONFLICT DO NOTHING" },
		insertNew:  insertUnlessThere,
		sameBytes: func(a, b string) string {
			return "CAST(" + a + ` AS TEXT) COLLATE "C" = CAST(` + b + ` AS TEXT) COLLATE "C"`
		},
		// An array becomes JSON, and JSON its text.
		text:    func(expression string) string { return "(" + postgresJSON(expression) + " #>> '{}')" },
		integer: func(expression string) string { return "CAST(" + expression + " AS BIGINT)" },
		// Only a boolean can be tested for truth.
		isTrue: func(expression string) string {
			return "COALESCE(" + postgresJSON(expression) + " NOT IN ('false', '0', 'null'), FALSE)"
		},
		// The SELECT reads the state before the UPDATE. If another statement changes the
		// session in between, the UPDATE checks the session's columns again.
		findAndConfirm: `
WITH changed AS ({confirm}
	AND generation + 1 = ?
	AND {now} >= ?
	AND {now} < ?
	AND ends_at > {now}
	AND idle_timeout IS NULL
	AND actor_session IS NULL
	AND EXISTS (
		SELECT 1 FROM {epochs} g JOIN {users} u ON {u.id = s.user_id}
		WHERE g.id = 1 AND g.epoch <= s.global_epoch AND {epoch} = s.user_epoch AND NOT {disabled}
	)
RETURNING 1){find}, EXISTS (SELECT 1 FROM changed){from}`,
		lockByID: " ORDER BY id FOR UPDATE",
		order:    "id",
	},
	catalog: catalog{
		columns: `SELECT a.attname, lower(` + postgresType("a.atttypid", "a.atttypmod") + `),
			NOT a.attnotnull AND c.relkind IN ('r', 'p'), CASE WHEN a.attgenerated <> '' THEN 'generated' WHEN a.atthasdef THEN 'default' ELSE '' END
			FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
			WHERE a.attrelid = ` + postgresTable + ` AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
		columnType: asItIs,
		class:      postgresClass,
		// A unique index of a part of the rows does not make a column unique.
		indexes: `SELECT i.relname, COALESCE(a.attname, ''), x.indisunique AND x.indpred IS NULL
			FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
			CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY k (attnum, position)
			LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum > 0
			WHERE x.indrelid = ` + postgresTable + ` AND x.indisvalid AND k.position <= x.indnkeyatts ORDER BY i.relname, k.position`,
		views: `SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = ` + postgresTable + ` AND relkind IN ('v', 'f')`,
		// A sequence gives each number once, unless it is declared with CYCLE or set back.
		repeatsIDs:   "",
		padded:       "",
		typeOfDriver: nil,
		// The type of a subquery is known although it has no row.
		typeOf: func(expression, from string) string {
			return "SELECT lower(" + postgresType("t.oid", "NULL") + ") FROM pg_catalog.pg_type t WHERE t.oid = pg_typeof((SELECT " + expression + from + "))"
		},
	},
	alter: alter{
		isRaced: func(err error) bool {
			return postgresRace.MatchString(err.Error())
		},
		addColumn:   "ADD COLUMN IF NOT EXISTS",
		waitBriefly: "SET lock_timeout = '1s'",
		alone:       "SELECT set_config('lock_timeout', '1min', FALSE), pg_advisory_lock(hashtext('sessionkit ' || current_schema()))",
		withoutCopy: "",
		isLocked:    func(err error) bool { return strings.Contains(err.Error(), "lock timeout") },
	},
	ids: userIDs{
		integer: "BIGINT",
		uuid:    "UUID",
		// A join uses the collation of the app's column, and so that column's index.
		text: func(string) string { return "TEXT" },
		checkType: func(columnType string) (fault string) {
			if columnType != "TEXT" {
				return "is not TEXT, the only type that PostgreSQL needs: leave it empty"
			}
			return ""
		},
		largest: math.MaxInt64,
		// Without a cast the parameter would be of the type of the app's column, and an id
		// that is too large for it an error.
		parameter: func(kind IDKind) string {
			switch kind {
			case Integer:
				return "CAST(? AS BIGINT)"
			case UUID:
				return "CAST(? AS UUID)"
			}
			return "?"
		},
		spelledUUID: true,
		withoutNUL:  true,
	},
	advice: advice{
		epochColumn:    columnAdvice{"BIGINT NOT NULL DEFAULT 1", "(CAST(u.version AS BIGINT))"},
		disabledColumn: columnAdvice{"BOOLEAN NOT NULL DEFAULT FALSE", "(u.status = 'banned')"},
		textColumn:     columnAdvice{"TEXT NOT NULL DEFAULT ''", "(CASE WHEN u.is_admin THEN 'admin' ELSE '' END)"},
		setNotNull:     postgresSetNotNull,
		keep:           "", // triggers do such things
		prefix:         noPrefix,
		fromBytes:      "",
		otherID:        postgresOtherID,
		account:        "SELECT quote_ident(current_user)",
		isDenied:       func(err error) bool { return strings.Contains(err.Error(), "42501") },
		remedy:         func(error) string { return "" },
	},
	checkConnection: checkPostgresConnection,
}

// postgresRace matches the errors of a table, its type or an index that exists since this moment,
// or that another session is just creating: then a unique index of the catalog decides.
var postgresRace = regexp.MustCompile(`pg_(type_typname|class_relname)_nsp_index|42710|42P07|already exists`)

// numbered writes the placeholders of a statement as $1, $2 and so on.
func numbered(statement string) string {
	var b strings.Builder
	for i, part := range strings.Split(statement, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return b.String()
}

// postgresJSON reads an expression of any type as jsonb. COALESCE makes a text of a
// constant, such as NULL, that has no type yet.
func postgresJSON(expression string) string { return "to_jsonb(COALESCE(" + expression + "))" }

// postgresTable is the table that the parameters of a query of catalog name, found as
// in a statement: along the search_path if its schema is not given.
const postgresTable = `to_regclass(CASE WHEN $1 = '' THEN '' ELSE quote_ident($1) || '.' END || quote_ident($2))`

// postgresType is the name of a type t. That of a domain is the type behind it, and that
// of an enum begins with "enum", as that of an array of them does.
func postgresType(oid, modifier string) string {
	return `CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod)
			WHEN t.typtype = 'e' OR EXISTS (SELECT 1 FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typtype = 'e' AND t.typcategory = 'A')
			THEN 'enum ' || format_type(` + oid + `, NULL) ELSE format_type(` + oid + `, ` + modifier + `) END`
}

var (
	postgresInteger = regexp.MustCompile(`^(smallint|integer|bigint)$`)
	postgresTextID  = regexp.MustCompile(`^(text|character varying(\(\d+\))?)$`)
	postgresText    = regexp.MustCompile(`^(text|character varying|character\b|"char"|name|(\w+\.)?citext|enum )|^jsonb?$`)
)

func postgresClass(columnType string) (c class) {
	if postgresInteger.MatchString(columnType) {
		c |= holdsInteger
	}
	if columnType == "uuid" {
		c |= holdsUUID
	}
	if postgresText.MatchString(columnType) {
		c |= holdsText
		if !postgresTextID.MatchString(columnType) {
			c |= holdsNoID
		}
	}
	return c
}

// postgresPadded are types that no index compares with a text, and that can be cast to
// one in a generated column.
var postgresPadded = regexp.MustCompile(`^(character\(\d+\)|(\w+\.)?citext)$`)

func postgresSetNotNull(_ context.Context, _ querier, t table, c column) (string, error) {
	statement := fmt.Sprintf(`ALTER TABLE %s ALTER COLUMN "%s" SET NOT NULL`, t, c.declared)
	if c.extra != "default" { // the app has not chosen one
		statement += fmt.Sprintf(`, ALTER COLUMN "%s" SET DEFAULT 1`, c.declared)
	}
	return statement, nil
}

func postgresOtherID(table, column, columnType string) string {
	if !postgresPadded.MatchString(columnType) {
		return ""
	}
	return fmt.Sprintf("run, when the table may be locked until it has been copied,\n\tALTER TABLE %[1]s ADD COLUMN \"%[2]s_text\" TEXT GENERATED ALWAYS AS (CAST(\"%[2]s\" AS TEXT)) STORED, ADD UNIQUE (\"%[2]s_text\");\n"+
		"and set Config.ID to %[2]s_text, and Config.IDKind to sqlstore.Text", table, column)
}

const postgresSettings = `SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on', current_setting('default_transaction_isolation'),
	current_setting('client_encoding'), current_setting('standard_conforming_strings') = 'on', current_setting('synchronous_commit'),
	current_setting('server_version_num')::INTEGER`

func checkPostgresConnection(ctx context.Context, db *sql.DB) (faults []error, err error) {
	var replica, readOnly, conforming bool
	var isolation, charset, commit string
	var version int
	if err := db.QueryRowContext(ctx, postgresSettings).Scan(&replica, &readOnly, &isolation, &charset, &conforming, &commit, &version); err != nil {
		return nil, err
	}
	const set = "remove it from the DSN, or, if the DSN does not set it, from the server, the database and the role"
	if version < 150000 {
		faults = append(faults, fmt.Errorf("the server's version is %d, but the kit needs PostgreSQL 15 or later", version/10000))
	}
	if replica {
		faults = append(faults, errors.New("the server is a replica: open the primary, such as by target_session_attrs=read-write in the DSN"))
	}
	if readOnly {
		faults = append(faults, errors.New("default_transaction_read_only is on, so no change would be made: "+set))
	}
	// Under the stricter levels, one of two statements that change a row at the same time
	// fails, and a refresh is answered with an error.
	if isolation != "read committed" {
		faults = append(faults, fmt.Errorf("default_transaction_isolation is %q, and each statement is a transaction, so that refreshes at the same time fail: "+
			"set it to 'read committed' for the connections of this store, or %s", isolation, set))
	}
	if charset != "UTF8" {
		faults = append(faults, fmt.Errorf("client_encoding is %s, which changes user ids and roles in other scripts: %s", charset, set))
	}
	if !conforming {
		faults = append(faults, errors.New("standard_conforming_strings is off, so a backslash in a text of Config would be an escape: "+set))
	}
	if commit == "off" {
		slog.WarnContext(ctx, "sqlstore: a crash of the database may lose logouts of the last second, and those sessions go on: "+
			"set synchronous_commit = on, unless this is intended", "synchronous_commit", commit)
	}
	return faults, nil
}

// findAndConfirmArgs returns the parameters of syntax.findAndConfirm.
func findAndConfirmArgs(p store.PresentedTicket) []any {
	from := p.From.Add(time.Microsecond - 1).UnixMicro() // rounded up: not before From
	return append(confirmArgs(p), p.Generation, from, p.Until.UnixMicro(), p.ID[:])
}
