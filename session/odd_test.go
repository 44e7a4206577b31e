package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// jumpingClock is a store whose clock is ahead for a while.
type jumpingClock struct {
	store.Store
	by time.Duration
}

func (c *jumpingClock) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	s, err := c.Store.Find(ctx, id)
	s.Now = s.Now.Add(c.by)
	return s, err
}

// The store's clock is wrong for a moment. When it is right again, everybody goes on.
func TestManager_ClockOfTheStoreAheadForAMomentLogsNobodyOutForGood(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		clock := &jumpingClock{Store: w.users}
		n := newTestWorld(w.T, w.users, clock, session.Config{})
		a, b := newBrowser(), newBrowser()
		n.login(a, session.Login{})
		n.login(b, session.Login{})
		n.expireAccess()
		clock.by = 48 * time.Hour
		_, _ = n.visit(a)
		clock.by = 0
		for range 5 {
			time.Sleep(2 * time.Minute)
			if _, err := n.visit(b); err == nil {
				return
			}
		}
		_, err := n.visit(b)
		n.Errorf("ten minutes after the store's clock was right again: %v", err)
	})
}

// Nodes with access lifetimes of a second and of an hour on one database.
func TestManager_NodesWithDifferentAccessLifetimes(t *testing.T) {
	short := session.Config{AccessTTL: time.Second, IdleTimeout: 3 * time.Hour, AbsoluteTimeout: 24 * time.Hour}
	long := session.Config{AccessTTL: time.Hour, IdleTimeout: 3 * time.Hour, AbsoluteTimeout: 24 * time.Hour}
	t.Run("honest", func(t *testing.T) {
		inTestWorld(t, short, func(w *testWorld) {
			other := w.node(long)
			b := newBrowser()
			w.login(b, session.Login{})
			for i := range 3000 {
				time.Sleep(time.Duration(1+i*7919%4000) * time.Millisecond)
				n := w
				if i*31%7 < 3 {
					n = other
				}
				if i%3 == 0 {
					b.ExpireAccess()
				}
				v, err := n.Authenticate(page(b))
				if err != nil {
					w.Fatalf("request %d: %v", i, err)
				}
				if i%5 != 0 { // the others are lost
					b.Receive(v.Cookies)
				}
			}
		})
	})
	t.Run("an access cookie of the long node after a logout", func(t *testing.T) {
		inTestWorld(t, short, func(w *testWorld) {
			other := w.node(long)
			b := newBrowser()
			other.login(b, session.Login{})
			thief := b.CloneIgnoringExpiry()
			w.logout(b)
			stop1, stop2 := w.run(), other.run()
			defer stop1()
			defer stop2()
			for range 130 {
				time.Sleep(30 * time.Second)
				for _, n := range []*testWorld{w, other} {
					if _, err := n.Authenticate(page(thief)); err == nil {
						w.Fatalf("served after the logout")
					}
				}
			}
		})
	})
	t.Run("discarding thief on the long node", func(t *testing.T) {
		inTestWorld(t, short, func(w *testWorld) {
			other := w.node(long)
			b := newBrowser()
			w.login(b, session.Login{})
			time.Sleep(2 * time.Second)
			thief := b.CloneIgnoringExpiry()
			w.in(b)
			thief.Delete(func(name string) bool { return name == accessCookie })
			served := 0
			for range 17 {
				time.Sleep(10 * time.Minute)
				if _, err := other.Authenticate(page(thief)); err == nil {
					served++
				}
			}
			b.ExpireAccess()
			if _, err := w.visit(b); !errors.Is(err, session.ErrReused) {
				w.Errorf("the thief was served %d times in 170 minutes on the node with an hour; the victim then: %v", served, err)
			}
		})
	})
}

// A user's own long attribute: every login of a program makes a row and ends it.
func TestManager_LoginThatDoesNotFitMakesNoRowEach(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.users.SetUser("1", store.User{Epoch: 1, Attrs: map[string]string{"name": strings.Repeat("x", 5000)}})
		calls := w.calls(func() {
			for range 200 {
				if _, err := w.Issue(bare(credential), program); !errors.Is(err, session.ErrTooLarge) {
					w.Fatal(err)
				}
			}
		}, "Create")
		if calls > 20 {
			w.Errorf("200 logins that do not fit made %d rows, which stay for an hour, and %d statements", calls, w.store.Calls())
		}
	})
}

// A session that outgrows the cookie goes on from the row. Ends and theft still hold.
func TestManager_OutgrownSessionEscapesNothing(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.users.SetUser("1", store.User{Epoch: 1, Attrs: map[string]string{"name": strings.Repeat("x", 5000)}})
		w.expireAccess()
		thief := b.Clone()
		w.in(b)
		calls := w.calls(func() {
			for range 1000 {
				w.in(b)
			}
		})
		time.Sleep(2 * time.Minute)
		w.in(b)
		time.Sleep(2 * time.Minute)
		w.in(b)
		if _, err := w.visit(thief); !errors.Is(err, session.ErrReused) {
			w.Errorf("the thief: %v", err)
		}
		w.out(b)
		if calls > 1 {
			w.Errorf("1000 requests at once: %d calls; want 1", calls)
		}
		other := w.node(session.Config{})
		s := w.login2(b)
		w.expireAccess()
		w.in(b)
		if err := other.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		time.Sleep(1001 * time.Millisecond)
		w.out(b)
		w.login2(b)
		w.in(b)
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true, Attrs: map[string]string{"name": strings.Repeat("x", 5000)}})
		w.expireAccess()
		w.out(b)
	})
}

