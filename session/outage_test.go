package session_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// refreshing returns a browser whose next request needs the store.
func (n *testNode) refreshing() *sessiontest.Browser {
	n.t.Helper()
	b := newBrowser()
	n.login(b, session.Login{})
	b.ExpireAccess()
	return b
}

// reads counts the calls of Find that reach the node's store, including probes. fault
// decides which of them fail.
func (n *testNode) reads(fault func(call int64) error) *atomic.Int64 {
	var calls atomic.Int64
	n.store.Before(func(_ context.Context, method string) error {
		if method != "Find" {
			return nil
		}
		return fault(calls.Add(1))
	})
	return &calls
}

// hang makes every call wait until its context is done.
func (n *testNode) hang() *atomic.Int64 {
	var calls atomic.Int64
	n.store.Before(func(ctx context.Context, _ string) error {
		calls.Add(1)
		<-ctx.Done()
		return ctx.Err()
	})
	return &calls
}

// The first requests wait until the node has detected the outage. During the rest of
// the outage no request waits, and the store gets one probe each half second.
func TestManager_KnownOutageCostsRequestsNoTime(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := w.here.refreshing()
		calls := w.here.hang()
		w.here.unavailable(b)
		time.Sleep(callTimeout + time.Second) // for the probe
		before := calls.Load()
		for range 1000 {
			start := time.Now()
			w.here.unavailable(b)
			_, login := w.here.Issue(newBrowser().NewRequest("POST", "/login", nil), session.Login{UserID: "1"})
			if took := time.Since(start); login == nil || errors.Is(login, session.ErrUserDisabled) || took != 0 {
				w.Fatalf("a request and a login took %v, %v; want a store error at once", took, login)
			}
			time.Sleep(10 * time.Millisecond)
		}
		probes := calls.Load() - before
		if probes < 2 || probes > int64(10*time.Second/probeInterval) {
			w.Errorf("2,000 calls in 10 seconds of outage made %d store calls; want a probe every %v", probes, probeInterval)
		}

		w.here.store.Before(nil)
		back := time.Now()
		for {
			if _, err := w.here.visit(b); err == nil {
				break
			}
			if time.Since(back) > time.Minute {
				w.Fatal("the store is back, and the node has not noticed for a minute")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(back); took > probeInterval+10*time.Millisecond {
			w.Errorf("the first success came %v after the store was back", took)
		}
		down, again := w.here.eventsOf(session.EventStoreDown), w.here.eventsOf(session.EventStoreBack)
		if len(down) != 1 || down[0].Err == nil || len(again) != 1 {
			w.Errorf("events: %v, %v; want one each, the first with an error", down, again)
		}
	})
}

// The error of a refused request says why the probe failed.
func TestManager_RefusalWrapsTheStoresError(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := w.here.refreshing()
		w.here.store.Fail(errStoreDown)
		w.here.unavailable(b)
		synctest.Wait()
		time.Sleep(time.Second)
		reached := w.here.store.Calls()
		if _, err := w.here.visit(b); !errors.Is(err, errStoreDown) || w.here.store.Calls() != reached {
			w.Errorf("got %v and %d calls; want the probe's error and none", err, w.here.store.Calls()-reached)
		}
		if _, err := w.here.List(w.Context(), "1", ""); !errors.Is(err, errStoreDown) || w.here.store.Calls() != reached {
			w.Errorf("List: got %v and %d calls; want the probe's error and none", err, w.here.store.Calls()-reached)
		}
		// An event reports a store error only for calls that reached the store.
		if n := len(w.here.eventsOf(session.EventStoreError)); n != 1 {
			w.Errorf("%d store errors; want 1", n)
		}
	})
}

// After four seconds without requests, the next request asks the store, because the
// outage may be over.
func TestManager_KnownOutageExpires(t *testing.T) {
	for quiet, served := range map[time.Duration]bool{4*time.Second - 2*time.Millisecond: false, 4 * time.Second: true} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := w.here.refreshing()
			w.here.store.Fail(errStoreDown)
			w.here.unavailable(b)
			for len(w.here.eventsOf(session.EventStoreDown)) == 0 {
				time.Sleep(time.Millisecond) // until the probe has failed
			}
			w.here.store.Fail(nil)
			time.Sleep(quiet)
			if !served {
				w.here.unavailable(b)
				return
			}
			w.here.in(b)
			if n := len(w.here.eventsOf(session.EventStoreBack)); n != 1 {
				w.Errorf("%d events that the store is back; want 1", n)
			}
		})
	}
}

// If the store is read-only, only those requests fail that must write.
func TestManager_ReadOnlyStoreServesRequestsThatOnlyRead(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		writer, reader := newBrowser(), newBrowser()
		w.here.login(writer, session.Login{})
		time.Sleep(defaultAccessTTL)
		w.here.in(writer) // its next refresh confirms
		w.here.login(reader, session.Login{})
		time.Sleep(defaultAccessTTL)
		w.here.store.Fail(errStoreDown, "Create", "Confirm", "RevokeReused", "Revoke", "RevokeUser", "RevokeAll", "Reload", "Prune")
		for range 100 {
			w.here.unavailable(writer)
			synctest.Wait()
			w.here.in(reader)
			reader.ExpireAccess()
		}
	})
}

// Run detects an outage even if there are no requests. The first request after it need
// not wait.
func TestManager_RunDetectsAnOutageAndItsEnd(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		defer w.here.run()()
		b := w.here.refreshing()
		w.here.hang()
		time.Sleep(time.Minute)
		start := time.Now()
		w.here.unavailable(b)
		if took := time.Since(start); took != 0 {
			w.Errorf("the first request waited %v", took)
		}
		w.here.store.Before(nil)
		time.Sleep(2 * time.Second)
		if n := len(w.here.eventsOf(session.EventStoreBack)); n != 1 {
			w.Errorf("%d events that the store is back; want 1", n)
		}
		w.here.in(b)
	})
}
