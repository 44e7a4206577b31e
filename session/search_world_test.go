package session

import "github.com/sessionkit/sessionkit/session/store"

// searchWorld contains the rules of a world, except for the decision: the steps of the
// browser, the network, the database's nodes and the thief.
type searchWorld struct {
	*searchOracle

	delays   uint8 // how many answers may arrive later than answer says
	delayed  uint8 // ticks until such an answer arrives, at most
	lossless bool  // no request and no answer is lost
	oneName  bool  // the refresh cookie has one name for all generations
	access   uint8 // ticks; 0: no clock at all, so that anything may take any time
	transit  uint8 // ticks a request takes to its SELECT, at most
	answer   uint8 // ticks from there to the browser's jar, at most
	early    uint8 // ticks by which the access cookie may run out earlier: lifetimes are jittered
	forced   bool  // the access cookie may be gone at any time, not only when it has run out
	parallel int   // requests of the browser in flight at once
	after    uint8 // ticks after the victim's last answer from which a thief's visit counts
	thief    int   // requests of the thief in flight at once; 0: no thief
	crashes  uint8
	unsaved  uint8 // ticks until a browser has saved its jar, at most
	failover uint8 // how often the database may lose its last write
	stale    int   // how many versions back a node may show the row
	second   bool  // begin with the child of a confirmed ticket, not with the login's

	watch searchFault // what ends the search

	// Rules that a test can weaken. The zero value means the real rule.
	judge      func(store.Snapshot, refreshTicket) class
	takes      func(*store.Record, store.PresentedTicket) bool
	child      func(*searchState, searchTicket) searchTicket // mints for what was accepted
	straggler  func(*searchState, searchTicket) searchTicket // and for a grace: nil, so nothing
	verdict    bool                                          // treats a lost race as reuse
	noAgeLimit bool                                          // a child is reuse whenever its parent was presented late twice after it
	prefetch   bool                                          // serves a thief's ticket and writes nothing
}

// searchStep names a step in the report of a run.
type searchStep struct {
	what  string
	who   uint8
	class class // -1: none was found
}

func (st searchStep) String() string {
	who := map[uint8]string{searchVictim: "browser", searchThief: "thief"}[st.who]
	switch {
	case st.class >= 0:
		return who + ": " + st.what + ": " + st.class.String()
	case who != "":
		return who + ": " + st.what
	}
	return st.what
}

var (
	searchTick     = searchStep{"a tick passes", 0, -1}
	searchFailover = searchStep{"the database loses its last write", 0, -1}
)

type searchEmit func(searchStep, searchState)

func (w *searchWorld) begin() searchState {
	s := searchState{
		row:       searchRow{generation: 2, confirmed: 1, age: w.rowAge},
		jar:       [2]searchTicket{{id: 1, generation: 2}},
		access:    w.access,
		crashes:   w.crashes,
		failovers: w.failover,
		delays:    w.delays,
	}
	if w.second {
		w.store(&s.jar, searchTicket{id: 2, parent: 1, generation: 3})
	}
	if w.forced {
		s.access = 0
	}
	if w.crashes > 0 {
		s.disk = s.jar
	}
	return s
}

// next emits every state that can follow s.
func (w *searchWorld) next(s searchState, emit searchEmit) {
	if s.revoked || s.fault != 0 {
		return
	}
	w.tick(s, emit)
	w.browser(s, emit)
	w.database(s, emit)
	w.theft(s, emit)
	for i := range s.requests[:w.parallel+w.thief] {
		w.request(s, i, emit)
	}
}

// tick lets time pass, unless something is due first.
func (w *searchWorld) tick(s searchState, emit searchEmit) {
	if w.access == 0 || s.unsaved > w.unsaved {
		return
	}
	for i := range s.requests {
		r := &s.requests[i]
		switch {
		case r.phase == searchIdle:
			continue
		case i >= w.parallel: // a thief may wait; only tickets minted for him must age
			if r.phase == searchConfirming {
				r.age = min(r.age+1, w.ticketAge)
			}
			continue
		case r.phase == searchAsked && r.age == w.transit, r.phase != searchAsked && r.age == w.delayed && w.delayed > w.answer:
			return
		case r.phase != searchAsked && r.age == w.answer:
			if s.delays == 0 || r.phase != searchAnswered {
				return
			}
			s.delays--
		}
		r.age++
	}
	s.tickets(func(t *searchTicket) { t.age++ })
	for _, r := range s.rows() {
		if r.generation == 0 {
			continue
		}
		r.age++
		for _, l := range []*uint8{&r.late, &r.before} {
			if *l != 0 {
				*l++
			}
		}
	}
	s.answered++
	if s.visit != 0 {
		s.visit++
	}
	s.access = max(s.access, 1) - 1
	if s.unsaved > 0 {
		s.unsaved++
	}
	emit(searchTick, s)
}

