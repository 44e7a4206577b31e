package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sessionkit/sessionkit/session/store"
)

var (
	_ store.Store   = (*Store)(nil)
	_ store.OneStep = (*Store)(nil)
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

// Create implements store.Store with one INSERT … SELECT from the user's row. If
// that adds nothing, a second statement tells an existing session from a user who
// may not log in.
func (s *Store) Create(ctx context.Context, n store.NewSession) error {
	user, ok := s.userKey(n.UserID)
	if !ok {
		return failed("creating a session", store.ErrUserUnknown)
	}
	args := append(createdArgs(&n), user...)
	args = append(args, n.UserEpoch, n.UserEpoch)
	added, err := s.exec(ctx, s.sql.create, args...)
	if err != nil || added > 0 {
		return failed("creating a session", err)
	}
	snap, err := s.Find(ctx, n.ID)
	if err != nil || snap.Record != nil {
		return err
	}
	return failed("creating a session", s.refusal(ctx, user, n.UserEpoch))
}

// refusal returns why a user may not log in.
func (s *Store) refusal(ctx context.Context, user []any, loginEpoch uint64) error {
	var disabled, sameEpoch sql.Null[bool]
	switch err := s.queryRow(ctx, s.sql.mayLogIn, append([]any{loginEpoch}, user...)...).Scan(&disabled, &sameEpoch); {
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrUserUnknown
	case err != nil:
		return err
	case !disabled.V && loginEpoch != 0 && !sameEpoch.V:
		return store.ErrEpochMoved
	}
	return store.ErrUserBanned // now, or a moment ago
}

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	return s.find(ctx, s.sql.find, []any{id[:]})
}

// FindAndConfirm implements store.OneStep on PostgreSQL, with one statement. On the other
// databases it is Find, and reports false.
func (s *Store) FindAndConfirm(ctx context.Context, p store.PresentedTicket) (snap store.Snapshot, confirmed bool, err error) {
	if s.sql.findAndConfirm == "" {
		snap, err = s.Find(ctx, p.ID)
		return snap, false, err
	}
	snap, err = s.find(ctx, s.sql.findAndConfirm, findAndConfirmArgs(p), &confirmed)
	return snap, confirmed && err == nil, err
}

// find runs a query that reads a session, and more columns into more.
func (s *Store) find(ctx context.Context, query string, args []any, more ...any) (store.Snapshot, error) {
	snap, err := s.scanSnapshot(s.queryRow(ctx, query, args...), more)
	if err != nil {
		return store.Snapshot{}, failed("finding a session", err)
	}
	return snap, nil
}

func (s *Store) scanSnapshot(row *sql.Row, more []any) (snap store.Snapshot, err error) {
	var (
		now, of sql.Null[int64] // the clocks of the epoch's shard and of the session's
		session sessionRow
		user    = userRow{attrs: make([]sql.NullString, len(s.names.attrs))}
	)
	dest := append([]any{&now, &snap.GlobalEpoch, &snap.RefreshEpoch, &of}, session.dest()...)
	dest = append(dest, user.dest()...)
	err = row.Scan(append(dest, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNotMigrated
	}
	if of.Valid {
		now = of
	}
	snap.Now = fromMicros(now)
	if err != nil || session.id == nil {
		return snap, err
	}
	if snap.Record, err = session.record(s.userText); err != nil {
		return snap, err
	}
	snap.Record.User, err = user.user(s.names)
	return snap, err
}

// Confirm implements store.Store with one compare-and-swap by primary key.
func (s *Store) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	n, err := s.exec(ctx, s.sql.confirm, confirmArgs(p)...)
	return n > 0, failed("confirming a ticket", err)
}

func confirmArgs(p store.PresentedTicket) []any {
	return append([]any{p.Digest[:], p.RetainFor.Microseconds(), p.Generation, p.ID[:]}, confirmableArgs(p)...)
}

// RecordLate implements store.Store with one compare-and-swap by primary key.
func (s *Store) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	late := p.LateAfter.Microseconds()
	n, err := s.exec(ctx, s.sql.recordLate, p.ID[:], p.Generation, p.Digest[:], late, late)
	return n > 0, failed("recording a late presentation", err)
}

// RevokeReused implements store.Store with one compare-and-swap by primary key.
func (s *Store) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	args := append([]any{[]byte(store.ReasonReuse), p.ID[:]}, confirmableArgs(p)...)
	n, err := s.exec(ctx, s.sql.revokeReused, append(args, p.Generation, p.Digest[:])...)
	return n > 0, failed("revoking a session whose ticket was reused", err)
}

// Revoke implements store.Store.
func (s *Store) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	query, args := s.sql.revoke, append(revokedArgs(reason), id[:])
	if userID != "" {
		user, ok := s.userKey(userID)
		if !ok {
			return false, nil
		}
		query, args = query+s.sql.andUser, append(args, user...)
	}
	n, err := s.exec(ctx, query, args...)
	return n > 0, failed("revoking a session", err)
}

