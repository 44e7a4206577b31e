package storetest

import (
	"slices"

	"github.com/sessionkit/sessionkit/session/store"
)

var listClauses = []clause{
	{"List shows a user's sessions as Find does, the newest first", (*suite).listOrder},
	{"List leaves out sessions that are over", (*suite).listOver},
	{"List shows nothing while the user may not log in or has another epoch", (*suite).listUser},
	{"List shows nothing of a user whose row is gone", (*suite).listGone},
	{"List shows nothing from before RevokeAll", (*suite).listRevokeAll},
	{"List shows a live session after the store has lost a RevokeAll", (*suite).listLostRevokeAll},
	{"List returns the sessions page by page, each of them once", (*suite).listPages},
	{"List continues after a session that is over, and not after one that does not exist", (*suite).listAfter},
	{"Newest shows the sessions of one kind as Find does, the newest first, up to the limit", (*suite).newestOrder},
	{"Newest leaves out revoked sessions alone", (*suite).newestOver},
}

// anyNumber is a limit that no test reaches.
const anyNumber = 1000

// lists fails the test unless List returns these sessions of the user, in this order.
func (s *suite) lists(when, userID string, want ...store.ID) {
	s.Helper()
	list, err := s.Store.List(s.ctx(), userID, store.ID{}, anyNumber)
	s.must(err)
	if got := idsOf(list); !slices.Equal(got, want) {
		s.Errorf("%s: listed %v; want %v", when, got, want)
	}
}

// newest fails the test unless Newest returns these sessions of the user, in this order.
func (s *suite) newest(when, userID string, nonInteractive bool, limit int, want ...store.ID) {
	s.Helper()
	list, err := s.Store.Newest(s.ctx(), userID, nonInteractive, limit)
	s.must(err)
	if got := idsOf(list); !slices.Equal(got, want) {
		s.Errorf("%s: the newest are %v; want %v", when, got, want)
	}
}

func idsOf(list []store.Record) (ids []store.ID) {
	for _, row := range list {
		ids = append(ids, row.ID)
	}
	return ids
}

// loginAs creates a session, of a program or not.
func (s *suite) loginAs(userID string, nonInteractive bool) store.ID {
	s.Helper()
	n := store.NewSession{
		ID: random[store.ID](), UserID: userID, Confirmed: random[store.Digest](),
		Lifetime: lifetime, RetainFor: keepFor, NonInteractive: nonInteractive,
	}
	s.must(s.Store.Create(s.ctx(), n))
	return n.ID
}

func (s *suite) listOrder() {
	s.lists("before the first login", s.Alice)
	var want []store.ID
	for range 4 {
		id, _ := s.login(s.Alice)
		want = append(want, id)
		s.login(s.Bob)
		s.tick()
	}
	row := s.row(want[1])
	s.did(true)(s.Store.Confirm(s.ctx(), child(row.ID, 1, row.Confirmed))) // does not move it
	slices.Reverse(want)
	s.lists("after four logins", s.Alice, want...)
	list, err := s.Store.List(s.ctx(), s.Alice, store.ID{}, anyNumber)
	s.must(err)
	for _, row := range list {
		s.holds("listed", &row, *s.row(row.ID))
	}
}

func (s *suite) listOver() {
	live, _ := s.login(s.Alice)
	revoked, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	s.loginFor(s.Alice, moment, keepFor)  // is past its end
	s.loginFor(s.Alice, lifetime, moment) // is not kept longer
	s.outlive()
	s.lists("beside three that are over", s.Alice, live)
}

func (s *suite) listUser() {
	id, _ := s.login(s.Alice)
	s.lists("at first", s.Alice, id)
	s.SetUser(s.T, s.Alice, store.User{Epoch: alice.Epoch, Disabled: true})
	s.lists("while the user is disabled", s.Alice)
	s.SetUser(s.T, s.Alice, store.User{Epoch: alice.Epoch + 1})
	s.lists("under a higher epoch", s.Alice)
	s.SetUser(s.T, s.Alice, store.User{Epoch: alice.Epoch - 1})
	s.lists("under a lower epoch", s.Alice)
	s.SetUser(s.T, s.Alice, alice)
	s.lists("under the first epoch again", s.Alice, id)
}

// A user without a row seems to have epoch 0.
func (s *suite) listGone() {
	for _, epoch := range []uint64{0, 1} {
		s.SetUser(s.T, s.Bob, store.User{Epoch: epoch})
		id, _ := s.login(s.Bob)
		s.lists("at first", s.Bob, id)
		s.RemoveUser(s.T, s.Bob)
		s.lists("after the user's row was removed", s.Bob)
	}
}

