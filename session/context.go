package session

import (
	"context"
	"errors"
	"time"
)

// contextKey is where a request's context carries its *Verdict.
type contextKey struct{}

// NewContext returns a context that carries s, for tests of handlers. Guards do
// not look at it.
func NewContext(ctx context.Context, s Session) context.Context {
	return Verdict{ticket: &accessTicket{Session: s}}.NewContext(ctx)
}

// NewContext returns a context that carries the verdict's session, where
// handlers find it with FromContext and Done. A verdict on nobody hides what
// another guard has put there: its users need not be this one's. Guards call it.
func (v Verdict) NewContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, &v)
}

// Value is NewContext for a guard that has a context of its own: that context's
// Value asks here first, and goes on where the answer is nil.
func (v *Verdict) Value(key any) any {
	if key == (contextKey{}) {
		return v
	}
	return nil
}

// verdictIn returns the verdict that a context carries, if it is on somebody.
func verdictIn(ctx context.Context) (*Verdict, bool) {
	v, ok := ctx.Value(contextKey{}).(*Verdict)
	return v, ok && v.ticket != nil
}

// FromContext returns the session that a guard found for this request. False
// says that the request is nobody's, or that no guard stood before the handler.
// Each call returns a copy of its own.
func FromContext(ctx context.Context) (s Session, ok bool) {
	var room [fewRoles]string
	s.Roles, ok = copyFrom(ctx, &s, room[:0])
	return s, ok
}

func copyFrom(ctx context.Context, s *Session, room []string) ([]string, bool) {
	v, ok := verdictIn(ctx)
	if !ok {
		return nil, false
	}
	return v.ticket.copy(s, room), true
}

// Done returns a channel that is closed when the session of a long-lived
// request, a stream or a WebSocket, is revoked or over, so that the handler can
// stop, and when ctx is done. With Manager.Run that is within about a second of a revocation on any
// node; without, and for a ban or a raised session_epoch alone, within about
// AccessTTL: as often as other requests would, Done asks the store. That the
// store does not answer ends nothing.
//
// Such a request keeps nothing alive: the session's idle time goes on, and what
// Done watches for is the absolute end. Where no guard has put a session, the
// channel is closed at once. Call it once per request; what it starts ends with
// the channel.
func Done(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	v, ok := verdictIn(ctx)
	switch {
	case !ok:
		close(done)
	case v.manager == nil: // a test's: nobody can revoke it
		context.AfterFunc(ctx, func() { close(done) })
	default:
		go func() {
			defer close(done)
			v.manager.watch(ctx, v.ticket)
		}()
	}
	return done
}

// watch returns when the session is over, or ctx is done.
func (m *Manager) watch(ctx context.Context, t *accessTicket) {
	end := time.NewTimer(t.EndsAt.Sub(t.IssuedAt) - t.sinceIssued())
	defer end.Stop()
	pause := func() time.Duration { return m.cfg.AccessTTL - jitter(m.cfg.AccessTTL/10) }
	look := time.NewTimer(pause()) // others' news must not put it off
	defer look.Stop()
	for {
		news := m.feed.news()
		if m.feed.over(t.id, t.globalEpoch) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-news:
		case <-look.C:
			look.Reset(pause())
			if errors.Is(m.Check(ctx, t.Session), ErrUnauthenticated) {
				return
			}
		}
	}
}