// revokedArgs are the parameters of a revocation: the reason, and how long the row is
// kept at most, twice.
func revokedArgs(reason store.Reason) []any {
	keep := reason.RetainFor().Microseconds()
	return []any{[]byte(reason), keep, keep}
}

// RevokeUser implements store.Store.
func (s *Store) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	query, args := s.sql.findUnrevoked, []any(nil)
	if r.ExternalID != "" {
		query, args = s.sql.findExternal, []any{[]byte(r.ExternalID)}
	} else {
		user, ok := s.userKey(r.UserID)
		if !ok {
			return 0, nil
		}
		args = user
	}
	if r.Limit < 1 {
		return 0, nil
	}
	before := int64(math.MaxInt64)
	if !r.Before.IsZero() {
		before = r.Before.UnixMicro()
	}
	args = append(args, before)
	if len(r.Except) > 0 {
		query += " AND id NOT IN (" + placeholders(len(r.Except)) + ")"
		for _, id := range r.Except {
			args = append(args, id[:])
		}
	}
	n, err := s.changeFound(ctx, query+s.sql.limit, append(args, r.Limit), s.sql.revokeThese, revokedArgs(r.Reason))
	return n, failed("revoking a user's sessions", err)
}

// changeFound finds the ids of rows with one statement and changes these rows by primary
// key with another. It returns how many it found. A row that another node has changed
// in between is left as it is.
func (s *Store) changeFound(ctx context.Context, find string, args []any, change string, changeArgs []any) (int, error) {
	ids, err := s.findIDs(ctx, find, args...)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	_, err = s.changeIDs(ctx, change, changeArgs, ids)
	return len(ids), err
}

// changeIDs runs a statement that ends with a list of ids, and returns how many rows it
// changed. Of rows on several shards it changes one at a time: two statements that each
// wait on another shard for the other one would wait for ever, because no server sees
// both.
func (s *Store) changeIDs(ctx context.Context, change string, args, ids []any) (changed int, err error) {
	together := len(ids)
	if s.sharded.Load() {
		together = 1
	}
	for some := range slices.Chunk(ids, together) {
		n, err := s.exec(ctx, change+placeholders(len(some))+s.sql.endOfIDs, slices.Concat(args, some)...)
		changed += int(n)
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// RevokeAll implements store.Store. It changes one row, whatever the number of
// sessions.
func (s *Store) RevokeAll(ctx context.Context) error {
	n, err := s.exec(ctx, s.sql.revokeAll)
	if err == nil && n == 0 {
		err = errNotMigrated
	}
	return failed("revoking all sessions", err)
}

// RefreshAll implements store.Store. It changes one row, whatever the number of
// sessions.
func (s *Store) RefreshAll(ctx context.Context) error {
	n, err := s.exec(ctx, s.sql.refreshAll)
	if err == nil && n == 0 {
		err = errNotMigrated
	}
	return failed("making every client refresh", err)
}

// Reload implements store.Store.
func (s *Store) Reload(ctx context.Context, userID string, limit int) (int, error) {
	user, ok := s.userKey(userID)
	if !ok || limit < 1 {
		return 0, nil
	}
	n, err := s.changeFound(ctx, s.sql.findReload, append(user, limit), s.sql.reloadThese, nil)
	return n, failed("reloading a user's sessions", err)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	n, err := s.exec(ctx, s.sql.update, dataParameter(data), id[:])
	return n > 0, failed("updating the data of a session", err)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	user, ok := s.userKey(userID)
	if !ok {
		return nil, nil
	}
	query, page := s.sql.list, slices.Concat(user, user)
	if !after.IsZero() {
		query, page = s.sql.listAfter, slices.Concat(user, []any{after[:]}, user)
	}
	page = append(page, limit)
	list, err := s.records(ctx, query, append(slices.Concat(page, page), limit))
	return list, failed("listing a user's sessions", err)
}

// Newest implements store.Store.
func (s *Store) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	user, ok := s.userKey(userID)
	if !ok {
		return nil, nil
	}
	list, err := s.records(ctx, s.sql.newest, append(user, flag(nonInteractive), limit))
	return list, failed("reading a user's newest sessions", err)
}

// records runs a query that returns recordColumns. On an error it returns no record.
func (s *Store) records(ctx context.Context, query string, args []any) (list []store.Record, err error) {
	err = s.query(ctx, query, args, func(scan scanRow) error {
		var row sessionRow
		if err := scan(row.dest()...); err != nil {
			return err
		}
		record, err := row.record(s.userText)
		if err != nil {
			return err
		}
		list = append(list, *record)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// placeholders returns n placeholders, separated by commas, for syntax.bind.
func placeholders(n int) string { return "?" + strings.Repeat(", ?", n-1) }
