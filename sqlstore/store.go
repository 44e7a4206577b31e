package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/sessionkit/sessionkit/session/store"
)

var (
	_ store.Store           = (*Store)(nil)
	_ store.OneStep         = (*Store)(nil)
	_ store.DeviceLogins    = (*Store)(nil)
	_ store.ClientForgetter = (*Store)(nil)
)

// Store is a store.Store on an SQL database. Make one with New. It is safe for
// concurrent use, by any number of processes on one database. It starts no
// goroutine and keeps no session in memory. It has no Close: the *sql.DB belongs to
// the caller.
type Store struct {
	db           *sql.DB
	on           querier // db, or the one connection of an upgrade
	dialect      *dialect
	kind         IDKind
	idColumnType string // Config.IDColumnType
	names        names
	added        [][]string   // addedColumns, but for tests
	sharded      *atomic.Bool // as Migrate has found: see changeIDs
	sql          statements
}

// querier runs statements.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// New returns a Store on db, which must be a connection to the primary. It runs no
// SQL: call Migrate next. The error names every fault of cfg, one a line.
func New(db *sql.DB, cfg Config) (*Store, error) {
	s, err := newStore(cfg)
	if db == nil {
		err = errors.Join(errors.New("sqlstore: New: db is nil: open one with sql.Open"), err)
	}
	if err != nil {
		return nil, err
	}
	s.db, s.on = db, db
	return s, nil
}

// newStore returns a Store without a database.
func newStore(cfg Config) (*Store, error) {
	n, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	d := dialects[cfg.Dialect]
	return &Store{
		dialect:      d,
		kind:         cfg.IDKind,
		idColumnType: cfg.IDColumnType,
		names:        n,
		added:        addedColumns,
		sharded:      new(atomic.Bool),
		sql:          n.statements(d, cfg.IDKind),
	}, nil
}

var errNotMigrated = errors.New("the epoch table has no row: run Migrate")

// userKey returns the parameters of a comparison with userID. False: there is no
// such user.
func (s *Store) userKey(userID string) ([]any, bool) {
	key, ok := s.kind.key(userID, s.dialect.ids.largest)
	switch {
	case !ok || s.kind == Text && s.dialect.ids.withoutNUL && strings.Contains(userID, "\x00"):
		return nil, false
	case s.kind == Text:
		return []any{key, key}, true
	case s.kind == UUID && s.dialect.ids.spelledUUID:
		key = userID
	}
	return []any{key}, true
}

// userText is the inverse of userKey: it returns the id that a column's bytes stand for.
func (s *Store) userText(column []byte) (string, error) {
	if s.kind == UUID && s.dialect.ids.spelledUUID {
		return string(column), nil
	}
	return s.kind.text(column)
}

// exec runs a statement and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := s.on.ExecContext(ctx, s.dialect.bind(statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// queryRow runs a query for its first row.
func (s *Store) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.on.QueryRowContext(ctx, s.dialect.bind(query), args...)
}

// scanRow reads the columns of one row.
type scanRow func(dest ...any) error

// query runs a query and calls each for every row, until it returns an error.
func (s *Store) query(ctx context.Context, query string, args []any, each func(scan scanRow) error) error {
	rows, err := s.on.QueryContext(ctx, s.dialect.bind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// failed adds to an error what the store was doing. A nil error stays nil.
func failed(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlstore: %s: %w", action, err)
}

// placeholders returns n placeholders, separated by commas, for syntax.bind.
func placeholders(n int) string { return "?" + strings.Repeat(", ?", n-1) }
