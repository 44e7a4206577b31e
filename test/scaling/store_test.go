package scaling

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// aStatement is the simulated duration of a statement. It is not zero, so that the
// refreshes of parallel requests overlap.
const aStatement = time.Millisecond

// countedStore counts the calls of a store, and the rows that they change or return.
// One call is one statement.
type countedStore struct {
	*store.Memory
	keepFor atomic.Int64 // RetainFor of the last login, in nanoseconds

	creates, finds, lists, confirms, won atomic.Int64
	polls, changes                       atomic.Int64 // of the revocation list
}

func newCountedStore(users int) *countedStore {
	s := &countedStore{Memory: store.NewMemory()}
	for i := range users {
		s.SetUser(userID(i), store.User{Epoch: 1, Roles: []string{"reader"}})
	}
	return s
}

func (s *countedStore) Create(ctx context.Context, n store.NewSession) error {
	s.creates.Add(1)
	s.keepFor.Store(int64(n.RetainFor))
	time.Sleep(aStatement)
	return s.Memory.Create(ctx, n)
}

func (s *countedStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	s.finds.Add(1)
	time.Sleep(aStatement)
	return s.Memory.Find(ctx, id)
}

func (s *countedStore) Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	s.lists.Add(1)
	return s.Memory.Newest(ctx, userID, nonInteractive, limit)
}

func (s *countedStore) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	s.confirms.Add(1)
	time.Sleep(aStatement)
	won, err := s.Memory.Confirm(ctx, p)
	if won {
		s.won.Add(1)
	}
	return won, err
}

// RecordLate counts as a U1: of both, a refresh sends at most one.
func (s *countedStore) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	s.confirms.Add(1)
	time.Sleep(aStatement)
	won, err := s.Memory.RecordLate(ctx, p)
	if won {
		s.won.Add(1)
	}
	return won, err
}

func (s *countedStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	c, err := s.Memory.Changes(ctx, within, after, limit)
	s.polls.Add(1)
	s.changes.Add(int64(len(c.Sessions)))
	return c, err
}

// asked is the number of statements that requests have caused so far.
type asked struct {
	logins, loginStatements float64
	selects                 float64 // S of refreshes
	updates                 float64 // U1, and records of late presentations
	won                     float64 // those that changed the row
}

func (s *countedStore) asked() asked {
	// A login also reads the row that it has created, and lists the user's sessions.
	logins := float64(s.creates.Load())
	return asked{
		logins:          logins,
		loginStatements: 2*logins + float64(s.lists.Load()),
		selects:         float64(s.finds.Load()) - logins,
		updates:         float64(s.confirms.Load()),
		won:             float64(s.won.Load()),
	}
}

func (a asked) since(b asked) asked {
	return asked{a.logins - b.logins, a.loginStatements - b.loginStatements, a.selects - b.selects, a.updates - b.updates, a.won - b.won}
}

// refreshes is the number of statements of refreshes.
func (a asked) refreshes() float64 { return a.selects + a.updates }
