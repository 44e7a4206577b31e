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
	previous   uint8 // 0: none that a party holds or that a held ticket was minted for
	age        uint8 // in ticks since confirmed was
	late       uint8 // one more than the ticks since the last late presentation; 0: none
	before     uint8 // the same of the one before
}

type searchPhase uint8

const (
	searchIdle       searchPhase = iota
	searchAsked                  // on its way to the SELECT
	searchConfirming             // judged next or ahead, on its way to the UPDATE
	searchRecording              // judged late, on its way to the UPDATE
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
	searchUnnoticed                           // the victim refreshed after two visits of a thief
)

func (f searchFault) String() string {
	switch {
	case f&searchFalseLogout != 0:
		return "an honest user is logged out"
	case f&searchBothPast != 0:
		return "thief and victim both got past one refresh"
	case f&searchBothLive != 0:
		return "one got past a refresh, and the other still holds a good ticket"
	case f&searchUnnoticed != 0:
		return "the victim refreshed after two visits of a thief, and nothing was noticed"
	}
	return "nothing"
}

type searchState struct {
	row   searchRow
	older [searchOlder]searchRow // the newest first

	// The browser's refresh cookies by the parity of their generation, and those that it
	// has after a crash.
	jar, disk [2]searchTicket
	access    uint8 // ticks until the access cookie runs out
	unsaved   uint8 // one more than the ticks since jar and disk differ; 0: they do not
	delays    uint8 // how many answers may still arrive very late

	loot     [searchLoot]searchTicket
	requests [searchRequests]searchRequest // the browser's, then the thief's

	stolen bool

	// What a thief did since the victim's last answer was minted. He counts as here once
	// that is more than two access lifetimes ago.
	answered uint8 // ticks since that answer
	visit    uint8 // one more than the ticks since his first visit; 0: none
	twice    bool  // there was another one, more than an access lifetime later

	past      uint8 // the parties that had a ticket of their own accepted
	revoked   bool
	crashes   uint8 // how many may still happen
	failovers uint8
	fault     searchFault
}

// tickets calls yield with every ticket that a party holds.
func (s *searchState) tickets(yield func(*searchTicket)) {
	for _, t := range []*searchTicket{&s.jar[0], &s.jar[1], &s.disk[0], &s.disk[1], &s.loot[0], &s.loot[1],
		&s.requests[0].ticket, &s.requests[1].ticket, &s.requests[2].ticket, &s.requests[3].ticket} {
		if t.id != 0 {
			yield(t)
		}
	}
}

// presents returns the ticket that counts of a browser's two: the one of the higher
// generation.
func presents(jar [2]searchTicket) searchTicket {
	if jar[1].id == 0 || jar[0].id != 0 && jar[0].generation > jar[1].generation {
		return jar[0]
	}
	return jar[1]
}

func (s *searchState) rows() []*searchRow {
	return []*searchRow{&s.row, &s.older[0], &s.older[1]}
}

