package session_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// A client that stores no answer presents one refresh cookie again and again. It may be
// honest, so it stays logged in. It may be a copy of the cookie, so the operator hears of
// it from the third late time on, and the list of devices shows that somebody came.
func TestManager_ClientThatStoresNoAnswerIsReportedAndStaysLoggedIn(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{Remember: true})
		for visit := 1; visit <= 6; visit++ {
			time.Sleep(time.Hour)
			w.in(b.Clone()) // the clone receives the answer, b never does
			if got, want := w.count(session.EventSuspicious), max(0, visit-2); got != want {
				w.Errorf("visit %d: %d events; want %d", visit, got, want)
			}
			devices, err := w.List(t.Context(), "1", "")
			if err != nil || len(devices) != 1 {
				w.Fatalf("visit %d: devices %+v, %v; want one", visit, devices, err)
			}
			if seen := devices[0].LastSeenAt.Sub(devices[0].CreatedAt); seen != time.Duration(visit)*time.Hour {
				w.Errorf("visit %d: last seen %v after the login", visit, seen)
			}
		}
		for _, e := range w.eventsOf(session.EventSuspicious) {
			if e.SessionID != s.ID || e.UserID != "1" {
				w.Errorf("event %+v; want one of session %s", e, s.ID)
			}
		}
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("%d events of reuse; want none", n)
		}
		if n := w.count(session.EventRefreshed); n != 6 {
			w.Errorf("%d events of a refresh; want one for each visit", n)
		}
	})
}
