package storetest

import (
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var revokeClauses = []clause{
	{"Revoke revokes one session, by its id and its user", (*suite).revokeOne},
	{"Revoke keeps the reason that it is given", (*suite).revokeReasons},
	{"RevokeUser spares every exception and other users", (*suite).revokeUser},
	{"RevokeUser without exceptions spares none", (*suite).revokeUserWhole},
	{"RevokeUser revokes at most limit sessions, and says how many it found", (*suite).revokeUserLimit},
	{"RevokeUser spares sessions that began later than Before", (*suite).revokeUserBefore},
	{"A revoked row leaves early, unless it was revoked for reuse", (*suite).revokedLeaves},
	{"A revocation keeps no row longer", (*suite).revokedKeepsNoLonger},
	{"RefreshAll raises the refresh epoch and nothing else", (*suite).refreshAll},
	{"RevokeAll raises the global epoch and spares later logins", (*suite).revokeAll},
	{"Revoke changes no session that is already revoked", (*suite).revokedForGood},
}

func (s *suite) revokeOne() {
	id, _ := s.login(s.Alice)
	other, _ := s.login(s.Alice)
	want, untouched := *s.row(id), *s.row(other)
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Bob, store.ReasonRevoked))
	s.did(false)(s.Store.Revoke(s.ctx(), random[store.ID](), "", store.ReasonRevoked))
	s.did(false)(s.Store.Revoke(s.ctx(), random[store.ID](), s.Alice, store.ReasonRevoked))
	s.holds("before Revoke", s.row(id), want)
	from := s.tick()
	s.did(true)(s.Store.Revoke(s.ctx(), id, s.Alice, store.ReasonRevoked))
	snap := s.find(id)
	s.between("RevokedAt", snap.Record.RevokedAt, from, snap.Now)
	want.RevokedAt, want.Reason = snap.Record.RevokedAt, store.ReasonRevoked
	s.holds("after Revoke", snap.Record, want)
	s.tick()
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Alice, store.ReasonLogout))
	s.holds("after the second Revoke", s.row(id), want)
	s.holds("the user's other session", s.row(other), untouched)
}

func (s *suite) revokeReasons() {
	for _, reason := range []store.Reason{store.ReasonLogout, store.ReasonReplaced, store.ReasonRevoked, store.ReasonLimit, store.ReasonReuse} {
		one, _ := s.login(s.Alice)
		s.did(true)(s.Store.Revoke(s.ctx(), one, "", reason))
		two, _ := s.login(s.Alice)
		s.revokeAllOf(s.Alice, nil, reason)
		for _, id := range []store.ID{one, two} {
			if got := s.row(id).Reason; got != reason {
				s.Errorf("the reason is %q; want %q", got, reason)
			}
		}
	}
}

func (s *suite) revokeUser() {
	var ids []store.ID
	want := map[store.ID]store.Record{}
	for _, userID := range []string{s.Alice, s.Alice, s.Alice, s.Alice, s.Alice, s.Alice, s.Bob} {
		id, _ := s.login(userID)
		ids, want[id] = append(ids, id), *s.row(id)
	}
	revoked := []store.ID{ids[0], ids[2], ids[5]}
	except := []store.ID{random[store.ID](), ids[4], ids[1], random[store.ID](), ids[3]}
	from := s.tick()
	s.revokeAllOf(s.Alice, except, store.ReasonRevoked)
	to := s.tick()
	s.revokeAllOf(s.Alice, except, store.ReasonLogout) // has no session left to revoke
	for _, id := range revoked {
		row, is := s.row(id), want[id]
		s.between("RevokedAt", row.RevokedAt, from, to)
		is.RevokedAt, is.Reason = row.RevokedAt, store.ReasonRevoked
		want[id] = is
	}
	for i, id := range ids {
		s.holds([]string{"first", "second", "third", "fourth", "fifth", "sixth", "Bob's"}[i], s.row(id), want[id])
	}
}

