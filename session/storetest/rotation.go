package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func (s *suite) create() {
	id, confirmed := s.login(s.Alice)
	snap := s.find(id)
	row := snap.Record
	if row == nil {
		s.Fatal("the session is not there")
	}
	if row.ID != id || row.UserID != s.Alice || row.Generation != 0 || row.Confirmed != confirmed || row.Previous != (session.Digest{}) {
		s.Errorf("row = %+v", row)
	}
	if row.UserEpoch != alice.Epoch || row.GlobalEpoch != snap.GlobalEpoch || row.Reload != 0 {
		s.Errorf("epochs %d, %d and reload %d; want %d, %d and 0", row.UserEpoch, row.GlobalEpoch, row.Reload, alice.Epoch, snap.GlobalEpoch)
	}
	if row.UserAgent != "agent" || row.IP != "192.0.2.1" || !row.RevokedAt.IsZero() || row.Reason != "" {
		s.Errorf("row = %+v", row)
	}
	if u := row.User; u.Epoch != alice.Epoch || u.Disabled || !slices.Equal(u.Roles, alice.Roles) || u.Attrs["name"] != alice.Attrs["name"] {
		s.Errorf("user = %+v; want %+v", u, alice)
	}
	if !row.AuthTime.Equal(row.CreatedAt) || !row.ConfirmedAt.Equal(row.CreatedAt) || !row.EndsAt.Equal(row.CreatedAt.Add(lifetime)) {
		s.Errorf("times of a login: created %v, authenticated %v, confirmed %v, ends %v", row.CreatedAt, row.AuthTime, row.ConfirmedAt, row.EndsAt)
	}
	// The store's clock and this one's may differ; a time zone's worth is a fault.
	if off := time.Since(snap.Now).Abs(); off > 10*time.Minute {
		s.Errorf("the store's clock is off by %v", off)
	}
	if age := snap.Now.Sub(row.CreatedAt); age < 0 || age > time.Minute {
		s.Errorf("a session just created is %v old", age)
	}
	if again := s.find(id); again.Now.Before(snap.Now) || !again.Record.CreatedAt.Equal(row.CreatedAt) {
		s.Errorf("read again: now %v then %v, created %v then %v", snap.Now, again.Now, row.CreatedAt, again.Record.CreatedAt)
	}
}

func (s *suite) refuse() {
	for name, refused := range map[string]session.NewSession{
		"a stale epoch": {UserID: s.Alice, UserEpoch: alice.Epoch - 1},
		"a later epoch": {UserID: s.Alice, UserEpoch: alice.Epoch + 1},
		"disabled":      {UserID: s.Bob},
	} {
		s.SetUser(s.T, s.Bob, session.User{Epoch: 1, Disabled: true})
		refused.ID, refused.Lifetime, refused.KeepFor = random[session.ID](), lifetime, keepFor
		if err := s.Store.Create(s.ctx(), refused); !errors.Is(err, session.ErrUserDisabled) {
			s.Errorf("%s: got %v; want ErrUserDisabled", name, err)
		}
		if s.find(refused.ID).Record != nil {
			s.Errorf("%s: a row was added", name)
		}
	}
	s.RemoveUser(s.T, s.Bob)
	if err := s.Store.Create(s.ctx(), session.NewSession{ID: random[session.ID](), UserID: s.Bob, Lifetime: lifetime, KeepFor: keepFor}); !errors.Is(err, session.ErrUserDisabled) {
		s.Errorf("an unknown user: got %v; want ErrUserDisabled", err)
	}
	s.must(s.Store.Create(s.ctx(), session.NewSession{ID: random[session.ID](), UserID: s.Alice, UserEpoch: alice.Epoch, Lifetime: lifetime, KeepFor: keepFor}))
}

func (s *suite) createTwice() {
	n := session.NewSession{ID: random[session.ID](), UserID: s.Alice, Confirmed: random[session.Digest](), Lifetime: lifetime, KeepFor: keepFor}
	s.must(s.Store.Create(s.ctx(), n))
	c := child(n.ID, 1, n.Confirmed)
	s.did(true)(s.Store.Confirm(s.ctx(), c))
	s.must(s.Store.Create(s.ctx(), n))
	if row := s.row(n.ID); row.Generation != 1 || row.Confirmed != c.Digest {
		s.Errorf("a repeated login reset the row: %+v", row)
	}
}

func (s *suite) text() {
	n := session.NewSession{
		ID: random[session.ID](), UserID: s.Alice, Lifetime: lifetime, KeepFor: keepFor,
		UserAgent: strings.Repeat("\u00fc\U0001f36a", 42) + "'\"\\", IP: "2001:db8:1111:2222:3333:4444:192.168.100.200",
	}
	s.must(s.Store.Create(s.ctx(), n))
	if row := s.row(n.ID); row.UserAgent != n.UserAgent || row.IP != n.IP {
		s.Errorf("%q at %q became %q at %q", n.UserAgent, n.IP, row.UserAgent, row.IP)
	}
}

func (s *suite) missing() {
	snap := s.find(random[session.ID]())
	if snap.Record != nil {
		s.Errorf("found %+v", snap.Record)
	}
	if off := time.Since(snap.Now).Abs(); off > 10*time.Minute {
		s.Errorf("the store's clock is off by %v", off)
	}
}

