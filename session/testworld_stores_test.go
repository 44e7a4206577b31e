package session_test

import (
	"context"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// alteredStore changes the answers of another store. A nil function changes nothing.
type alteredStore struct {
	store.Store
	found  func(*store.Snapshot)
	known  func(*store.Changes)
	newest func([]store.Record) []store.Record
}

func (s *alteredStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	snap, err := s.Store.Find(ctx, id)
	if s.found != nil {
		s.found(&snap)
	}
	return snap, err
}

func (s *alteredStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	c, err := s.Store.Changes(ctx, within, after, limit)
	if s.known != nil {
		s.known(&c)
	}
	return c, err
}

func (s *alteredStore) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	list, err := s.Store.Newest(ctx, userID, nonInteractive, limit)
	if s.newest != nil {
		list = s.newest(list)
	}
	return list, err
}

// replicatedStore is a database with a replica. Each write goes to both until
// replication stops. After the failover only the replica is used. It replicates only
// the writes of logins and refreshes.
type replicatedStore struct {
	store.Store // the primary
	replica     *store.Memory

	mu         sync.Mutex // guards what follows
	stopped    bool
	failedOver bool
}

func (s *replicatedStore) stopReplication() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

func (s *replicatedStore) failOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failedOver = true
}

// servers returns the server that answers, and whether the replica repeats the call.
func (s *replicatedStore) servers() (answers store.Store, repeat bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failedOver {
		return s.replica, false
	}
	return s.Store, !s.stopped
}

func (s *replicatedStore) Create(ctx context.Context, n store.NewSession) error {
	answers, repeat := s.servers()
	if repeat {
		_ = s.replica.Create(ctx, n)
	}
	return answers.Create(ctx, n)
}

func (s *replicatedStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	answers, _ := s.servers()
	return answers.Find(ctx, id)
}

func (s *replicatedStore) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	answers, repeat := s.servers()
	if repeat {
		_, _ = s.replica.Confirm(ctx, p)
	}
	return answers.Confirm(ctx, p)
}

func (s *replicatedStore) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	answers, repeat := s.servers()
	if repeat {
		_, _ = s.replica.RevokeReused(ctx, p)
	}
	return answers.RevokeReused(ctx, p)
}
