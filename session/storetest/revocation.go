package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func (s *suite) revoke() {
	id, _ := s.login(s.Alice)
	other, _ := s.login(s.Alice)
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Bob, session.ReasonRevoked))
	s.did(false)(s.Store.Revoke(s.ctx(), random[session.ID](), "", session.ReasonRevoked))
	s.did(true)(s.Store.Revoke(s.ctx(), id, s.Alice, session.ReasonRevoked))
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Alice, session.ReasonLogout))
	if row := s.row(id); row.RevokedAt.IsZero() || row.Reason != session.ReasonRevoked {
		s.Errorf("row = %+v", row)
	}
	if row := s.row(other); !row.RevokedAt.IsZero() {
		s.Error("the user's other session was revoked too")
	}
}

func (s *suite) revokeUser() {
	one, _ := s.login(s.Alice)
	two, _ := s.login(s.Alice)
	kept, _ := s.login(s.Alice)
	bobs, _ := s.login(s.Bob)
	for range 2 {
		s.must(s.Store.RevokeUser(s.ctx(), s.Alice, []session.ID{kept, random[session.ID]()}, session.ReasonRevoked))
	}
	for id, want := range map[session.ID]bool{one: true, two: true, kept: false, bobs: false} {
		if got := !s.row(id).RevokedAt.IsZero(); got != want {
			s.Errorf("session revoked: %v; want %v", got, want)
		}
	}
	s.must(s.Store.RevokeUser(s.ctx(), s.Alice, nil, session.ReasonRevoked))
	if s.row(kept).RevokedAt.IsZero() {
		s.Error("without exceptions one was spared")
	}
}

func (s *suite) revokeAll() {
	old, _ := s.login(s.Alice)
	before := s.find(old).GlobalEpoch
	s.must(s.Store.RevokeAll(s.ctx()))
	snap := s.find(old)
	if snap.GlobalEpoch <= before || snap.Record.GlobalEpoch != before {
		s.Errorf("epoch %d, then %d; the session's %d", before, snap.GlobalEpoch, snap.Record.GlobalEpoch)
	}
	later, _ := s.login(s.Alice)
	if snap := s.find(later); snap.Record.GlobalEpoch != snap.GlobalEpoch {
		s.Errorf("a later login has epoch %d; want %d", snap.Record.GlobalEpoch, snap.GlobalEpoch)
	}
	if c, err := s.Store.Changes(s.ctx(), time.Hour); err != nil || c.GlobalEpoch != snap.GlobalEpoch || c.Now.Before(snap.Now) || c.Now.Sub(snap.Now) > time.Minute {
		s.Errorf("changes = %+v, %v; want epoch %d", c, err, snap.GlobalEpoch)
	}
}

func (s *suite) reload() {
	live, _ := s.login(s.Alice)
	dead, _ := s.login(s.Alice)
	bobs, _ := s.login(s.Bob)
	ended := random[session.ID]()
	s.must(s.Store.Create(s.ctx(), session.NewSession{ID: ended, UserID: s.Alice, Lifetime: time.Microsecond, KeepFor: keepFor}))
	s.did(true)(s.Store.Revoke(s.ctx(), dead, "", session.ReasonLogout))
	s.tick(live)
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	for id, want := range map[session.ID]uint64{live: 2, dead: 0, ended: 0, bobs: 0} {
		if got := s.row(id).Reload; got != want {
			s.Errorf("reload = %d; want %d", got, want)
		}
	}
}

func (s *suite) list() {
	var want []session.ID
	for range 3 {
		id, _ := s.login(s.Alice)
		want = append(want, id)
		s.tick(id)
	}
	slices.Reverse(want)
	revoked, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", session.ReasonLogout))
	s.login(s.Bob)
	s.must(s.Store.Create(s.ctx(), session.NewSession{ID: random[session.ID](), UserID: s.Alice, Lifetime: time.Microsecond, KeepFor: keepFor}))
	s.tick(revoked)
	check := func(when string, want []session.ID) {
		s.Helper()
		list, err := s.Store.List(s.ctx(), s.Alice)
		s.must(err)
		var got []session.ID
		for _, rec := range list {
			got = append(got, rec.ID)
			if rec.UserID != s.Alice || rec.UserAgent != "agent" || rec.IP != "192.0.2.1" || rec.CreatedAt.IsZero() || rec.ConfirmedAt.IsZero() || rec.AuthTime.IsZero() {
				s.Errorf("%s: record = %+v", when, rec)
			}
		}
		if !slices.Equal(got, want) {
			s.Errorf("%s: listed %v; want %v", when, got, want)
		}
	}
	check("at first", want)
	s.SetUser(s.T, s.Alice, session.User{Epoch: alice.Epoch, Disabled: true})
	check("while the user is disabled", nil)
	s.SetUser(s.T, s.Alice, session.User{Epoch: alice.Epoch + 1})
	check("after the user's epoch moved", nil)
	s.SetUser(s.T, s.Alice, alice)
	check("as it was", want)
	s.must(s.Store.RevokeAll(s.ctx()))
	check("after everybody was logged out", nil)
}

