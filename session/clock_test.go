package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// A refresh is judged only by the store's clock. A node whose clock is wrong asks the
// store more often. It logs nobody out and keeps no ended session alive.
func TestManager_WrongNodeClockOnlyCostsStoreCalls(t *testing.T) {
	tried := 0
	for _, s := range []int{1, 5, 6, 60, 119, 120, 121, 1799, 1800, 1801, 1900, 3600, 86400} {
		for _, off := range []time.Duration{time.Duration(s) * time.Second, -time.Duration(s) * time.Second} {
			tried++
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				w.here.store.SetClock(-off) // the store's clock, as this node sees it
				b := newBrowser()
				w.here.login(b, session.Login{})
				for range 30 {
					if s := w.here.in(b); s.UserID != "1" {
						w.Fatalf("session = %+v", s)
					}
					time.Sleep(time.Minute)
				}
				if n := len(w.here.eventsOf(session.EventReuse)) + len(w.here.eventsOf(session.EventEnded)); n != 0 {
					w.Errorf("a clock off by %v: %d sessions ended", off, n)
				}
				idle := b.CloneIgnoringExpiry()
				time.Sleep(30*time.Minute + defaultAccessTTL)
				w.here.out(idle)
				b = newBrowser()
				w.here.login(b, session.Login{})
				copied := b.CloneIgnoringExpiry()
				if err := w.here.logout(b); err != nil {
					w.Fatal(err)
				}
				w.here.out(b)
				w.here.out(copied)
			})
		}
	}
	t.Logf("%d clocks that were wrong: half an hour of refreshes each, an idle end and a logout", tried)
}

// A difference of five seconds between two clocks is tolerated.
func TestManager_AccessCookieFromTheFutureAsksTheStore(t *testing.T) {
	for ahead, want := range map[time.Duration]int{0: 0, 4 * time.Second: 0, 5 * time.Second: 0, 5*time.Second + 10*time.Millisecond: 1, 6 * time.Second: 1} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			w.here.store.SetClock(ahead)
			b := newBrowser()
			w.here.login(b, session.Login{})
			if n := w.here.calls(func() { w.here.in(b) }); n != want {
				w.Errorf("%v ahead: %d store calls; want %d", ahead, n, want)
			}
		})
	}
	// A node that has not asked the store yet knows only the ticket.
	for ahead, want := range map[time.Duration]int{5 * time.Second: 0, 5*time.Second + 10*time.Millisecond: 1} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			w.here.store.SetClock(ahead)
			w.there.store.SetClock(ahead)
			b := newBrowser()
			w.here.login(b, session.Login{})
			if n := w.there.calls(func() { w.there.in(b) }); n != want {
				w.Errorf("%v ahead, on another node: %d store calls; want %d", ahead, n, want)
			}
		})
	}
}

func TestManager_AccessCookieEndsToTheMillisecond(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		end := w.here.login(b, session.Login{}).ExpiresAt
		kept := accessOnly(b)
		time.Sleep(time.Until(end) - time.Millisecond)
		w.here.in(kept)
		time.Sleep(time.Millisecond)
		w.here.out(kept)
	})
}

// A request every two minutes keeps a session alive for 12 hours and not longer, in any
// year.
func TestManager_BusySessionEndsAtTheAbsoluteEnd(t *testing.T) {
	for _, year := range []int{2026, 2037, 2038, 2100} {
		t.Run(fmt.Sprint(year), func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				time.Sleep(time.Until(time.Date(year, 12, 31, 18, 0, 0, 0, time.UTC)))
				b := newBrowser()
				end := w.here.login(b, session.Login{}).EndsAt
				refreshes := 0
				for time.Now().Before(end.Add(-defaultAccessTTL)) {
					time.Sleep(defaultAccessTTL)
					w.here.in(b)
					refreshes++
				}
				hoarded := b.CloneIgnoringExpiry()
				time.Sleep(time.Until(end))
				w.here.out(hoarded)
				if theft := w.here.eventsOf(session.EventReuse); refreshes != 359 || len(theft) != 0 {
					w.Errorf("%d refreshes, %d reported as theft", refreshes, len(theft))
				}
			})
		})
	}
}

