package storetest

import (
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var changesClauses = []clause{
	{"Changes shows every way to revoke a session, and Reload", (*suite).changesKinds},
	{"Changes shows no login and no refresh", (*suite).changesQuiet},
	{"Changes shows what happened within the time asked for, and nothing earlier", (*suite).changesWithin},
	{"Changes comes with the store's clock and the global epoch", (*suite).changesClock},
}

// changed returns the changes of the last hour.
func (s *suite) changed() map[store.ID]store.Change {
	s.Helper()
	c, err := s.Store.Changes(s.ctx(), time.Hour)
	s.must(err)
	changes := map[store.ID]store.Change{}
	for _, change := range c.Sessions {
		if _, twice := changes[change.ID]; twice {
			s.Errorf("session %v is listed twice", change.ID)
		}
		changes[change.ID] = change
	}
	return changes
}

// Each session is changed in only one way, so that each way is seen to set the time of
// the change.
func (s *suite) changesKinds() {
	reloaded, _ := s.login(s.Alice)
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	one, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), one, s.Alice, store.ReasonLogout))
	reused, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(reused, 1, first)))
	s.did(true)(s.Store.RevokeReused(s.ctx(), store.PresentedTicket{ID: reused, Digest: first}))
	bobs, _ := s.login(s.Bob)
	except, _ := s.login(s.Bob)
	s.must(s.Store.RevokeUser(s.ctx(), s.Bob, []store.ID{except}, store.ReasonRevoked))
	both, _ := s.login(s.Bob)
	for range 3 {
		s.must(s.Store.Reload(s.ctx(), s.Bob))
	}
	s.did(true)(s.Store.Revoke(s.ctx(), both, "", store.ReasonRevoked))

	changes := s.changed()
	for name, want := range map[string]store.Change{
		"Reload":                  {ID: reloaded, Reload: 1},
		"Revoke":                  {ID: one, Revoked: true},
		"RevokeReused":            {ID: reused, Revoked: true},
		"RevokeUser":              {ID: bobs, Revoked: true},
		"Reload of the exception": {ID: except, Reload: 3},
		"Reload, then Revoke":     {ID: both, Revoked: true, Reload: 3},
	} {
		if got := changes[want.ID]; got != want {
			s.Errorf("%s: the change is %+v; want %+v", name, got, want)
		}
		delete(changes, want.ID)
	}
	if len(changes) > 0 {
		s.Errorf("changes that did not happen: %+v", changes)
	}
}

func (s *suite) changesQuiet() {
	id, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	s.did(false)(s.Store.RevokeReused(s.ctx(), child(id, 9, first)))
	if changes := s.changed(); len(changes) != 0 {
		s.Errorf("changes = %+v; want none", changes)
	}
}

// RevokedAt is the time of a change, and each answer of Changes contains the store's
// clock. So no period is too short for a slow store.
func (s *suite) changesWithin() {
	early, _ := s.login(s.Alice)
	late, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), early, "", store.ReasonLogout))
	for range 20 {
		s.tick()
	}
	s.did(true)(s.Store.Revoke(s.ctx(), late, "", store.ReasonLogout))
	at := map[store.ID]time.Time{early: s.row(early).RevokedAt, late: s.row(late).RevokedAt}
	gap := at[late].Sub(at[early])
	for _, within := range []time.Duration{0, moment, gap / 2, gap - moment, gap, gap + moment, 2 * gap, time.Minute, time.Hour, 24 * time.Hour} {
		c, err := s.Store.Changes(s.ctx(), within)
		s.must(err)
		shown := map[store.ID]bool{}
		for _, change := range c.Sessions {
			shown[change.ID] = true
		}
		for id, revokedAt := range at {
			if ago := c.Now.Sub(revokedAt); shown[id] != (ago <= within) {
				s.Errorf("a change %v ago is shown: %v, when those within %v are asked for", ago, shown[id], within)
			}
		}
	}
}

func (s *suite) changesClock() {
	for range 2 {
		before := s.find(store.ID{})
		c, err := s.Store.Changes(s.ctx(), time.Hour)
		s.must(err)
		s.between("Now", c.Now, before.Now, s.now())
		if c.GlobalEpoch != before.GlobalEpoch {
			s.Errorf("the epoch is %d; want %d", c.GlobalEpoch, before.GlobalEpoch)
		}
		s.must(s.Store.RevokeAll(s.ctx()))
	}
}
