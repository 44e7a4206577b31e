package session

import (
	"errors"
	"net/http"
	"time"
)

// Authenticate decides who a request belongs to.
//
// A good access cookie is enough, without the store. Otherwise the refresh cookie
// is checked against the store, and the Verdict carries new cookies. An error that
// Is ErrUnauthenticated says that the request has no session; the Verdict's access
// cookie then spares the store the next requests of a session that is over. It also Is
// ErrReused if the session was ended for reuse. One that Is ErrStoreUnavailable says
// that the store gave no answer, which logs nobody out. It waits for the store for at
// most 2 seconds.
//
// If the user's roles and attributes have outgrown the access cookie since the login,
// the session goes on without one: the store is asked for each request, and
// EventTooLarge says so.
//
// With Config.TokenTTL a good access token (see Tokens) is enough, too. A request with a token
// has no session by its cookies: the error Is ErrAmbiguous if it has both. The Verdict has no
// cookies. The store is asked about a token only if it has not expired and is not accepted all
// the same, because this node's clock is wrong or because of ForceRefresh.
//
// A prefetch (see IsPrefetch) never causes a statement, and never gets cookies. If it
// has a cookie of the Manager's, but no good access cookie, the error Is
// ErrStoreUnavailable. Answer 503, without cookies: the browser does not keep that.
func (m *Manager) Authenticate(r *http.Request) (Verdict, error) {
	return m.authenticate(r, false)
}

// AuthenticateBackground is Authenticate for a request that does not show that the user is
// there, such as a poll. It neither refreshes the session nor keeps it from its idle end: a
// Verdict with a session has no cookies. So without a good access cookie each such request
// costs a statement, or two.
//
// It presents the same refresh cookie again and again. That is not recorded as a thief's
// visits are: an honest answer that comes late in between would look stolen. A thief who sends
// nothing else is noticed when he comes after the victim's next refresh.
func (m *Manager) AuthenticateBackground(r *http.Request) (Verdict, error) {
	v, err := m.authenticate(r, true)
	if err == nil {
		v.Cookies = nil
	}
	return v, err
}

func (m *Manager) authenticate(r *http.Request, background bool) (Verdict, error) {
	m.checkSetup(r)
	if m.isByToken(r) {
		return m.byToken(r)
	}
	if t, ok := m.tickets.access(r); ok && m.accepts(t) {
		return Verdict{ticket: t}, nil
	}
	if IsPrefetch(r) && m.tickets.names.arePresent(r) {
		return Verdict{}, unavailable(errPrefetch)
	}
	t, err := m.refreshTicket(r)
	if err != nil {
		return Verdict{}, err
	}
	if err := m.knownOver(r, t); err != nil {
		return Verdict{}, err
	}
	m.checkRun(r)
	return m.refresh(r, t, background)
}

// knownOver returns why the session of a ticket is over if that is certain without the
// store, else nil.
func (m *Manager) knownOver(r *http.Request, t refreshTicket) error {
	if over, ok := m.tickets.over(r, t.sessionID()); ok && time.Now().Before(over.ExpiresAt) {
		return isOverError("as the access cookie says", over.reused)
	}
	if m.store.isLongPast(t.expires) {
		return isOverError("the refresh cookie ended long ago", false)
	}
	return nil
}

