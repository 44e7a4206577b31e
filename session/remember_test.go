package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func TestManager_LoggingInAgainKeepsRememberOnlyForTheSameUser(t *testing.T) {
	for _, c := range []struct {
		name       string
		first      session.Login
		between    func(w *testWorld, b *sessiontest.Browser, s session.Session) error
		again      session.Login
		remembered bool
	}{
		{"the same user", session.Login{Remember: true}, nil, session.Login{}, true},
		{"asked for twice", session.Login{Remember: true}, nil, session.Login{Remember: true}, true},
		{"asked for later", session.Login{}, nil, session.Login{Remember: true}, true},
		{"never asked for", session.Login{}, nil, session.Login{}, false},
		{"another user", session.Login{Remember: true}, nil, session.Login{UserID: "2"}, false},
		{"an access cookie alone", session.Login{Remember: true}, func(_ *testWorld, b *sessiontest.Browser, _ session.Session) error {
			b.Delete(func(name string) bool { return name != accessCookie })
			return nil
		}, session.Login{}, false},
		{"after a refresh", session.Login{Remember: true}, func(w *testWorld, b *sessiontest.Browser, _ session.Session) error {
			w.expireAccess()
			w.in(b)
			return nil
		}, session.Login{}, true},
		{"after a revocation", session.Login{Remember: true}, func(w *testWorld, _ *sessiontest.Browser, s session.Session) error {
			return w.Revoke(w.Context(), "1", s.ID)
		}, session.Login{}, false},
		{"after RevokeAll", session.Login{Remember: true}, func(w *testWorld, _ *sessiontest.Browser, _ session.Session) error {
			return w.RevokeAll(w.Context())
		}, session.Login{}, false},
		{"after the row was removed", session.Login{Remember: true}, func(w *testWorld, b *sessiontest.Browser, _ session.Session) error {
			kept := b.CloneIgnoringExpiry()
			time.Sleep(100 * day)
			_, err := w.users.Prune(w.Context(), 500)
			giveRefresh(b, kept)
			return err
		}, session.Login{}, false},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, c.first)
			if c.between != nil {
				if err := c.between(w, b, s); err != nil {
					w.Fatal(err)
				}
			}
			s = w.login(b, c.again)
			absolute, idle := 12*time.Hour, 30*time.Minute
			if c.remembered {
				absolute, idle = 90*day, 30*day
			}
			if got := s.EndsAt.Sub(s.AuthTime); got != absolute {
				w.Errorf("%s: the session lives %v; want %v", c.name, got, absolute)
			}
			time.Sleep(idle - 2*time.Second)
			late := b.CloneIgnoringExpiry()
			w.in(b)
			time.Sleep(2 * time.Second)
			w.out(late)
		})
	}
}

// Only the store knows whether a session is remembered. If it cannot be asked, the
// login fails: a store error must not shorten the timeouts.
func TestManager_StoreErrorNeverEndsRemember(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{Remember: true})
		failures := 3 // as many as the Manager makes attempts
		w.store.Before(func(_ context.Context, method string) error {
			if method == "Find" && failures > 0 {
				failures--
				return errStoreDown
			}
			return nil
		})
		if n := w.calls(func() {
			if v, err := w.Issue(page(b), session.Login{UserID: "1"}); !errors.Is(err, errStoreDown) || len(v.Cookies) != 0 {
				w.Errorf("%v, %d cookies; want the error of the store", err, len(v.Cookies))
			}
		}, "Create", "Revoke"); n != 0 {
			w.Errorf("%d writes; want 0", n)
		}
		w.repairStore()
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
		if s := w.login(b, session.Login{}); s.EndsAt.Sub(s.AuthTime) != 90*day {
			w.Errorf("the session lives %v; want 90 days", s.EndsAt.Sub(s.AuthTime))
		}
	})
}
