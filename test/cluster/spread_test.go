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
	nodes   []member
	turn    atomic.Uint64
	repeats atomic.Int64
}

// member is what a store for MySQL has of the contract: all but store.OneStep.
type member interface {
	store.Store
	store.DeviceLogins
	store.ClientForgetter
}

var _ member = (*spread)(nil)

func (s *spread) next() member { return s.nodes[s.turn.Add(1)%uint64(len(s.nodes))] }

// twice makes a call, and repeats it once after a store error.
func twice[T any](ctx context.Context, s *spread, call func(member) (T, error)) (T, error) {
	node := s.next()
	v, err := call(node)
	if err == nil || definite(err) || ctx.Err() != nil {
		return v, err
	}
	s.repeats.Add(1)
	return call(node)
}

// done adapts a call that returns only an error to twice.
func done(call func(member) error) func(member) (struct{}, error) {
	return func(s member) (struct{}, error) { return struct{}{}, call(s) }
}

func (s *spread) Create(ctx context.Context, n store.NewSession) error {
	_, err := twice(ctx, s, done(func(node member) error { return node.Create(ctx, n) }))
	return err
}

func (s *spread) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	return twice(ctx, s, func(node member) (store.Snapshot, error) { return node.Find(ctx, id) })
}

func (s *spread) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.Confirm(ctx, p) })
}

func (s *spread) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.RecordLate(ctx, p) })
}

func (s *spread) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.RevokeReused(ctx, p) })
}

func (s *spread) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.Revoke(ctx, id, userID, reason) })
}

func (s *spread) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	return twice(ctx, s, func(node member) (int, error) { return node.RevokeUser(ctx, r) })
}

func (s *spread) RevokeAll(ctx context.Context) error {
	_, err := twice(ctx, s, done(func(node member) error { return node.RevokeAll(ctx) }))
	return err
}

func (s *spread) Update(ctx context.Context, id store.ID, data map[string]string) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.Update(ctx, id, data) })
}

func (s *spread) RefreshAll(ctx context.Context) error {
	_, err := twice(ctx, s, done(func(node member) error { return node.RefreshAll(ctx) }))
	return err
}

func (s *spread) Reload(ctx context.Context, userID string, limit int) (int, error) {
	return twice(ctx, s, func(node member) (int, error) { return node.Reload(ctx, userID, limit) })
}

func (s *spread) List(ctx context.Context, userID string, after store.ID, limit int) ([]store.Record, error) {
	return twice(ctx, s, func(node member) ([]store.Record, error) { return node.List(ctx, userID, after, limit) })
}

func (s *spread) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	return twice(ctx, s, func(node member) ([]store.Record, error) { return node.Newest(ctx, userID, nonInteractive, limit) })
}

func (s *spread) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	return twice(ctx, s, func(node member) (store.Changes, error) { return node.Changes(ctx, within, after, limit) })
}

func (s *spread) Prune(ctx context.Context, limit int) (int, error) {
	return twice(ctx, s, func(node member) (int, error) { return node.Prune(ctx, limit) })
}

func (s *spread) CreateDeviceLogin(ctx context.Context, d store.NewDeviceLogin, limit int) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.CreateDeviceLogin(ctx, d, limit) })
}

func (s *spread) FindDeviceLogin(ctx context.Context, id store.ID) (now time.Time, d *store.DeviceLogin, err error) {
	d, err = twice(ctx, s, func(node member) (found *store.DeviceLogin, err error) {
		now, found, err = node.FindDeviceLogin(ctx, id)
		return found, err
	})
	return now, d, err
}

func (s *spread) FindUserCode(ctx context.Context, code store.Digest) (now time.Time, d *store.DeviceLogin, err error) {
	d, err = twice(ctx, s, func(node member) (found *store.DeviceLogin, err error) {
		now, found, err = node.FindUserCode(ctx, code)
		return found, err
	})
	return now, d, err
}

func (s *spread) RecordPoll(ctx context.Context, id store.ID, last time.Time, interval time.Duration) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.RecordPoll(ctx, id, last, interval) })
}

func (s *spread) DecideDeviceLogin(ctx context.Context, id store.ID, decision store.Decision) (bool, error) {
	return twice(ctx, s, func(node member) (bool, error) { return node.DecideDeviceLogin(ctx, id, decision) })
}

func (s *spread) PruneDeviceLogins(ctx context.Context, limit int) (int, error) {
	return twice(ctx, s, func(node member) (int, error) { return node.PruneDeviceLogins(ctx, limit) })
}

func (s *spread) ForgetClients(ctx context.Context, age time.Duration, after store.ID, limit int) (store.ID, error) {
	return twice(ctx, s, func(node member) (store.ID, error) { return node.ForgetClients(ctx, age, after, limit) })
}