// refreshTicket returns the request's refresh ticket. Usually there is one, and no
// statement is needed.
//
// If the cookies name two sessions, it returns the ticket of the one that goes on: a login
// has replaced the other one, whose last answer came late. If both go on, and an actor has
// begun the one from the other, it returns the ticket of the impersonation. Otherwise one
// cookie may be planted, and neither counts.
func (m *Manager) refreshTicket(r *http.Request) (refreshTicket, error) {
	tickets := m.tickets.refresh(r)
	switch len(tickets) {
	case 0:
		return refreshTicket{}, unauthenticated("the request has no cookie that can be opened")
	case 1:
		return tickets[0], nil
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	chosen, live := tickets[0], 0
	for _, t := range tickets {
		if m.knownOver(r, t) != nil {
			continue
		}
		goesOn, err := m.resolver.goesOn(c, t)
		if err != nil {
			return refreshTicket{}, err
		}
		if goesOn {
			chosen = t
			live++
		}
	}
	if live > 1 {
		if t, ok := impersonation(tickets); ok {
			return t, nil
		}
		c.raise(Event{Kind: EventAmbiguous})
		return refreshTicket{}, unauthenticated("the request has the refresh cookies of two sessions")
	}
	return chosen, nil
}

// accepts reports whether an access ticket counts without asking the store. Its
// times are the store's, and now is this node's. If the two clocks disagree, the ticket
// is not accepted, and the store is asked.
func (m *Manager) accepts(t *accessTicket) bool {
	now := time.Now()
	return !m.store.clockBehind.Load() &&
		now.Before(t.ExpiresAt) &&
		!t.IssuedAt.After(now.Add(clockTolerance)) &&
		m.revocations.accepts(t.id, t.globalEpoch, t.reload) &&
		!m.revocations.originEnded(t.origin) &&
		!m.revocations.mustRefresh(t.refresh)
}

// refresh turns a refresh ticket into a Verdict.
func (m *Manager) refresh(r *http.Request, t refreshTicket, background bool) (v Verdict, err error) {
	c := m.store.begin(r.Context(), r)
	defer c.end()
	defer c.observe(OperationRefresh, &err)()
	c.background = background

	o, refused, err := m.ask(c, t)
	if err != nil {
		return refused, err
	}
	v, err = m.answer(c, t, o)
	if err == nil && !m.revoker.isCurrent(o.snap.Record) {
		return Verdict{}, c.reportUnavailable(errStale)
	}
	return v, err
}

// ask finds out whether the session of a ticket goes on. If it does not, an error comes with
// the Verdict of the refusal.
func (m *Manager) ask(c *call, t refreshTicket) (outcome, Verdict, error) {
	o, err := m.resolver.resolveOnce(c, t)
	if err == nil && o.class.goesOn() && !m.revoker.isCurrent(o.snap.Record) {
		// This node has learned of a revocation while it asked the store. The answer may
		// be older, so ask again, and do not share the new answer.
		o, err = m.resolver.resolve(c, t)
	}
	switch {
	case err != nil:
		return o, Verdict{}, err
	case o.class == classDelayed:
		return o, Verdict{}, unavailable(errDelayed)
	case !o.class.goesOn():
		v, err := m.refuse(t, o)
		return o, v, err
	default:
		return o, Verdict{}, nil
	}
}

// answer makes the session, and the cookies that the class of its ticket allows: both
// for a ticket that is confirmed, only an access cookie for a young one, and none
// for a straggler, whose browser has a newer one already.
//
// A session that has outgrown the access cookie goes on without one: the row answers
// each of its requests, with nothing left out. The user may be the cause, by a long
// name, and must not be logged out for it, nor run into an error.
func (m *Manager) answer(c *call, t refreshTicket, o outcome) (Verdict, error) {
	if o.class == classStraggler {
		return Verdict{ticket: m.tickets.newAccess(o.snap)}, nil
	}
	var child *refreshTicket
	if o.class != classYoung {
		next := t.child(o.snap.Now, m.cfg.idle(t, o.snap.Record.IdleTimeout))
		child = &next
	}
	v, err := m.tickets.mint(c, o.snap, child)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return Verdict{}, err
	}
	v.asked, v.child = o.asked, true
	return v, nil
}

// refuse answers a session that is over. It deletes no refresh cookie: the refusal may
// reach the browser after the answer to its next login, and would take that login's.
// Next to another session's refresh cookie the access cookie of a refusal means nothing.
func (m *Manager) refuse(t refreshTicket, o outcome) (Verdict, error) {
	switch {
	case o.class == classForeign: // the session goes on, for another client
		return Verdict{}, unauthenticated(errFingerprint.Error())
	case o.endedAlone(): // a parallel request may have been answered with a newer ticket
		return Verdict{}, isOverError(o.why(), false)
	}
	over, err := m.tickets.mintOver(t.sessionID(), o.snap.Now, o.stolen() != nil)
	if err != nil {
		return Verdict{}, err
	}
	return Verdict{Cookies: []*http.Cookie{over}}, isOverError(o.why(), o.stolen() != nil)
}

func isOverError(why string, reused bool) error {
	if reused {
		return ErrReused
	}
	return unauthenticated("the session is over (" + why + ")")
}
