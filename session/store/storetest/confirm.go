package storetest

import "github.com/sessionkit/sessionkit/session/store"

var confirmClauses = []clause{
	{"Confirm moves Confirmed to Previous and changes nothing of the login", (*suite).confirmMoves},
	{"Confirm moves ConfirmedAt", (*suite).confirmMovesConfirmedAt},
	{"Confirm extends the time that the row is kept", (*suite).confirmKeeps},
	{"Confirm accepts a child of the confirmed ticket, and any later ticket", (*suite).confirmTakes},
	{"Confirm does not change the row for any other ticket", (*suite).confirmLeaves},
}

func (s *suite) confirmMoves() {
	id, parent := s.login(s.Alice)
	want := *s.row(id)
	for generation := uint64(1); generation <= 3; generation++ {
		s.tick()
		c := child(id, generation, parent)
		s.did(true)(s.Store.Confirm(s.ctx(), c))
		row := s.row(id)
		want.Generation, want.Confirmed, want.Previous, want.ConfirmedAt = generation, c.Digest, parent, row.ConfirmedAt
		s.holds("after Confirm", row, want)
		parent = c.Digest
	}
}

func (s *suite) confirmMovesConfirmedAt() {
	id, first := s.login(s.Alice)
	from := s.tick()
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	snap := s.find(id)
	s.between("ConfirmedAt", snap.Record.ConfirmedAt, from, snap.Now)
}

// Create keeps the row for a moment and Confirm for hours, so it must not be removed.
func (s *suite) confirmKeeps() {
	id, first := s.loginFor(s.Alice, lifetime, moment)
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	s.outlive()
	if n, err := s.Store.Prune(s.ctx(), 10); n != 0 || err != nil {
		s.Errorf("Prune removed %d rows, %v; want 0", n, err)
	}
	s.row(id)
	if list, err := s.Store.List(s.ctx(), s.Alice, store.ID{}, anyNumber); len(list) != 1 || err != nil {
		s.Errorf("listed %d sessions, %v; want 1", len(list), err)
	}
}

func (s *suite) confirmTakes() {
	for name, ticket := range map[string]func(id store.ID, confirmed store.Digest) store.PresentedTicket{
		"a child of the confirmed ticket": func(id store.ID, confirmed store.Digest) store.PresentedTicket {
			return child(id, 2, confirmed)
		},
		"two generations later, of an unknown parent": func(id store.ID, _ store.Digest) store.PresentedTicket {
			return child(id, 3, random[store.Digest]())
		},
		"two generations later, of the confirmed ticket": func(id store.ID, confirmed store.Digest) store.PresentedTicket {
			return child(id, 3, confirmed)
		},
		"many generations later": func(id store.ID, _ store.Digest) store.PresentedTicket {
			return child(id, 1<<40, random[store.Digest]())
		},
	} {
		id, first := s.login(s.Alice)
		c := child(id, 1, first)
		s.did(true)(s.Store.Confirm(s.ctx(), c))
		p := ticket(id, c.Digest)
		if ok, err := s.Store.Confirm(s.ctx(), p); !ok || err != nil {
			s.Errorf("%s: got %v, %v; want true, nil", name, ok, err)
		}
		if row := s.row(id); row.Generation != p.Generation || row.Confirmed != p.Digest || row.Previous != c.Digest {
			s.Errorf("%s: row = %+v", name, row)
		}
		s.did(true)(s.Store.Confirm(s.ctx(), child(id, p.Generation+1, p.Digest)))
	}
}

func (s *suite) confirmLeaves() {
	id, first := s.login(s.Alice)
	c := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c))
	want := *s.row(id)
	s.tick()
	for name, p := range map[string]store.PresentedTicket{
		"the login's ticket":                     {ID: id, Generation: 0, Digest: first, RetainFor: keepFor},
		"the confirmed one":                      c,
		"a sibling of the confirmed":             child(id, 1, first),
		"a child of the confirmed, numbered low": child(id, 1, c.Digest),
		"a child of the superseded":              child(id, 2, first),
		"a child of an unknown ticket":           child(id, 2, random[store.Digest]()),
		"another session's":                      child(random[store.ID](), 2, c.Digest),
	} {
		if ok, err := s.Store.Confirm(s.ctx(), p); ok || err != nil {
			s.Errorf("%s: got %v, %v; want false, nil", name, ok, err)
		}
		s.holds(name, s.row(id), want)
	}
}
