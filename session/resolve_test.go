package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// A repetition waits for a random time, so that two calls that met in a deadlock do not
// meet again.
func TestManager_RefreshPausesForARandomTimeBeforeItRepeats(t *testing.T) {
	waits := map[time.Duration]bool{}
	for range 20 {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b, _, _ := w.needsConfirm()
			fail := failTimes(1, "Confirm")
			var mu sync.Mutex
			var calls []time.Time
			w.store.Before(func(ctx context.Context, method string) error {
				if method == "Confirm" {
					mu.Lock()
					defer mu.Unlock()
					calls = append(calls, time.Now())
				}
				return fail(ctx, method)
			})
			w.in(b)
			if len(calls) != 2 || calls[1].Sub(calls[0]) > 40*time.Millisecond {
				w.Fatalf("calls at %v; want two, 40 ms apart at most", calls)
			}
			waits[calls[1].Sub(calls[0])] = true
		})
	}
	if len(waits) < 10 {
		t.Errorf("20 waits have %d different lengths; want 10 or more", len(waits))
	}
}

// A refresh that finds the store answering again ends the outage.
func TestManager_RefreshAfterAnOutageReportsThatTheStoreIsBack(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.store.Fail(errStoreDown)
		if _, err := w.Authenticate(page(b)); !errors.Is(err, errStoreDown) {
			w.Fatalf("Authenticate: %v; want the error of the store", err)
		}
		time.Sleep(time.Second) // the probe fails too
		if n := w.count(session.EventStoreDown); n != 1 {
			w.Fatalf("%d events of an outage; want 1", n)
		}
		w.repairStore()
		w.in(b)
		if n := w.count(session.EventStoreBack); n != 1 {
			w.Errorf("%d events of the end of an outage; want 1", n)
		}
	})
}

// A node keeps a pending logout for longer than an entry of its revocation list. Until
// the store has the logout, the session is not served.
func TestManager_SessionWithAPendingLogoutIsNotServed(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		restored := b.Clone()
		w.store.Fail(errStoreDown)
		if _, err := w.Logout(page(b)); !errors.Is(err, errStoreDown) {
			w.Fatalf("Logout: %v; want the error of the store", err)
		}
		time.Sleep(10 * time.Minute)
		w.repairStore()
		v, err := w.Authenticate(page(restored))
		if err == nil || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
			w.Errorf("%v, %v, %d cookies; want an error, because the store contradicts this node", v, err, len(v.Cookies))
		}
	})
}

func TestManager_EachRefreshIsReportedWithItsSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		for n, ticket := range []string{"the login's", "its child", "a young one"} {
			if ticket == "a young one" {
				b.ExpireAccess()
			} else {
				w.expireAccess()
			}
			w.in(b)
			if events := w.eventsOf(session.EventRefreshed); len(events) != n+1 || events[n].SessionID != s.ID {
				w.Errorf("%s: events %+v; want %d of session %s", ticket, events, n+1, s.ID)
			}
			w.in(b) // the access cookie is good, so this is no refresh
		}
	})
}
