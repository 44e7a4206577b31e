package storetest

import (
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var lateClauses = []clause{
	{"RecordLate moves LateAt to LateBefore and changes nothing else", (*suite).lateMoves},
	{"RecordLate does not change the row for any other ticket", (*suite).lateLeaves},
	{"RecordLate counts from the confirmation and from the last late presentation", (*suite).lateCounts},
	{"Confirm clears both late presentations", (*suite).lateIsCleared},
	{"A child is reuse if its parent was presented late twice after SupersededAfter", (*suite).lateSupersedes},
	{"A ticket is reuse if the row is below Lowest", (*suite).lowest},
}

func (s *suite) lateMoves() {
	id, first := s.login(s.Alice)
	want := *s.row(id)
	for range 3 {
		from := s.tick()
		s.did(true)(s.Store.RecordLate(s.ctx(), store.PresentedTicket{ID: id, Digest: first}))
		snap := s.find(id)
		s.between("LateAt", snap.Record.LateAt, from, snap.Now)
		want.LateBefore, want.LateAt = want.LateAt, snap.Record.LateAt
		s.holds("after RecordLate", snap.Record, want)
		s.tick()
	}
}

func (s *suite) lateLeaves() {
	id, first := s.login(s.Alice)
	c := child(id, 1, first)
	s.did(true)(s.Store.Confirm(s.ctx(), c))
	want := *s.row(id)
	s.outlive()
	for name, p := range map[string]store.PresentedTicket{
		"the previous one":              {ID: id, Digest: first},
		"the confirmed, numbered low":   {ID: id, Digest: c.Digest},
		"the confirmed, numbered high":  {ID: id, Generation: 2, Digest: c.Digest},
		"a child":                       child(id, 2, c.Digest),
		"an unknown one":                {ID: id, Generation: 1, Digest: random[store.Digest]()},
		"the confirmed, a moment later": {ID: id, Generation: 1, Digest: c.Digest, LateAfter: time.Hour},
		"an unknown session's":          {ID: random[store.ID](), Generation: 1, Digest: c.Digest},
	} {
		if ok, err := s.Store.RecordLate(s.ctx(), p); ok || err != nil {
			s.Errorf("%s: got %v, %v; want false, nil", name, ok, err)
		}
		s.holds(name, s.row(id), want)
	}
	s.did(true)(s.Store.Revoke(s.ctx(), id, "", store.ReasonLogout))
	s.did(false)(s.Store.RecordLate(s.ctx(), store.PresentedTicket{ID: id, Generation: 1, Digest: c.Digest}))
}

func (s *suite) lateCounts() {
	id, first := s.login(s.Alice)
	s.outlive()
	p := store.PresentedTicket{ID: id, Digest: first}
	s.did(true)(s.Store.RecordLate(s.ctx(), p))
	row := s.row(id)
	s.tick()
	p.LateAfter = row.LateAt.Sub(row.ConfirmedAt) // less has passed since LateAt
	for s.now().Sub(row.LateAt) <= p.LateAfter {
		if ok, err := s.Store.RecordLate(s.ctx(), p); ok && s.now().Sub(row.LateAt) <= p.LateAfter || err != nil {
			s.Fatalf("recorded too soon after the last one: %v, %v", ok, err)
		} else if ok {
			return
		}
	}
	s.did(true)(s.Store.RecordLate(s.ctx(), p))
}

func (s *suite) lateIsCleared() {
	id, first := s.login(s.Alice)
	for range 2 {
		s.tick()
		s.did(true)(s.Store.RecordLate(s.ctx(), store.PresentedTicket{ID: id, Digest: first}))
	}
	p := child(id, 1, first)
	p.SupersededAfter = s.tick()
	s.did(true)(s.Store.Confirm(s.ctx(), p))
	if row := s.row(id); !row.LateAt.IsZero() || !row.LateBefore.IsZero() {
		s.Errorf("after Confirm: late at %v and %v; want neither", row.LateAt, row.LateBefore)
	}
}

func (s *suite) lateSupersedes() {
	id, first := s.login(s.Alice)
	parent := store.PresentedTicket{ID: id, Digest: first}
	for range 2 {
		s.tick()
		s.did(true)(s.Store.RecordLate(s.ctx(), parent))
	}
	row := s.row(id)
	s.did(false)(s.Store.RevokeReused(s.ctx(), parent))

	good := child(id, 1, first)
	good.SupersededAfter = row.LateBefore
	s.did(false)(s.Store.RevokeReused(s.ctx(), good))

	superseded := good
	superseded.SupersededAfter = row.LateBefore.Add(-time.Microsecond)
	s.did(false)(s.Store.Confirm(s.ctx(), superseded))
	s.holds("after a superseded child", s.row(id), *row)
	s.did(true)(s.Store.RevokeReused(s.ctx(), superseded))

	id, first = s.login(s.Alice)
	s.tick()
	s.did(true)(s.Store.RecordLate(s.ctx(), store.PresentedTicket{ID: id, Digest: first}))
	once := child(id, 1, first)
	once.SupersededAfter = s.row(id).CreatedAt
	s.did(false)(s.Store.RevokeReused(s.ctx(), once))
	s.did(true)(s.Store.Confirm(s.ctx(), once))
}

func (s *suite) lowest() {
	id, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
	far := child(id, 9, random[store.Digest]())
	far.Lowest = 2
	s.did(false)(s.Store.Confirm(s.ctx(), far))
	near := far
	near.Lowest = 1
	s.did(false)(s.Store.RevokeReused(s.ctx(), near))
	other, first := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(other, 1, first)))
	far.ID, near.ID = id, other
	s.did(true)(s.Store.RevokeReused(s.ctx(), far))
	s.did(true)(s.Store.Confirm(s.ctx(), near))
}
