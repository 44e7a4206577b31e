package scaling

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// aStatement is how long one takes. It is not nothing, so that parallel requests
// find each other at it.
const aStatement = time.Millisecond

// countedStore counts what a store is asked. One call is one statement.
type countedStore struct {
	*session.MemoryStore
	keepFor atomic.Int64 // of the last login, in nanoseconds

	creates, finds, lists, confirms, won atomic.Int64
	polls, changes                       atomic.Int64 // of the feed
}

func newCountedStore(users int) *countedStore {
	s := &countedStore{MemoryStore: session.NewMemoryStore()}
	for i := range users {
		s.SetUser(userID(i), session.User{Epoch: 1, Roles: []string{"reader"}})
	}
	return s
}

func (s *countedStore) Create(ctx context.Context, n session.NewSession) error {
	s.creates.Add(1)
	s.keepFor.Store(int64(n.KeepFor))
	time.Sleep(aStatement)
	return s.MemoryStore.Create(ctx, n)
}

func (s *countedStore) Find(ctx context.Context, id session.ID) (session.Snapshot, error) {
	s.finds.Add(1)
	time.Sleep(aStatement)
	return s.MemoryStore.Find(ctx, id)
}

func (s *countedStore) List(ctx context.Context, userID string) ([]session.Record, error) {
	s.lists.Add(1)
	return s.MemoryStore.List(ctx, userID)
}

func (s *countedStore) Confirm(ctx context.Context, p session.Presented) (bool, error) {
	s.confirms.Add(1)
	time.Sleep(aStatement)
	won, err := s.MemoryStore.Confirm(ctx, p)
	if won {
		s.won.Add(1)
	}
	return won, err
}

func (s *countedStore) Changes(ctx context.Context, within time.Duration) (session.Changes, error) {
	c, err := s.MemoryStore.Changes(ctx, within)
	s.polls.Add(1)
	s.changes.Add(int64(len(c.Sessions)))
	return c, err
}

// asked is what was asked up to a moment, for the sake of requests.
type asked struct {
	logins, loginStatements float64
	selects                 float64 // S, of refreshes
	updates                 float64 // U1
	won                     float64 // of these, the ones that changed the row
}

func (s *countedStore) asked() asked {
	// A login reads back the row that it has made, and counts the user's sessions.
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

// refreshes is all that refreshes asked.
func (a asked) refreshes() float64 { return a.selects + a.updates }
