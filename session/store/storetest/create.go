package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

var createClauses = []clause{
	{"Create starts at generation 0 with the user's data and times of the store's clock", (*suite).createBegins},
	{"Create refuses a user who is unknown, disabled or of another epoch", (*suite).createRefuses},
	{"Create does not change an existing session", (*suite).createTwice},
	{"Create stores the longest user agent and address unchanged", (*suite).createText},
	{"Create records whether a program logged in", (*suite).createNonInteractive},
}

func (s *suite) createBegins() {
	from := s.now()
	id, confirmed := s.login(s.Alice)
	snap := s.find(id)
	row := s.row(id)
	s.between("CreatedAt", row.CreatedAt, from, snap.Now)
	s.holds("after Create", row, store.Record{
		ID: id, UserID: s.Alice, UserEpoch: alice.Epoch, GlobalEpoch: snap.GlobalEpoch, Confirmed: confirmed,
		ConfirmedAt: row.CreatedAt, CreatedAt: row.CreatedAt, AuthTime: row.CreatedAt, EndsAt: row.CreatedAt.Add(lifetime),
		UserAgent: "agent", IP: "192.0.2.1",
	})
	if u := row.User; u.Epoch != alice.Epoch || u.Disabled || !slices.Equal(u.Roles, alice.Roles) || u.Attrs["name"] != alice.Attrs["name"] {
		s.Errorf("user = %+v; want %+v", u, alice)
	}
	// The store's clock and the test's clock may differ. A difference of a time zone is
	// a fault.
	if off := time.Since(snap.Now).Abs(); off > 10*time.Minute {
		s.Errorf("the store's clock is off by %v", off)
	}
	again := s.find(id)
	if again.Now.Before(snap.Now) {
		s.Errorf("the clock went from %v back to %v", snap.Now, again.Now)
	}
	s.holds("read again", again.Record, *row)
}

func (s *suite) createRefuses() {
	refused := func(why string, n store.NewSession, want error) {
		s.Helper()
		n.ID, n.Lifetime, n.RetainFor = random[store.ID](), lifetime, keepFor
		if err := s.Store.Create(s.ctx(), n); !errors.Is(err, session.ErrUserDisabled) || !errors.Is(err, want) {
			s.Errorf("%s: got %v; want %v", why, err, want)
		}
		if s.find(n.ID).Record != nil {
			s.Errorf("%s: a row was added", why)
		}
	}
	refused("a stale epoch", store.NewSession{UserID: s.Alice, UserEpoch: alice.Epoch - 1}, store.ErrEpochMoved)
	refused("a later epoch", store.NewSession{UserID: s.Alice, UserEpoch: alice.Epoch + 1}, store.ErrEpochMoved)
	s.SetUser(s.T, s.Bob, store.User{Epoch: 1, Disabled: true})
	refused("a disabled user", store.NewSession{UserID: s.Bob}, store.ErrUserBanned)
	refused("a disabled user of this epoch", store.NewSession{UserID: s.Bob, UserEpoch: 1}, store.ErrUserBanned)
	refused("a disabled user of another epoch", store.NewSession{UserID: s.Bob, UserEpoch: 2}, store.ErrUserBanned)
	s.RemoveUser(s.T, s.Bob)
	refused("an unknown user", store.NewSession{UserID: s.Bob}, store.ErrUserUnknown)
	refused("an id that the store cannot contain", store.NewSession{UserID: s.Nobody}, store.ErrUserUnknown)
	s.must(s.Store.Create(s.ctx(), store.NewSession{ID: random[store.ID](), UserID: s.Alice, UserEpoch: alice.Epoch, Lifetime: lifetime, RetainFor: keepFor}))
}

func (s *suite) createTwice() {
	n := store.NewSession{ID: random[store.ID](), UserID: s.Alice, Confirmed: random[store.Digest](), Lifetime: lifetime, RetainFor: keepFor}
	s.must(s.Store.Create(s.ctx(), n))
	s.did(true)(s.Store.Confirm(s.ctx(), child(n.ID, 1, n.Confirmed)))
	want := *s.row(n.ID)
	s.tick()
	s.must(s.Store.Create(s.ctx(), n))
	s.holds("after the second Create", s.row(n.ID), want)
}

func (s *suite) createNonInteractive() {
	for _, program := range []bool{false, true} {
		n := store.NewSession{ID: random[store.ID](), UserID: s.Alice, NonInteractive: program, Lifetime: lifetime, RetainFor: keepFor}
		s.must(s.Store.Create(s.ctx(), n))
		if row := s.row(n.ID); row.NonInteractive != program {
			s.Errorf("NonInteractive: created with %t, found with %t", program, row.NonInteractive)
		}
	}
}

func (s *suite) createText() {
	n := store.NewSession{
		ID: random[store.ID](), UserID: s.Alice, Lifetime: lifetime, RetainFor: keepFor,
		UserAgent: strings.Repeat("\u00fc\U0001f36a", 42) + "'\"\\", IP: "2001:db8:1111:2222:3333:4444:192.168.100.200",
	}
	s.must(s.Store.Create(s.ctx(), n))
	if row := s.row(n.ID); row.UserAgent != n.UserAgent || row.IP != n.IP {
		s.Errorf("%q at %q became %q at %q", n.UserAgent, n.IP, row.UserAgent, row.IP)
	}
}
