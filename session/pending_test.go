package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// A logout is pending if the store failed. This node refuses the session, and Run
// repeats the logout until it succeeds.
func TestManager_PendingLogoutIsRepeatedUntilItSucceeds(t *testing.T) {
	for _, c := range []struct {
		name   string
		act    func(w *twoNodes, b *sessiontest.Browser) error
		reason store.Reason
	}{
		{"logout", func(w *twoNodes, b *sessiontest.Browser) error { return w.here.logout(b) }, store.ReasonLogout},
		{"logout of a copy, later", func(w *twoNodes, b *sessiontest.Browser) error {
			time.Sleep(3 * time.Second) // the node has detected the outage and does not call the store
			return w.here.logout(b)
		}, store.ReasonLogout},
		{"login over it", func(w *twoNodes, b *sessiontest.Browser) error {
			w.here.store.Fail(errStoreDown, "Revoke") // the login itself succeeds
			w.here.login(b, session.Login{})
			return errStoreDown
		}, store.ReasonReplaced},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				s := w.here.login(b, session.Login{})
				copied, thief := b.Clone(), accessOnly(b)
				w.here.store.Fail(errStoreDown)
				if c.reason == store.ReasonLogout {
					expired := b.Clone()
					expired.ExpireAccess()
					w.here.unavailable(expired) // the node detects the outage
				}
				if err := c.act(w, b); !errors.Is(err, errStoreDown) {
					w.Errorf("got %v; want the store's error", err)
				}
				w.here.out(thief)
				stop := w.here.run()
				time.Sleep(10 * time.Minute)
				w.here.repairStore()
				if row := w.row(s.ID); row.Reason != c.reason {
					w.Errorf("the row was revoked for %q; want %q", row.Reason, c.reason)
				}
				w.here.out(copied)

				// A logout that succeeded is no longer pending.
				if n := w.here.store.Calls("Revoke"); n == 0 {
					w.Error("the store was not called")
				} else if time.Sleep(time.Minute); w.here.store.Calls("Revoke") != n {
					w.Errorf("the store was called %d more times", w.here.store.Calls("Revoke")-n)
				}
				stop()
				if lost := w.here.eventsOf(session.EventRevocationLost); len(lost) != 0 {
					w.Errorf("events: %v; want none", lost)
				}
			})
		})
	}
}

// The two cookies of a request may belong to two sessions.
func TestManager_PendingLogoutCoversBothCookies(t *testing.T) {
	for name, fails := range map[string]func(call int64) bool{
		"the store is down":               func(int64) bool { return true },
		"the first call is not answered":  func(call int64) bool { return call <= 3 }, // including its repetitions
		"the second call is not answered": func(call int64) bool { return call > 1 },
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				one, two := newBrowser(), newBrowser()
				first, second := w.here.login(one, session.Login{}), w.here.login(two, session.Login{})
				thieves := []*sessiontest.Browser{accessOnly(one), accessOnly(two)}
				one.ExpireAccess()
				r := one.NewRequest("POST", "/logout", nil) // the refresh cookie of the first
				for _, c := range accessOnly(two).NewRequest("GET", "/", nil).Cookies() {
					r.AddCookie(c)
				}
				var calls atomic.Int64 // a probe may call at the same time
				w.here.store.Before(func(context.Context, string) error {
					if fails(calls.Add(1)) {
						return errStoreDown
					}
					return nil
				})
				if _, err := w.here.Logout(r); !errors.Is(err, errStoreDown) {
					w.Errorf("got %v; want the store's error", err)
				}
				for _, thief := range thieves {
					w.here.out(thief)
				}
				w.here.repairStore()
				stop := w.here.run()
				time.Sleep(pollInterval)
				for _, s := range []session.Session{first, second} {
					if row := w.row(s.ID); row.Reason != store.ReasonLogout {
						w.Errorf("row = %+v; want it revoked", row)
					}
				}
				stop()
			})
		})
	}
}

// At the moment when the logout succeeds, it is no longer pending. A page load at that
// moment must not be answered from before it.
func TestManager_PendingLogoutHoldsWhenItSucceeds(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		copied := b.CloneIgnoringExpiry()
		w.here.store.Fail(errStoreDown, "Revoke")
		if err := w.here.logout(b); err == nil {
			w.Error("a logout that the store did not hear of was said to be done")
		}
		defer w.here.run()()
		time.Sleep(2 * revocationMemory) // longer than the node remembers a revocation
		w.here.unavailable(copied)

		var once sync.Once
		told := make(chan struct{})
		w.here.store.Before(func(_ context.Context, method string) error {
			if method == "Revoke" {
				once.Do(func() {
					w.here.unavailable(copied) // it reads the row from before the logout
					close(told)
				})
			}
			return nil
		})
		<-told
		time.Sleep(time.Millisecond)
		for range 20 {
			if s, err := w.here.visit(copied); err == nil {
				w.Fatalf("the session was served: %+v", s)
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.here.out(copied)
	})
}

