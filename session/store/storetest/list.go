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
}

// lists fails the test unless List returns these sessions of the user, in this order.
func (s *suite) lists(when, userID string, want ...store.ID) {
	s.Helper()
	list, err := s.Store.List(s.ctx(), userID)
	s.must(err)
	var got []store.ID
	for _, row := range list {
		got = append(got, row.ID)
	}
	if !slices.Equal(got, want) {
		s.Errorf("%s: listed %v; want %v", when, got, want)
	}
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
	list, err := s.Store.List(s.ctx(), s.Alice)
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
