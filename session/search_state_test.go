package session

import (
	"cmp"
	"slices"
)

// The state search explores every run of a small world: one session, one browser, a
// database, and perhaps a thief. This file contains the world's state and its canonical
// form. search_world_test.go contains its steps. Only judge decides about a presented
// ticket (search_oracle_test.go).

// searchTicket is a refresh ticket with small numbers for names.
type searchTicket struct {
	id         uint8 // 0: no ticket
	parent     uint8 // 0: a ticket that no party holds and the row does not know
	generation uint8
	age        uint8 // in ticks since it was issued
	own        bool  // after a theft: it was issued to its present holder only
}

// searchDead is the name of every ticket that will always be judged as reuse.
const searchDead = 31

// searchRow is the session's row in the database.
type searchRow struct {
	generation uint8 // 0: no row
	confirmed  uint8
	previous   uint8 // 0: none that a party holds
	age        uint8 // in ticks since confirmed was
}

type searchPhase uint8

const (
	searchIdle       searchPhase = iota
	searchAsked                  // on its way to the SELECT
	searchConfirming             // judged next or ahead, on its way to the UPDATE
	searchRevoking               // judged reuse, on its way to the UPDATE
	searchAnswered               // on its way back, with both cookies
	searchServed                 // on its way back, with an access cookie only
)

// searchRequest is one request in flight.
type searchRequest struct {
	phase  searchPhase
	asked  uint8        // ticks from the browser to the last SELECT
	age    uint8        // ticks in this phase; since the SELECT, after it
	ticket searchTicket // the one presented; in an answer, the child
}

const (
	searchLoot     = 2 // tickets that a thief keeps
	searchRequests = 4 // of the browser and the thief together
	searchOlder    = 2 // versions of the row that a stale node may still show
)

// The holders of a ticket, as bits.
const (
	searchVictim uint8 = 1 << iota
	searchThief
)

// searchFault is a set of faults: events that must not happen.
type searchFault uint8

const (
	searchFalseLogout searchFault = 1 << iota // an honest browser is refused
	searchBothPast                            // victim and thief had tickets of their own accepted
	searchBothLive                            // one had, and the other holds a ticket that is still good
)

func (f searchFault) String() string {
	switch {
	case f&searchFalseLogout != 0:
		return "an honest user is logged out"
	case f&searchBothPast != 0:
		return "thief and victim both got past one refresh"
	case f&searchBothLive != 0:
		return "one got past a refresh, and the other still holds a good ticket"
	}
	return "nothing"
}

type searchState struct {
	row   searchRow
	older [searchOlder]searchRow // the newest first

	jar, disk searchTicket // the ticket that the browser sends, and the one that it has after a crash
	access    uint8        // ticks until the access cookie runs out
	unsaved   uint8        // one more than the ticks since jar and disk differ; 0: they do not

	loot     [searchLoot]searchTicket
	requests [searchRequests]searchRequest // the browser's, then the thief's

	stolen    bool
	past      uint8 // the parties that had a ticket of their own accepted
	revoked   bool
	crashes   uint8 // how many may still happen
	failovers uint8
	fault     searchFault
}

// tickets calls yield with every ticket that a party holds.
func (s *searchState) tickets(yield func(*searchTicket)) {
	for _, t := range []*searchTicket{&s.jar, &s.disk, &s.loot[0], &s.loot[1],
		&s.requests[0].ticket, &s.requests[1].ticket, &s.requests[2].ticket, &s.requests[3].ticket} {
		if t.id != 0 {
			yield(t)
		}
	}
}

func (s *searchState) rows() []*searchRow {
	return []*searchRow{&s.row, &s.older[0], &s.older[1]}
}

