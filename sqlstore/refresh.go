package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sessionkit/sessionkit/session/store"
)

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
