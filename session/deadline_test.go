package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// The store calls of a Manager's method are not canceled with the request. No method
// waits longer than two seconds for the store.
func TestManager_CallsOutliveTheRequestAndWaitTwoSeconds(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, n *testNode, b *sessiontest.Browser, s session.Session) error{
		"Authenticate": func(ctx context.Context, n *testNode, b *sessiontest.Browser, _ session.Session) error {
			b.ExpireAccess()
			_, err := n.Authenticate(b.NewRequest("GET", "/", nil).WithContext(ctx))
			return err
		},
		"Issue": func(ctx context.Context, n *testNode, b *sessiontest.Browser, _ session.Session) error {
			_, err := n.Issue(b.NewRequest("POST", "/login", nil).WithContext(ctx), session.Login{UserID: "1"})
			return err
		},
		"Logout": func(ctx context.Context, n *testNode, b *sessiontest.Browser, _ session.Session) error {
			_, err := n.Logout(b.NewRequest("POST", "/logout", nil).WithContext(ctx))
			return err
		},
		"Revoke": func(ctx context.Context, n *testNode, _ *sessiontest.Browser, s session.Session) error {
			return n.Revoke(ctx, "1", s.ID)
		},
		"RevokeUser": func(ctx context.Context, n *testNode, _ *sessiontest.Browser, _ session.Session) error {
			return n.RevokeUser(ctx, "1")
		},
		"RevokeAll": func(ctx context.Context, n *testNode, _ *sessiontest.Browser, _ session.Session) error {
			return n.RevokeAll(ctx)
		},
		"Reload": func(ctx context.Context, n *testNode, _ *sessiontest.Browser, _ session.Session) error {
			return n.ForceRefresh(ctx, "1")
		},
		"RequireLive": func(ctx context.Context, n *testNode, b *sessiontest.Browser, _ session.Session) error {
			r := page(b).WithContext(ctx)
			v, err := n.Authenticate(r)
			if err == nil {
				_, err = n.RequireLive(r, v)
			}
			return err
		},
		"List": func(ctx context.Context, n *testNode, _ *sessiontest.Browser, _ session.Session) error {
			_, err := n.List(ctx, "1")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				s := w.here.login(b, session.Login{})
				w.here.store.Before(func(ctx context.Context, _ string) error { return ctx.Err() }) // like a database
				closed, end := context.WithCancel(w.Context())
				end()
				if err := call(closed, w.here, b.Clone(), s); err != nil {
					w.Errorf("a request that had ended: %v", err)
				}
				b = newBrowser()
				s = w.here.login(b, session.Login{})
				w.here.store.Delay(time.Hour)
				start, before := time.Now(), w.here.store.Calls()
				err := call(w.Context(), w.here, b, s)
				if took := time.Since(start); err == nil || errors.Is(err, session.ErrUnauthenticated) || took != callTimeout {
					w.Errorf("a store that hangs: got %v after %v; want a store error after %v", err, took, callTimeout)
				}
				if n := w.here.store.Calls() - before; n != 1 { // no time is left for a repetition
					w.Errorf("a store that hangs: %d of them; want 1", n)
				}
			})
		})
	}
}

// A refresh that must write completes even if the browser closes the connection.
func TestManager_ConfirmingRefreshOutlivesTheRequest(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b, _ := w.here.confirmable(false)
		w.here.store.Before(func(ctx context.Context, _ string) error { return ctx.Err() })
		ctx, closed := context.WithCancel(w.Context())
		closed()
		before := w.here.store.Calls("Confirm")
		if _, err := w.here.Authenticate(b.NewRequest("GET", "/", nil).WithContext(ctx)); err != nil {
			w.Errorf("the request had ended: %v", err)
		}
		if n := w.here.store.Calls("Confirm") - before; n != 1 {
			w.Errorf("%d confirms; want 1", n)
		}
		if trouble := w.here.eventsOf(session.EventStoreError); len(trouble) != 0 {
			w.Errorf("events: %v", trouble)
		}
	})
}
