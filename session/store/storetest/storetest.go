// Package storetest contains the contract of store.Store as tests. Every store must
// pass them. Some run one call at a time, others many goroutines at once.
package storetest

import (
	"context"
	"crypto/rand"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Backend is a new, empty store with the functions that a test needs to change its
// users and its epoch directly. All fields are required, except Nobody.
type Backend struct {
	Store store.Store

	// SetUser adds or replaces the user's row. RemoveUser deletes it. The store must
	// return User.Roles and the attribute "name" unchanged.
	SetUser    func(t *testing.T, id string, u store.User)
	RemoveUser func(t *testing.T, id string)

	// LoseRevokeAll lowers the global epoch by one, as a failover to a copy from before
	// the last RevokeAll does.
	LoseRevokeAll func(t *testing.T)

	// ExpiresAt returns when the time of a session's row is over, by the store's clock:
	// Prune removes it later than that.
	ExpiresAt func(t *testing.T, id store.ID) time.Time

	// Alice and Bob are two different user ids of the type that the store accepts.
	// Nobody is a text that is not of that type, or "" if every text is.
	Alice, Bob, Nobody string
}

// A clause is one property of the contract.
type clause struct {
	name string // begins with the method that the clause is about
	test func(s *suite)
}

// Run tests a store against the contract, with one subtest per clause. It calls
// newBackend once for each subtest. The subtests run one after another.
func Run(t *testing.T, newBackend func(t *testing.T) Backend) {
	for _, c := range slices.Concat(
		createClauses, findClauses, confirmClauses, lateClauses, reuseClauses, revokeClauses, reloadClauses, factClauses,
		listClauses, changesClauses, pruneClauses, callClauses, raceClauses, oneStepClauses,
		deviceClauses, deviceRaceClauses, forgetClauses,
	) {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t)
			b.SetUser(t, b.Alice, alice)
			b.SetUser(t, b.Bob, store.User{Epoch: 1})
			c.test(&suite{T: t, Backend: b})
		})
	}
}

var alice = store.User{Epoch: 7, Roles: []string{"admin", "staff"}, Attrs: map[string]string{"name": "Alice Ü"}}

type suite struct {
	*testing.T
	Backend
}

const (
	lifetime = 12 * time.Hour
	keepFor  = 2 * time.Hour
	moment   = time.Microsecond // is over after outlive
)

func (s *suite) ctx() context.Context { return s.Context() }

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("a step that must succeed failed: %v", err)
	}
}

// did fails the test unless a step succeeded and reported want.
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
func (s *suite) login(userID string) (store.ID, store.Digest) {
	s.Helper()
	return s.loginFor(userID, lifetime, keepFor)
}

// loginFor creates a session that ends after life, and whose row is kept for keep.
func (s *suite) loginFor(userID string, life, keep time.Duration) (store.ID, store.Digest) {
	s.Helper()
	n := store.NewSession{
		ID: random[store.ID](), UserID: userID, Confirmed: random[store.Digest](),
		Lifetime: life, RetainFor: keep, UserAgent: "agent", IP: "192.0.2.1",
	}
	s.must(s.Store.Create(s.ctx(), n))
	return n.ID, n.Confirmed
}

// many is a limit that no test reaches, unless limits are its subject.
const many = 1000

// revokeAllOf revokes all sessions of the user except some.
func (s *suite) revokeAllOf(userID string, except []store.ID, reason store.Reason) {
	s.Helper()
	s.batch(store.UserRevocation{UserID: userID, Except: except, Reason: reason, Limit: many})
}

// batch returns how many sessions one call of RevokeUser has found.
func (s *suite) batch(r store.UserRevocation) int {
	s.Helper()
	n, err := s.Store.RevokeUser(s.ctx(), r)
	s.must(err)
	return n
}

// reload reloads the user's sessions and returns how many there were.
func (s *suite) reload(userID string) int {
	s.Helper()
	n, err := s.Store.Reload(s.ctx(), userID, many)
	s.must(err)
	return n
}

func (s *suite) find(id store.ID) store.Snapshot {
	s.Helper()
	snap, err := s.Store.Find(s.ctx(), id)
	s.must(err)
	return snap
}

func (s *suite) row(id store.ID) *store.Record {
	s.Helper()
	row := s.find(id).Record
	if row == nil {
		s.Fatalf("session %v has no row", id)
	}
	return row
}

// now reads the store's clock.
func (s *suite) now() time.Time {
	s.Helper()
	return s.find(store.ID{}).Now
}

// tick waits until the store's clock has advanced and returns it. The clock may be
// coarse.
func (s *suite) tick() time.Time {
	s.Helper()
	start := s.now()
	for {
		if now := s.now(); now.After(start) {
			return now
		}
		if s.ctx().Err() != nil {
			s.Fatal("the store's clock stands still")
		}
	}
}

// outlive waits until a period of moment is over.
func (s *suite) outlive() {
	s.Helper()
	s.tick()
	s.tick()
}

// between fails the test unless at lies between two readings of the store's clock.
func (s *suite) between(what string, at, from, to time.Time) {
	s.Helper()
	if at.Before(from) || at.After(to) {
		s.Errorf("%s is %v; want a time from %v to %v", what, at, from, to)
	}
}

// holds fails the test unless the row equals want, apart from User.
func (s *suite) holds(what string, got *store.Record, want store.Record) {
	s.Helper()
	if !same(*got, want) {
		s.Errorf("%s: the row is\n%+v; want\n%+v", what, *got, want)
	}
}

// same reports whether two records are equal, apart from User.
func same(a, b store.Record) bool {
	for _, r := range []*store.Record{&a, &b} {
		r.User = store.User{}
		for _, at := range []*time.Time{&r.ConfirmedAt, &r.LateAt, &r.LateBefore, &r.CreatedAt, &r.AuthTime, &r.EndsAt, &r.RevokedAt} {
			*at = at.UTC()
		}
	}
	return reflect.DeepEqual(a, b)
}

// child is a ticket minted for the ticket of parent, one generation later.
func child(id store.ID, generation uint64, parent store.Digest) store.PresentedTicket {
	return store.PresentedTicket{ID: id, Generation: generation, Digest: random[store.Digest](), Parent: parent, RetainFor: keepFor}
}
