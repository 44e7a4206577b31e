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
		gone bool
	}{
		"disabled":             {[]func(w *testWorld){disable}, "(ended: the user is disabled)", false},
		"deleted":              {[]func(w *testWorld){remove}, "(ended: the user no longer exists)", true},
		"revoked, and deleted": {[]func(w *testWorld){revoke, remove}, "(ended)", false},
		"another epoch":        {[]func(w *testWorld){func(w *testWorld) { w.users.SetUser("1", store.User{Epoch: 2}) }}, "(ended)", false},
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
				events := w.eventsOf(session.EventEnded)
				if len(events) != 1 || events[0].UserID != "1" || events[0].SessionID != s.ID {
					w.Fatalf("%+v; want one event, of the session and its user", events)
				}
				if gone := events[0].Err != nil; gone != c.gone {
					w.Errorf("the event says that the user is gone: %v; want %v", gone, c.gone)
				}
			})
		})
	}
}
