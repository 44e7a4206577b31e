package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The access cookie after a ForceRefresh carries the store's counter, so it costs no
// more calls than any other.
func TestManager_AccessCookieAfterForceRefreshCostsNoCall(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for _, role := range []string{"one", "two"} {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{role}})
			if err := w.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if s := w.in(b); !s.HasRole(role) {
				w.Errorf("roles %v; want %q", s.Roles, role)
			}
			time.Sleep(2 * time.Second) // longer than the store's answer is shared
			if n := w.calls(func() { w.in(b) }); n != 0 {
				w.Errorf("%d calls; want 0", n)
			}
		}
	})
}

// If a user's roles do not fit into the cookie, the request is neither served nor
// logged out.
func TestManager_RolesThatOutgrowTheCookieAreAnError(t *testing.T) {
	for _, expired := range []time.Duration{0, 2 * time.Minute} { // a young ticket, and one that gets a child
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			time.Sleep(expired)
			b.ExpireAccess()
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{strings.Repeat("x", 4096)}})
			v, err := w.Authenticate(page(b))
			if !errors.Is(err, session.ErrTooLarge) || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || v.Session().ID != "" {
				w.Errorf("%v, %v, %d cookies; want ErrTooLarge alone", v, err, len(v.Cookies))
			}
			if events := w.eventsOf(session.EventTooLarge); len(events) != 1 || events[0].SessionID != s.ID {
				w.Errorf("events %+v; want one of session %s", events, s.ID)
			}
			w.users.SetUser("1", store.User{Epoch: 1})
			time.Sleep(2 * time.Second)
			if got := w.in(b); got.ID != s.ID {
				w.Errorf("session %s; want %s", got.ID, s.ID)
			}
		})
	}
}
