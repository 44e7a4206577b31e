package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func TestManager_TheftIsReportedOnceThoughTheAnswerToTheRevocationIsLost(t *testing.T) {
	for lost := range 4 {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			stop := w.run()
			defer stop()
			b := newBrowser()
			s := w.login(b, session.Login{})
			thief := b.Clone()
			for range 2 {
				w.expireAccess()
				w.in(b)
			}
			w.expireAccess()
			w.store.After(failTimes(lost, "RevokeReused"))
			_, err := w.visit(thief)
			if refused := errors.Is(err, session.ErrUnauthenticated); refused == (lost == 3) {
				w.Errorf("%d answers lost: %v", lost, err)
			}
			time.Sleep(5 * time.Second) // Run repeats pending revocations
			w.out(thief)
			w.out(b)
			if got := w.eventsOf(session.EventReuse); len(got) != 1 || got[0].SessionID != s.ID || got[0].UserID != "1" {
				w.Errorf("%d answers lost: events %+v; want one of session %s", lost, got, s.ID)
			}
		})
	}
}

// The revocation fails until the store has recovered. Run repeats it and reports the
// theft then.
func TestManager_TheftIsReportedOnceThoughTheRevocationComesLate(t *testing.T) {
	for _, presentedAgain := range []bool{false, true} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			thief := b.Clone()
			for range 2 {
				w.expireAccess()
				w.in(b)
			}
			w.expireAccess()
			w.store.Fail(errStoreDown, "RevokeReused")
			if _, err := w.visit(thief); !errors.Is(err, session.ErrStoreUnavailable) {
				w.Errorf("%v; want ErrStoreUnavailable", err)
			}
			w.repairStore()
			if presentedAgain {
				w.out(thief)
			}
			stop := w.run()
			defer stop()
			time.Sleep(5 * time.Second)
			w.out(b)
			if n := w.count(session.EventReuse); n != 1 {
				w.Errorf("presented again %v: %d events of a theft; want 1", presentedAgain, n)
			}
		})
	}
}