// canonical converts states that judge cannot distinguish, after any order of steps,
// into one form:
//   - generations count from the oldest visible row, whose number is 2 or 3, as its
//     parity is,
//   - ids are numbered in the order of their appearance,
//   - an id that no party can present is forgotten,
//   - ages beyond every window are one age, and of a ticket and a late presentation it
//     only counts whether more than an access lifetime lies between,
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
	shift := 2 + base%2 - base
	s.dropLower(w)
	s.canonicalAges(w)
	for _, r := range s.rows() {
		if r.generation != 0 {
			r.generation += shift
		}
	}
	var held uint32 // one bit for each name that a party could still present, and of its parent
	s.tickets(func(t *searchTicket) {
		if t.generation+1 < base { // older than every row, and than every other ticket
			*t = searchTicket{id: searchDead, generation: t.generation % 2}
			return
		}
		t.generation += shift
		if t.id == searchDead || s.dead(w, *t) {
			*t = searchTicket{id: searchDead, generation: t.generation} // those of a jar keep their order
			return
		}
		held |= 1<<t.id | 1<<t.parent
	})
	for i := range s.loot {
		if s.loot[i].id == searchDead {
			s.loot[i] = searchTicket{}
		}
	}
	for i := range s.requests {
		if r := &s.requests[i]; r.ticket.id == searchDead && (r.phase != searchAnswered || i >= w.parallel) {
			r.ticket.generation = 0
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

// dropLower forgets the lower ticket of a jar if it can no longer count: if no request
// in flight brings an answer that replaces the higher one by a ticket below it.
func (s *searchState) dropLower(w *searchWorld) {
	next := presents(s.jar).generation + 1
	for _, jar := range []*[2]searchTicket{&s.jar, &s.disk} {
		higher := presents(*jar)
		lower := &jar[1-higher.generation%2]
		if w.oneName || lower.id == 0 {
			continue
		}
		replaces := func(child uint8) bool { return child < higher.generation && child%2 == higher.generation%2 }
		counts := jar == &s.disk && replaces(next)
		for _, r := range s.requests[:w.parallel] {
			switch r.phase {
			case searchAsked, searchConfirming, searchRecording:
				counts = counts || replaces(r.ticket.generation+1)
			case searchAnswered:
				counts = counts || replaces(r.ticket.generation)
			}
		}
		if !counts {
			*lower = searchTicket{}
		}
	}
}

// canonicalAges shortens ages. A late presentation matters when it is young, and by the
// tickets that were issued more than an access lifetime before it.
func (s *searchState) canonicalAges(w *searchWorld) {
	if w.access == 0 { // ages are any, and any ticket may have been presented late
		s.tickets(func(t *searchTicket) { t.age = min(t.age, w.ticketAge) })
		s.answered, s.visit, s.twice = 0, 0, false
		return
	}
	limit := w.access
	if w.noAgeLimit {
		limit = 0
	}
	superseded := func(t *searchTicket, late uint8) bool { return late != 0 && t.age > late-1+limit }
	var lates []uint8
	var held uint32
	s.tickets(func(t *searchTicket) { held |= 1 << t.id })
	for _, r := range s.rows() {
		if r.generation == 0 {
			continue
		}
		late, before := false, false
		s.tickets(func(t *searchTicket) {
			if t.parent == r.confirmed && t.id != searchDead {
				late, before = late || superseded(t, r.late), before || superseded(t, r.before)
			}
		})
		if held&(1<<r.confirmed) == 0 { // it cannot be presented late
			r.late, r.age = 0, min(r.age, w.graceAge)
		}
		if !before {
			r.before = 0
		}
		if !late {
			r.late = min(r.late, w.rowAge+1)
		}
		r.age = min(r.age, w.rowAge)
		for _, l := range []uint8{r.late, r.before} {
			if l != 0 && !slices.Contains(lates, l) {
				lates = append(lates, l)
			}
		}
	}
	slices.Sort(lates)
	short, last := map[uint8]uint8{}, uint8(0)
	for _, l := range lates {
		last = max(min(l, w.rowAge+1), last+1)
		short[l] = last
	}
	s.tickets(func(t *searchTicket) {
		age := min(t.age, w.youngAge)
		if held&(1<<t.parent) != 0 { // it can be presented late
			age = min(t.age, w.ticketAge)
		}
		for _, l := range lates {
			if superseded(t, l) {
				age = short[l] - 1 + limit + 1
			}
		}
		t.age = age
	})
	for _, r := range s.rows() {
		r.late, r.before = short[r.late], short[r.before]
	}
	if w.thief == 0 {
		s.answered = 0
	}
	s.answered, s.visit = min(s.answered, w.after+1), min(s.visit, w.access+2)
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
	for i := range 2 {
		ticket(&s.jar[i])
		ticket(&s.disk[i])
	}

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
