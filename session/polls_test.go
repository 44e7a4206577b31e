package session_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// runCall is one call of Changes or Prune that Run made.
type runCall struct {
	at     time.Time
	within time.Duration // of Changes
	limit  int           // of Prune
	pruned int
}

// runStore records the calls of Run.
type runStore struct {
	store.Store
	mu    sync.Mutex // guards looks and prune
	looks []runCall
	prune []runCall
}

func (s *runStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks = append(s.looks, runCall{at: time.Now(), within: within})
	return s.Store.Changes(ctx, within, after, limit)
}

func (s *runStore) Prune(ctx context.Context, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.Store.Prune(ctx, limit)
	s.prune = append(s.prune, runCall{at: time.Now(), limit: limit, pruned: n})
	return n, err
}

// taken waits for a time and returns the calls in that time.
func (s *runStore) taken(d time.Duration) (looks, prune []runCall) {
	time.Sleep(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	looks, prune = s.looks, s.prune
	s.looks, s.prune = nil, nil
	return looks, prune
}

// pauses returns the shortest, the mean and the longest time between two calls.
func pauses(calls []runCall) (shortest, mean, longest time.Duration) {
	var all []time.Duration
	for i := 1; i < len(calls); i++ {
		all = append(all, calls[i].at.Sub(calls[i-1].at))
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	return slices.Min(all), calls[len(calls)-1].at.Sub(calls[0].at) / time.Duration(len(all)), slices.Max(all)
}

// inRunningNode runs a test on a node with a running Run. Its store records the calls
// of Run.
func inRunningNode(t *testing.T, test func(w *twoNodes, n *testNode, db *runStore)) {
	t.Helper()
	inTwoNodes(t, session.Config{MaxSessions: -1}, func(w *twoNodes) {
		db := &runStore{Store: w.users}
		n := w.node(db, session.Config{MaxSessions: -1})
		stop := n.run()
		test(w, n, db)
		stop()
	})
}

// Nodes that were started together must not poll together: each pause is shortened or
// extended at random by up to a fifth.
func TestManager_RunSpreadsItsCalls(t *testing.T) {
	inRunningNode(t, func(w *twoNodes, _ *testNode, db *runStore) {
		looks, prune := db.taken(5 * time.Hour)
		for _, c := range []struct {
			what  string
			calls []runCall
			every time.Duration
		}{{"polls", looks, time.Second}, {"prunes", prune, time.Minute}} {
			shortest, mean, longest := pauses(c.calls)
			if shortest < c.every*4/5 || longest >= c.every*6/5 {
				w.Errorf("%s: the pauses are %v to %v; want %v, up to a fifth shorter or longer", c.what, shortest, longest, c.every)
			}
			if shortest > c.every*83/100 || longest < c.every*117/100 || mean < c.every*97/100 || mean > c.every*103/100 {
				w.Errorf("%s: the pauses are %v to %v, %v in the mean; want them spread evenly about %v", c.what, shortest, longest, mean, c.every)
			}
		}
	})
}

// A poll reads no more than necessary, because each node polls each second.
func TestManager_PollReadsOnlyTheNecessaryTime(t *testing.T) {
	inRunningNode(t, func(w *twoNodes, n *testNode, db *runStore) {
		const overlap = 5 * time.Second // for revocations that were committed late
		if looks, _ := db.taken(time.Millisecond); len(looks) != 1 || looks[0].within != revocationMemory {
			w.Errorf("the first poll looks back %v; want %v", looks, revocationMemory)
		}
		looks, _ := db.taken(time.Minute)
		far := 0
		for i, look := range looks {
			switch {
			case look.within == revocationMemory:
				far++
			case i > 0 && look.within != look.at.Sub(looks[i-1].at)+overlap:
				w.Errorf("a poll looks back %v, %v after the one before", look.within, look.at.Sub(looks[i-1].at))
			}
		}
		if far < 3 || far > 4 {
			w.Errorf("%d polls in a minute look back over everything; want one every 15 seconds", far)
		}

		// The first poll that succeeds covers the time of those that failed.
		n.store.Fail(errStoreDown, "Changes")
		db.taken(13 * time.Second)
		n.store.Fail(nil)
		if looks, _ := db.taken(10 * time.Second); len(looks) == 0 || looks[0].within < 13*time.Second {
			w.Errorf("after 13 seconds without a poll, they look back %v", looks)
		}
		n.store.Fail(errStoreDown, "Changes")
		db.taken(time.Hour)
		n.store.Fail(nil)
		if looks, _ := db.taken(10 * time.Second); len(looks) == 0 || looks[0].within != revocationMemory {
			w.Errorf("after an hour without a poll, they look back %v; want no more than %v", looks, revocationMemory)
		}

		// The duration of the last poll is covered, too: the store may have made the
		// answer at its beginning.
		n.store.After(func(_ context.Context, method string) error {
			if method == "Changes" {
				time.Sleep(time.Second)
			}
			return nil
		})
		db.taken(2 * time.Second)
		slow, _ := db.taken(10 * time.Second)
		for i := 1; i < len(slow); i++ {
			if apart := slow[i].at.Sub(slow[i-1].at); slow[i].within < apart+overlap {
				w.Errorf("a poll looks back %v, %v after the one before", slow[i].within, apart)
			}
		}
	})
}

// A store call that never returns must not stop Run.
func TestManager_RunGivesEachCallTwoSeconds(t *testing.T) {
	for _, method := range []string{"Changes", "Prune"} {
		inRunningNode(t, func(w *twoNodes, n *testNode, db *runStore) {
			n.store.Delay(24*time.Hour, method)
			db.taken(10 * time.Minute)
			n.store.Delay(0)
			looks, prune := db.taken(80 * time.Second)
			if len(looks) == 0 || len(prune) == 0 {
				w.Errorf("%s hung: %d polls and %d prunes since", method, len(looks), len(prune))
			}
			if len(n.eventsOf(session.EventStoreError)) == 0 {
				w.Errorf("%s hung: no event", method)
			}
		})
	}
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		defer w.here.run()()
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		w.here.store.Fail(errStoreDown, "Revoke")
		if err := w.here.logout(b); err == nil {
			w.Error("a logout that the store did not hear of was said to be done")
		}
		w.here.store.Delay(24*time.Hour, "Revoke")
		time.Sleep(10 * time.Minute)
		w.here.store.Delay(0)
		time.Sleep(callTimeout + pollInterval)
		if w.row(s.ID).RevokedAt.IsZero() {
			w.Error("Revoke hung: the logout is not repeated any more")
		}
	})
}

