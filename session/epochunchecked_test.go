package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// A login that does not pass the epoch goes on after a change of the password that
// happened while the old one was being checked. That is reported.
func TestManager_LoginWithoutEpochIsAWarning(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.login(newBrowser(), session.Login{UserID: "1", Epoch: 1})
		if n := w.count(session.EventMisconfigured); n != 0 {
			w.Errorf("a login with its epoch: %d events; want none", n)
		}
		w.users.SetUser("3", store.User{}) // as with sqlstore.Config{Epoch: "(0)"}
		w.login(newBrowser(), session.Login{UserID: "3"})
		if n := w.count(session.EventMisconfigured); n != 0 {
			w.Errorf("a login of a user whose epoch is 0: %d events; want none", n)
		}
		w.users.SetUser("1", store.User{Epoch: 2})
		if _, err := w.Issue(page(newBrowser()), session.Login{UserID: "1", Epoch: 1}); !errors.Is(err, session.ErrUserDisabled) {
			w.Errorf("a login with the epoch before: %v; want ErrUserDisabled", err)
		}
		s := w.login(newBrowser(), session.Login{UserID: "1"})
		events := w.eventsOf(session.EventMisconfigured)
		if len(events) != 1 || events[0].UserID != "1" || events[0].SessionID != s.ID {
			w.Errorf("a login without an epoch: %+v; want one event, of its session and user", events)
		}
		for range 59 {
			time.Sleep(time.Second)
			w.login(newBrowser(), session.Login{UserID: "1"})
		}
		if n := w.count(session.EventMisconfigured); n != 1 {
			w.Errorf("60 such logins in a minute: %d events; want 1", n)
		}
	})
}