// canonical converts states that judge cannot distinguish, after any order of steps,
// into one form:
//   - generations count from the oldest visible row, whose number is 2,
//   - ids are numbered in the order of their appearance,
//   - an id that no party can present is forgotten,
//   - ages beyond every window are one age,
//   - a ticket that will always be reuse is dead, whatever else it was; a thief can use
//     it only to end the session,
//   - requests of one party, and the tickets of a thief, have no order.
//
// The oracle checks that judge does not depend on them: shifted generations, renamed
// ids and greater ages must not change its answers.
func (s *searchState) canonical(w *searchWorld) {
	if s.revoked || s.fault != 0 {
		*s = searchState{revoked: s.revoked, fault: s.fault} // a final state
		return
	}
	base := s.row.generation
	for _, r := range s.rows() {
		if r.generation != 0 {
			base = min(base, r.generation)
		}
	}
	for _, r := range s.rows() {
		if r.generation != 0 {
			r.generation += 2 - base
			r.age = min(r.age, w.rowAge)
		}
	}
	var held uint32 // one bit for each name that a party could still present
	s.tickets(func(t *searchTicket) {
		if t.id == searchDead || t.generation+1 < base {
			*t = searchTicket{id: searchDead}
			return
		}
		t.generation += 2 - base
		t.age = min(t.age, w.ticketAge)
		if s.dead(w, *t) {
			*t = searchTicket{id: searchDead}
			return
		}
		held |= 1 << t.id
	})
	for i := range s.loot {
		if s.loot[i].id == searchDead {
			s.loot[i] = searchTicket{}
		}
	}
	known := held
	for _, r := range s.rows() {
		if r.generation == 0 {
			continue
		}
		known |= 1 << r.confirmed
		if held&(1<<r.previous) == 0 {
			r.previous, r.age = 0, w.rowAge
		}
	}
	s.tickets(func(t *searchTicket) {
		if known&(1<<t.parent) == 0 {
			t.parent = 0
		}
	})
	s.rename(w)
}

// dead reports whether a ticket is and stays reuse: no visible row is behind it, no row
// knows it, and rows only move forward. judge must agree.
func (s *searchState) dead(w *searchWorld, t searchTicket) bool {
	for _, r := range s.rows() {
		if r.generation == 0 {
			continue
		}
		if t.generation > r.generation || t.id == r.confirmed ||
			t.id == r.previous && t.generation+1 == r.generation || w.ask(*r, t).class != classReuse {
			return false
		}
	}
	return true
}

// rename numbers the ids in the order of their appearance.
func (s *searchState) rename(w *searchWorld) {
	var names [searchDead + 1]uint8
	names[searchDead] = searchDead
	next := uint8(1)
	name := func(id *uint8) {
		if *id != 0 && names[*id] == 0 {
			names[*id] = next
			next++
		}
		*id = names[*id]
	}
	ticket := func(t *searchTicket) {
		name(&t.id)
		name(&t.parent)
	}
	for _, r := range s.rows() {
		name(&r.confirmed)
		name(&r.previous)
	}
	ticket(&s.jar)
	ticket(&s.disk)

	// A name without a number sorts last. The order among these does not matter: at
	// most, a state is counted twice.
	order := func(t searchTicket) uint32 {
		given := func(id uint8) uint32 {
			if id != 0 && names[id] == 0 {
				return searchDead - 1
			}
			return uint32(names[id])
		}
		o := uint32(t.generation)<<20 | uint32(t.age)<<12 | given(t.id)<<6 | given(t.parent)<<1
		if t.own {
			o |= 1
		}
		return o
	}
	slices.SortFunc(s.loot[:], func(a, b searchTicket) int { return cmp.Compare(order(a), order(b)) })
	for i := range s.loot {
		ticket(&s.loot[i])
	}
	for _, group := range [][]searchRequest{s.requests[:w.parallel], s.requests[w.parallel : w.parallel+w.thief]} {
		slices.SortFunc(group, func(a, b searchRequest) int {
			return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.age, b.age), cmp.Compare(a.asked, b.asked),
				cmp.Compare(order(a.ticket), order(b.ticket)))
		})
		for i := range group {
			ticket(&group[i].ticket)
		}
	}
}
