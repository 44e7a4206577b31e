package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Report is what Check found, and how much it looked at.
type Report struct {
	Violations []Violation

	Served       int // answers that were held against their session's end, their jar's user and their cookie's end
	AfterEnd     int // requests that began after their session's end
	Endings      int // times that a browser was told to log in
	Confirms     int
	Unavailable  int
	FalseLogouts int // sessions that were taken for stolen, and were not
	Unexplained  int // endings without a cause
	Unrevoked    int // sessions whose end was undone by putting an older copy of the rows in place
}

// session is all that is known of one.
type session struct {
	id   string
	ops  []Op // by the time they began
	rows []Entry
}

// checker goes through a history.
type checker struct {
	*History
	Report
	sessions map[string]*session
	jars     map[int][]Op
	logins   []Op
}

// Check holds a history against the promises.
func (h *History) Check() Report {
	c := &checker{History: h, sessions: map[string]*session{}, jars: map[int][]Op{}}
	for _, op := range h.Ops {
		if op.Kind == Login {
			c.logins = append(c.logins, op)
		}
		if op.Session != "" {
			c.jars[op.Jar] = append(c.jars[op.Jar], op)
			s := c.session(op.Session)
			s.ops = append(s.ops, op)
			if op.ends() != op.Session {
				s := c.session(op.ends())
				s.ops = append(s.ops, op)
			}
		}
	}
	for _, e := range h.Rows {
		s := c.session(e.Session)
		s.rows = append(s.rows, e)
	}
	byBegin := func(a, b Op) int { return a.Began.Compare(b.Began) }
	for _, ops := range c.jars {
		slices.SortStableFunc(ops, byBegin)
	}
	for _, s := range c.sessions {
		slices.SortStableFunc(s.ops, byBegin)
		c.afterTheEnd(s)
		c.lostLogouts(s)
		c.causes(s)
		c.generations(s)
		c.effects(s)
	}
	for _, op := range h.Ops {
		c.answer(op)
	}
	slices.SortFunc(c.Violations, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.At.Compare(b.At), cmp.Compare(a.Session, b.Session))
	})
	return c.Report
}

func (c *checker) session(id string) *session {
	s, ok := c.sessions[id]
	if !ok {
		s = &session{id: id}
		c.sessions[id] = s
	}
	return s
}

func (c *checker) wrong(rule Rule, session string, at time.Time, format string, args ...any) {
	c.Violations = append(c.Violations, Violation{rule, session, at, fmt.Sprintf(format, args...)})
}

// answer looks at one answer by itself: whose it is (D4), what a 503 carries
// (D5), and until when the access ticket is good that it rests on (D6).
func (c *checker) answer(op Op) {
	switch {
	case op.Outcome == Unavailable:
		c.Unavailable++
		// A logout or a revocation asks the store for something of its own, and may
		// get no answer to that after a refresh that was good.
		if op.Cookies && (op.Kind == Use || op.Kind == Refresh) {
			c.wrong(D5, op.Session, op.Ended, "a 503 sets cookies")
		}
	case op.Outcome == OK && op.Got != nil:
		c.Served++
		got := *op.Got
		if got.User != op.User || got.Session != op.Session {
			c.wrong(D4, op.Session, op.Ended, "user %s is answered as user %s, session %s", op.User, got.User, got.Session)
		}
		if late := op.Began.Sub(got.ExpiresAt); late > c.Bounds.Slack {
			c.wrong(D6, op.Session, op.Began, "an access cookie is believed %v after its end", late)
		}
		if life := got.ExpiresAt.Sub(got.IssuedAt); life > c.Bounds.Access {
			c.wrong(D6, op.Session, op.Began, "an access cookie lives for %v; want at most %v", life, c.Bounds.Access)
		}
	}
}

// generations looks at what was confirmed (D3). Where an older copy was put in
// place, counting begins anew.
func (c *checker) generations(s *session) {
	var last uint64
	for _, e := range s.rows {
		switch e.Change {
		case Created, Restored:
			last = e.Generation
		case Confirmed:
			c.Confirms++
			if e.Generation == last {
				c.wrong(D3, s.id, e.At, "generation %d is confirmed twice", e.Generation)
			} else if e.Generation < last {
				c.wrong(D3, s.id, e.At, "generation %d is confirmed after %d", e.Generation, last)
			}
			last = max(last, e.Generation)
		}
	}
}

// effects looks for a request that can have made each confirmation (D7). One
// that got no answer, or a 503, may have acted for a while after it was given up.
func (c *checker) effects(s *session) {
	for _, e := range s.rows {
		if e.Change != Confirmed {
			continue
		}
		if !slices.ContainsFunc(s.ops, func(op Op) bool { return op.Session == s.id && c.may(op, e.At) }) {
			c.wrong(D7, s.id, e.At, "generation %d is confirmed, and no request was under way", e.Generation)
		}
	}
}

// may reports whether an operation can have acted at a moment.
func (c *checker) may(op Op, at time.Time) bool {
	last := op.Ended.Add(c.Bounds.Slack)
	if op.Outcome == Unavailable || op.Outcome == Unknown {
		last = last.Add(c.Bounds.Store)
	}
	return !at.Before(op.Began.Add(-c.Bounds.Slack)) && !at.After(last)
}
