// Package storetest holds the contract of session.Store as tests. Every store
// passes them, alone and under many goroutines at once.
package storetest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Backend is a store that is fresh and empty, and the means to change the app's
// users table beneath it.
type Backend struct {
	Store session.Store

	// SetUser adds the user's row or replaces it; RemoveUser deletes it. The
	// store must return User.Roles, and the attribute "name", as they are given.
	SetUser    func(t *testing.T, id string, u session.User)
	RemoveUser func(t *testing.T, id string)

	// Alice and Bob are two different user ids of the kind that the store takes,
	// and Nobody one that is not of that kind, or "" if every text is.
	Alice, Bob, Nobody string
}

// Run holds the stores that newBackend makes against the contract, a subtest per
// clause. Each subtest gets a backend of its own.
func Run(t *testing.T, newBackend func(t *testing.T) Backend) {
	for _, clause := range []struct {
		name string
		test func(s *suite)
	}{
		{"a new session has generation 0, the user's data, and times of the store's clock", (*suite).create},
		{"a login is refused for users who are unknown, disabled, or have changed", (*suite).refuse},
		{"creating a session again leaves it as it is", (*suite).createTwice},
		{"the longest user agent and address come back as they were", (*suite).text},
		{"no such session is not an error, and comes with the clock", (*suite).missing},
		{"the user's row is read anew each time", (*suite).userChanges},
		{"confirming moves confirmed to previous, and generation up", (*suite).confirm},
		{"only a child of the confirmed ticket, or a later one, is confirmed", (*suite).confirmCondition},
		{"a row that lags behind is moved forward", (*suite).fastForward},
		{"only a superseded ticket revokes", (*suite).reuseCondition},
		{"nothing brings a revoked session back", (*suite).noResurrection},
		{"revoking one session needs its id and its user", (*suite).revoke},
		{"revoking a user's sessions spares the exceptions and other users", (*suite).revokeUser},
		{"revoking all raises everybody's epoch, and later logins are good", (*suite).revokeAll},
		{"reloading counts up for live sessions only", (*suite).reload},
		{"the list shows live sessions only, the newest first", (*suite).list},
		{"changes are those within the time asked for", (*suite).changes},
		{"pruning removes what has outlived its tickets, in batches", (*suite).prune},
		{"an id that cannot be a user's names nobody", (*suite).nobody},
		{"a done context ends a call without an answer", (*suite).doneContext},
		{"of many confirmations at once one succeeds", (*suite).confirmRace},
		{"of many kills at once one is told", (*suite).reuseRace},
		{"logging out beats every refresh in flight", (*suite).logoutRace},
		{"many logins at once are all kept", (*suite).createRace},
		{"one login many times at once is one session", (*suite).createTwiceRace},
		{"of many who prune at once each row is one's", (*suite).pruneRace},
	} {
		t.Run(clause.name, func(t *testing.T) {
			b := newBackend(t)
			b.SetUser(t, b.Alice, alice)
			b.SetUser(t, b.Bob, session.User{Epoch: 1})
			clause.test(&suite{T: t, Backend: b})
		})
	}
}

var alice = session.User{Epoch: 7, Roles: []string{"admin", "staff"}, Attrs: map[string]string{"name": "Alice Ü"}}

type suite struct {
	*testing.T
	Backend
}

const (
	lifetime = 12 * time.Hour
	keepFor  = 2 * time.Hour
)

func (s *suite) ctx() context.Context { return s.Context() }

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("a step that must succeed failed: %v", err)
	}
}

// did fails unless a step was done, or was not, as wanted.
func (s *suite) did(want bool) func(got bool, err error) {
	return func(got bool, err error) {
		s.Helper()
		if err != nil || got != want {
			s.Fatalf("got %v, %v; want %v, nil", got, err, want)
		}
	}
}

func random[T ~[16]byte | ~[32]byte]() (v T) {
	b := make([]byte, len(v))
	rand.Read(b)
	return T(b)
}

// login creates a session and returns its id and its confirmed digest.
func (s *suite) login(userID string) (session.ID, session.Digest) {
	s.Helper()
	n := session.NewSession{
		ID: random[session.ID](), UserID: userID, Confirmed: random[session.Digest](),
		Lifetime: lifetime, KeepFor: keepFor, UserAgent: "agent", IP: "192.0.2.1",
	}
	s.must(s.Store.Create(s.ctx(), n))
	return n.ID, n.Confirmed
}

func (s *suite) find(id session.ID) session.Snapshot {
	s.Helper()
	snap, err := s.Store.Find(s.ctx(), id)
	s.must(err)
	return snap
}

func (s *suite) row(id session.ID) *session.Record {
	s.Helper()
	row := s.find(id).Record
	if row == nil {
		s.Fatalf("session %v is not there", id)
	}
	return row
}

// child is a ticket minted for the ticket of parent, one generation later.
func child(id session.ID, generation uint64, parent session.Digest) session.Presented {
	return session.Presented{ID: id, Generation: generation, Digest: random[session.Digest](), Parent: parent, KeepFor: keepFor}
}
