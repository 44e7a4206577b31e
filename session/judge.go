package session

import (
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// class is the result of judging a refresh ticket against its row.
type class int

const (
	classMissing   class = iota // there is no row, and the login is too old for the row to be on its way
	classDelayed                // there is no row yet: a login a moment ago, read on a database node that lags
	classEnded                  // the session is over
	classSame                   // the confirmed ticket again: a parallel request, or a lost answer
	classLate                   // the confirmed ticket again, long after it was presented: to be recorded
	classNext                   // a child of the confirmed ticket: to be confirmed
	classYoung                  // the confirmed ticket or a later one, but so soon that only the access cookie can be lost
	classStraggler              // the ticket before the confirmed one, or a sibling of it, in flight while that was confirmed
	classAhead                  // the row is behind the ticket: the database lost writes, or the answer is stale
	classReuse                  // anything else that is authentic: a superseded ticket, in the hands of two clients
	classGivenBack              // of an impersonation that was stopped, while another client uses the actor's session: see wasGivenBack
	classForeign                // good, but from a client with another fingerprint: see Config.RequireFingerprint
)

func (c class) String() string {
	return [...]string{"missing", "delayed", "ended", "same", "late", "next", "young", "straggler", "ahead", "reuse", "given back", "foreign"}[c]
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
// A thief who discards his answers presents the confirmed ticket again and again. An
// honest client that has received a child does so no longer. So these presentations
// are recorded, and a child that is older than two of them is reuse.
func (w windows) judge(s store.Snapshot, t refreshTicket) class {
	row := s.Record
	if row == nil {
		if t.generation == 0 && s.Now.Sub(t.issued) < delayedFor {
			return classDelayed
		}
		return classMissing
	}
	switch {
	case w.wasGivenBack(s):
		return classGivenBack
	case isOver(s), !s.Now.Before(t.expires):
		return classEnded
	}

	p := w.presented(s, t)
	same, later := row.IsConfirmed(p), row.CanConfirm(p)
	age := s.Now.Sub(t.issued)
	switch {
	case (same || later) && age < w.young && age >= -w.clockStep:
		return classYoung
	case same && row.IsLate(p, s.Now):
		return classLate
	case same:
		return classSame
	case later && t.generation == row.Generation+1:
		return classNext
	case later:
		return classAhead
	case s.Now.Sub(row.ConfirmedAt) <= w.grace && isStraggler(row, p):
		return classStraggler
	default:
		return classReuse
	}
}

// presented describes a ticket to the store. Generations are compared by adding, never
// by subtracting: they are unsigned, and a login has generation 0.
func (w windows) presented(s store.Snapshot, t refreshTicket) store.PresentedTicket {
	p := store.PresentedTicket{
		ID:              t.sessionID(),
		Generation:      t.generation,
		Digest:          t.digest(),
		Parent:          t.parentDigest(),
		LateAfter:       w.late,
		SupersededAfter: t.issued.Add(w.late),
	}
	if s.Record == nil {
		return p
	}
	if furthest := furthestAhead(s.Now, s.Record); t.generation > furthest {
		p.Lowest = t.generation - furthest
	}
	return p
}

// furthestAhead returns by how many generations a client can at most be ahead of the
// row: as many as the shortest access lifetime allows since the row was written. The
// slack covers a database that has failed over to one with a slower clock.
func furthestAhead(now time.Time, row *store.Record) uint64 {
	since := max(0, now.Sub(row.ConfirmedAt)) + failoverSlack
	return 2 + uint64(since/windowsFor(shortestAccess).young)
}

// isStraggler reports whether p is the ticket before the confirmed one, or a sibling of
// the confirmed one.
func isStraggler(row *store.Record, p store.PresentedTicket) bool {
	return p.Generation+1 == row.Generation && p.Digest == row.Previous ||
		p.Generation == row.Generation && p.Parent == row.Previous
}

// wasGivenBack reports whether an impersonation was stopped, and a client has refreshed the
// actor's own session since. Then two clients exist: a browser that has received the answer
// to the stop no longer presents a ticket of the impersonation, and after a lost answer nobody
// refreshes the actor's session. A write within the young window of the stop does not count:
// it is no refresh, and requests of the impersonation may still be in flight.
func (w windows) wasGivenBack(s store.Snapshot) bool {
	row, actor := s.Record, s.Actor
	return row.Reason == store.ReasonReplaced && actor != nil && !hasEnded(s, actor) && actor.LastSeenAt().After(row.RevokedAt.Add(w.young))
}

// isOver reports whether the session of s has ended, or the one from which an actor began
// it.
func isOver(s store.Snapshot) bool {
	return hasEnded(s, s.Record) || isActorOver(s)
}

// isActorOver reports whether the session has ended from which an actor began the session
// of s.
func isActorOver(s store.Snapshot) bool {
	return !s.Record.ActorSession.IsZero() && (s.Actor == nil || hasEnded(s, s.Actor))
}

// hasEnded reports whether the session of a row has ended: for everybody, for its user, or
// by itself. The global epoch may be lower than the row's: then the database has lost a
// RevokeAll.
func hasEnded(s store.Snapshot, row *store.Record) bool {
	return !row.RevokedAt.IsZero() ||
		row.GlobalEpoch < s.GlobalEpoch ||
		row.User.Disabled ||
		row.User.Epoch != row.UserEpoch ||
		!s.Now.Before(row.EndsAt)
}
