package session

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// searchOracle calls the real judge and the real conditions of the store. It converts
// the small numbers of a searchRow and a searchTicket into a store.Snapshot and a
// refreshTicket. It caches the answers, because all three are pure functions.
type searchOracle struct {
	t      *testing.T
	decide func(store.Snapshot, refreshTicket) class
	where  func(*store.Record, store.PresentedTicket) bool
	tick   time.Duration

	// From these ages on, judge treats all ages alike.
	ticketAge uint8
	rowAge    uint8

	// From these ages on, nothing but the late presentations depends on the age.
	youngAge uint8
	graceAge uint8

	answers map[searchQuestion]searchAnswer
}

type searchQuestion struct {
	row    searchRow
	ticket searchTicket
}

type searchAnswer struct {
	class      class
	takes      bool // what Confirm does
	late       bool // what RecordLate does
	supersedes bool // what RevokeReused does
}

// ask judges a ticket against a row. It asks each question several times, with other
// names, higher generations and greater ages where they must not matter: judge must not
// distinguish what canonical makes equal.
func (o *searchOracle) ask(r searchRow, t searchTicket) searchAnswer {
	t.own = false // judge does not know whose it is
	q := searchQuestion{r, t}
	if a, ok := o.answers[q]; ok {
		return a
	}
	snap, real := o.real(q, 0, 0)
	p := searchRules.presented(snap, real)
	a := searchAnswer{o.decide(snap, real), o.where(snap.Record, p), snap.Record.IsLate(p, snap.Now), snap.Record.IsReuse(p)}

	later := q
	if q.row.age >= o.rowAge {
		later.row.age += 100
	}
	beyond := func(late uint8) bool { return late == 0 || q.ticket.age >= late+o.ticketAge-1 }
	if q.ticket.age >= o.ticketAge && beyond(q.row.late) && beyond(q.row.before) {
		later.ticket.age += 100
	}
	if o.decide(o.real(later, 0, 0)) != a.class || o.decide(o.real(q, 1000, 77)) != a.class {
		o.t.Fatalf("judge tells apart what the search takes for one: %+v", q)
	}
	o.answers[q] = a
	return a
}

// good reports whether the row accepts a ticket once the ticket is old enough.
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

// real returns the arguments of judge. The lowest generation becomes the given one, so
// that generation 0, that of a login, is judged wherever it can occur.
func (o *searchOracle) real(q searchQuestion, lowest uint64, salt uint64) (store.Snapshot, refreshTicket) {
	var (
		now    = time.UnixMilli(1_800_000_000_000)
		ends   = now.Add(12 * time.Hour)
		before = min(q.row.generation, q.ticket.generation)
		id     = func(name uint8) (b [16]byte) {
			binary.BigEndian.PutUint64(b[:], uint64(name)+salt<<32)
			return b
		}
		digest   = func(name uint8) store.Digest { return refreshTicket{id: id(name)}.digest() }
		previous = store.Digest{}
	)
	late := func(ticks uint8) time.Time {
		if ticks == 0 {
			return time.Time{}
		}
		return now.Add(-time.Duration(ticks-1) * o.tick)
	}
	if q.row.previous != 0 {
		previous = digest(q.row.previous)
	}
	return store.Snapshot{Now: now, Record: &store.Record{
			Generation:  lowest + uint64(q.row.generation-before),
			Confirmed:   digest(q.row.confirmed),
			Previous:    previous,
			ConfirmedAt: now.Add(-time.Duration(q.row.age) * o.tick),
			LateAt:      late(q.row.late),
			LateBefore:  late(q.row.before),
			EndsAt:      ends,
		}}, refreshTicket{
			generation: lowest + uint64(q.ticket.generation-before),
			id:         id(q.ticket.id),
			parent:     id(q.ticket.parent), // 0 means no ticket
			issued:     now.Add(-time.Duration(q.ticket.age) * o.tick),
			expires:    ends,
		}
}

const searchLifetime = 2 * time.Minute // the default

var searchRules = windowsFor(searchLifetime)

// newSearchOracle maps the world's ticks to time: access is the lifetime of an access
// cookie in ticks. Zero means a world without a clock, with only two ages: 0 and beyond
// all windows.
func newSearchOracle(t *testing.T, access uint8, judge func(store.Snapshot, refreshTicket) class, takes func(*store.Record, store.PresentedTicket) bool) *searchOracle {
	o := &searchOracle{
		t: t, decide: judge, where: takes,
		tick: searchLifetime, ticketAge: 2, rowAge: 2, youngAge: 2, graceAge: 2,
		answers: map[searchQuestion]searchAnswer{},
	}
	if access > 0 {
		o.tick = searchLifetime / time.Duration(access)
		o.ticketAge, o.rowAge = access+1, access+1 // the longest window is late
		o.youngAge = uint8(math.Ceil(float64(searchRules.young) / float64(o.tick)))
		o.graceAge = uint8(searchRules.grace/o.tick) + 1
	}
	return o
}