// browser emits the steps of the browser: it sends the refresh cookie when the access
// cookie is gone, saves its jar, and crashes.
func (w *searchWorld) browser(s searchState, emit searchEmit) {
	// Idle requests sort first and are all equal.
	if s.access <= w.early && s.requests[0].phase == searchIdle {
		sent := s
		sent.requests[0] = searchRequest{phase: searchAsked, ticket: presents(s.jar)}
		emit(searchStep{"presents its refresh cookie", searchVictim, -1}, sent)
	}
	if s.unsaved == 0 {
		return
	}
	saved := s
	saved.disk, saved.unsaved = s.jar, 0
	emit(searchStep{"saves its cookies", searchVictim, -1}, saved)

	// Answers in flight are still delivered after a crash. That is more than can happen
	// in reality, so a result that holds here also holds there.
	s.jar, s.access, s.unsaved = s.disk, 0, 0
	if s.crashes--; s.crashes == 0 {
		s.disk = [2]searchTicket{}
	}
	emit(searchStep{"crashes, and finds older cookies", searchVictim, -1}, s)
}

// database emits the failover that loses the last write.
func (w *searchWorld) database(s searchState, emit searchEmit) {
	if s.failovers == 0 || s.older[0].generation == 0 {
		return
	}
	s.row = s.older[0]
	s.older = [searchOlder]searchRow{s.older[1]}
	s.failovers--
	s.forget(w)
	emit(searchFailover, s)
}

// theft emits the steps of the thief: he copies the jar once, and presents his tickets
// at any time.
func (w *searchWorld) theft(s searchState, emit searchEmit) {
	if w.thief == 0 {
		return
	}
	if !s.stolen {
		s.stolen = true
		s.loot[0] = presents(s.jar) // the other one is no longer good, or its parent
		for i := range s.requests {
			if r := &s.requests[i]; r.phase == searchAnswered && r.ticket.id != s.loot[0].id {
				r.ticket.own = true
			}
		}
		emit(searchStep{"copies the jar", searchThief, -1}, s)
		return
	}
	if s.requests[w.parallel].phase != searchIdle {
		return
	}
	for _, t := range s.loot {
		if t.id == 0 {
			continue
		}
		sent := s
		sent.requests[w.parallel] = searchRequest{phase: searchAsked, ticket: t}
		emit(searchStep{"presents a refresh cookie", searchThief, -1}, sent)
	}
}

// watched checks a state for faults and emits it.
func (w *searchWorld) watched(step searchStep, s searchState, emit searchEmit) {
	if s.past == searchVictim|searchThief {
		s.fault |= searchBothPast
	}
	if s.past != 0 && w.bothLive(&s) {
		s.fault |= searchBothLive
	}
	s.fault &= w.watch
	emit(step, s)
}

// bothLive reports whether one party is past a refresh while the other still holds a
// ticket that the row would accept.
func (w *searchWorld) bothLive(s *searchState) bool {
	if s.past&searchThief != 0 && (w.good(s.row, presents(s.jar)) || w.good(s.row, presents(s.disk))) {
		return true
	}
	if s.past&searchVictim != 0 && (w.good(s.row, s.loot[0]) || w.good(s.row, s.loot[1])) {
		return true
	}
	for i, r := range s.requests {
		if s.past&^w.who(i) != 0 && w.good(s.row, r.ticket) {
			return true
		}
	}
	return false
}

// store puts a ticket into a jar, under the name for its generation.
func (w *searchWorld) store(jar *[2]searchTicket, t searchTicket) {
	if w.oneName {
		*jar = [2]searchTicket{t}
		return
	}
	jar[t.generation%2] = t
}

func (w *searchWorld) who(request int) uint8 {
	if request < w.parallel {
		return searchVictim
	}
	return searchThief
}

// forget drops the versions of the row that cannot become visible again.
func (s *searchState) forget(w *searchWorld) {
	keep := w.stale
	if s.failovers > 0 {
		keep = max(keep, 1)
	}
	clear(s.older[keep:])
}
