package session

// This file contains the steps of a request: SELECT, judge, UPDATE, answer. Any other
// request may run between two of them. The nodes differ in only one way: a node may
// read an older row.

// request emits the possible next states of one request in flight.
func (w *searchWorld) request(s searchState, i int, emit searchEmit) {
	switch s.requests[i].phase {
	case searchIdle:
		return
	case searchAsked:
		w.read(s, i, s.row, emit)
		for _, older := range s.older[:w.stale] {
			if older.generation != 0 {
				w.read(s, i, older, emit)
			}
		}
	case searchConfirming:
		w.confirm(s, i, emit)
	case searchRecording:
		w.record(s, i, emit)
	case searchRevoking:
		w.revoke(s, i, emit)
	case searchAnswered, searchServed:
		w.deliver(s, i, emit)
	}
	if w.lossless && i < w.parallel {
		return
	}
	s.requests[i] = searchRequest{}
	emit(searchStep{"a request or its answer is lost", w.who(i), -1}, s)
}

// read is the SELECT, and judge on the row that it returned.
func (w *searchWorld) read(s searchState, i int, row searchRow, emit searchEmit) {
	t := s.requests[i].ticket
	if w.access > 0 {
		w.follow(s, i, row, w.ask(row, t).class, emit)
		return
	}
	// Without a clock, the ticket and the row may have any age, and the ticket's parent may
	// have been presented late.
	var done [classReuse + 1]bool
	for _, t.age = range []uint8{0, w.ticketAge} {
		for _, row.age = range []uint8{0, w.rowAge} {
			for _, row.before = range []uint8{0, 1} {
				if c := w.ask(row, t).class; !done[c] {
					done[c] = true
					w.follow(s, i, row, c, emit)
				}
			}
		}
	}
}

// follow takes the step that follows from a class, by the table in the design.
func (w *searchWorld) follow(s searchState, i int, row searchRow, c class, emit searchEmit) {
	step := searchStep{"SELECT", w.who(i), c}
	if row.generation != s.row.generation || row.confirmed != s.row.confirmed {
		step.what = "SELECT on a node that lags"
	}
	r := &s.requests[i]
	asked := *r
	*r = searchRequest{}
	if w.prefetch && w.who(i) == searchThief && (c == classSame || c == classLate || c == classNext) {
		w.visited(&s)
		w.watched(step, s, emit)
		return
	}
	switch c {
	case classSame:
		w.accept(&s, i, asked.ticket, 0)
	case classLate:
		if w.access == 0 { // nothing depends on what is recorded
			w.accept(&s, i, asked.ticket, 0)
			break
		}
		*r = searchRequest{phase: searchRecording, asked: asked.age, ticket: asked.ticket}
	case classNext, classAhead:
		*r = searchRequest{phase: searchConfirming, asked: asked.age, ticket: asked.ticket}
	case classReuse, classEnded, classMissing:
		*r = searchRequest{phase: searchRevoking, asked: asked.age, ticket: asked.ticket}
		s.fault |= searchFalseLogout
	case classYoung:
		if w.access > 0 && !w.forced { // in other worlds the browser may ask at any time
			r.phase = searchServed
		}
	case classStraggler:
		if w.straggler != nil {
			child := w.straggler(&s, asked.ticket)
			*r = searchRequest{phase: searchAnswered, ticket: child}
		}
	default:
		w.t.Fatalf("the row is never missing here, but judge said %v", c)
	}
	w.watched(step, s, emit)
}

// confirm is the UPDATE that confirms a ticket. A node that lags may match no row, or
// the connection may break after the write. Then the row is read again, as it is after
// a lost race.
func (w *searchWorld) confirm(s searchState, i int, emit searchEmit) {
	r := s.requests[i]
	takes := w.ask(s.row, r.ticket).takes
	if !takes && w.verdict {
		s.fault |= searchFalseLogout
		w.watched(searchStep{"UPDATE: no row", w.who(i), -1}, s, emit)
	}
	if !takes || w.stale > 0 {
		w.again(s, i, "UPDATE: no row", emit)
	}
	if !takes {
		return
	}
	s.older = [searchOlder]searchRow{s.row, s.older[0]}
	s.row = searchRow{generation: r.ticket.generation, confirmed: r.ticket.id, previous: s.row.confirmed}
	s.forget(w)
	if w.stale > 0 {
		w.again(s, i, "UPDATE: confirmed, but its answer is lost", emit)
	}
	if s.twice && w.who(i) == searchVictim {
		s.fault |= searchUnnoticed
	}
	w.accept(&s, i, r.ticket, r.age)
	w.watched(searchStep{"UPDATE: confirmed", w.who(i), -1}, s, emit)
}

