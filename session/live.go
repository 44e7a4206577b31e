package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// RequireLive asks the store about the session of this request at this moment, for
// what must not rest on an access cookie: that may be up to AccessTTL old, copied, or
// forged with a leaked key. v is the Verdict of Authenticate or Issue on the same
// request.
//
// The request must carry the refresh cookie of the session, which nobody can make from
// the keys. It is judged as at a refresh, but nothing is written and no cookie is set:
// one that is superseded is refused here, and ends the session at the next refresh. A
// session that Issue has begun in this request needs no refresh cookie, because the
// user's credentials have just been verified.
//
// An access token comes alone. It carries a proof that nobody can make from the keys, and the
// row has its digest. So a forged token does not pass, and a stolen one does until it expires.
//
// The Verdict that RequireLive returns has the roles, attributes and times that the
// row says now, and the cookies of v. An error comes with the zero Verdict. It Is
// ErrUnauthenticated, or ErrStoreUnavailable, which ends no session. No error deletes
// a cookie.
//
// It costs one statement, and waits for the store for at most 2 seconds. For a session
// that Issue has begun in this request, a moment ago, it costs none: Issue has read the row.
func (m *Manager) RequireLive(r *http.Request, v Verdict) (Verdict, error) {
	if v.ticket == nil {
		return Verdict{}, unauthenticated("the request has no session")
	}
	var t refreshTicket
	switch {
	case v.verified:
		if m.readJustNow(v) {
			return v, nil
		}
	case v.ticket.Client == "":
		var ok bool
		if t, ok = m.tickets.refreshOf(r, v.ticket.id); !ok {
			return Verdict{}, unauthenticated("the request has no refresh cookie of its session")
		}
	}

	c := m.store.begin(r.Context(), r)
	defer c.end()
	return m.requireLive(c, v, t)
}

// requireLive is RequireLive for a session that needs the store's word. t is its refresh ticket,
// unless a token or credentials have admitted the request.
func (m *Manager) requireLive(c *call, v Verdict, t refreshTicket) (Verdict, error) {
	byToken := v.ticket.Client != ""
	snap, err := c.find(v.ticket.id)
	if err != nil {
		return Verdict{}, err
	}
	switch {
	case byToken && !isProven(snap, v.ticket):
		return Verdict{}, unauthenticated("the session is over, or has not issued this token")
	case !byToken && !v.verified:
		switch class := m.resolver.judge(c.r, snap, t); {
		case class == classDelayed:
			return Verdict{}, unavailable(errDelayed)
		case !class.goesOn():
			return Verdict{}, unauthenticated("the session is over (" + class.String() + ")")
		}
	}
	switch {
	case !isLive(snap, v.ticket):
		return Verdict{}, unauthenticated("the session is over")
	case !m.revoker.isCurrent(snap.Record):
		return Verdict{}, c.reportUnavailable(errStale)
	}
	fresh := m.tickets.newAccess(snap)
	if byToken {
		fresh.live = v.ticket.live
	} else {
		// DropStaleCookies drops the cookies of v if they were minted before a reload that
		// this node knows of.
		fresh.reload = min(fresh.reload, v.ticket.reload)
	}
	v.ticket = fresh
	return v, nil
}

// isProven reports whether the session of a row has issued an access token. The keys alone do
// not suffice to make one.
func isProven(snap store.Snapshot, t *accessTicket) bool {
	return snap.Record != nil && snap.Record.Live == t.live.digest()
}

// readJustNow reports whether the store was asked for the Verdict as short a time ago
// as outcomes are shared for, and nothing is known against it since.
func (m *Manager) readJustNow(v Verdict) bool {
	return time.Since(v.asked) < m.spans.cookies.shareOutcome && m.accepts(v.ticket)
}

// isLive reports whether the session of an access ticket goes on, and belongs to the
// user that the ticket names. Anybody with the keys can make such a ticket.
func isLive(snap store.Snapshot, t *accessTicket) bool {
	return snap.Record != nil && !isOver(snap) && snap.Record.UserID == t.UserID
}

// Done returns a channel that is closed when the session of a long-lived request, a
// stream or a WebSocket, is revoked or over, so that the handler can stop, and when
// ctx is done. ctx is the context of the request behind a guard.
//
// With Run the channel is closed within about a second of a revocation on any
// node. Without Run, and for a ban or a raised session_epoch alone, it takes about
// AccessTTL: Done asks the store as often as other requests do. A store that does
// not answer ends nothing.
//
// Such a request does not keep its session alive. Without other requests, the channel is
// closed when the row of the session is removed, about two idle timeouts after its
// last refresh, and at the absolute end at the latest. Without a session in ctx the
// channel is closed at once. Call Done once for each request; its goroutine ends with
// the channel.
func (m *Manager) Done(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	t, ok := ticketIn(ctx)
	switch {
	case !ok:
		close(done)
	case t.id.IsZero(): // made by NewContext, for a test: no Manager can revoke it
		context.AfterFunc(ctx, func() { close(done) })
	default:
		go func() {
			defer close(done)
			m.watch(ctx, t)
		}()
	}
	return done
}

// watch returns when the session is over, or ctx is done.
func (m *Manager) watch(ctx context.Context, t *accessTicket) {
	news, stop := m.revocations.watchers.add(t.id, t.origin) // before the first check, so that nothing is missed
	defer stop()
	end := time.NewTimer(t.EndsAt.Sub(t.IssuedAt) - t.sinceIssued())
	defer end.Stop()
	w := m.spans.of(t.Client)
	pause := func() time.Duration { return w.watchPause - rand.N(w.accessJitter) }
	ask := time.NewTimer(pause()) // news must not put it off
	defer ask.Stop()
	for !m.revocations.knowsEnd(t.id, t.globalEpoch) && !m.revocations.originEnded(t.origin) {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-news:
		case <-ask.C:
			ask.Reset(pause())
			if errors.Is(m.check(ctx, t), ErrUnauthenticated) {
				return
			}
		}
	}
}

// check asks the store about a session by its id. Unlike RequireLive it does not ask
// who sends the request: a stream has been admitted, and its refresh cookie is
// superseded while it runs.
func (m *Manager) check(ctx context.Context, t *accessTicket) error {
	c := m.store.begin(ctx, nil)
	defer c.end()
	snap, err := c.find(t.id)
	if err == nil && !isLive(snap, t) {
		err = unauthenticated("the session is over")
	}
	return err
}