// To a node whose clock is behind, a new access cookie is issued in the future. When
// its time comes, the session may be over, and the node may have forgotten the
// revocation. So the node accepts no access cookie while its clock is behind.
func TestManager_NodeWithClockBehindServesNoEndedSession(t *testing.T) {
	for _, behind := range []time.Duration{30 * time.Second, 4 * time.Minute, 10 * time.Minute, time.Hour} {
		for _, runs := range []bool{true, false} {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				w.here.store.SetClock(behind)
				if runs {
					defer w.here.run()()
				}
				b := newBrowser()
				s := w.here.login(b, session.Login{})
				kept := accessOnly(b)
				time.Sleep(10 * time.Second)
				if err := w.there.RevokeUser(w.Context(), s.UserID); err != nil {
					w.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				request := kept.NewRequest("GET", "/", nil)
				for range 70 * 60 {
					if _, err := w.here.Authenticate(request); err == nil {
						w.Fatalf("%v behind, Run %v: an ended session is served", behind, runs)
					}
					time.Sleep(time.Second)
				}
			})
		}
	}
}

// Each answer of the store shows the offset of the node's clock: the answer to a poll,
// to a probe and to any request.
func TestManager_EveryAnswerShowsThatTheClockIsBehind(t *testing.T) {
	for name, ask := range map[string]func(w *twoNodes, n *testNode){
		"a poll of Run": func(w *twoNodes, n *testNode) {
			stop := n.run()
			time.Sleep(2 * time.Second)
			stop()
		},
		"a poll of ForceRefresh": func(w *twoNodes, n *testNode) {
			if err := n.ForceRefresh(w.Context(), "2"); err != nil {
				w.Fatal(err)
			}
		},
		"RequireLive": func(w *twoNodes, n *testNode) {
			b := newBrowser()
			w.there.login(b, session.Login{UserID: "2"})
			v, err := w.there.Authenticate(page(b)) // n must ask the store only once
			if err == nil {
				_, err = n.RequireLive(page(b), v)
			}
			if err != nil {
				w.Fatal(err)
			}
		},
		"a login":   func(w *twoNodes, n *testNode) { n.login(newBrowser(), session.Login{UserID: "2"}) },
		"a refresh": func(w *twoNodes, n *testNode) { n.in(n.refreshing()) },
		"a probe": func(w *twoNodes, n *testNode) {
			n.store.Fail(errStoreDown, "List")
			if _, err := n.List(w.Context(), "1"); err == nil {
				w.Fatal("the store answered")
			}
			n.store.Fail(nil)
			time.Sleep(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				w.there.login(b, session.Login{})
				thief := accessOnly(b)
				for _, c := range []struct {
					behind time.Duration
					served bool
				}{{0, true}, {time.Minute, false}, {5 * time.Second, true}, {5*time.Second + time.Microsecond, false}, {-time.Hour, true}} {
					w.here.store.SetClock(c.behind)
					ask(w, w.here)
					time.Sleep(time.Second) // the answer is no longer shared
					if _, err := w.here.visit(thief); (err == nil) != c.served {
						w.Errorf("%v behind: an access cookie is served: %v", c.behind, err == nil)
					}
				}
			})
		})
	}
}

// A store error says nothing about the clock.
func TestManager_StoreErrorDoesNotChangeTheKnownClockOffset(t *testing.T) {
	for _, method := range []string{"Find", "Changes"} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := newBrowser()
			w.here.store.SetClock(time.Minute)
			w.here.login(b, session.Login{})
			thief := accessOnly(b)
			time.Sleep(70 * time.Second) // its access cookie is no longer issued in the future
			w.here.out(thief)
			w.here.store.Fail(errStoreDown, method)
			if err := w.here.ForceRefresh(w.Context(), "2"); err != nil {
				w.Fatal(err)
			}
			refreshing := b.Clone()
			refreshing.ExpireAccess()
			if _, err := w.here.visit(refreshing); (err != nil) != (method == "Find") {
				w.Fatalf("%s fails: %v", method, err)
			}
			w.here.out(thief)
		})
	}
}
