package session

import (
	"github.com/sessionkit/sessionkit/session/store"
)

// class is the result of judging a refresh ticket against its row.
type class int

const (
	classMissing   class = iota // there is no row, and the login is too old for the row to be on its way
	classDelayed                // there is no row yet: a login a moment ago, read on a database node that lags
	classEnded                  // the session is over
	classSame                   // the confirmed ticket again: a parallel request, or a lost answer
	classNext                   // a child of the confirmed ticket: to be confirmed
	classYoung                  // same, next or ahead, but so soon that only the access cookie can be lost
	classStraggler              // the ticket before the confirmed one, in flight while that was confirmed
	classAhead                  // the row is behind the ticket: the database lost writes, or the answer is stale
	classReuse                  // anything else that is authentic: a superseded ticket, in the hands of two clients
)

func (c class) String() string {
	return [...]string{"missing", "delayed", "ended", "same", "next", "young", "straggler", "ahead", "reuse"}[c]
}

// judge is the whole decision of the rotation: a pure function of the row, the
// ticket and the store's clock. No other code calls a refresh ticket good or bad.
//
// The row holds the one ticket that was presented last. Every answer carries a
// child of its own, so a client that presents a child has received an answer. Once
// that child is confirmed, only its own descendants are good. Two holders
// of one cookie receive different children; the second of them to come back
// is reuse.
//
// Generations are compared by adding, never by subtracting: they are unsigned, and
// a login has generation 0.
func (w windows) judge(s store.Snapshot, t refreshTicket) class {
	row := s.Record
	if row == nil {
		if t.generation == 0 && s.Now.Sub(t.issued) < delayedFor {
			return classDelayed
		}
		return classMissing
	}
	if isOver(s) || !s.Now.Before(t.expires) {
		return classEnded
	}

	same := t.generation == row.Generation && t.digest() == row.Confirmed
	next := t.generation == row.Generation+1 && t.parentDigest() == row.Confirmed
	ahead := t.generation > row.Generation+1
	switch {
	case (same || next || ahead) && s.Now.Sub(t.issued) < w.young:
		return classYoung
	case same:
		return classSame
	case next:
		return classNext
	case ahead:
		return classAhead
	case t.generation+1 == row.Generation && t.digest() == row.Previous && s.Now.Sub(row.ConfirmedAt) <= w.grace:
		return classStraggler
	default:
		return classReuse
	}
}

// isOver reports whether the session of s has ended: for everybody, for its user, or by
// itself. The global epoch may be lower than the row's: then the database has lost a
// RevokeAll.
func isOver(s store.Snapshot) bool {
	row := s.Record
	return !row.RevokedAt.IsZero() ||
		row.GlobalEpoch < s.GlobalEpoch ||
		row.User.Disabled ||
		row.User.Epoch != row.UserEpoch ||
		!s.Now.Before(row.EndsAt)
}

// revokedRecently reports whether a refusal may be older than the browser's next
// login.
func (w windows) revokedRecently(s store.Snapshot) bool {
	return s.Record != nil && !s.Record.RevokedAt.IsZero() && s.Now.Sub(s.Record.RevokedAt) < w.recentlyRevoked
}
