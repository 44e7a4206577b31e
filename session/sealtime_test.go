package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// An access cookie also contains the time at which a node sealed it. A store whose
// clock was ahead may issue a ticket in the future. It must not become valid when that
// time comes: by then the nodes have forgotten which sessions were revoked.
func TestManager_AccessCookieFromTheFutureIsNotOpenedLater(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.store.SetClock(time.Hour)
		s := w.login(b, session.Login{})
		w.store.SetClock(0)
		stolen := without(b, refreshCookies...)
		if err := w.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		for range 64 {
			time.Sleep(time.Minute)
			node := w.node(session.Config{}) // it has not cached the cookie
			if v, err := node.Authenticate(page(stolen)); !errors.Is(err, session.ErrUnauthenticated) {
				w.Fatalf("%v, %v, when the ticket is %v old; want ErrUnauthenticated", v, err, time.Since(s.IssuedAt))
			}
		}
	})
}

// A node finds a cookie in its cache only as long as a key would open it, counted from
// when it was sealed, not from when this node has opened it.
func TestTicketCache_CookieFromTheFutureIsForgottenInTime(t *testing.T) {
	for _, ahead := range []time.Duration{200 * time.Second, time.Hour} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.store.SetClock(ahead)
			s := w.login(b, session.Login{}) // this node has the cookie in its cache from now on
			w.store.SetClock(0)
			began, stolen, other := time.Now(), without(b, refreshCookies...), w.node(session.Config{})
			if err := w.Revoke(w.Context(), "1", s.ID); err != nil {
				w.Fatal(err)
			}
			for _, node := range []*testWorld{w, other} {
				node.login(newBrowser(), session.Login{UserID: "2"}) // the node sees that its clock is right
			}
			time.Sleep(2*time.Minute + 4*time.Second)
			for time.Since(began) < ahead+3*time.Minute {
				for name, node := range map[string]*testWorld{"the node of the login": w, "one that opened it late": other} {
					if v, err := node.Authenticate(page(stolen)); !errors.Is(err, session.ErrUnauthenticated) {
						w.Fatalf("%s, %v after the login: %v, %v; want ErrUnauthenticated", name, time.Since(began), v, err)
					}
				}
				time.Sleep(3 * time.Second)
			}
		})
	}
}

// The check of the sealed time allows for the five seconds by which a store's clock may
// be ahead.
func TestManager_AccessCookieOfAStoreThatIsAheadIsValidToItsEnd(t *testing.T) {
	inTestWorld(t, session.Config{AccessTTL: time.Second}, func(w *testWorld) {
		b := newBrowser()
		w.store.SetClock(5 * time.Second)
		s := w.login(b, session.Login{})
		b = b.CloneIgnoringExpiry()
		time.Sleep(time.Until(s.ExpiresAt) - time.Millisecond)
		node := w.node(session.Config{AccessTTL: time.Second})
		if n := node.calls(func() { node.in(b) }); n != 0 {
			w.Errorf("a millisecond before the end: %d calls; want 0", n)
		}
	})
}

// The sealed time of a refresh cookie is not checked: a node with a wrong clock must
// log nobody out. The store decides how long the cookie is valid.
func TestManager_RefreshCookieIsOpenedAtAnyAge(t *testing.T) {
	inTestWorld(t, session.Config{RememberIdleTimeout: 399 * day, RememberAbsoluteTimeout: 400 * day}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{Remember: true})
		time.Sleep(399*day - time.Second)
		node := w.node(session.Config{RememberIdleTimeout: 399 * day, RememberAbsoluteTimeout: 400 * day})
		if got := node.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
		if n := node.count(session.EventUndecodable); n != 0 {
			w.Errorf("%d cookies could not be read", n)
		}
	})
}