// Expired rows are removed in small batches with pauses, so that other calls do not
// wait for them.
func TestManager_RunPrunesInBatches(t *testing.T) {
	inRunningNode(t, func(w *twoNodes, n *testNode, db *runStore) {
		const rows, batch = 1200, 500
		for range rows {
			n.login(newBrowser(), session.Login{})
		}
		time.Sleep(2 * time.Hour)
		_, prune := db.taken(0)
		first := slices.IndexFunc(prune, func(c runCall) bool { return c.pruned > 0 })
		if first < 0 || len(prune) < first+4 {
			w.Fatalf("%d calls of Prune, the first that removes a row is %d", len(prune), first)
		}
		pass := prune[first : first+3]
		if pass[0].pruned != batch || pass[1].pruned != batch || pass[2].pruned != rows-2*batch {
			w.Errorf("the batches are %+v", pass)
		}
		if a, b := pass[1].at.Sub(pass[0].at), pass[2].at.Sub(pass[1].at); a == b {
			w.Errorf("each pause is %v: two nodes that prune would go in step", a)
		}
		for i, c := range prune {
			if c.limit != batch {
				w.Errorf("Prune(%d); want %d", c.limit, batch)
			}
			if i == 0 {
				continue
			}
			pause := c.at.Sub(prune[i-1].at)
			if full := prune[i-1].pruned == batch; full && (pause < 160*time.Millisecond || pause >= 240*time.Millisecond) ||
				!full && pause < 48*time.Second {
				w.Errorf("%v after a batch of %d", pause, prune[i-1].pruned)
			}
		}
	})
}

// A store error ends one pass of pruning. The next pass prunes again.
func TestManager_RunPrunesAgainAfterAnError(t *testing.T) {
	inRunningNode(t, func(w *twoNodes, n *testNode, db *runStore) {
		n.store.Fail(errStoreDown, "Prune")
		tried := n.store.Calls("Prune")
		time.Sleep(10 * time.Minute)
		if n := n.store.Calls("Prune") - tried; n < 3*8 || n > 3*13 { // each pass tries three times
			w.Errorf("10 minutes of outage made %d calls of Prune", n)
		}
		if trouble := n.eventsOf(session.EventStoreError); len(trouble) < 8 {
			w.Errorf("%d store errors", len(trouble))
		}
		n.store.Fail(nil)
		if _, prune := db.taken(80 * time.Second); len(prune) == 0 {
			w.Error("Run prunes no more")
		}
	})
}

// halfPruned is a store whose Prune removes a full batch and then returns an error.
type halfPruned struct{ store.Store }

func (halfPruned) Prune(_ context.Context, limit int) (int, error) { return limit, errStoreDown }

func TestManager_RunCallsAFailingStoreNoMoreOften(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		n := w.node(halfPruned{w.users}, session.Config{})
		defer n.run()()
		time.Sleep(10 * time.Minute)
		if calls := n.store.Calls("Prune"); calls > 13*maxAttempts {
			w.Errorf("10 minutes made %d calls of Prune; want one pass a minute", calls)
		}
	})
}

// Run returns when its context is done, and not before.
func TestManager_RunEndsWithItsContext(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		ctx, cancel := context.WithTimeout(w.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if err := w.here.Manager.Run(ctx); err != context.DeadlineExceeded {
			w.Errorf("Run returned %v", err)
		}
		if took := time.Since(start); took != time.Hour {
			w.Errorf("Run ended after %v; want 1h", took)
		}
		made := w.here.store.Calls()
		time.Sleep(time.Hour)
		if n := w.here.store.Calls() - made; n != 0 {
			w.Errorf("%d calls since", n)
		}
	})
}
