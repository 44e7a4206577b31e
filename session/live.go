package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// RequireLive asks the store whether the session is good at this moment, for what
// must not rest on a cookie that is up to AccessTTL old. It returns nil, an error
// that Is ErrUnauthenticated, or one that Is ErrStoreUnavailable. It costs one
// statement.
func (m *Manager) RequireLive(ctx context.Context, s Session) error {
	id, err := store.ParseID(s.ID)
	if err != nil {
		return unauthenticated("the session has no id")
	}
	c := m.store.begin(ctx, nil)
	defer c.end()
	snap, err := c.find(id)
	switch {
	case err != nil:
		return err
	case snap.Record == nil || isOver(snap) || snap.Record.UserID != s.UserID:
		return unauthenticated("the session is over")
	}
	return nil
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
	news, stop := m.revocations.watchers.add(t.id) // before the first check, so that nothing is missed
	defer stop()
	end := time.NewTimer(t.EndsAt.Sub(t.IssuedAt) - t.sinceIssued())
	defer end.Stop()
	pause := func() time.Duration { return m.windows.watchPause - rand.N(m.windows.accessJitter) }
	ask := time.NewTimer(pause()) // news must not put it off
	defer ask.Stop()
	for !m.revocations.knowsEnd(t.id, t.globalEpoch) {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-news:
		case <-ask.C:
			ask.Reset(pause())
			if errors.Is(m.RequireLive(ctx, t.Session), ErrUnauthenticated) {
				return
			}
		}
	}
}