// tick waits until the store's clock has moved on: it is the store's own, and
// may be a coarse one.
func (s *suite) tick(id session.ID) {
	s.Helper()
	for start := s.find(id).Now; !s.find(id).Now.After(start); {
		if s.ctx().Err() != nil {
			s.Fatal("the store's clock stands still")
		}
	}
}

func (s *suite) changes() {
	live, _ := s.login(s.Alice)
	revoked, _ := s.login(s.Alice)
	bobs, _ := s.login(s.Bob)
	kept, first := s.login(s.Bob)
	s.did(true)(s.Store.Confirm(s.ctx(), child(kept, 1, first)))
	if c, err := s.Store.Changes(s.ctx(), time.Hour); err != nil || len(c.Sessions) != 0 {
		s.Errorf("logins and refreshes showed as changes: %+v, %v", c, err)
	}
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", session.ReasonLogout))
	s.must(s.Store.RevokeUser(s.ctx(), s.Bob, []session.ID{kept}, session.ReasonRevoked))
	want := map[session.ID]session.Change{
		live:    {ID: live, Reload: 1},
		revoked: {ID: revoked, Reload: 1, Revoked: true},
		bobs:    {ID: bobs, Revoked: true},
	}
	c, err := s.Store.Changes(s.ctx(), time.Hour)
	s.must(err)
	if len(c.Sessions) != len(want) {
		s.Errorf("changes = %+v; want %+v", c.Sessions, want)
	}
	for _, change := range c.Sessions {
		if change != want[change.ID] {
			s.Errorf("change = %+v; want %+v", change, want[change.ID])
		}
	}
	s.tick(live)
	s.tick(live)
	if c, err := s.Store.Changes(s.ctx(), time.Microsecond); err != nil || len(c.Sessions) != 0 {
		s.Errorf("changes of the last microsecond: %+v, %v", c, err)
	}
}

func (s *suite) prune() {
	kept, _ := s.login(s.Alice)
	renewed, first := s.login(s.Alice)
	short := func(p session.Presented) session.Presented { p.KeepFor = time.Microsecond; return p }
	c := short(child(renewed, 1, first))
	s.did(true)(s.Store.Confirm(s.ctx(), c))
	s.did(true)(s.Store.Confirm(s.ctx(), child(renewed, 2, c.Digest)))
	for range 5 {
		s.must(s.Store.Create(s.ctx(), session.NewSession{ID: random[session.ID](), UserID: s.Alice, Lifetime: lifetime, KeepFor: time.Microsecond}))
	}
	s.tick(kept)
	s.tick(kept)
	for _, c := range []struct{ limit, want int }{{0, 0}, {3, 3}, {3, 2}, {3, 0}} {
		if n, err := s.Store.Prune(s.ctx(), c.limit); err != nil || n != c.want {
			s.Errorf("Prune(%d) removed %d, %v; want %d", c.limit, n, err, c.want)
		}
	}
	s.row(kept)
	s.row(renewed)
}

func (s *suite) nobody() {
	if s.Nobody == "" {
		return // every text is an id here
	}
	id, _ := s.login(s.Alice)
	if err := s.Store.Create(s.ctx(), session.NewSession{ID: random[session.ID](), UserID: s.Nobody, Lifetime: lifetime, KeepFor: keepFor}); !errors.Is(err, session.ErrUserDisabled) {
		s.Errorf("login: got %v; want ErrUserDisabled", err)
	}
	s.did(false)(s.Store.Revoke(s.ctx(), id, s.Nobody, session.ReasonRevoked))
	s.must(s.Store.RevokeUser(s.ctx(), s.Nobody, nil, session.ReasonRevoked))
	s.must(s.Store.Reload(s.ctx(), s.Nobody))
	if list, err := s.Store.List(s.ctx(), s.Nobody); err != nil || len(list) != 0 {
		s.Errorf("list: got %v, %v", list, err)
	}
	if row := s.row(id); !row.RevokedAt.IsZero() || row.Reload != 0 {
		s.Errorf("another's session changed: %+v", row)
	}
}

func (s *suite) doneContext() {
	id, first := s.login(s.Alice)
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	// A store that needs no time may answer all the same; what it may not do is
	// to call the lack of an answer an answer.
	if snap, err := s.Store.Find(ctx, id); err == nil && snap.Record == nil {
		s.Error("Find said that there is no session")
	}
	if ok, err := s.Store.Confirm(ctx, child(id, 1, first)); err == nil && !ok {
		s.Error("Confirm said that the race was lost")
	}
	if err := s.Store.Create(ctx, session.NewSession{ID: random[session.ID](), UserID: s.Alice, Lifetime: lifetime, KeepFor: keepFor}); errors.Is(err, session.ErrUserDisabled) {
		s.Error("Create said that the user may not log in")
	}
}
