package session

import "time"

// class is what a refresh ticket turns out to be when it is held against its row.
type class int

const (
	classMissing   class = iota // no row, and the login is not so young that the row may still be on its way
	classPending                // no row yet: a login a moment ago, read on a node that has not seen it
	classEnded                  // the session is over
	classSame                   // the confirmed ticket again: a parallel request, or a lost answer
	classNext                   // a child of the confirmed ticket comes back: to be confirmed
	classYoung                  // same, next or ahead, but so soon that the access cookie was lost, not run out
	classStraggler              // the ticket before the confirmed one, in flight while that was confirmed
	classAhead                  // the row is behind the ticket: the database lost writes, or answered stale
	classReuse                  // anything else that is authentic: superseded, in the hands of two
)

func (c class) String() string {
	return [...]string{"missing", "pending", "ended", "same", "next", "young", "straggler", "ahead", "reuse"}[c]
}

// pendingFor is how long after a login a missing row is taken for one that has
// not reached this database node yet.
const pendingFor = 15 * time.Second

// rules are the windows of the rotation. They scale with the access lifetime A,
// and nothing else in the rotation looks at a clock.
type rules struct {
	young     time.Duration // 5/6 A: a ticket younger than this is not confirmed, and gets no child
	straggler time.Duration // 1/12 A: how long a replaced ticket is still served
}

func rulesFor(accessTTL time.Duration) rules {
	return rules{young: accessTTL * 5 / 6, straggler: accessTTL / 12}
}

// judge is the rotation's whole decision: a pure function of the row, the ticket
// and the store's clock. It is the only place where a ticket is called good or bad.
//
// The row remembers the one ticket that was presented last. Every answer carries
// a child of its own, so a client that owns a child proves to have received an
// answer; once that child is confirmed, only its own descendants are good. Two
// holders of one cookie receive different children, and the second of them to
// come back is reuse.
//
// Generations are compared by adding, never by subtracting: a login is 0.
func (r rules) judge(s Snapshot, t refreshTicket) class {
	row := s.Record
	if row == nil {
		if t.generation == 0 && s.Now.Sub(t.issued) < pendingFor {
			return classPending
		}
		return classMissing
	}
	if s.over() || !s.Now.Before(t.expires) {
		return classEnded
	}

	same := t.generation == row.Generation && t.digest() == row.Confirmed
	next := t.generation == row.Generation+1 && t.parentDigest() == row.Confirmed
	ahead := t.generation > row.Generation+1
	switch {
	case (same || next || ahead) && s.Now.Sub(t.issued) < r.young:
		// Its siblings may still be on their way to the browser, and one of them
		// may replace it there: confirming it now would make reuse of that one.
		// So too for a ticket that the row is behind.
		return classYoung
	case same:
		return classSame
	case next:
		return classNext
	case ahead:
		return classAhead
	case t.generation+1 == row.Generation && t.digest() == row.Previous && s.Now.Sub(row.ConfirmedAt) <= r.straggler:
		return classStraggler
	default:
		return classReuse
	}
}

// over says whether a session has ended, for everybody, for its user, or by itself.
func (s Snapshot) over() bool {
	row := s.Record
	return !row.RevokedAt.IsZero() ||
		row.GlobalEpoch < s.GlobalEpoch ||
		row.User.Disabled ||
		row.User.Epoch != row.UserEpoch ||
		!s.Now.Before(row.EndsAt)
}
