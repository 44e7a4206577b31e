package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// spread is a store that sends each call to the next node. After a store error it
// repeats the call once on the same node, as session.Manager does.
type spread struct {
	nodes   []store.Store
	turn    atomic.Uint64
	repeats atomic.Int64
}

var _ store.Store = (*spread)(nil)

func (s *spread) next() store.Store { return s.nodes[s.turn.Add(1)%uint64(len(s.nodes))] }

// twice makes a call, and repeats it once after a store error.
func twice[T any](ctx context.Context, s *spread, call func(store.Store) (T, error)) (T, error) {
	node := s.next()
	v, err := call(node)
	if err == nil || definite(err) || ctx.Err() != nil {
		return v, err
	}
	s.repeats.Add(1)
	return call(node)
}

// done adapts a call that returns only an error to twice.
func done(call func(store.Store) error) func(store.Store) (struct{}, error) {
	return func(s store.Store) (struct{}, error) { return struct{}{}, call(s) }
}

func (s *spread) Create(ctx context.Context, n store.NewSession) error {
	_, err := twice(ctx, s, done(func(node store.Store) error { return node.Create(ctx, n) }))
	return err
}

func (s *spread) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	return twice(ctx, s, func(node store.Store) (store.Snapshot, error) { return node.Find(ctx, id) })
}

func (s *spread) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node store.Store) (bool, error) { return node.Confirm(ctx, p) })
}

func (s *spread) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node store.Store) (bool, error) { return node.RecordLate(ctx, p) })
}

func (s *spread) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node store.Store) (bool, error) { return node.RevokeReused(ctx, p) })
}

func (s *spread) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	return twice(ctx, s, func(node store.Store) (bool, error) { return node.Revoke(ctx, id, userID, reason) })
}

func (s *spread) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	return twice(ctx, s, func(node store.Store) (int, error) { return node.RevokeUser(ctx, r) })
}

func (s *spread) RevokeAll(ctx context.Context) error {
	_, err := twice(ctx, s, done(func(node store.Store) error { return node.RevokeAll(ctx) }))
	return err
}

func (s *spread) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	return twice(ctx, s, func(node store.Store) (bool, error) { return node.Update(ctx, id, data) })
}

func (s *spread) RefreshAll(ctx context.Context) error {
	_, err := twice(ctx, s, done(func(node store.Store) error { return node.RefreshAll(ctx) }))
	return err
}

func (s *spread) Reload(ctx context.Context, userID string, limit int) (int, error) {
	return twice(ctx, s, func(node store.Store) (int, error) { return node.Reload(ctx, userID, limit) })
}

func (s *spread) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	return twice(ctx, s, func(node store.Store) ([]store.Record, error) { return node.List(ctx, userID, after, limit) })
}

func (s *spread) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	return twice(ctx, s, func(node store.Store) ([]store.Record, error) { return node.Newest(ctx, userID, nonInteractive, limit) })
}

func (s *spread) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	return twice(ctx, s, func(node store.Store) (store.Changes, error) { return node.Changes(ctx, within, after, limit) })
}

func (s *spread) Prune(ctx context.Context, limit int) (int, error) {
	return twice(ctx, s, func(node store.Store) (int, error) { return node.Prune(ctx, limit) })
}
