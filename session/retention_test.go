package session_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// sleepAndPrune waits until a time and prunes the store meanwhile.
func (w *testWorld) sleepAndPrune(until time.Time) {
	w.Helper()
	for {
		if _, err := w.users.Prune(w.Context(), 500); err != nil {
			w.Fatal(err)
		}
		left := time.Until(until)
		if left <= 0 {
			return
		}
		time.Sleep(min(time.Hour, left))
	}
}

// A browser may come back at the very end of its refresh cookie, and again at the very
// end of the next one. The first visit presents the confirmed ticket, which writes
// nothing and so does not extend the retention of the row.
func TestManager_PruningRemovesNoRowWhoseCookiesAreGood(t *testing.T) {
	for _, c := range []struct {
		name     string
		remember bool
		idle     time.Duration
	}{
		{"plain", false, 30 * time.Minute},
		{"remembered", true, 30 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The absolute ends are moved far into the future.
			cfg := session.Config{AbsoluteTimeout: 400 * 24 * time.Hour, RememberAbsoluteTimeout: 400 * 24 * time.Hour}
			inTestWorld(t, cfg, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{Remember: c.remember})
				for visit := range 8 {
					w.sleepAndPrune(time.Now().Add(c.idle - time.Second))
					if got := w.in(b); got.ID != s.ID {
						w.Fatalf("visit %d: session %s; want %s", visit, got.ID, s.ID)
					}
				}
			})
		})
	}
}

// The answer to a confirmation is lost. The browser has only the ticket that was
// confirmed and presents it again at its end.
func TestManager_PruningRemovesNoRowWhoseConfirmationWasTheLastWrite(t *testing.T) {
	for _, remember := range []bool{false, true} {
		cfg := session.Config{AbsoluteTimeout: 400 * 24 * time.Hour, RememberAbsoluteTimeout: 400 * 24 * time.Hour}
		inTestWorld(t, cfg, func(w *testWorld) {
			idle := map[bool]time.Duration{false: 30 * time.Minute, true: 30 * 24 * time.Hour}[remember]
			b := newBrowser()
			w.login(b, session.Login{Remember: remember})
			w.expireAccess()
			w.in(b)
			end := time.Now().Add(idle)
			w.expireAccess()
			if n := w.calls(func() { w.answered(b) }, "Confirm"); n != 1 {
				w.Fatalf("the child was confirmed %d times; want 1", n)
			}
			w.sleepAndPrune(end.Add(-time.Second))
			w.in(b)
			w.sleepAndPrune(time.Now().Add(idle - time.Second))
			w.in(b)
		})
	}
}

// The same with Run, for shorter timeouts, because Run polls every second.
func TestManager_RememberedUserReturnsWhileRunPrunes(t *testing.T) {
	cfg := session.Config{RememberIdleTimeout: 6 * time.Hour, RememberAbsoluteTimeout: 24 * time.Hour}
	inTestWorld(t, cfg, func(w *testWorld) {
		stop := w.run()
		defer stop()
		b := newBrowser()
		w.login(b, session.Login{Remember: true})
		for range 3 {
			time.Sleep(6*time.Hour - time.Second)
			w.in(b)
		}
	})
}

// The clocks of a cluster's servers differ. The server that reads the new row is ahead
// of the one that wrote it, so the ticket ends later than the row was to be kept. The
// row is kept an access lifetime and a minute longer than the tickets.
func TestManager_RowsAreKeptLongEnoughWhereTheServersClocksDiffer(t *testing.T) {
	for _, accessTTL := range []time.Duration{time.Second, 2 * time.Minute, time.Hour} {
		inTestWorld(t, session.Config{AccessTTL: accessTTL, IdleTimeout: 2 * time.Hour}, func(w *testWorld) {
			ahead := accessTTL + time.Minute - time.Second
			b := newBrowser()
			w.store.SetClock(ahead)
			w.login(b, session.Login{})
			w.store.SetClock(0)
			b = b.CloneIgnoringExpiry() // the browser drops cookies by its own clock
			for _, lifetime := range []time.Duration{2*time.Hour + ahead, 2 * time.Hour} {
				w.sleepAndPrune(time.Now().Add(lifetime - 500*time.Millisecond))
				w.in(b)
			}
		})
	}
}
