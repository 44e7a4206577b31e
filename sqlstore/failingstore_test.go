package sqlstore_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/sessionkit/sessionkit/session/store"
)

// failingStore returns err from one step the next few times: before the step has
// done anything, or after, so that only the answer is lost.
type failingStore struct {
	*store.Memory
	after bool
	err   error

	mu       sync.Mutex // guards what follows
	step     string
	failures int // still to come
	calls    int // of the step
}

// failNext makes a step fail the next few times.
func (s *failingStore) failNext(step string, failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.failures, s.calls = step, failures, 0
}

// called counts a call of a step and reports whether it must fail.
func (s *failingStore) called(step string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if step != s.step {
		return false
	}
	s.calls++
	s.failures--
	return s.failures >= 0
}

// tries returns the number of calls since failNext.
func (s *failingStore) tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func fail[T any](s *failingStore, step string, call func() (T, error)) (none T, err error) {
	if !s.called(step) {
		return call()
	}
	if s.after {
		_, _ = call()
	}
	return none, fmt.Errorf("sqlstore: %s: %w", step, s.err)
}

// Find does not fail for the zero id: that is a probe of the Manager, not a step.
func (s *failingStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	if id.IsZero() {
		return s.Memory.Find(ctx, id)
	}
	return fail(s, "Find", func() (store.Snapshot, error) { return s.Memory.Find(ctx, id) })
}

func (s *failingStore) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return fail(s, "Confirm", func() (bool, error) { return s.Memory.Confirm(ctx, p) })
}

func (s *failingStore) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return fail(s, "RecordLate", func() (bool, error) { return s.Memory.RecordLate(ctx, p) })
}

func (s *failingStore) RevokeReused(ctx context.Context, p store.PresentedTicket) (bool, error) {
	return fail(s, "RevokeReused", func() (bool, error) { return s.Memory.RevokeReused(ctx, p) })
}

func (s *failingStore) Create(ctx context.Context, n store.NewSession) error {
	_, err := fail(s, "Create", func() (bool, error) { return true, s.Memory.Create(ctx, n) })
	return err
}

func (s *failingStore) Revoke(ctx context.Context, id store.ID, userID string, reason store.Reason) (bool, error) {
	return fail(s, "Revoke", func() (bool, error) { return s.Memory.Revoke(ctx, id, userID, reason) })
}

func (s *failingStore) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	return fail(s, "RevokeUser", func() (int, error) { return s.Memory.RevokeUser(ctx, r) })
}
