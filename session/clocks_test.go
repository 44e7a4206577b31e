package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The refresh is judged by the store's clock alone, so a node whose clock is wrong
// asks the store more often, and neither logs anybody out nor lets anybody stay.
func TestANodesWrongClockCostsStatementsAndNothingElse(t *testing.T) {
	tried := 0
	for _, s := range []int{1, 5, 6, 60, 119, 120, 121, 1799, 1800, 1801, 1900, 3600, 86400} {
		for _, off := range []time.Duration{time.Duration(s) * time.Second, -time.Duration(s) * time.Second} {
			tried++
			inWorld(t, func(w *world) {
				w.Manager.store = clockStore{w.faults, -off} // the store's clock, seen from the node's
				b := newBrowser()
				w.login(b, Login{})
				for range 30 {
					if s := w.in(b); s.UserID != "1" {
						w.Fatalf("session = %+v", s)
					}
					time.Sleep(time.Minute)
				}
				if n := w.count(EventReuse) + w.count(EventEnded); n != 0 {
					w.Errorf("a clock off by %v: %d sessions ended", off, n)
				}
				idle := b.hoard()
				time.Sleep(w.cfg.IdleTimeout + w.cfg.AccessTTL)
				w.out(idle)
				w.login(b, Login{})
				if _, err := w.Logout(b.request()); err != nil {
					w.Fatal(err)
				}
				w.out(b)
			})
		}
	}
	t.Logf("%d clocks that were wrong: half an hour of refreshes each, an idle end and a logout", tried)
}

func TestAnAccessTicketFromTheFutureIsNotBelieved(t *testing.T) {
	for ahead, want := range map[time.Duration]int64{4 * time.Second: 0, 5 * time.Second: 0, 6 * time.Second: 1} {
		inWorld(t, func(w *world) {
			w.Manager.store = clockStore{w.faults, ahead}
			b := newBrowser()
			w.login(b, Login{})
			if n := w.statements(func() { w.in(b) }); n != want {
				w.Errorf("%v ahead: %d statements; want %d", ahead, n, want)
			}
		})
	}
}

func TestAnAccessCookieEndsToTheMillisecond(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		end := w.login(b, Login{}).ExpiresAt
		b = b.hoard()
		delete(b.jar, w.names.refresh)
		time.Sleep(time.Until(end) - time.Millisecond)
		w.in(b)
		time.Sleep(time.Millisecond)
		w.out(b)
	})
}

// 12 hours of a request every two minutes, and then no more; in any year.
func TestBusySessionsEndAtTheAbsoluteEnd(t *testing.T) {
	for _, year := range []int{2026, 2037, 2038, 2100} {
		inWorld(t, func(w *world) {
			time.Sleep(time.Until(time.Date(year, 12, 31, 18, 0, 0, 0, time.UTC)))
			b := newBrowser()
			end := w.login(b, Login{}).EndsAt
			refreshes := 0
			for time.Now().Before(end.Add(-w.cfg.AccessTTL)) {
				w.nextPeriod()
				w.in(b)
				refreshes++
			}
			hoarded := b.hoard()
			time.Sleep(time.Until(end))
			w.out(hoarded)
			if refreshes != 359 || w.count(EventReuse) != 0 {
				w.Errorf("%d: %d refreshes, %d taken for theft", year, refreshes, w.count(EventReuse))
			}
		})
	}
}

// A node that is behind takes fresh access tickets for ones from the future, and
// they come into its present when their session is over, and the feed's mark of
// that forgotten.
func TestANodeThatIsBehindLetsNobodyStay(t *testing.T) {
	for _, behind := range []time.Duration{30 * time.Second, 4 * time.Minute, 10 * time.Minute, time.Hour} {
		for _, runs := range []bool{true, false} {
			inWorld(t, func(w *world) {
				w.Manager.store = clockStore{w.faults, behind}
				ctx, stop := context.WithCancel(w.Context())
				defer stop()
				if runs {
					go w.Manager.Run(ctx)
				}
				b := newBrowser()
				s := w.login(b, Login{})
				kept := b.hoard()
				delete(kept.jar, w.names.refresh)
				time.Sleep(10 * time.Second)
				if err := w.users.RevokeUser(ctx, s.UserID, nil, ReasonRevoked); err != nil { // by another node
					w.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				for range 70 * 60 {
					if _, err := w.Authenticate(kept.request()); err == nil {
						w.Fatalf("%v behind, Run %v: a session is served that is over", behind, runs)
					}
					time.Sleep(time.Second)
				}
			})
		}
	}
}

// Run alone finds it out, when nothing else has asked the store since the clock
// was set back.
func TestRunSeesThatTheClockIsBehind(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		for _, behind := range []time.Duration{time.Minute, 0} {
			w.Manager.store = clockStore{w.faults, behind}
			ctx, stop := context.WithCancel(w.Context())
			go w.Manager.Run(ctx)
			time.Sleep(2 * time.Second)
			stop()
			synctest.Wait()
			if believed := w.believes(w.access(b)); believed != (behind == 0) {
				w.Errorf("%v behind: an access ticket is believed: %v", behind, believed)
			}
		}
	})
}

func (w *world) access(b *browser) *accessTicket {
	t, ok := w.readAccess(b.request())
	if !ok {
		w.Fatal("no access cookie that can be read")
	}
	return t
}