func (s *suite) userChanges() {
	id, _ := s.login(s.Alice)
	changed := session.User{Epoch: 8, Disabled: true, Attrs: map[string]string{"name": "Alice B"}}
	s.SetUser(s.T, s.Alice, changed)
	if u := s.row(id).User; u.Epoch != 8 || !u.Disabled || len(u.Roles) != 0 || !maps.Equal(u.Attrs, changed.Attrs) {
		s.Errorf("user = %+v; want %+v", u, changed)
	}
	if epoch := s.row(id).UserEpoch; epoch != alice.Epoch {
		s.Errorf("the session's own epoch became %d; want %d for ever", epoch, alice.Epoch)
	}
	s.RemoveUser(s.T, s.Alice)
	if !s.row(id).User.Disabled {
		s.Error("the user's row is gone, and the session's user is not disabled")
	}
}

func (s *suite) confirm() {
	id, first := s.login(s.Alice)
	before := s.row(id)
	c1 := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c1))
	s.did(false)(s.Store.Confirm(s.ctx(), c1)) // a repetition
	row := s.row(id)
	if row.Generation != 1 || row.Confirmed != c1.Digest || row.Previous != first {
		s.Errorf("after one: %+v", row)
	}
	if row.ConfirmedAt.Before(before.ConfirmedAt) || !row.EndsAt.Equal(before.EndsAt) || !row.CreatedAt.Equal(before.CreatedAt) {
		s.Errorf("times moved: %+v, then %+v", before, row)
	}
	c2 := child(id, 2, c1.Digest)
	s.did(true)(s.Store.Confirm(s.ctx(), c2))
	if row := s.row(id); row.Generation != 2 || row.Confirmed != c2.Digest || row.Previous != c1.Digest {
		s.Errorf("after two: %+v", row)
	}
}

func (s *suite) confirmCondition() {
	id, first := s.login(s.Alice)
	c1 := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c1))
	want := *s.row(id)
	for name, p := range map[string]session.Presented{
		"the login's ticket":         {ID: id, Generation: 0, Digest: first},
		"a sibling of the confirmed": child(id, 1, first),
		"a child of the superseded":  child(id, 2, first),
		"a child of nobody":          child(id, 2, random[session.Digest]()),
		"the confirmed one":          c1,
		"another session's":          child(random[session.ID](), 2, c1.Digest),
	} {
		if ok, err := s.Store.Confirm(s.ctx(), p); ok || err != nil {
			s.Errorf("%s: got %v, %v; want false, nil", name, ok, err)
		}
	}
	if got := *s.row(id); got.Generation != want.Generation || got.Confirmed != want.Confirmed || got.Previous != want.Previous || !got.ConfirmedAt.Equal(want.ConfirmedAt) {
		s.Errorf("the row moved from %+v to %+v", want, got)
	}
}

func (s *suite) fastForward() {
	id, _ := s.login(s.Alice)
	later := child(id, 5, random[session.Digest]())
	s.did(true)(s.Store.Confirm(s.ctx(), later))
	if row := s.row(id); row.Generation != 5 || row.Confirmed != later.Digest {
		s.Errorf("row = %+v", row)
	}
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 6, later.Digest)))
}

func (s *suite) reuseCondition() {
	id, first := s.login(s.Alice)
	c1 := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c1))
	for name, p := range map[string]session.Presented{
		"the confirmed one":          c1,
		"a child of the confirmed":   child(id, 2, c1.Digest),
		"one that is further along":  child(id, 3, random[session.Digest]()),
		"a superseded one elsewhere": {ID: random[session.ID](), Generation: 0, Digest: first},
	} {
		if ok, err := s.Store.RevokeReused(s.ctx(), p); ok || err != nil {
			s.Errorf("%s: got %v, %v; want false, nil", name, ok, err)
		}
	}
	if row := s.row(id); !row.RevokedAt.IsZero() {
		s.Fatal("the session was revoked for a good ticket")
	}
	for name, p := range map[string]func(id session.ID, first, confirmed session.Digest) session.Presented{
		"the previous one": func(id session.ID, first, _ session.Digest) session.Presented {
			return session.Presented{ID: id, Digest: first}
		},
		"a sibling of the confirmed": func(id session.ID, first, _ session.Digest) session.Presented { return child(id, 1, first) },
		"a child of the superseded":  func(id session.ID, first, _ session.Digest) session.Presented { return child(id, 2, first) },
	} {
		id, first := s.login(s.Alice)
		c := child(id, 1, first)
		s.did(true)(s.Store.Confirm(s.ctx(), c))
		if ok, err := s.Store.RevokeReused(s.ctx(), p(id, first, c.Digest)); !ok || err != nil {
			s.Errorf("%s: got %v, %v; want true, nil", name, ok, err)
		}
		if row := s.row(id); row.RevokedAt.IsZero() || row.Reason != session.ReasonReuse {
			s.Errorf("%s: row = %+v", name, row)
		}
		s.did(false)(s.Store.RevokeReused(s.ctx(), p(id, first, c.Digest)))
	}
}

func (s *suite) noResurrection() {
	id, first := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), id, "", session.ReasonLogout))
	want := *s.row(id)
	s.did(false)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	s.did(false)(s.Store.Confirm(s.ctx(), child(id, 9, first)))
	s.did(false)(s.Store.RevokeReused(s.ctx(), child(id, 1, random[session.Digest]())))
	s.must(s.Store.Create(s.ctx(), session.NewSession{ID: id, UserID: s.Alice, Lifetime: lifetime, KeepFor: keepFor}))
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	s.must(s.Store.RevokeUser(s.ctx(), s.Alice, nil, session.ReasonRevoked))
	if got := *s.row(id); got.RevokedAt.IsZero() || !got.RevokedAt.Equal(want.RevokedAt) || got.Reason != session.ReasonLogout || got.Generation != 0 || got.Reload != 0 {
		s.Errorf("a revoked row changed from %+v to %+v", want, got)
	}
}
