package session

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hang makes the store swallow whatever it is asked, until nobody waits any more.
func (w *world) hang() {
	w.faults.set(func(string) error {
		time.Sleep(storeTimeout + time.Millisecond)
		return context.DeadlineExceeded
	}, nil)
}

// refreshes is a browser that needs the store for each request.
func (w *world) refreshes() *browser {
	b := newBrowser()
	w.login(b, Login{})
	b.loseAccess(w.Manager)
	return b
}

// Whoever comes first waits, and so do those that come while that is found out;
// the rest of the outage costs nobody any time, nor the store more than its probes.
func TestAnOutageCostsNoTimeOnceItIsKnown(t *testing.T) {
	inWorld(t, func(w *world) {
		b := w.refreshes()
		w.hang()
		w.visit(b)
		time.Sleep(storeTimeout + time.Second) // for the probe
		asked := w.faults.calls()
		for range 100 * 10 {
			before := time.Now()
			v, err := w.Authenticate(b.request())
			if err == nil || errors.Is(err, ErrUnauthenticated) || len(v.Cookies) != 0 || time.Since(before) != 0 {
				w.Fatalf("got %v and %d cookies after %v; want the store's trouble, no cookie, at once", err, len(v.Cookies), time.Since(before))
			}
			if _, err := w.Issue(newBrowser().request(), Login{UserID: "1"}); !errors.Is(err, errOpen) || time.Since(before) != 0 {
				w.Fatalf("a login: %v after %v", err, time.Since(before))
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := w.faults.calls() - asked; n == 0 || n > 10*int64(time.Second/probeEvery) {
			w.Errorf("2,000 calls in 10 seconds of outage made %d statements; want a probe every %v", n, probeEvery)
		}

		w.faults.set(nil, nil)
		back := time.Now()
		for time.Since(back) < time.Minute {
			if _, err := w.visit(b); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(back); took > probeEvery+10*time.Millisecond {
			w.Errorf("the first success came %v after the store was back", took)
		}
		if down, again := w.count(EventStoreDown), w.count(EventStoreBack); down != 1 || again != 1 {
			w.Errorf("store-down was told %d times, store-back %d times; want once each", down, again)
		}
	})
}

func TestWhatWasFoundOutAboutTheStoreGrowsOld(t *testing.T) {
	inWorld(t, func(w *world) {
		b := w.refreshes()
		w.faults.set(func(string) error { return errDown }, nil)
		w.visit(b)
		time.Sleep(time.Second) // for the probe
		if _, err := w.visit(b); !errors.Is(err, errOpen) {
			w.Fatalf("got %v; want the store not to be asked", err)
		}
		w.faults.set(nil, nil)
		time.Sleep(openFor)
		w.in(b) // the first request for a while is not refused for an outage that is over
		if w.count(EventStoreBack) != 1 {
			w.Error("nobody was told that the store is back")
		}
	})
}

// A row that cannot be read, or that somebody keeps locked, is one user's trouble.
func TestOneUsersTroubleRefusesNobodyElse(t *testing.T) {
	inWorld(t, func(w *world) {
		troubled, other := w.refreshes(), w.refreshes()
		id, _ := ParseID(w.in(troubled).ID)
		troubled.loseAccess(w.Manager)
		w.Manager.store = brokenRow{w.faults, id}
		time.Sleep(2 * time.Second)
		for range 1000 {
			if _, err := w.visit(troubled); !errors.Is(err, errDown) || errors.Is(err, errOpen) {
				w.Fatalf("got %v", err)
			}
		}
		w.in(other)
		if n := w.count(EventStoreDown); n != 0 {
			w.Errorf("the store was called down %d times", n)
		}
	})
}

// Writes that fail where reads answer, as on a server that has become read-only,
// refuse nobody who needs none.
func TestAReadOnlyStoreStillAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		writer, reader := newBrowser(), newBrowser()
		w.login(writer, Login{})
		w.nextPeriod()
		w.in(writer)
		w.login(reader, Login{})
		w.nextPeriod()
		w.faults.set(func(step string) error {
			if step == "find" {
				return nil
			}
			return errDown
		}, nil)
		for range 100 {
			if _, err := w.visit(writer); !errors.Is(err, errDown) {
				w.Fatalf("a confirm: %v", err)
			}
			synctest.Wait()
			w.in(reader)
			reader.loseAccess(w.Manager)
		}
	})
}

// The answer to a question from before the store was back says nothing of now.
func TestALateProbeDoesNotReopen(t *testing.T) {
	inWorld(t, func(w *world) {
		var down atomic.Bool
		slow := make(chan error)
		b := &breaker{event: func(Event) { down.Store(true) }, probe: func() error { return <-slow }}
		b.suspect()
		synctest.Wait()
		time.Sleep(time.Second)
		b.spoke()
		slow <- errDown
		synctest.Wait()
		if err := b.refusal(); err != nil || down.Load() {
			w.Errorf("refused: %v", err)
		}
	})
}

// Run has the store probed even where nobody asks for anything, so that the first
// who does finds out nothing by waiting.
func TestRunFindsTheStoreBack(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		go w.Manager.Run(ctx)
		b := w.refreshes()
		w.hang()
		time.Sleep(time.Minute)
		before := time.Now()
		if _, err := w.visit(b); !errors.Is(err, errOpen) || time.Since(before) != 0 {
			w.Errorf("got %v after %v", err, time.Since(before))
		}
		w.faults.set(nil, nil)
		time.Sleep(2 * time.Second)
		w.in(b)
	})
}
