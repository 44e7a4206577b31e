package storetest

import "github.com/sessionkit/sessionkit/session/store"

var reuseClauses = []clause{
	{"RevokeReused spares the confirmed ticket and those that Confirm accepts", (*suite).reuseSpares},
	{"RevokeReused revokes the session of every other ticket", (*suite).reuseRevokes},
}

func (s *suite) reuseSpares() {
	id, first := s.login(s.Alice)
	spares := func(tickets map[string]store.PresentedTicket) {
		s.Helper()
		want := *s.row(id)
		for name, p := range tickets {
			if ok, err := s.Store.RevokeReused(s.ctx(), p); ok || err != nil {
				s.Errorf("%s: got %v, %v; want false, nil", name, ok, err)
			}
			s.holds(name, s.row(id), want)
		}
	}
	spares(map[string]store.PresentedTicket{
		"the login's ticket":           {ID: id, Digest: first},
		"a child of the login's":       child(id, 1, first),
		"one further than the login's": child(id, 2, random[store.Digest]()),
	})
	c := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c))
	spares(map[string]store.PresentedTicket{
		"the confirmed one":                        c,
		"a child of the confirmed":                 child(id, 2, c.Digest),
		"one further along, of an unknown parent":  child(id, 3, random[store.Digest]()),
		"one further along, of the superseded one": child(id, 3, first),
		"a superseded one of an unknown session":   {ID: random[store.ID](), Digest: first},
	})
}

func (s *suite) reuseRevokes() {
	type tickets struct{ first, confirmed store.Digest }
	for name, superseded := range map[string]func(id store.ID, t tickets) store.PresentedTicket{
		"the previous one": func(id store.ID, t tickets) store.PresentedTicket {
			return store.PresentedTicket{ID: id, Digest: t.first}
		},
		"an unknown one of the login's generation": func(id store.ID, _ tickets) store.PresentedTicket {
			return store.PresentedTicket{ID: id, Digest: random[store.Digest]()}
		},
		"a sibling of the confirmed": func(id store.ID, t tickets) store.PresentedTicket { return child(id, 1, t.first) },
		"a child of the superseded":  func(id store.ID, t tickets) store.PresentedTicket { return child(id, 2, t.first) },
		"a child of an unknown one": func(id store.ID, _ tickets) store.PresentedTicket {
			return child(id, 2, random[store.Digest]())
		},
		"a child of the confirmed, numbered low": func(id store.ID, t tickets) store.PresentedTicket { return child(id, 1, t.confirmed) },
		"the confirmed digest, numbered low": func(id store.ID, t tickets) store.PresentedTicket {
			return store.PresentedTicket{ID: id, Generation: 0, Digest: t.confirmed}
		},
		"the confirmed digest, numbered high": func(id store.ID, t tickets) store.PresentedTicket {
			return store.PresentedTicket{ID: id, Generation: 2, Digest: t.confirmed, Parent: t.first}
		},
	} {
		id, first := s.login(s.Alice)
		other, _ := s.login(s.Alice)
		c := child(id, 1, first)
		s.did(true)(s.Store.Confirm(s.ctx(), c))
		want, untouched := *s.row(id), *s.row(other)
		from := s.tick()
		p := superseded(id, tickets{first, c.Digest})
		if ok, err := s.Store.RevokeReused(s.ctx(), p); !ok || err != nil {
			s.Errorf("%s: got %v, %v; want true, nil", name, ok, err)
		}
		s.did(false)(s.Store.RevokeReused(s.ctx(), p))
		snap := s.find(id)
		s.between(name+": RevokedAt", snap.Record.RevokedAt, from, snap.Now)
		want.RevokedAt, want.Reason = snap.Record.RevokedAt, store.ReasonReuse
		s.holds(name, snap.Record, want)
		s.holds(name+": the user's other session", s.row(other), untouched)
	}
}