func (s *suite) revokeUserWhole() {
	for _, except := range [][]store.ID{nil, {}} {
		one, _ := s.login(s.Alice)
		two, _ := s.login(s.Alice)
		bobs, _ := s.login(s.Bob)
		s.revokeAllOf(s.Alice, except, store.ReasonRevoked)
		for id, want := range map[store.ID]bool{one: true, two: true, bobs: false} {
			if got := !s.row(id).RevokedAt.IsZero(); got != want {
				s.Errorf("session revoked: %v; want %v", got, want)
			}
		}
	}
}

func (s *suite) revokeUserLimit() {
	const sessions = 7
	ids := map[store.ID]bool{}
	for range sessions {
		id, _ := s.login(s.Alice)
		ids[id] = true
	}
	kept, _ := s.login(s.Alice)
	s.login(s.Bob)
	left := sessions
	for _, step := range []struct{ limit, want int }{{-1, 0}, {0, 0}, {1, 1}, {3, 3}, {3, 3}, {3, 0}, {3, 0}} {
		n := s.batch(store.UserRevocation{UserID: s.Alice, Except: []store.ID{kept}, Reason: store.ReasonRevoked, Limit: step.limit})
		left -= step.want
		live := 0
		for id := range ids {
			if s.row(id).RevokedAt.IsZero() {
				live++
			}
		}
		if n != step.want || live != left {
			s.Fatalf("at most %d: %d were found and %d are left; want %d and %d", step.limit, n, live, step.want, left)
		}
	}
	if !s.row(kept).RevokedAt.IsZero() {
		s.Error("the exception was revoked")
	}
}

func (s *suite) revokeUserBefore() {
	early, _ := s.login(s.Alice)
	s.tick()
	late, _ := s.login(s.Alice)
	at := s.row(late).CreatedAt
	if n := s.batch(store.UserRevocation{UserID: s.Alice, Before: at.Add(-moment), Reason: store.ReasonRevoked, Limit: many}); n != 1 {
		s.Errorf("%d sessions were found; want the one from before", n)
	}
	if s.row(early).RevokedAt.IsZero() || !s.row(late).RevokedAt.IsZero() {
		s.Error("the session that began later was revoked, or the earlier one was not")
	}
	if n := s.batch(store.UserRevocation{UserID: s.Alice, Before: at, Reason: store.ReasonRevoked, Limit: many}); n != 1 {
		s.Errorf("%d sessions of the very moment were found; want 1", n)
	}
}

func (s *suite) revokedLeaves() {
	if s.ExpiresAt == nil {
		s.Fatal("Backend.ExpiresAt is nil: the contract cannot be tested without it")
	}
	for _, reason := range []store.Reason{store.ReasonLogout, store.ReasonReplaced, store.ReasonRevoked, store.ReasonLimit, store.ReasonReuse} {
		one, _ := s.login(s.Alice)
		two, _ := s.login(s.Alice)
		before := map[store.ID]time.Time{one: s.ExpiresAt(s.T, one), two: s.ExpiresAt(s.T, two)}
		s.did(true)(s.Store.Revoke(s.ctx(), one, "", reason))
		s.revokeAllOf(s.Alice, nil, reason)
		for _, id := range []store.ID{one, two} {
			want := s.row(id).RevokedAt.Add(store.RetainRevoked)
			if reason == store.ReasonReuse {
				want = before[id]
			}
			if got := s.ExpiresAt(s.T, id); !got.Equal(want) {
				s.Errorf("revoked for %s: the row leaves at %v; want %v", reason, got, want)
			}
		}
	}
	id, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	want := s.ExpiresAt(s.T, id)
	s.did(true)(s.Store.RevokeReused(s.ctx(), store.PresentedTicket{ID: id, Digest: first}))
	if got := s.ExpiresAt(s.T, id); !got.Equal(want) {
		s.Errorf("after RevokeReused the row leaves at %v; want %v", got, want)
	}
}

