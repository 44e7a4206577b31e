package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Report is the result of Check.
type Report struct {
	Violations []Violation

	Served       int // answers that were checked
	AfterEnd     int // requests that began after the end of their session
	Endings      int // redirects to the login, and 401
	Confirms     int
	Unavailable  int
	FalseLogouts int // sessions that were revoked for reuse without a theft
	Unexplained  int // ends without a cause
	Unrevoked    int // ended sessions that an older copy of the rows restored
}

// session is the history of one session.
type session struct {
	id   string
	ops  []Op // sorted by Began
	rows []Entry
}

// checker is a run of Check.
type checker struct {
	*History
	Report
	sessions map[string]*session
	jars     map[int][]Op
	logins   []Op
}

// Check checks the history against the rules.
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

// answer checks one answer: it is for the right user (D4), a 503 sets no cookies (D5), and
// its access ticket has not expired (D6).
func (c *checker) answer(op Op) {
	switch {
	case op.Outcome == Unavailable:
		c.Unavailable++
		// A logout or a revocation may refresh the session first, and then fail with a
		// store error.
		if op.Cookies && (op.Kind == Use || op.Kind == Refresh) {
			c.wrong(D5, op.Session, op.Ended, "a 503 sets cookies")
		}
	case op.Outcome == OK && op.Got != nil:
		c.Served++
		got := *op.Got
		if got.User != op.User || got.Session != op.Session {
			c.wrong(D4, op.Session, op.Ended, "user %s got an answer for user %s, session %s", op.User, got.User, got.Session)
		}
		if late := op.Began.Sub(got.ExpiresAt); late > c.Bounds.Slack {
			c.wrong(D6, op.Session, op.Began, "an access cookie is accepted %v after its expiry", late)
		}
		if life := got.ExpiresAt.Sub(got.IssuedAt); life > c.Bounds.Access {
			c.wrong(D6, op.Session, op.Began, "the lifetime of an access cookie is %v; want at most %v", life, c.Bounds.Access)
		}
	}
}

// generations checks the order of the confirmations (D3). After a restored row it begins
// with the generation of that row.
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

// effects looks for a request that can have made each confirmation (D7). The database may
// execute the statement of a request that got no answer, or a 503, some time later.
func (c *checker) effects(s *session) {
	for _, e := range s.rows {
		if e.Change != Confirmed {
			continue
		}
		if !slices.ContainsFunc(s.ops, func(op Op) bool { return op.Session == s.id && c.may(op, e.At) }) {
			c.wrong(D7, s.id, e.At, "generation %d is confirmed, and no request was in progress", e.Generation)
		}
	}
}

// may reports whether an operation can have had its effect at the given time.
func (c *checker) may(op Op, at time.Time) bool {
	last := op.Ended.Add(c.Bounds.Slack)
	if op.Outcome == Unavailable || op.Outcome == Unknown {
		last = last.Add(c.Bounds.Store)
	}
	return !at.Before(op.Began.Add(-c.Bounds.Slack)) && !at.After(last)
}
