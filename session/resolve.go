package session

import (
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sessionkit/sessionkit/session/store"
)

// outcome is the class of a ticket, and the row that it was judged against.
type outcome struct {
	class class
	snap  store.Snapshot
	asked time.Time // when the store was asked, which may be a while before it answered

	unrecorded bool // a late presentation by a request of the background
}

// resolver finds out what a refresh ticket is, and writes down what follows from
// it. It is safe for concurrent use.
type resolver struct {
	cfg      Config
	spans    spans
	revoker  *revoker
	outcomes *outcomeCache      // of sessions that go on
	refusals *outcomeCache      // of sessions that are over
	flights  singleflight.Group // of resolve, by ticket
}

// goesOn reports whether the session of a ticket of this class goes on.
func (c class) goesOn() bool {
	switch c {
	case classSame, classLate, classNext, classYoung, classStraggler, classAhead:
		return true
	default:
		return false
	}
}

// userGone reports whether a session is over because the app has deleted the user's row
// without revoking the session. A later user may get the same id.
func (o outcome) userGone() bool {
	row := o.snap.Record
	return o.class == classEnded && row.User.Gone && row.RevokedAt.IsZero()
}

// endedAlone reports whether the idle end of the ticket has come, but its session goes
// on: another client or a late answer may have a newer ticket.
func (o outcome) endedAlone() bool { return o.class == classEnded && !isOver(o.snap) }

// stolen returns the session that ends, or has ended, because somebody may have copied its
// cookie: the ticket's own, or the one that an actor began that from. nil: neither.
func (o outcome) stolen() *store.Record {
	row, actor := o.snap.Record, o.snap.Actor
	switch {
	case o.class == classReuse, row != nil && row.Reason == store.ReasonReuse:
		return row
	case o.class == classGivenBack, actor != nil && actor.Reason == store.ReasonReuse:
		return actor
	default:
		return nil
	}
}

// why says why a session is over, for logs.
func (o outcome) why() string {
	switch {
	case o.userGone():
		return "ended: the user no longer exists"
	case o.class == classEnded && o.snap.Record.User.Disabled && !o.snap.Record.User.Gone:
		return "ended: the user is disabled"
	case o.class == classEnded && isActorOver(o.snap):
		return "ended: the session of the actor is over"
	default:
		return o.class.String()
	}
}

// maxAttempts bounds how often one call reads a row that keeps changing.
const maxAttempts = 3

// resolve finds the class of a ticket and writes down what follows from it, usually in
// one or two statements. It is the only caller of present, confirm,
// recordLate and revokeReused.
func (rs *resolver) resolve(c *call, t refreshTicket) (outcome, error) {
	id, w := t.sessionID(), rs.spans.of(t.client)
	maybeRevoked := false // whether the answer to a revocation of ours was lost
	for attempt := range maxAttempts {
		o, confirmed := outcome{asked: time.Now()}, false
		var err error
		// With RequireFingerprint the request decides as well, and the store does not see
		// it. After a lost race, the row is read again.
		if rs.cfg.RequireFingerprint || attempt > 0 {
			o.snap, err = c.find(id)
		} else {
			o.snap, confirmed, err = c.present(rs.next(t))
		}
		if err != nil {
			return outcome{}, err
		}
		o.class = rs.judge(c.r, o.snap, t)
		if o.class == classLate && c.background {
			o.class, o.unrecorded = classSame, true
		}
		written, lost := true, false
		switch p := w.presented(o.snap, t); o.class {
		case classNext, classAhead:
			if !confirmed {
				p.RetainFor = w.retainFor(rs.cfg.idle(t, o.snap.Record.IdleTimeout))
				written, err = c.confirm(p)
			}
		case classLate:
			written, err = c.recordLate(p)
		case classReuse:
			written, lost, err = c.revokeReused(p)
		case classGivenBack:
			written, lost, err = c.revoke(o.snap.Actor.ID, "", store.ReasonReuse)
		}
		maybeRevoked = maybeRevoked || lost
		if err != nil {
			if stolen := o.stolen(); maybeRevoked && stolen != nil {
				rs.revoker.revokeLater(c, nameOf(stolen), store.ReasonReuse)
			}
			return outcome{}, err
		}
		if written {
			rs.report(c, o, t, maybeRevoked)
			return o, nil
		}
		// The row has changed since it was read. Judge what it says now.
	}
	return outcome{}, c.reportUnavailable(errContended)
}

// next describes a ticket for store.OneStep, which confirms it only if judge calls it next.
func (rs *resolver) next(t refreshTicket) store.PresentedTicket {
	w := rs.spans.of(t.client)
	p := w.presented(store.Snapshot{}, t)
	p.RetainFor = w.retainFor(rs.cfg.idle(t, 0))
	p.From, p.Until = t.issued.Add(w.young), t.expires
	return p
}

// goesOn reports whether the session of a ticket goes on. It writes nothing down, except
// that it revokes a session whose ticket is reused: else a thief would come back, unnoticed,
// behind a session of his own.
func (rs *resolver) goesOn(c *call, t refreshTicket) (bool, error) {
	id := t.sessionID()
	if _, refused := rs.refused(id, t); refused {
		return false, nil
	}
	snap, err := c.find(id)
	if err != nil {
		return false, err
	}
	o := outcome{class: rs.judge(c.r, snap, t), snap: snap}
	if o.class == classReuse {
		o, err := rs.resolve(c, t)
		return err == nil && o.class.goesOn() && rs.revoker.isCurrent(o.snap.Record), err
	}
	if o.class == classEnded || o.class == classMissing {
		rs.remember(id, t, o)
	}
	return o.class.goesOn() && rs.revoker.isCurrent(snap.Record), nil
}

// report tells the operator and this node's revocation list.
func (rs *resolver) report(c *call, o outcome, t refreshTicket, maybeRevoked bool) {
	id := t.sessionID()
	e := Event{SessionID: id.String()}
	if o.snap.Record != nil {
		e = eventOf("", o.snap.Record)
	}
	raise := func(kind EventKind) { e.Kind = kind; c.raise(e) }
	suspect := func(why error) {
		e := e
		e.Kind, e.Err, e.LoginUserAgent = EventSuspicious, why, o.snap.Record.UserAgent
		c.raise(e)
	}
	if (o.class.goesOn() || o.class == classForeign) && rs.cfg.looksDifferent(c.r, o.snap.Record) {
		suspect(errFingerprint)
	}
	switch o.class {
	case classReuse, classGivenBack:
		rs.revoker.reportReuse(c, o.stolen())
	case classEnded:
		if stolen := o.stolen(); maybeRevoked && stolen != nil {
			rs.revoker.reportReuse(c, stolen)
		}
		if o.userGone() {
			e.Err = errUserGone
		}
		raise(EventEnded)
	case classMissing:
		raise(EventEnded)
	case classStraggler:
		raise(EventGrace)
	case classAhead:
		raise(EventStoreBehind)
		raise(EventRefreshed)
	case classLate:
		if !o.snap.Record.LateBefore.IsZero() {
			suspect(errRepeated) // this is the third one
		}
		raise(EventRefreshed)
	case classYoung:
		if t.generation > o.snap.Record.Generation+1 { // it may be forged, with the key
			raise(EventStoreBehind)
		}
		raise(EventRefreshed)
	case classSame, classNext:
		raise(EventRefreshed)
	}
}
