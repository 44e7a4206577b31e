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
		s.must(s.Store.RevokeUser(s.ctx(), s.Alice, nil, reason))
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
	s.must(s.Store.RevokeUser(s.ctx(), s.Alice, except, store.ReasonRevoked))
	to := s.tick()
	s.must(s.Store.RevokeUser(s.ctx(), s.Alice, except, store.ReasonLogout)) // has no session left to revoke
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
		s.must(s.Store.RevokeUser(s.ctx(), s.Alice, except, store.ReasonRevoked))
		for id, want := range map[store.ID]bool{one: true, two: true, bobs: false} {
			if got := !s.row(id).RevokedAt.IsZero(); got != want {
				s.Errorf("session revoked: %v; want %v", got, want)
			}
		}
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
	if c, err := s.Store.Changes(s.ctx(), time.Hour); err != nil || c.GlobalEpoch != snap.GlobalEpoch || len(c.Sessions) != 0 {
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
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	s.must(s.Store.RevokeUser(s.ctx(), s.Alice, nil, store.ReasonRevoked))
	s.holds("after all that", s.row(id), want)
}
