package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The steps around judge: read the row, judge the ticket, and where the verdict
// must be written down, write it on the condition that it still holds.

// outcome is what became of a ticket, and the row that it was held against.
type outcome struct {
	class class
	snap  Snapshot
	asked time.Time // when that was: its answer may have taken a while
}

// errContended says that the row changed under each of the rounds that a
// request has. Nobody is logged out for that.
var errContended = errors.New("the session's row kept changing")

// maxRounds bounds how often a request reads a row that keeps changing.
const maxRounds = 3

// settle finds out what a ticket is, in one to two statements as a rule. It is
// the only caller of Store.Confirm and Store.RevokeReused.
func (m *Manager) settle(ctx context.Context, t refreshTicket, prefetch bool) (outcome, error) {
	if err := m.breaker.refusal(); err != nil {
		return outcome{}, noAnswer(err)
	}
	id := t.sessionID()
	idle, _ := m.cfg.timeouts(t.remember)
	presented := Presented{ID: id, Generation: t.generation, Digest: t.digest(), Parent: t.parentDigest(), KeepFor: m.cfg.keepFor(t.remember)}

	failures, rounds := 0, 0
	killing := false // a kill whose answer was lost may have been ours
	for {
		o, written, err := m.round(ctx, id, t, presented, prefetch, idle)
		switch {
		case err != nil:
			killing = killing || o.class == classReuse
			if failures++; failures == tries || !again(ctx) {
				m.breaker.suspect()
				return outcome{}, m.trouble(err)
			}
		case written:
			m.breaker.spoke()
			m.note(o, id, killing)
			return o, nil
		default:
			// The row was changed in between: what it says now decides.
			if rounds++; rounds == maxRounds {
				return outcome{}, m.trouble(errContended)
			}
		}
	}
}

// round reads the row once and does what follows from it. It reports whether
// what had to be written was.
func (m *Manager) round(ctx context.Context, id ID, t refreshTicket, p Presented, prefetch bool, idle time.Duration) (o outcome, written bool, err error) {
	o.asked = time.Now()
	o.snap, err = m.look(ctx, id)
	if err != nil {
		return o, false, err
	}
	o.class = m.rules.judge(o.snap, t)
	switch o.class {
	case classSame, classNext, classAhead:
		// A prefetch may never be looked at, and its cookies never be stored.
		// While there is time, it changes nothing (Sec-Purpose, Fetch standard).
		if left := t.expires.Sub(o.snap.Now); prefetch && left > idle/2 {
			o.class = classYoung
			return o, true, nil
		}
	}
	switch o.class {
	case classNext, classAhead:
		written, err = m.store.Confirm(ctx, p)
	case classReuse:
		written, err = m.store.RevokeReused(ctx, p)
	default:
		written = true
	}
	return o, written, err
}

// note tells the operator, and this node's feed.
func (m *Manager) note(o outcome, id ID, killing bool) {
	event := func(kind EventKind) { m.event(Event{Kind: kind, SessionID: id.String()}) }
	switch o.class {
	case classReuse:
		m.feed.revoked(id)
		event(EventReuse)
	case classEnded:
		if killing && o.snap.Record.Reason == ReasonReuse {
			event(EventReuse)
		}
		event(EventEnded)
	case classMissing:
		event(EventEnded)
	case classStraggler:
		event(EventStraggler)
	case classAhead:
		event(EventAhead)
		event(EventRefreshed)
	case classSame, classNext, classYoung:
		event(EventRefreshed)
	}
}

// redeem turns a refresh ticket into a verdict.
func (m *Manager) redeem(r *http.Request, t refreshTicket) (Verdict, error) {
	prefetch := strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch")
	// A second round only if a revocation arrived here while the store was asked:
	// what was read may be older than it.
	for range 2 {
		o, err := m.share(r.Context(), t, prefetch)
		if err != nil {
			return Verdict{}, err
		}
		switch o.class {
		case classPending:
			return Verdict{}, errPending
		case classMissing, classEnded, classReuse:
			return m.refuse(o)
		}
		v, err := m.grant(t, o)
		if err != nil || m.stillGood(o) {
			return v, err
		}
	}
	return Verdict{}, m.trouble(errBehind)
}

var (
	errPending = errors.New("session: a login of a moment ago is not in the store yet: try again")
	errBehind  = errors.New("the store's answer is older than a revocation that this node knows of")
)

// refuse tells a session that is over, and deletes its cookies. But a request that
// was sent before the revocation may arrive after the next login on this browser,
// and must not end that: for an access lifetime the refresh cookie is left alone.
// If it is the new session's access cookie that goes, that costs it a refresh.
func (m *Manager) refuse(o outcome) (Verdict, error) {
	cookies := m.names.cleared()
	if row := o.snap.Record; o.class == classReuse || row != nil && !row.RevokedAt.IsZero() && o.snap.Now.Sub(row.RevokedAt) < m.cfg.AccessTTL {
		cookies = slices.DeleteFunc(cookies, func(c *http.Cookie) bool { return c.Name == m.names.refresh })
	}
	return Verdict{Cookies: cookies}, unauthenticated("the session is over (" + o.class.String() + ")")
}