// When Run ends, it reports the pending logouts, because these sessions may go on.
func TestManager_RunReportsPendingLogoutsAtItsEnd(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		stop := w.here.run()
		var want []string
		for i := range 3 {
			b := newBrowser()
			s := w.here.login(b, session.Login{})
			if i == 0 { // this one reaches the store
				if err := w.here.logout(b); err != nil {
					w.Fatal(err)
				}
				continue
			}
			want = append(want, s.ID)
			w.here.store.Fail(errStoreDown, "Revoke")
			if err := w.here.logout(b); err == nil {
				w.Error("a logout that the store did not hear of was said to be done")
			}
		}
		time.Sleep(time.Minute)
		if early := w.here.eventsOf(session.EventRevocationLost); len(early) != 0 {
			w.Errorf("while Run still tries: %v", early)
		}
		stop()
		var got []string
		for _, e := range w.here.eventsOf(session.EventRevocationLost) {
			got = append(got, e.SessionID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			w.Errorf("Run reported %v at its end; want %v", got, want)
		}
	})
}

// A session that has reached its end needs no logout. So a logout is pending no longer
// than the longest session lasts.
func TestManager_PendingLogoutEndsWithTheLongestSession(t *testing.T) {
	const longest = 20 * time.Minute
	cfg := session.Config{IdleTimeout: longest / 2, AbsoluteTimeout: longest / 2, RememberIdleTimeout: longest, RememberAbsoluteTimeout: longest}
	for after, want := range map[time.Duration]int{longest - 5*time.Second: 1, longest + 5*time.Second: 0} {
		inTwoNodes(t, cfg, func(w *twoNodes) {
			b := newBrowser()
			w.here.login(b, session.Login{})
			w.here.store.Fail(errStoreDown, "Revoke")
			if err := w.here.logout(b); err == nil {
				w.Error("a logout that the store did not hear of was said to be done")
			}
			stop := w.here.run()
			time.Sleep(after)
			tried := w.here.store.Calls("Revoke")
			time.Sleep(2 * time.Second)
			if again := w.here.store.Calls("Revoke") > tried; again != (want == 1) {
				w.Errorf("after %v the logout is repeated: %v", after, again)
			}
			stop()
			if lost := w.here.eventsOf(session.EventRevocationLost); len(lost) != want {
				w.Errorf("after %v Run reported %d logouts; want %d", after, len(lost), want)
			}
		})
	}
}

// After an outage, Run repeats at most 100 logouts a second. During the outage it
// repeats one at a time.
func TestManager_PendingLogoutsDoNotFloodTheStore(t *testing.T) {
	inTwoNodes(t, session.Config{MaxSessions: -1}, func(w *twoNodes) {
		const logouts = 250
		browsers := make([]*sessiontest.Browser, logouts)
		for i := range browsers {
			browsers[i] = newBrowser()
			w.here.login(browsers[i], session.Login{})
		}
		w.here.store.Fail(errStoreDown, "Revoke")
		for _, b := range browsers {
			if err := w.here.logout(b); err == nil {
				w.Fatal("a logout that the store did not hear of was said to be done")
			}
		}
		before := w.here.store.Calls("Revoke")
		defer w.here.run()()
		time.Sleep(time.Minute)
		if n := w.here.store.Calls("Revoke") - before; n < 100 || n > 240 { // 50 to 75 attempts of three calls each
			w.Errorf("a minute of outage made %d calls", n)
		}

		w.here.store.Fail(nil)
		told := w.here.store.Calls("Revoke")
		for second := 1; w.here.store.Calls("Revoke") < told+logouts; second++ {
			if second > 5 {
				w.Fatalf("after 5 seconds the store has got %d of %d", w.here.store.Calls("Revoke")-told, logouts)
			}
			at := w.here.store.Calls("Revoke")
			time.Sleep(790 * time.Millisecond)
			if n := w.here.store.Calls("Revoke") - at; n > 100 {
				w.Errorf("%d logouts within a second; want at most 100", n)
			}
		}
		if list, err := w.here.List(w.Context(), "1", ""); err != nil || len(list) != 0 {
			w.Errorf("%d sessions are left, %v", len(list), err)
		}
	})
}

// The number of pending logouts is bounded. A logout beyond the bound is reported at
// once, because it is never repeated.
func TestManager_PendingLogoutBeyondTheBoundIsReportedAtOnce(t *testing.T) {
	for left, want := range []int{1, 0} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := newBrowser()
			s := w.here.login(b, session.Login{})
			w.here.FillPending(session.MaxPending - left)
			w.here.store.Fail(errStoreDown, "Revoke")
			thief := accessOnly(b)
			if err := w.here.logout(b); err == nil {
				w.Error("a logout that the store did not hear of was said to be done")
			}
			w.here.out(thief)
			lost := w.here.eventsOf(session.EventRevocationLost)
			if len(lost) != want || want == 1 && lost[0].SessionID != s.ID {
				w.Errorf("with room for %d: events %v; want %d of session %s", left, lost, want, s.ID)
			}
		})
	}
}
