package storetest

import (
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var oneStepClauses = []clause{
	{"FindAndConfirm returns what Find does, and confirms only what IsNext accepts", (*suite).oneStepConfirms},
	{"FindAndConfirm of an unknown session returns the clock and no error", (*suite).oneStepUnknown},
	{"FindAndConfirm confirms one of many tickets that come at once", (*suite).oneStepRace},
	{"Revoke beats every FindAndConfirm in flight", (*suite).oneStepLogoutRace},
}

// oneStep returns the store as a OneStep. The test is skipped if it is none.
func (s *suite) oneStep() store.OneStep {
	oneStep, ok := s.Store.(store.OneStep)
	if !ok {
		s.Skip("the store is no store.OneStep, which is optional")
	}
	return oneStep
}

// next is the usual next ticket of a session that has begun.
func (s *suite) next(id store.ID, first store.Digest) store.PresentedTicket {
	now := s.now()
	p := child(id, 1, first)
	p.From, p.Until = now, now.Add(time.Hour)
	return p
}

// A store that never confirms here keeps the contract as well: false is a lost race.
func (s *suite) oneStepConfirms() {
	oneStep := s.oneStep()
	type change = func(id store.ID, p *store.PresentedTicket)
	for name, c := range map[string]struct {
		login  func(*store.NewSession)
		change change
		next   bool
	}{
		"a child of the confirmed ticket": {next: true},
		"from this very microsecond":      {next: true, change: func(_ store.ID, p *store.PresentedTicket) { p.From = s.now() }},
		"too early":                       {change: func(_ store.ID, p *store.PresentedTicket) { p.From = s.now().Add(time.Hour) }},
		"too late":                        {change: func(_ store.ID, p *store.PresentedTicket) { p.Until = s.now() }},
		"a child of another ticket":       {change: func(_ store.ID, p *store.PresentedTicket) { p.Parent = random[store.Digest]() }},
		"two generations later":           {change: func(_ store.ID, p *store.PresentedTicket) { p.Generation = 2 }},
		"the login's ticket":              {change: func(_ store.ID, p *store.PresentedTicket) { p.Generation, p.Digest = 0, p.Parent }},
		"a session that is revoked": {change: func(id store.ID, _ *store.PresentedTicket) {
			s.did(true)(s.Store.Revoke(s.ctx(), id, "", store.ReasonLogout))
		}},
		"a user who is disabled":                {change: func(store.ID, *store.PresentedTicket) { s.SetUser(s.T, s.Alice, store.User{Epoch: 7, Disabled: true}) }},
		"a user with a higher epoch":            {change: func(store.ID, *store.PresentedTicket) { s.SetUser(s.T, s.Alice, store.User{Epoch: 8}) }},
		"a user with a lower epoch":             {change: func(store.ID, *store.PresentedTicket) { s.SetUser(s.T, s.Alice, store.User{Epoch: 6}) }},
		"a user who is gone":                    {change: func(store.ID, *store.PresentedTicket) { s.RemoveUser(s.T, s.Alice) }},
		"a session that is over":                {login: func(n *store.NewSession) { n.Lifetime = moment }, change: func(store.ID, *store.PresentedTicket) { s.outlive() }},
		"a session with a timeout of its own":   {login: func(n *store.NewSession) { n.IdleTimeout = time.Hour }},
		"a session that began from another one": {login: func(n *store.NewSession) { n.Actor, n.ActorSession = s.Bob, random[store.ID]() }},
		"another session's ticket":              {change: func(_ store.ID, p *store.PresentedTicket) { p.ID, _ = s.login(s.Alice) }},
		"everybody's sessions are over":         {change: func(store.ID, *store.PresentedTicket) { s.must(s.Store.RevokeAll(s.ctx())) }},
		"everybody's sessions were over, by mistake": {next: true, change: func(store.ID, *store.PresentedTicket) {
			s.must(s.Store.RevokeAll(s.ctx()))
			s.LoseRevokeAll(s.T)
		}},
	} {
		s.SetUser(s.T, s.Alice, alice)
		n := store.NewSession{ID: random[store.ID](), UserID: s.Alice, Confirmed: random[store.Digest](), Lifetime: lifetime, RetainFor: keepFor}
		if c.login != nil {
			c.login(&n)
		}
		s.must(s.Store.Create(s.ctx(), n))
		p := s.next(n.ID, n.Confirmed)
		if c.change != nil {
			c.change(n.ID, &p)
		}
		want := s.find(p.ID)
		snap, confirmed, err := oneStep.FindAndConfirm(s.ctx(), p)
		switch {
		case err != nil || snap.Record == nil:
			s.Fatalf("%s: got %v, %v", name, snap.Record, err)
		case snap.IsNext(p) != c.next || confirmed && !c.next:
			s.Errorf("%s: IsNext is %t, confirmed is %t; want %t", name, snap.IsNext(p), confirmed, c.next)
		case snap.GlobalEpoch != want.GlobalEpoch || snap.RefreshEpoch != want.RefreshEpoch || snap.Now.Before(want.Now) || snap.Now.After(s.now()):
			s.Errorf("%s: the snapshot is %+v; want %+v", name, snap, want)
		}
		s.holds(name, snap.Record, *want.Record)
		if u, v := snap.Record.User, want.Record.User; u.Epoch != v.Epoch || u.Disabled != v.Disabled || u.Gone != v.Gone || len(u.Roles) != len(v.Roles) {
			s.Errorf("%s: the user is %+v; want %+v", name, u, v)
		}
		row := s.row(p.ID)
		if confirmed {
			s.between(name+": ConfirmedAt", row.ConfirmedAt, want.Now, s.now())
			want.Record.Previous, want.Record.Confirmed, want.Record.Generation, want.Record.ConfirmedAt = n.Confirmed, p.Digest, 1, row.ConfirmedAt
		}
		s.holds(name+", afterwards", row, *want.Record)
		if confirmed && s.ExpiresAt(s.T, p.ID).Before(row.ConfirmedAt.Add(keepFor)) {
			s.Errorf("%s: the row is kept until %v only", name, s.ExpiresAt(s.T, p.ID))
		}
	}
}

func (s *suite) oneStepUnknown() {
	before := s.now()
	snap, confirmed, err := s.oneStep().FindAndConfirm(s.ctx(), s.next(random[store.ID](), random[store.Digest]()))
	if confirmed || err != nil || snap.Record != nil {
		s.Errorf("got %v, %t, %v; want no row, false, nil", snap.Record, confirmed, err)
	}
	s.between("the clock", snap.Now, before, s.now())
}

// Of all that reports true, the row holds the last one. Confirm competes as well.
func (s *suite) oneStepRace() {
	oneStep := s.oneStep()
	id, parent := s.login(s.Alice)
	for generation := uint64(1); generation <= 20; generation++ {
		rivals := make([]store.PresentedTicket, workers)
		for i := range rivals {
			rivals[i] = s.next(id, parent)
			rivals[i].Generation = generation
		}
		var won, winner atomic.Int32
		together(workers, func(i int) {
			ok, err := persistent(func() (bool, error) {
				if i == 0 {
					return s.Store.Confirm(s.ctx(), rivals[i])
				}
				snap, ok, err := oneStep.FindAndConfirm(s.ctx(), rivals[i])
				if ok && (snap.Record.Generation != generation-1 || snap.Record.Confirmed != parent) {
					s.Errorf("generation %d: the snapshot of what was confirmed is %+v", generation, snap.Record)
				}
				return ok, err
			})
			if err != nil {
				s.Errorf("generation %d: %v", generation, err)
			}
			if ok {
				won.Add(1)
				winner.Store(int32(i))
			}
		})
		row := s.row(id)
		if won.Load() != 1 || row.Generation != generation || row.Confirmed != rivals[winner.Load()].Digest || row.Previous != parent {
			s.Fatalf("generation %d: %d winners, row %+v", generation, won.Load(), row)
		}
		parent = row.Confirmed
	}
}

func (s *suite) oneStepLogoutRace() {
	oneStep := s.oneStep()
	for range 10 {
		id, first := s.login(s.Alice)
		p := s.next(id, first)
		var revoked atomic.Bool
		together(2, func(i int) {
			if i == 0 {
				if ok, err := s.Store.Revoke(s.ctx(), id, "", store.ReasonLogout); !ok || err != nil {
					s.Errorf("Revoke: got %t, %v; want true, nil", ok, err)
				}
				revoked.Store(true)
				return
			}
			late := revoked.Load()
			_, ok, err := oneStep.FindAndConfirm(s.ctx(), p)
			if err != nil || ok && late {
				s.Errorf("got %t, %v after Revoke: %t", ok, err, late)
			}
		})
		if row := s.row(id); row.RevokedAt.IsZero() {
			s.Fatalf("the session is live after Revoke: %+v", row)
		}
		if _, ok, err := oneStep.FindAndConfirm(s.ctx(), s.next(id, first)); ok || err != nil {
			s.Fatalf("after Revoke: got %t, %v; want false, nil", ok, err)
		}
	}
}