// record is the UPDATE that records a late presentation.
func (w *searchWorld) record(s searchState, i int, emit searchEmit) {
	r := s.requests[i]
	takes := w.ask(s.row, r.ticket).late
	if !takes || w.stale > 0 {
		w.again(s, i, "UPDATE: no row", emit)
	}
	if !takes {
		return
	}
	s.older = [searchOlder]searchRow{s.row, s.older[0]}
	s.row.before, s.row.late = s.row.late, 1
	s.forget(w)
	if w.stale > 0 {
		w.again(s, i, "UPDATE: recorded, but its answer is lost", emit)
	}
	w.accept(&s, i, r.ticket, r.age)
	w.watched(searchStep{"UPDATE: recorded", w.who(i), -1}, s, emit)
}

// revoke is the UPDATE that revokes the session.
func (w *searchWorld) revoke(s searchState, i int, emit searchEmit) {
	takes := w.ask(s.row, s.requests[i].ticket).supersedes
	if !takes || w.stale > 0 {
		w.again(s, i, "UPDATE: no row", emit)
	}
	if takes {
		s.revoked = true
		emit(searchStep{"UPDATE: revoked", w.who(i), -1}, s)
	}
}

// again sends a request back to its SELECT if it has time left.
func (w *searchWorld) again(s searchState, i int, what string, emit searchEmit) {
	r := s.requests[i]
	s.requests[i] = searchRequest{phase: searchAsked, ticket: r.ticket}
	if i < w.parallel && w.access > 0 {
		if s.requests[i].age = r.asked + r.age; s.requests[i].age > w.transit {
			s.requests[i] = searchRequest{} // a 503, which changes no cookies
		}
	}
	emit(searchStep{what, w.who(i), -1}, s)
}

// accept answers a ticket with a child. The ticket was issued the given number of ticks
// before the SELECT.
func (w *searchWorld) accept(s *searchState, i int, t searchTicket, age uint8) {
	if t.own {
		s.past |= w.who(i)
	}
	if w.who(i) == searchVictim {
		s.answered, s.visit, s.twice = age, 0, false
	} else {
		w.visited(s)
	}
	child := w.child(s, t)
	child.age = age
	child.own = s.stolen
	s.requests[i] = searchRequest{phase: searchAnswered, ticket: child}
	if i < w.parallel {
		s.requests[i].age = age
	}
}

// visited counts a thief's request that was served.
func (w *searchWorld) visited(s *searchState) {
	if s.answered > w.after {
		s.twice = s.twice || s.visit > w.access+1
		s.visit = max(s.visit, 1)
	}
}

// searchChild models refreshTicket.child: the child is distinct in every answer.
func searchChild(s *searchState, t searchTicket) searchTicket {
	return searchTicket{id: s.unused(), parent: t.id, generation: t.generation + 1}
}

// unused returns a name that no ticket has.
func (s *searchState) unused() uint8 {
	id := uint8(0)
	for _, r := range s.rows() {
		id = max(id, r.confirmed, r.previous)
	}
	s.tickets(func(t *searchTicket) {
		if t.id != searchDead {
			id = max(id, t.id, t.parent)
		}
	})
	return id + 1
}

// deliver delivers an answer to its receiver. The browser's jar keeps the answer that
// arrived last, which need not be the newest one.
func (w *searchWorld) deliver(s searchState, i int, emit searchEmit) {
	r := s.requests[i]
	s.requests[i] = searchRequest{}
	if i >= w.parallel {
		for k := range s.loot {
			kept := s
			kept.loot[k] = r.ticket
			w.watched(searchStep{"keeps a new refresh cookie", searchThief, -1}, kept, emit)
		}
		return
	}
	if !w.forced {
		s.access = max(w.access, r.age) - r.age
	}
	if r.phase == searchAnswered {
		w.store(&s.jar, r.ticket)
		if s.crashes > 0 && s.unsaved == 0 {
			s.unsaved = 1
		}
	}
	w.watched(searchStep{"the answer arrives", searchVictim, -1}, s, emit)
}
