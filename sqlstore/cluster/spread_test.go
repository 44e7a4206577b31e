package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// spread is one store to look at, whose every call goes to the next node. What a
// node answers without a verdict is asked of it once more, as session.Manager
// does it.
type spread struct {
	nodes   []session.Store
	turn    atomic.Uint64
	repeats atomic.Int64
}

var _ session.Store = (*spread)(nil)

func (s *spread) next() session.Store { return s.nodes[s.turn.Add(1)%uint64(len(s.nodes))] }

func twice[T any](ctx context.Context, s *spread, call func(session.Store) (T, error)) (T, error) {
	node := s.next()
	v, err := call(node)
	if err == nil || definite(err) || ctx.Err() != nil {
		return v, err
	}
	s.repeats.Add(1)
	return call(node)
}

// done turns a call that answers nothing into one that does.
func done(call func(session.Store) error) func(session.Store) (struct{}, error) {
	return func(s session.Store) (struct{}, error) { return struct{}{}, call(s) }
}

func (s *spread) Create(ctx context.Context, n session.NewSession) error {
	_, err := twice(ctx, s, done(func(node session.Store) error { return node.Create(ctx, n) }))
	return err
}

func (s *spread) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	return twice(ctx, s, func(node session.Store) (session.Snapshot, error) { return node.Find(ctx, id) })
}

func (s *spread) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	return twice(ctx, s, func(node session.Store) (bool, error) { return node.Confirm(ctx, p) })
}

func (s *spread) RevokeReused(ctx context.Context, p session.Presented) (bool, error) {
	return twice(ctx, s, func(node session.Store) (bool, error) { return node.RevokeReused(ctx, p) })
}

func (s *spread) Revoke(ctx context.Context, id session.ID, userID string, reason session.Reason) (bool, error) {
	return twice(ctx, s, func(node session.Store) (bool, error) { return node.Revoke(ctx, id, userID, reason) })
}

func (s *spread) RevokeUser(ctx context.Context, userID string, except []session.ID, reason session.Reason) error {
	_, err := twice(ctx, s, done(func(node session.Store) error { return node.RevokeUser(ctx, userID, except, reason) }))
	return err
}

func (s *spread) RevokeAll(ctx context.Context) error {
	_, err := twice(ctx, s, done(func(node session.Store) error { return node.RevokeAll(ctx) }))
	return err
}

func (s *spread) Reload(ctx context.Context, userID string) error {
	_, err := twice(ctx, s, done(func(node session.Store) error { return node.Reload(ctx, userID) }))
	return err
}

func (s *spread) List(ctx context.Context, userID string) ([]session.Record, error) {
	return twice(ctx, s, func(node session.Store) ([]session.Record, error) { return node.List(ctx, userID) })
}

func (s *spread) Changes(ctx context.Context, within time.Duration) (session.Changes, error) {
	return twice(ctx, s, func(node session.Store) (session.Changes, error) { return node.Changes(ctx, within) })
}

func (s *spread) Prune(ctx context.Context, limit int) (int, error) {
	return twice(ctx, s, func(node session.Store) (int, error) { return node.Prune(ctx, limit) })
}
