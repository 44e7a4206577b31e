package session

import (
	"context"
	"errors"
	"time"
)

type contextKey struct{}

// carried is what a request's context knows of its session.
type carried struct {
	session Session
	manager *Manager // nil where a test put the session there
	ticket  accessTicket
}

// NewContext returns a context that carries s, for tests of handlers. Guards do
// not look at it.
func NewContext(ctx context.Context, s Session) context.Context {
	return context.WithValue(ctx, contextKey{}, &carried{session: s})
}

// NewContext returns a context that carries the verdict's session, where
// handlers find it with FromContext and Done. Guards call it.
func (v Verdict) NewContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, &carried{session: v.Session, manager: v.manager, ticket: v.ticket})
}

// FromContext returns the session that a guard found for this request. False
// says that the request is nobody's, or that no guard stood before the handler.
func FromContext(ctx context.Context) (Session, bool) {
	c, ok := ctx.Value(contextKey{}).(*carried)
	if !ok {
		return Session{}, false
	}
	return c.session, true
}

// Done returns a channel that is closed when the session of a long-lived
// request, a stream or a WebSocket, is revoked or over, so that the handler can
// stop. With Manager.Run that is within about a second of a revocation on any
// node; without, and for a ban or a raised session_epoch alone, within about
// AccessTTL: as often as other requests would, Done asks the store. That the
// store does not answer ends nothing.
//
// Such a request keeps nothing alive: the session's idle time goes on, and what
// Done watches for is the absolute end. Where no guard has put a session, the
// channel is closed at once. Call it once per request; what it starts ends with
// ctx.
func Done(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	c, ok := ctx.Value(contextKey{}).(*carried)
	switch {
	case !ok:
		close(done)
	case c.manager == nil: // a test's: nobody can revoke it
	default:
		go func() {
			c.manager.watch(ctx, c)
			if ctx.Err() == nil {
				close(done)
			}
		}()
	}
	return done
}

// watch returns when the session is over, or ctx is done.
func (m *Manager) watch(ctx context.Context, c *carried) {
	end := time.NewTimer(c.session.EndsAt.Sub(c.session.IssuedAt)) // both the store's
	defer end.Stop()
	for {
		news := m.feed.news()
		if m.feed.over(c.ticket.id, c.ticket.globalEpoch) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-news:
		case <-time.After(m.cfg.AccessTTL - jitter(m.cfg.AccessTTL/10)):
			if errors.Is(m.Check(ctx, c.session), ErrUnauthenticated) {
				return
			}
		}
	}
}
