package session

import (
	"context"
	"time"
)

// hangingStore never answers by itself.
type hangingStore struct{ Store }

func (hangingStore) Find(ctx context.Context, _ ID) (Snapshot, error) {
	<-ctx.Done()
	return Snapshot{}, ctx.Err()
}

func (hangingStore) Revoke(ctx context.Context, _ ID, _ string, _ Reason) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// neverConfirms loses every race.
type neverConfirms struct{ Store }

func (neverConfirms) Confirm(context.Context, Presented) (bool, error) { return false, nil }

// clockStore tells every time as a clock does that is off.
type clockStore struct {
	Store
	off time.Duration
}

func (s clockStore) Find(ctx context.Context, id ID) (Snapshot, error) {
	snap, err := s.Store.Find(ctx, id)
	snap.Now = snap.Now.Add(s.off)
	if row := snap.Record; row != nil {
		for _, t := range []*time.Time{&row.ConfirmedAt, &row.CreatedAt, &row.AuthTime, &row.EndsAt, &row.RevokedAt} {
			if !t.IsZero() {
				*t = t.Add(s.off)
			}
		}
	}
	return snap, err
}

func (s clockStore) Changes(ctx context.Context, within time.Duration) (Changes, error) {
	c, err := s.Store.Changes(ctx, within)
	c.Now = c.Now.Add(s.off)
	return c, err
}

// ctxStore answers only while its context lasts, as a database does.
type ctxStore struct{ Store }

func (s ctxStore) Find(ctx context.Context, id ID) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	return s.Store.Find(ctx, id)
}

// brokenRow cannot read one session's row.
type brokenRow struct {
	Store
	id ID
}

func (s brokenRow) Find(ctx context.Context, id ID) (Snapshot, error) {
	if id == s.id {
		return Snapshot{}, errDown
	}
	return s.Store.Find(ctx, id)
}