func (s *suite) listRevokeAll() {
	s.login(s.Alice)
	s.must(s.Store.RevokeAll(s.ctx()))
	s.lists("after RevokeAll", s.Alice)
	later, _ := s.login(s.Alice)
	s.lists("after a later login", s.Alice, later)
}

// A session is over if the global epoch is higher than its own, not if it is lower.
func (s *suite) listLostRevokeAll() {
	if s.LoseRevokeAll == nil {
		s.Fatal("Backend.LoseRevokeAll is nil: the contract cannot be tested without it")
	}
	s.must(s.Store.RevokeAll(s.ctx()))
	id, _ := s.login(s.Alice)
	s.LoseRevokeAll(s.T)
	if snap := s.find(id); snap.GlobalEpoch+1 != snap.Record.GlobalEpoch {
		s.Fatalf("the global epoch is %d and that of the session %d; want that of the session higher by one", snap.GlobalEpoch, snap.Record.GlobalEpoch)
	}
	s.lists("after a RevokeAll was lost", s.Alice, id)
}

// Some of the sessions begin at the same moment of the store's clock.
func (s *suite) listPages() {
	const sessions = 11
	for i := range sessions {
		s.loginAs(s.Alice, i%3 == 0)
		s.loginAs(s.Bob, false)
		if i%4 == 0 {
			s.tick()
		}
	}
	whole, err := s.Store.List(s.ctx(), s.Alice, store.ID{}, anyNumber)
	s.must(err)
	if len(whole) != sessions {
		s.Fatalf("%d sessions are listed; want %d", len(whole), sessions)
	}
	for limit := 1; limit <= sessions+1; limit++ {
		var got []store.ID
		var after store.ID
		for {
			page, err := s.Store.List(s.ctx(), s.Alice, after, limit)
			s.must(err)
			if len(page) > limit {
				s.Fatalf("limit %d: a page of %d sessions", limit, len(page))
			}
			if len(page) == 0 || len(got) > sessions { // more: a page begins too early
				break
			}
			got, after = append(got, idsOf(page)...), page[len(page)-1].ID
		}
		if want := idsOf(whole); !slices.Equal(got, want) {
			s.Errorf("limit %d: the pages hold %v; want %v", limit, got, want)
		}
	}
}

func (s *suite) listAfter() {
	old, _ := s.login(s.Alice)
	s.tick()
	last, _ := s.login(s.Alice)
	s.tick()
	s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), last, "", store.ReasonLogout))
	for _, c := range []struct {
		name  string
		after store.ID
		want  []store.ID
	}{
		{"a revoked session", last, []store.ID{old}},
		{"the oldest one", old, nil},
		{"no session", random[store.ID](), nil},
	} {
		list, err := s.Store.List(s.ctx(), s.Alice, c.after, anyNumber)
		s.must(err)
		if got := idsOf(list); !slices.Equal(got, c.want) {
			s.Errorf("after %s: listed %v; want %v", c.name, got, c.want)
		}
	}
}

func (s *suite) newestOrder() {
	s.newest("before the first login", s.Alice, false, anyNumber)
	want := map[bool][]store.ID{}
	for i := range 6 {
		program := i%2 == 1
		want[program] = append(want[program], s.loginAs(s.Alice, program))
		s.loginAs(s.Bob, program)
		s.tick()
	}
	for program, ids := range want {
		slices.Reverse(ids)
		s.newest("all", s.Alice, program, anyNumber, ids...)
		s.newest("as many as there are", s.Alice, program, 3, ids...)
		s.newest("fewer", s.Alice, program, 2, ids[:2]...)
		list, err := s.Store.Newest(s.ctx(), s.Alice, program, 1)
		s.must(err)
		for _, row := range list {
			s.holds("newest", &row, *s.row(row.ID))
		}
	}
}

// A session that is over for another reason than a revocation counts until its row is
// removed: what Newest reads must not depend on how many of those there are.
func (s *suite) newestOver() {
	live, _ := s.login(s.Alice)
	s.tick()
	revoked, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	ended, _ := s.loginFor(s.Alice, moment, keepFor)
	s.outlive()
	s.newest("beside one that has ended", s.Alice, false, anyNumber, ended, live)
	s.must(s.Store.RevokeAll(s.ctx()))
	s.SetUser(s.T, s.Alice, store.User{Epoch: alice.Epoch + 1, Disabled: true})
	s.newest("while the user may not log in", s.Alice, false, anyNumber, ended, live)
	s.RemoveUser(s.T, s.Alice)
	s.newest("after the user's row was removed", s.Alice, false, anyNumber, ended, live)
}
