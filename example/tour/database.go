package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var (
	//go:embed schema/mysql.sql
	mysqlSchema string
	//go:embed schema/postgres.sql
	postgresSchema string
	//go:embed schema/sqlite.sql
	sqliteSchema string
)

// database has the app's own tables. Each statement ends after five seconds, because a
// database that hangs sends no error. An error then is answered as when the store is down.
// Statements have the placeholder ? on each database.
type database struct{ base.Database }

const statementTimeout = 5 * time.Second

// prepare creates the tables. It leaves existing ones as they are.
func (db database) prepare(ctx context.Context) error {
	var statements []string
	switch db.Dialect {
	case sqlstore.MySQL: // its driver sends one statement at a time
		statements = strings.Split(mysqlSchema, ";")
	case sqlstore.PostgreSQL:
		statements = []string{postgresSchema}
	default:
		statements = []string{sqliteSchema}
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// add adds a row, given as an INSERT without its first words. It leaves a row as it is that has
// the same key, of which column is a part.
func (db database) add(ctx context.Context, table, column, query string, args ...any) error {
	onConflict := " ON CONFLICT DO NOTHING"
	if db.Dialect == sqlstore.MySQL { // INSERT IGNORE would ignore other faults, too
		onConflict = fmt.Sprintf(" ON DUPLICATE KEY UPDATE %[1]s.%[2]s = %[1]s.%[2]s", table, column)
	}
	_, err := db.change(ctx, "INSERT INTO "+table+" "+query+onConflict, args...)
	return err
}

// number returns the id of a user as the tables have it. A form may send anything, of which MySQL
// would take 1x for 1, and PostgreSQL would call it an error. No row has the id 0.
func number(userID string) int64 {
	n, err := strconv.ParseInt(userID, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != userID {
		return 0
	}
	return n
}

// one reads the first row of an answer, or returns sql.ErrNoRows.
func (db database) one(ctx context.Context, query string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err := db.QueryRowContext(ctx, db.Bind(query), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return unavailable(err)
}

// each calls read for each row of an answer.
func (db database) each(ctx context.Context, read func(row *sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := db.QueryContext(ctx, db.Bind(query), args...)
	if err != nil {
		return unavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows); err != nil {
			return unavailable(err)
		}
	}
	return unavailable(rows.Err())
}

// change reports whether a statement has changed a row.
func (db database) change(ctx context.Context, query string, args ...any) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	result, err := db.ExecContext(ctx, db.Bind(query), args...)
	if err != nil {
		return false, unavailable(err)
	}
	n, err := result.RowsAffected()
	return n > 0, unavailable(err)
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: the app's tables: %w", session.ErrStoreUnavailable, err)
}
