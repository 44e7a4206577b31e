package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Plant is a fault that is added to a valid history, to test that Check finds it.
type Plant struct {
	Name string
	Rule Rule // the rule that it breaks; "" for a change that breaks none

	// do returns false if the history has no place for the fault.
	do func(p *planting) bool
}

// Planted returns a copy of the history with the fault in it, and the session
// that has it. The last result is false if the history has no place for the fault.
func (p Plant) Planted(h *History, r *rand.Rand) (*History, string, bool) {
	planted := *h
	planted.Ops, planted.Rows = slices.Clone(h.Ops), slices.Clone(h.Rows)
	x := &planting{History: &planted, Rand: r}
	ok := p.do(x)
	return &planted, x.session, ok
}

// planting is the copy of a history in which a fault is planted.
type planting struct {
	*History
	*rand.Rand
	session string // that has the fault
}

// op returns a random operation that fits.
func (p *planting) op(fits func(Op) bool) (*Op, bool) {
	for _, i := range p.Perm(len(p.Ops)) {
		if fits(p.Ops[i]) {
			p.session = p.Ops[i].Session
			return &p.Ops[i], true
		}
	}
	return nil, false
}

// row returns the index of a random entry that fits.
func (p *planting) row(fits func(Entry) bool) (int, bool) {
	for _, i := range p.Perm(len(p.Rows)) {
		if fits(p.Rows[i]) {
			p.session = p.Rows[i].Session
			return i, true
		}
	}
	return 0, false
}

func (p *planting) served(op Op) bool { return op.Outcome == OK && op.Got != nil }

// alive reports whether no operation ended the session.
func (p *planting) alive(id string) bool {
	return !slices.ContainsFunc(p.Ops, func(op Op) bool {
		return op.ends() == id && (op.Kind == Logout || op.Kind == Revoke || op.Kind == Steal || op.Kind == Delete)
	}) && !slices.ContainsFunc(p.Rows, func(e Entry) bool { return e.Session == id && e.Revoked })
}

// after returns a time after the whole history.
func (p *planting) after() time.Time {
	last := p.Ops[0].Ended
	for _, op := range p.Ops {
		if op.Ended.After(last) {
			last = op.Ended
		}
	}
	return last.Add(p.Bounds.Access + p.Bounds.Feed + p.Bounds.Store + 4*p.Bounds.Slack)
}

// again appends a later copy of an operation.
func (p *planting) again(op Op, kind Kind, outcome Outcome, at time.Time) *Op {
	op.Kind, op.Outcome, op.Cookies, op.Renewed, op.Target = kind, outcome, false, false, ""
	op.Began, op.Ended = at, at.Add(10*time.Millisecond)
	if op.Got = nil; outcome == OK && (kind == Use || kind == Refresh) {
		op.Got = &Identity{op.User, op.Session, at, at.Add(p.Bounds.Access)}
	}
	p.Ops = append(p.Ops, op)
	return &p.Ops[len(p.Ops)-1]
}

func (p *planting) entry(e Entry, change Change, at time.Time) {
	e.Change, e.At = change, at
	p.Rows = append(p.Rows, e)
}

// last returns the newest entry of a session.
func (p *planting) last(id string) (last Entry) {
	for _, e := range p.Rows {
		if e.Session == id {
			last = e
		}
	}
	return last
}