func (w *testWorld) login2(b *sessiontest.Browser) session.Session {
	big := store.User{Epoch: 1, Attrs: map[string]string{"name": strings.Repeat("x", 5000)}}
	w.users.SetUser("1", store.User{Epoch: 1})
	s := w.login(b, session.Login{})
	w.users.SetUser("1", big)
	return s
}

// The remembered credential ends with its session, however that ends.
func TestManager_RememberedCredentialEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(w *testWorld, other *testWorld, id string){
		"RevokeUser": func(w, other *testWorld, id string) { _ = other.RevokeUser(w.Context(), "1") },
		"Revoke":     func(w, other *testWorld, id string) { _ = other.Revoke(w.Context(), "1", id) },
		"RevokeAll":  func(w, other *testWorld, id string) { _ = other.RevokeAll(w.Context()) },
		"ForceRefresh": func(w, other *testWorld, id string) {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"guest"}})
			_ = other.ForceRefresh(w.Context(), "1")
		},
		"RefreshAll": func(w, other *testWorld, id string) { _ = w.users.RefreshAll(w.Context()) },
		"a ban, after A": func(w, other *testWorld, id string) {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			w.expireAccess()
		},
		"a new epoch in the login": func(w, other *testWorld, id string) { w.users.SetUser("1", store.User{Epoch: 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				other := w.node(session.Config{})
				defer w.run()()
				id, _ := w.issue(bare(credential), session.Login{UserID: "1", NonInteractive: true, Epoch: 1})
				end(w, other, id)
				time.Sleep(2 * time.Second)
				v, err := w.Issue(bare(credential), session.Login{UserID: "1", NonInteractive: true, Epoch: 1})
				if name == "a new epoch in the login" {
					v, err = w.Issue(bare(credential), session.Login{UserID: "1", NonInteractive: true, Epoch: 2})
				}
				if err == nil && v.Session().ID == id {
					w.Errorf("%s: answered by the old session: %v", name, v.Session().Roles)
				}
			})
		})
	}
}

// Odd Verdicts and requests cause no panic.
func TestManager_OddInputDoesNotPanic(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		var zero session.Verdict
		empty := &http.Request{Header: nil}
		try := func(name string, f func()) {
			defer func() {
				if p := recover(); p != nil {
					w.Errorf("%s: panic: %v", name, p)
				}
			}()
			f()
		}
		try("RequireLive zero", func() { _, _ = w.RequireLive(empty, zero) })
		try("RequireLive nil request", func() { _, _ = w.RequireLive(nil, zero) })
		try("Authenticate empty", func() { _, _ = w.Authenticate(empty) })
		try("Authenticate nil header values", func() { _, _ = w.Authenticate(&http.Request{Header: http.Header{"Cookie": nil, "Sec-Purpose": nil}}) })
		try("Issue empty", func() { _, _ = w.Issue(empty, session.Login{}) })
		try("Issue user", func() { _, _ = w.Issue(empty, session.Login{UserID: "1", NonInteractive: true}) })
		try("Logout empty", func() { _, _ = w.Logout(empty) })
		try("Drop", func() { w.DropStaleCookies(nil, zero); w.DropStaleCookies(http.Header{}, zero) })
		try("SetCookies", func() { zero.SetCookies(nil) })
		try("Session", func() { _ = zero.Session(); _, _ = session.FromContext(context.Background()) })
		try("Done", func() { <-w.Done(context.Background()) })
		try("Done test session", func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			<-w.Done(session.Session{UserID: "1"}.NewContext(ctx))
		})
		try("List", func() {
			_, _ = w.List(context.Background(), "", "x")
			_, _ = w.List(context.Background(), "1", strings.Repeat("0", 32))
		})
		try("RevokeUser", func() { _ = w.RevokeUser(context.Background(), "", "", "x") })
		try("Revoke", func() { _ = w.Revoke(context.Background(), "1", "") })
		try("IsPrefetch", func() { _ = session.IsPrefetch(empty) })
		v, err := w.Authenticate(page(func() *sessiontest.Browser { b := newBrowser(); w.login(b, session.Login{}); return b }()))
		try("RequireLive with an empty request", func() { _, _ = w.RequireLive(&http.Request{Header: nil}, v) })
		_ = err
	})
}

// Devices of another user are neither shown nor counted, whatever the cursor.
func TestManager_ListWithForeignCursors(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		a, b := newBrowser(), newBrowser()
		mine, theirs := w.login(a, session.Login{}), w.login(b, session.Login{UserID: "2"})
		for _, after := range []string{theirs.ID, strings.ToUpper(theirs.ID), "0", strings.Repeat("0", 32), strings.Repeat("f", 32), mine.ID + "0", " " + mine.ID, "%" + mine.ID[1:]} {
			list, err := w.List(w.Context(), "1", after)
			if !errors.Is(err, session.ErrNotFound) {
				w.Errorf("after %q: %v, %v", after, list, err)
			}
		}
	})
}
