package session

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// searchOracle asks the project's own decision function, and the store's own
// conditions. It turns the small numbers of a searchRow and a searchTicket into a
// real Snapshot and a real refreshTicket, and remembers the answers, since all
// three are pure functions.
type searchOracle struct {
	t      *testing.T
	decide func(Snapshot, refreshTicket) class
	where  func(*Record, Presented) bool
	tick   time.Duration

	// From these ages on, all ages are one to judge.
	ticketAge uint8
	rowAge    uint8

	answers map[searchQuestion]searchAnswer
}

type searchQuestion struct {
	row    searchRow
	ticket searchTicket
}

type searchAnswer struct {
	class      class
	takes      bool // what Confirm does
	supersedes bool // what RevokeReused does
}

// ask holds a ticket against a row. Each question is put several times over,
// with other names, higher generations and greater ages where those must not
// matter: what canonical makes equal, judge must not tell apart.
func (o *searchOracle) ask(r searchRow, t searchTicket) searchAnswer {
	t.own = false // judge never sees whose it is
	q := searchQuestion{r, t}
	if a, ok := o.answers[q]; ok {
		return a
	}
	snap, real := o.real(q, 0, 0)
	p := Presented{Generation: real.generation, Digest: real.digest(), Parent: real.parentDigest()}
	a := searchAnswer{o.decide(snap, real), o.where(snap.Record, p), snap.Record.Supersedes(p)}

	later := q
	if q.row.age >= o.rowAge {
		later.row.age += 100
	}
	if q.ticket.age >= o.ticketAge {
		later.ticket.age += 100
	}
	if o.decide(o.real(later, 0, 0)) != a.class || o.decide(o.real(q, 1000, 77)) != a.class {
		o.t.Fatalf("judge tells apart what the search takes for one: %+v", q)
	}
	o.answers[q] = a
	return a
}

// good says whether a ticket will be accepted at this row, once it is old enough.
func (o *searchOracle) good(r searchRow, t searchTicket) bool {
	if t.id == 0 {
		return false
	}
	t.age = o.ticketAge
	switch o.ask(r, t).class {
	case classSame, classNext, classAhead:
		return true
	}
	return false
}

// real makes what judge gets. The lowest generation becomes the given one, so
// that 0, the login's, is judged wherever it can occur.
func (o *searchOracle) real(q searchQuestion, lowest uint64, salt uint64) (Snapshot, refreshTicket) {
	var (
		now    = time.UnixMilli(1_800_000_000_000)
		ends   = now.Add(12 * time.Hour)
		before = min(q.row.generation, q.ticket.generation)
		id     = func(name uint8) (b [16]byte) {
			binary.BigEndian.PutUint64(b[:], uint64(name)+salt<<32)
			return b
		}
		digest   = func(name uint8) Digest { return refreshTicket{id: id(name)}.digest() }
		previous = Digest{}
	)
	if q.row.previous != 0 {
		previous = digest(q.row.previous)
	}
	return Snapshot{Now: now, Record: &Record{
			Generation:  lowest + uint64(q.row.generation-before),
			Confirmed:   digest(q.row.confirmed),
			Previous:    previous,
			ConfirmedAt: now.Add(-time.Duration(q.row.age) * o.tick),
			EndsAt:      ends,
		}}, refreshTicket{
			generation: lowest + uint64(q.ticket.generation-before),
			id:         id(q.ticket.id),
			parent:     id(q.ticket.parent), // 0 is nobody's id
			issued:     now.Add(-time.Duration(q.ticket.age) * o.tick),
			expires:    ends,
		}
}

const searchLifetime = 2 * time.Minute // the default

var searchRules = rulesFor(searchLifetime)

// newSearchOracle says how the world's ticks map to time: access is how many of
// them an access cookie lives. Zero means that the world has no clock, and two
// ages only, 0 and beyond.
func newSearchOracle(t *testing.T, access uint8, judge func(Snapshot, refreshTicket) class, takes func(*Record, Presented) bool) *searchOracle {
	o := &searchOracle{
		t: t, decide: judge, where: takes,
		tick: searchLifetime, ticketAge: 1, rowAge: 1,
		answers: map[searchQuestion]searchAnswer{},
	}
	if access > 0 {
		o.tick = searchLifetime / time.Duration(access)
		o.ticketAge = uint8(math.Ceil(float64(searchRules.young) / float64(o.tick)))
		o.rowAge = uint8(searchRules.straggler/o.tick) + 1
	}
	return o
}