// Plants are all faults, and at the end changes that break no rule.
var Plants = []Plant{
	{"a logged-out session is served", D1, func(p *planting) bool {
		i, ok := p.row(func(e Entry) bool { return e.Change == Revoked && p.last(e.Session).Revoked })
		if ok {
			p.again(Op{User: p.Rows[i].User, Session: p.session}, Use, OK, p.after())
		}
		return ok
	}},
	{"and refreshed", D1, func(p *planting) bool {
		i, ok := p.row(func(e Entry) bool { return e.Change == Revoked && p.last(e.Session).Revoked })
		if ok {
			p.again(Op{User: p.Rows[i].User, Session: p.session}, Refresh, OK, p.after()).Cookies = true
		}
		return ok
	}},
	{"a revoked row is no longer revoked", D1, func(p *planting) bool {
		i, ok := p.row(func(e Entry) bool { return e.Change == Revoked })
		if ok {
			e := p.Rows[i]
			e.Revoked = false
			p.entry(e, Unrevoked, p.after())
		}
		return ok
	}},
	{"a logout is lost", D1, func(p *planting) bool {
		_, ok := p.op(func(op Op) bool { return op.Kind == Logout && op.Outcome == OK })
		p.Rows = slices.DeleteFunc(p.Rows, func(e Entry) bool { return e.Session == p.session && e.Change == Revoked })
		return ok
	}},
	{"an end without a cause", D2, func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			p.again(*op, Refresh, OK, p.after())
			p.again(*op, Refresh, Refused, p.after())
		}
		return ok
	}},
	{"an honest session revoked for reuse", D2, func(p *planting) bool {
		_, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			e := p.last(p.session)
			e.Revoked, e.Reason = true, "reuse"
			p.entry(e, Revoked, p.after())
		}
		return ok
	}},
	{"a revocation without a request", D2, func(p *planting) bool {
		_, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			e := p.last(p.session)
			e.Revoked, e.Reason = true, "revoked"
			p.entry(e, Revoked, p.after())
		}
		return ok
	}},
	{"a generation confirmed twice", D3, func(p *planting) bool {
		i, ok := p.row(func(e Entry) bool { return e.Change == Confirmed })
		if ok {
			p.Rows = slices.Insert(p.Rows, i, p.Rows[i])
		}
		return ok
	}},
	{"a generation confirmed after its successor", D3, func(p *planting) bool {
		i, ok := p.row(func(e Entry) bool { return e.Change == Confirmed && e.Generation > 1 })
		if ok {
			e := p.Rows[i]
			e.Generation--
			p.Rows = slices.Insert(p.Rows, i+1, e)
		}
		return ok
	}},
	{"the page of another user", D4, func(p *planting) bool {
		_, ok := p.op(p.served)
		other := p.session
		op, found := p.op(func(op Op) bool { return p.served(op) && op.Session != other })
		if ok && found {
			got := *op.Got
			got.Session = other
			op.Got = &got
		}
		return ok && found
	}},
	{"a 503 with cookies", D5, func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && op.Cookies && !op.Renewed })
		if ok {
			op.Outcome, op.Got = Unavailable, nil
		}
		return ok
	}},
	{"an end after a 503", D5, func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			at, like := p.after(), *op
			p.again(like, Refresh, Unavailable, at)
			p.again(like, Refresh, Refused, at.Add(time.Second))
		}
		return ok
	}},
	{"an expired access cookie", D6, func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && !op.Cookies && p.alive(op.Session) })
		if ok {
			late := *op
			got := p.again(late, Use, OK, p.after()).Got
			got.IssuedAt, got.ExpiresAt = late.Got.IssuedAt, late.Got.ExpiresAt
		}
		return ok
	}},
	{"an access cookie with a long lifetime", D6, func(p *planting) bool {
		op, ok := p.op(p.served)
		if ok {
			got := *op.Got
			got.ExpiresAt = got.IssuedAt.Add(p.Bounds.Access + time.Second)
			op.Got = &got
		}
		return ok
	}},
	{"a confirmation without a request", D7, func(p *planting) bool {
		_, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			e := p.last(p.session)
			e.Generation++
			p.entry(e, Confirmed, p.after())
		}
		return ok
	}},

	{"a logout without an answer that has not happened", "", func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			at, like := p.after(), *op
			p.again(like, Logout, Unknown, at)
			p.again(like, Refresh, OK, at.Add(time.Minute))
		}
		return ok
	}},
	{"a logout without an answer that has happened", "", func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			at, like, e := p.after(), *op, p.last(p.session)
			p.again(like, Logout, Unknown, at)
			e.Revoked, e.Reason = true, "logout"
			p.entry(e, Revoked, at.Add(p.Bounds.Store))
			p.again(like, Refresh, Refused, at.Add(time.Minute))
		}
		return ok
	}},
	{"a refresh without an answer that has happened", "", func(p *planting) bool {
		op, ok := p.op(func(op Op) bool { return p.served(op) && p.alive(op.Session) })
		if ok {
			at, like, e := p.after(), *op, p.last(p.session)
			p.again(like, Refresh, Unknown, at)
			e.Generation++
			p.entry(e, Confirmed, at.Add(p.Bounds.Store))
		}
		return ok
	}},
}

// Found returns an error unless the report of a planted history has exactly the expected
// violations: the rule of the fault, in its session.
func (p Plant) Found(report Report, session string) error {
	found := false
	for _, v := range report.Violations {
		if v.Rule != p.Rule {
			return fmt.Errorf("planted %q in session %s, but found: %v", p.Name, session, v)
		}
		found = found || v.Session == session
	}
	if !found && p.Rule != "" {
		return fmt.Errorf("planted %q in session %s, but no violation of %s was found there: %v", p.Name, session, p.Rule, report.Violations)
	}
	return nil
}
