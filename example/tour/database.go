package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// database has the app's own tables. Each statement ends after five seconds, because a
// database that hangs sends no error. An error then is answered as when the store is down.
type database struct{ *sql.DB }

const statementTimeout = 5 * time.Second

// one reads the first row of an answer, or returns sql.ErrNoRows.
func (db database) one(ctx context.Context, query string, args []any, into ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err := db.QueryRowContext(ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return unavailable(err)
}

// each calls read for each row of an answer.
func (db database) each(ctx context.Context, read func(row *sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := db.QueryContext(ctx, query, args...)
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
	result, err := db.ExecContext(ctx, query, args...)
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
