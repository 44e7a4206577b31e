package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

var _ session.Store = (*Store)(nil)

// Store is a session.Store on an SQL database. It is safe for concurrent use,
// on any number of nodes at once. It starts no goroutine and keeps nothing in
// memory, so there is nothing to close but the *sql.DB, which stays the caller's.
type Store struct {
	db     *sql.DB
	kind   IDKind
	names  names
	traits traits
	sql    statements
}

// New returns a Store on db, which must be the primary. It runs no SQL. An error
// names every fault of cfg at once.
func New(db *sql.DB, cfg Config) (*Store, error) {
	n, err := cfg.names()
	if db == nil {
		err = errors.Join(errors.New("sqlstore: New: db is nil: open one with sql.Open"), err)
	}
	if err != nil {
		return nil, err
	}
	t := cfg.Dialect.traits()
	return &Store{db: db, kind: cfg.IDKind, names: n, traits: t, sql: n.statements(t, cfg.IDKind)}, nil
}

var errNotMigrated = errors.New("the epoch table has no row: run Migrate")

// userKey returns the parameters that a comparison with userID takes.
// False: there is no such user.
func (s *Store) userKey(userID string) ([]any, bool) {
	key, ok := s.kind.key(userID, s.traits.largestID)
	if !ok {
		return nil, false
	}
	if s.kind == Text {
		return []any{key, key}, true
	}
	return []any{key}, true
}

// exec runs a statement and returns how many rows it has changed.
func (s *Store) exec(ctx context.Context, doing, query string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("sqlstore: %s: %w", doing, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("sqlstore: %s: %w", doing, err)
	}
	return n, nil
}

// Create implements session.Store: one INSERT … SELECT from the user's row. Only
// when that adds nothing, the table is asked whether the row was there already.
func (s *Store) Create(ctx context.Context, n session.NewSession) error {
	user, ok := s.userKey(n.UserID)
	if !ok {
		return fmt.Errorf("sqlstore: creating a session: there is no such user id: %w", session.ErrUserDisabled)
	}
	args := []any{n.ID[:], n.Confirmed[:], n.Lifetime.Microseconds(), n.KeepFor.Microseconds(), []byte(n.UserAgent), []byte(n.IP)}
	args = append(args, user...)
	args = append(args, n.UserEpoch, n.UserEpoch)
	added, err := s.exec(ctx, "creating a session", s.sql.create, args...)
	if err != nil || added > 0 {
		return err
	}
	there, err := s.Find(ctx, n.ID)
	if err != nil || there.Record != nil {
		return err
	}
	return fmt.Errorf("sqlstore: creating a session: %w", session.ErrUserDisabled)
}

// Find implements session.Store.
func (s *Store) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	var (
		now         sql.Null[int64]
		globalEpoch uint64
		row         sessionRow
		user        = userRow{attrs: make([]sql.NullString, len(s.names.attrs))}
	)
	dest := append([]any{&now, &globalEpoch}, row.dest()...)
	dest = append(dest, user.dest()...)
	err := s.db.QueryRowContext(ctx, s.sql.find, id[:]).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNotMigrated
	}
	if err != nil {
		return session.Snapshot{}, fmt.Errorf("sqlstore: finding a session: %w", err)
	}
	found := session.Snapshot{Now: moment(now), GlobalEpoch: globalEpoch}
	if row.id == nil {
		return found, nil
	}
	if found.Record, err = row.record(s.kind); err != nil {
		return session.Snapshot{}, err
	}
	if found.Record.User, err = user.user(s.names); err != nil {
		return session.Snapshot{}, err
	}
	return found, nil
}

// Confirm implements session.Store: one compare-and-swap by primary key.
func (s *Store) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	n, err := s.exec(ctx, "confirming a ticket", s.sql.confirm,
		p.Digest[:], p.KeepFor.Microseconds(), p.Generation,
		p.ID[:], p.Generation, p.Generation, p.Parent[:])
	return n > 0, err
}

// RevokeReused implements session.Store.
func (s *Store) RevokeReused(ctx context.Context, p session.Presented) (bool, error) {
	n, err := s.exec(ctx, "revoking a session whose ticket was reused", s.sql.revokeReused,
		[]byte(session.ReasonReuse), p.ID[:],
		p.Generation, p.Generation, p.Parent[:],
		p.Generation, p.Digest[:])
	return n > 0, err
}

// Revoke implements session.Store.
func (s *Store) Revoke(ctx context.Context, id session.ID, userID string, reason session.Reason) (bool, error) {
	query, args := s.sql.revoke, []any{[]byte(reason), id[:]}
	if userID != "" {
		user, ok := s.userKey(userID)
		if !ok {
			return false, nil
		}
		query, args = query+" AND "+s.sql.ofUser, append(args, user...)
	}
	n, err := s.exec(ctx, "revoking a session", query, args...)
	return n > 0, err
}

// RevokeUser implements session.Store.
func (s *Store) RevokeUser(ctx context.Context, userID string, except []session.ID, reason session.Reason) error {
	user, ok := s.userKey(userID)
	if !ok {
		return nil
	}
	query, args := s.sql.revokeUser, append([]any{[]byte(reason)}, user...)
	if len(except) > 0 {
		query += " AND id NOT IN (" + marks(len(except)) + ")"
		for _, id := range except {
			args = append(args, id[:])
		}
	}
	_, err := s.exec(ctx, "revoking a user's sessions", query, args...)
	return err
}

// RevokeAll implements session.Store.
func (s *Store) RevokeAll(ctx context.Context) error {
	n, err := s.exec(ctx, "revoking all sessions", s.sql.revokeAll)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlstore: revoking all sessions: %w", errNotMigrated)
	}
	return err
}

// Reload implements session.Store.
func (s *Store) Reload(ctx context.Context, userID string) error {
	user, ok := s.userKey(userID)
	if !ok {
		return nil
	}
	_, err := s.exec(ctx, "reloading a user's sessions", s.sql.reload, user...)
	return err
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, userID string) ([]session.Record, error) {
	user, ok := s.userKey(userID)
	if !ok {
		return nil, nil
	}
	rows, err := s.db.QueryContext(ctx, s.sql.list, user...)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: listing a user's sessions: %w", err)
	}
	defer rows.Close()
	var list []session.Record
	for rows.Next() {
		var row sessionRow
		if err := rows.Scan(row.dest()...); err != nil {
			return nil, fmt.Errorf("sqlstore: listing a user's sessions: %w", err)
		}
		record, err := row.record(s.kind)
		if err != nil {
			return nil, err
		}
		list = append(list, *record)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlstore: listing a user's sessions: %w", err)
	}
	return list, nil
}

// marks is n parameters, separated by commas.
func marks(n int) string { return "?" + strings.Repeat(", ?", n-1) }
