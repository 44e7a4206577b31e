package session

import (
	"net/http"
	"strings"
	"time"
)

// Authenticate decides who a request belongs to.
//
// A good access cookie is enough, without the store. Otherwise the refresh cookie
// is checked against the store, and the Verdict carries new cookies. An error that
// Is ErrUnauthenticated says that the request has no session; the Verdict's
// cookies then delete what is left of one that is over. One that Is ErrTooLarge
// says that the user's roles have outgrown a cookie. One that Is ErrStoreUnavailable
// says that the store gave no answer, which logs nobody out. It waits for the
// store for at most 2 seconds.
func (m *Manager) Authenticate(r *http.Request) (Verdict, error) {
	if t, ok := m.tickets.access(r); ok && m.accepts(t) {
		return Verdict{ticket: t}, nil
	}
	t, ok := m.tickets.refresh(r)
	if !ok {
		return Verdict{}, unauthenticated("the request has no cookie that can be opened")
	}
	return m.refresh(r, t)
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
		!m.revocations.mustRefresh(t.refresh)
}

// refresh turns a refresh ticket into a Verdict.
func (m *Manager) refresh(r *http.Request, t refreshTicket) (Verdict, error) {
	c := m.store.begin(r.Context(), r)
	defer c.end()
	prefetch := strings.HasPrefix(r.Header.Get("Sec-Purpose"), "prefetch")

	o, err := m.resolver.resolveOnce(c, t, prefetch)
	if err == nil && o.class.goesOn() && !m.revoker.isCurrent(o.snap.Record) {
		// This node has learned of a revocation while it asked the store. The answer may
		// be older, so ask again, and do not share the new answer.
		o, err = m.resolver.resolve(c, t, prefetch)
	}
	switch {
	case err != nil:
		return Verdict{}, err
	case o.class == classDelayed:
		return Verdict{}, unavailable(errDelayed)
	case !o.class.goesOn():
		return m.refuse(o)
	}
	v, err := m.answer(c, t, o)
	if err == nil && !m.revoker.isCurrent(o.snap.Record) {
		return Verdict{}, c.reportUnavailable(errStale)
	}
	return v, err
}

// answer makes the session, and the cookies that the class of its ticket allows: both
// for a ticket that is confirmed, only an access cookie for a young one, and none
// for a straggler, whose browser has a newer one already.
func (m *Manager) answer(c *call, t refreshTicket, o outcome) (Verdict, error) {
	if o.class == classStraggler {
		return Verdict{ticket: m.tickets.newAccess(o.snap)}, nil
	}
	var child *refreshTicket
	if o.class != classYoung {
		idle, _ := m.cfg.timeouts(t.remember)
		next := t.child(o.snap.Now, idle)
		child = &next
	}
	v, err := m.tickets.mint(c, o.snap, child)
	if err != nil {
		return Verdict{}, err
	}
	v.asked, v.child = o.asked, true
	return v, nil
}

// refuse answers a session that is over, and deletes its cookies. A request that
// was sent before the revocation may arrive after the next login in this browser,
// and must not end that. So soon after a revocation the refresh cookie stays. If
// the refusal deletes the new session's access cookie, that costs one refresh.
func (m *Manager) refuse(o outcome) (Verdict, error) {
	cookies := m.tickets.names.cleared()
	if o.class == classReuse || m.windows.revokedRecently(o.snap) {
		cookies = m.tickets.names.withoutRefresh(cookies)
	}
	return Verdict{Cookies: cookies}, unauthenticated("the session is over (" + o.class.String() + ")")
}
