package sqlstore_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

const rivals = 16

// race lets all rivals go at once and returns how many of them succeeded.
func race(t *testing.T, try func(i int) (bool, error)) int {
	t.Helper()
	var (
		wg    sync.WaitGroup
		won   atomic.Int32
		start = make(chan struct{})
	)
	for i := range rivals {
		wg.Go(func() {
			<-start
			ok, err := try(i)
			if err != nil {
				t.Error(err)
			}
			if ok {
				won.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return int(won.Load())
}

func rounds(t *testing.T, n int) int {
	t.Helper()
	if testing.Short() {
		return n / 10
	}
	return n
}

// The whole rotation stands on this: of all who come back with a child of one
// ticket, the row takes one, and remembers whom it replaced.
func TestOfManyRefreshesOfOneTicketOneIsConfirmed(t *testing.T) {
	for _, param := range []string{"clientFoundRows=false", "clientFoundRows=true"} {
		t.Run(param, func(t *testing.T) {
			a := newApp(t, integerUsers, sqlstore.Config{}, param, "interpolateParams=true")
			a.setUser(t, 1, session.User{})
			rec := a.login(t)
			parent := rec.Confirmed
			n := rounds(t, 500)
			for generation := uint64(1); generation <= uint64(n); generation++ {
				var digests [rivals]session.Digest
				var winner atomic.Int32
				won := race(t, func(i int) (bool, error) {
					digests[i] = newDigest()
					ok, err := a.Confirm(t.Context(), session.Presented{
						ID: rec.ID, Generation: generation, Digest: digests[i], Parent: parent, KeepFor: time.Hour,
					})
					if ok {
						winner.Store(int32(i))
					}
					return ok, err
				})
				if won != 1 {
					t.Fatalf("generation %d: %d rivals won", generation, won)
				}
				snap, err := a.Find(t.Context(), rec.ID)
				if err != nil {
					t.Fatal(err)
				}
				if got := snap.Record; got.Generation != generation || got.Confirmed != digests[winner.Load()] || got.Previous != parent {
					t.Fatalf("generation %d: the row does not hold the winner after its parent: %+v", generation, got)
				}
				parent = snap.Record.Confirmed
			}
			t.Logf("%d rounds of %d rivals: one winner each", n, rivals)
		})
	}
}

func TestOfManyWhoReportATheftOneIsTold(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "clientFoundRows=true")
	a.setUser(t, 1, session.User{})
	for range rounds(t, 100) {
		rec := a.login(t)
		if ok, err := a.Confirm(t.Context(), session.Presented{ID: rec.ID, Generation: 1, Digest: newDigest(), Parent: rec.Confirmed, KeepFor: time.Hour}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		told := race(t, func(int) (bool, error) {
			return a.RevokeReused(t.Context(), session.Presented{ID: rec.ID, Digest: rec.Confirmed})
		})
		if told != 1 {
			t.Fatalf("%d were told", told)
		}
	}
}

// Repeating a login whose answer was lost, while it is still on its way.
func TestOneLoginSentManyTimesAtOnceIsOne(t *testing.T) {
	for _, param := range []string{"clientFoundRows=false", "clientFoundRows=true"} {
		a := newApp(t, integerUsers, sqlstore.Config{}, param)
		a.setUser(t, 1, session.User{})
		n := rounds(t, 50)
		for range n {
			login := session.NewSession{ID: newID(), UserID: "1", Confirmed: newDigest(), Lifetime: time.Hour, KeepFor: time.Hour}
			race(t, func(int) (bool, error) { return true, a.Create(t.Context(), login) })
		}
		if list, err := a.List(t.Context(), "1"); err != nil || len(list) != n {
			t.Errorf("%s: %d sessions, %v; want %d", param, len(list), err, n)
		}
	}
}

// The largest generation there is must not break the arithmetic of the others.
func TestGenerationsAtTheirLimit(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, session.User{})
	rec := a.login(t)
	const last = 1<<64 - 1
	top := session.Presented{ID: rec.ID, Generation: last, Digest: newDigest(), KeepFor: time.Hour}
	if ok, err := a.Confirm(t.Context(), top); !ok || err != nil {
		t.Fatalf("moving forward to the last generation: %v, %v", ok, err)
	}
	for _, p := range []session.Presented{top, {ID: rec.ID}, {ID: rec.ID, Generation: 1}, {ID: rec.ID, Generation: last, Parent: top.Digest}} {
		if ok, err := a.Confirm(t.Context(), p); ok || err != nil {
			t.Errorf("generation %d after the last: %v, %v; want false, nil", p.Generation, ok, err)
		}
	}
	if ok, err := a.RevokeReused(t.Context(), top); ok || err != nil {
		t.Errorf("the confirmed ticket was taken for a stolen one: %v, %v", ok, err)
	}
	if ok, err := a.RevokeReused(t.Context(), session.Presented{ID: rec.ID}); !ok || err != nil {
		t.Errorf("a superseded ticket: %v, %v; want true, nil", ok, err)
	}
}

// Many nodes prune while everybody logs in, refreshes and is logged out. Nobody
// may lose anything, and every dead row is removed by exactly one.
func TestPruningIsInNobodysWay(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.setUser(t, 1, session.User{})
	live := a.login(t)
	dead := rounds(t, 2000)
	for range dead {
		if err := a.Create(t.Context(), session.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, KeepFor: time.Microsecond}); err != nil {
			t.Fatal(err)
		}
	}
	var (
		wg                sync.WaitGroup
		pruned, deadlocks atomic.Int32
		done              = make(chan struct{})
	)
	for range 4 {
		wg.Go(func() {
			for pruned.Load() < int32(dead) && t.Context().Err() == nil {
				n, err := a.Prune(t.Context(), 20)
				pruned.Add(int32(n))
				if err != nil {
					t.Errorf("pruning: %v", err)
					return
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	parent, generation := live.Confirmed, uint64(0)
	for pruning := true; pruning; {
		select {
		case <-done:
			pruning = false
		default:
		}
		generation++
		next := session.Presented{ID: live.ID, Generation: generation, Digest: newDigest(), Parent: parent, KeepFor: time.Hour}
		if ok, err := a.Confirm(t.Context(), next); !ok || err != nil {
			t.Fatalf("a refresh: %v, %v", ok, err)
		}
		parent = next.Digest
		if err := a.Create(t.Context(), session.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, KeepFor: time.Hour}); err != nil {
			t.Errorf("a login: %v", err)
		}
		// It locks by user, pruning by primary key: they may deadlock, which the
		// session package repeats.
		if a.RevokeUser(t.Context(), "1", []session.ID{live.ID}, session.ReasonRevoked) != nil {
			deadlocks.Add(1)
		}
	}
	if n := pruned.Load(); n != int32(dead) {
		t.Errorf("%d rows pruned; want %d", n, dead)
	}
	if snap, err := a.Find(t.Context(), live.ID); err != nil || snap.Record.Generation != generation || !snap.Record.RevokedAt.IsZero() {
		t.Errorf("the live session became %+v, %v", snap.Record, err)
	}
	t.Logf("%d rows pruned during %d refreshes; %d calls of RevokeUser had to be repeated", dead, generation, deadlocks.Load())
}