func (s *suite) revokedKeepsNoLonger() {
	if s.ExpiresAt == nil {
		s.Fatal("Backend.ExpiresAt is nil: the contract cannot be tested without it")
	}
	for _, reason := range []store.Reason{store.ReasonLogout, store.ReasonReuse} {
		for _, keep := range []time.Duration{moment, time.Minute, store.RetainRevoked - time.Minute} {
			one, _ := s.loginFor(s.Alice, lifetime, keep)
			two, _ := s.loginFor(s.Alice, lifetime, keep)
			want := map[store.ID]time.Time{one: s.ExpiresAt(s.T, one), two: s.ExpiresAt(s.T, two)}
			s.did(true)(s.Store.Revoke(s.ctx(), one, "", reason))
			s.revokeAllOf(s.Alice, nil, reason)
			for id, want := range want {
				if got := s.ExpiresAt(s.T, id); !got.Equal(want) {
					s.Errorf("revoked for %s: a row that would leave at %v leaves at %v", reason, want, got)
				}
			}
		}
	}
}

func (s *suite) refreshAll() {
	id, _ := s.login(s.Alice)
	before := s.find(id)
	for n := uint64(1); n <= 2; n++ {
		s.must(s.Store.RefreshAll(s.ctx()))
		snap := s.find(id)
		if snap.RefreshEpoch != before.RefreshEpoch+n || snap.GlobalEpoch != before.GlobalEpoch {
			s.Errorf("the epochs are %d and %d; want %d and %d", snap.RefreshEpoch, snap.GlobalEpoch, before.RefreshEpoch+n, before.GlobalEpoch)
		}
		s.holds("after RefreshAll", snap.Record, *before.Record)
	}
	if c, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many); err != nil || c.RefreshEpoch != before.RefreshEpoch+2 || len(c.Sessions) != 0 {
		s.Errorf("changes = %+v, %v; want the refresh epoch %d alone", c, err, before.RefreshEpoch+2)
	}
	s.must(s.Store.RevokeAll(s.ctx()))
	if snap := s.find(id); snap.RefreshEpoch != before.RefreshEpoch+2 {
		s.Errorf("RevokeAll made the refresh epoch %d; want %d", snap.RefreshEpoch, before.RefreshEpoch+2)
	}
}

func (s *suite) revokeAll() {
	old, _ := s.login(s.Alice)
	before := s.find(old)
	s.must(s.Store.RevokeAll(s.ctx()))
	snap := s.find(old)
	if snap.GlobalEpoch <= before.GlobalEpoch {
		s.Errorf("epoch %d, then %d; want a higher one", before.GlobalEpoch, snap.GlobalEpoch)
	}
	s.holds("a session from before", snap.Record, *before.Record)
	later, _ := s.login(s.Alice)
	if snap := s.find(later); snap.Record.GlobalEpoch != snap.GlobalEpoch {
		s.Errorf("a later login has epoch %d; want %d", snap.Record.GlobalEpoch, snap.GlobalEpoch)
	}
	if c, err := s.Store.Changes(s.ctx(), time.Hour, store.Cursor{}, many); err != nil || c.GlobalEpoch != snap.GlobalEpoch || len(c.Sessions) != 0 {
		s.Errorf("changes = %+v, %v; want epoch %d alone", c, err, snap.GlobalEpoch)
	}
}

func (s *suite) revokedForGood() {
	id, first := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), id, "", store.ReasonLogout))
	want := *s.row(id)
	s.tick()
	s.did(false)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	s.did(false)(s.Store.Confirm(s.ctx(), child(id, 9, first)))
	s.did(false)(s.Store.RevokeReused(s.ctx(), child(id, 1, random[store.Digest]())))
	s.did(false)(s.Store.Revoke(s.ctx(), id, "", store.ReasonRevoked))
	s.must(s.Store.Create(s.ctx(), store.NewSession{ID: id, UserID: s.Alice, Lifetime: lifetime, RetainFor: keepFor}))
	s.reload(s.Alice)
	s.revokeAllOf(s.Alice, nil, store.ReasonRevoked)
	s.holds("after all that", s.row(id), want)
}
