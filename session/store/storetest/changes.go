package storetest

import (
	"bytes"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var changesClauses = []clause{
	{"Changes shows every way to revoke a session, and Reload", (*suite).changesKinds},
	{"Changes shows no login and no refresh", (*suite).changesQuiet},
	{"Changes shows what happened within the time asked for, and nothing earlier", (*suite).changesWithin},
	{"Changes comes with the store's clock and the epochs of everybody", (*suite).changesClock},
	{"Changes shows each change once, page by page, in the order of Cursor", (*suite).changesPages},
	{"Changes begins behind the cursor, also in the middle of a moment", (*suite).changesAfter},
}

// changed returns the changes of the last hour.
func (s *suite) changed() map[store.ID]store.Change {
	s.Helper()
	c, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many)
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
	s.reload(s.Alice)
	one, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), one, s.Alice, store.ReasonLogout))
	reused, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(reused, 1, first)))
	s.did(true)(s.Store.RevokeReused(s.ctx(), store.PresentedTicket{ID: reused, Digest: first}))
	bobs, _ := s.login(s.Bob)
	except, _ := s.login(s.Bob)
	s.revokeAllOf(s.Bob, []store.ID{except}, store.ReasonRevoked)
	both, _ := s.login(s.Bob)
	for range 3 {
		s.reload(s.Bob)
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
		got := changes[want.ID]
		if row := s.row(want.ID); want.Revoked && !got.At.Equal(row.RevokedAt) {
			s.Errorf("%s: changed at %v; want %v", name, got.At, row.RevokedAt)
		}
		if want.At = got.At; got != want {
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
		c, err := s.Store.Changes(s.ctx(), within, store.Cursor{}, many)
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
		c, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many)
		s.must(err)
		s.between("Now", c.Now, before.Now, s.now())
		if c.GlobalEpoch != before.GlobalEpoch || c.RefreshEpoch != before.RefreshEpoch {
			s.Errorf("the epochs are %d and %d; want %d and %d", c.GlobalEpoch, c.RefreshEpoch, before.GlobalEpoch, before.RefreshEpoch)
		}
		s.must(s.Store.RevokeAll(s.ctx()))
		s.must(s.Store.RefreshAll(s.ctx()))
	}
}

// Some of the changes are made in one statement, and so at one moment.
func (s *suite) changesPages() {
	want := map[store.ID]bool{}
	for range 3 {
		for range 7 {
			id, _ := s.login(s.Alice)
			want[id] = true
		}
		s.revokeAllOf(s.Alice, nil, store.ReasonRevoked)
		s.tick()
	}
	for _, limit := range []int{1, 2, 7, 20, 21, 22} {
		shown := map[store.ID]bool{}
		var last store.Cursor
		for pages := 1; ; pages++ {
			c, err := s.Store.Changes(s.ctx(), time.Hour, last, limit)
			s.must(err)
			if len(c.Sessions) > limit || pages > len(want)+1 {
				s.Fatalf("page %d has %d changes; want at most %d", pages, len(c.Sessions), limit)
			}
			for _, change := range c.Sessions {
				if shown[change.ID] || !follows(change.Cursor(), last) {
					s.Fatalf("pages of %d: %+v follows %+v; want each change once, in order", limit, change, last)
				}
				shown[change.ID], last = true, change.Cursor()
			}
			if len(c.Sessions) < limit {
				break
			}
		}
		if len(shown) != len(want) {
			s.Errorf("pages of %d show %d changes; want %d", limit, len(shown), len(want))
		}
	}
}

// follows reports whether a comes after b.
func follows(a, b store.Cursor) bool {
	return a.At.After(b.At) || a.At.Equal(b.At) && bytes.Compare(a.ID[:], b.ID[:]) > 0
}

func (s *suite) changesAfter() {
	for range 5 {
		s.login(s.Alice)
	}
	s.revokeAllOf(s.Alice, nil, store.ReasonRevoked)
	all, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many)
	s.must(err)
	middle := all.Sessions[2].Cursor()
	// In most stores all five have changed at the same moment.
	for what, after := range map[string]store.Cursor{
		"the third of five":              middle,
		"the last":                       all.Sessions[4].Cursor(),
		"a microsecond earlier":          {At: middle.At.Add(-moment), ID: middle.ID},
		"a microsecond later":            {At: middle.At.Add(moment)},
		"the moment, before all its ids": {At: middle.At},
	} {
		var want []store.Change
		for _, change := range all.Sessions {
			if follows(change.Cursor(), after) {
				want = append(want, change)
			}
		}
		got, err := s.Store.Changes(s.ctx(), time.Hour, after, many)
		s.must(err)
		if !slices.Equal(got.Sessions, want) {
			s.Errorf("after %s: %+v; want %+v", what, got.Sessions, want)
		}
	}
	// The time asked for counts as well: a poll may be continued long after it began.
	s.tick()
	if got, err := s.Store.Changes(s.ctx(), 0, middle, many); err != nil || len(got.Sessions) != 0 {
		s.Errorf("within no time: %+v, %v; want none", got.Sessions, err)
	}
}
