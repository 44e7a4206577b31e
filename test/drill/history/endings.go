package history

import (
	"slices"
	"time"
)

// end is a period in which a session must not be served.
type end struct {
	from, until time.Time
	silent      bool // no node learns of it: an access cookie is accepted until it expires
}

// ends returns the periods in which a session is revoked or its row is deleted. A period
// begins when the request that caused it was answered, if there is one. It ends only when
// an older copy of the row is restored.
func (c *checker) ends(s *session) (all []end) {
	var open *end
	for _, e := range s.rows {
		switch {
		case e.Change == Revoked && open == nil:
			open = &end{from: e.At}
			for _, op := range s.ops {
				if c.asked(op, e) && c.may(op, e.At) && op.Ended.After(open.from) {
					open.from = op.Ended
				}
			}
		case e.Change == Deleted && open == nil:
			open = &end{from: e.At, silent: true}
		case e.Change == Restored && !e.Revoked && open != nil:
			open.until = e.At
			all, open = append(all, *open), nil
			c.Unrevoked++
		case e.Change == Unrevoked:
			c.wrong(D1, s.id, e.At, "the row of an ended session is no longer revoked")
		}
	}
	if open != nil {
		all = append(all, *open)
	}
	return all
}

// afterTheEnd looks for answers to requests that began after the end of their session
// (D1). Other nodes accept an access cookie until they learn of the end, and at most for
// its lifetime. A node may answer a refresh from its outcome cache.
func (c *checker) afterTheEnd(s *session) {
	for _, end := range c.ends(s) {
		accepted := min(c.Bounds.Access, c.Bounds.Feed)
		if end.silent {
			accepted = c.Bounds.Access
		}
		for _, op := range s.ops {
			late := op.Began.Sub(end.from)
			if op.Kind != Use && op.Kind != Refresh || late <= 0 || !end.until.IsZero() && !op.Ended.Before(end.until) {
				continue
			}
			c.AfterEnd++
			bound := accepted
			if op.Cookies {
				bound = c.Bounds.Memory
			}
			if op.Outcome == OK && late > bound+c.Bounds.Slack {
				c.wrong(D1, s.id, op.Began, "a request is served that began %v after the end of the session", late)
			}
		}
		for _, e := range s.rows {
			if e.Change == Confirmed && e.At.After(end.from.Add(c.Bounds.Slack)) && (end.until.IsZero() || e.At.Before(end.until)) {
				c.wrong(D1, s.id, e.At, "generation %d is confirmed after the end of the session", e.Generation)
			}
		}
	}
}

// lostLogouts looks for logouts that were answered but are not in the row (D1). A node
// that stops before the database is back reports that the logout is lost.
func (c *checker) lostLogouts(s *session) {
	if len(s.rows) == 0 || slices.Contains(c.Events["revocation-lost"], s.id) {
		return
	}
	// A row that was removed after its expiry may have been removed before the logout.
	deleted := slices.ContainsFunc(s.ops, func(op Op) bool { return op.Kind == Delete })
	for _, op := range s.ops {
		over := func(e Entry) bool {
			return e.Change == Revoked || e.Change == Deleted && (deleted || !e.At.After(op.Ended))
		}
		if (op.Kind == Logout || op.Kind == Revoke) && op.ends() == s.id && op.Outcome == OK && !slices.ContainsFunc(s.rows, over) {
			c.wrong(D1, s.id, op.Ended, "the %s was answered, and the row is not revoked", op.Kind)
		}
	}
}

// asked reports whether an operation can be the cause of a revocation.
func (c *checker) asked(op Op, e Entry) bool {
	if op.ends() != e.Session {
		return false
	}
	switch e.Reason {
	case "logout":
		return op.Kind == Logout
	case "revoked":
		return op.Kind == Revoke
	case "reuse":
		return op.Kind == Steal
	default:
		return false
	}
}

// byNewLogin reports whether a later login of the user can be the cause of a revocation.
func (c *checker) byNewLogin(e Entry) bool {
	return (e.Reason == "replaced" || e.Reason == "limit") && slices.ContainsFunc(c.logins, func(op Op) bool {
		return op.User == e.User && op.Session != e.Session && !op.Began.After(e.At.Add(c.Bounds.Slack))
	})
}

// causes looks for the cause of each revocation and of each redirect to the login (D2, D5).
func (c *checker) causes(s *session) {
	for _, e := range s.rows {
		if e.Change != Revoked || c.byNewLogin(e) {
			continue
		}
		before := func(op Op) bool { return c.asked(op, e) && !op.Began.After(e.At.Add(c.Bounds.Slack)) }
		if slices.ContainsFunc(s.ops, before) {
			continue
		}
		if e.Reason == "reuse" {
			c.FalseLogouts++
			c.wrong(D2, s.id, e.At, "revoked for reuse at generation %d without a theft", e.Generation)
		} else {
			c.wrong(D2, s.id, e.At, "revoked for reason %q without a request for it", e.Reason)
		}
	}
	for _, op := range s.ops {
		if op.Outcome != Refused || op.Kind != Use && op.Kind != Refresh {
			continue
		}
		c.Endings++
		if c.explained(s, op) {
			continue
		}
		c.Unexplained++
		if before, ok := c.previous(op); ok && before.Outcome == Unavailable {
			c.wrong(D5, s.id, op.Ended, "after a 503 the browser is sent to the login without a cause")
		} else {
			c.wrong(D2, s.id, op.Ended, "the browser is sent to the login without a cause")
		}
	}
}

// explained reports whether there is a cause for a redirect to the login.
func (c *checker) explained(s *session, at Op) bool {
	for _, e := range s.rows {
		// Whether the revocation itself has a cause is checked elsewhere.
		if (e.Change == Revoked) && !e.At.After(at.Ended.Add(c.Bounds.Slack)) {
			return true
		}
	}
	renewed := time.Time{}
	for _, op := range s.ops {
		switch {
		case op.Began.After(at.Ended):
			continue
		case (op.Kind == Logout || op.Kind == Revoke || op.Kind == Delete) && op.ends() == s.id:
			return true // whatever its outcome
		case op.Jar == at.Jar && op.Renewed && op.Ended.After(renewed):
			renewed = op.Ended
		}
	}
	return at.Ended.After(renewed.Add(c.Bounds.Idle - c.Bounds.Slack))
}

// previous returns the last operation of the same jar that ended before op began.
func (c *checker) previous(op Op) (found Op, ok bool) {
	for _, before := range c.jars[op.Jar] {
		if before.Ended.Before(op.Began) && (!ok || before.Ended.After(found.Ended)) {
			found, ok = before, true
		}
	}
	return found, ok
}
