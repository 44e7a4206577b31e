package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// A refusal tells an operator whether the user is disabled or no longer exists: after
// the second, a new user may get the same id.
func TestManager_DeletedUserIsToldApartFromADisabledOne(t *testing.T) {
	disable := func(w *testWorld) { w.users.SetUser("1", store.User{Epoch: 1, Disabled: true}) }
	remove := func(w *testWorld) { w.users.DeleteUser("1") }
	revoke := func(w *testWorld) {
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		end  []func(w *testWorld)
		says string
		kind session.EventKind
	}{
		"disabled":             {[]func(w *testWorld){disable}, "(ended: the user is disabled)", session.EventEnded},
		"deleted":              {[]func(w *testWorld){remove}, "(ended: the user no longer exists)", session.EventUserGone},
		"revoked, and deleted": {[]func(w *testWorld){revoke, remove}, "(ended)", session.EventEnded},
		"another epoch":        {[]func(w *testWorld){func(w *testWorld) { w.users.SetUser("1", store.User{Epoch: 2}) }}, "(ended)", session.EventEnded},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{})
				w.expireAccess()
				for _, end := range c.end {
					end(w)
				}
				_, err := w.Authenticate(page(b))
				if !errors.Is(err, session.ErrUnauthenticated) || !strings.Contains(err.Error(), c.says) {
					w.Errorf("%v; want ErrUnauthenticated that says %q", err, c.says)
				}
				for _, kind := range []session.EventKind{session.EventEnded, session.EventUserGone} {
					events := w.eventsOf(kind)
					if kind == c.kind && (len(events) != 1 || events[0].UserID != "1" || events[0].SessionID != s.ID) {
						w.Errorf("%s: %+v; want one event, of the session and its user", kind, events)
					}
					if kind != c.kind && len(events) != 0 {
						w.Errorf("%s: %+v; want none", kind, events)
					}
				}
			})
		})
	}
}
