package sqlstore_test

import (
	"database/sql"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

const rivals = 16

// race runs try in all rivals at the same time and returns how many reported true.
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

// RevokeUser finds the rows and then changes them. A session that is renewed in between has
// a row by then that was not found. It ends, too.
func TestStore_RevokeUserEndsASessionThatIsRenewedMeanwhile(t *testing.T) {
	for limit, want := range map[int]int{100: 2, 1: 1} { // with 1, the caller calls again
		dsn := dbtest.Database(t, "interpolateParams=true")
		node := appOn(t, dsn, integerUsers, sqlstore.Config{})
		node.setUser(t, 1, store.User{})
		old, renewed := node.login(t), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}
		connector := newFailingConnector(t, dsn)
		db := sql.OpenDB(connector)
		t.Cleanup(func() { db.Close() })
		there := newStore(t, db, sqlstore.Config{})
		connector.before = func(n int64) {
			if n != 2 {
				return
			}
			if err := node.Create(t.Context(), renewed); err != nil {
				t.Error(err)
			}
			if done, err := node.Revoke(t.Context(), old.ID, "", store.ReasonReplaced); !done || err != nil {
				t.Errorf("the old session: %v, %v; want true", done, err)
			}
		}
		n, err := there.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: limit})
		if n != want || err != nil {
			t.Errorf("at most %d: %d sessions were found, %v; want %d", limit, n, err, want)
		}
		snap, err := node.Find(t.Context(), renewed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ended := !snap.Record.RevokedAt.IsZero(); ended != (limit > 1) {
			t.Errorf("at most %d: the renewed session has ended: %v", limit, ended)
		}
	}
}

// The rotation depends on this: of all clients that present a child of the same
// ticket, exactly one is confirmed, and the row keeps its parent as previous.
func TestStore_ConfirmsOneOfManyChildrenOfATicket(t *testing.T) {
	suite(t, "many writers at once")
	for _, param := range []string{"clientFoundRows=false", "clientFoundRows=true"} {
		t.Run(param, func(t *testing.T) {
			a := newApp(t, integerUsers, sqlstore.Config{}, param, "interpolateParams=true")
			a.setUser(t, 1, store.User{})
			rec := a.login(t)
			parent := rec.Confirmed
			n := rounds(t, 500)
			for generation := uint64(1); generation <= uint64(n); generation++ {
				var digests [rivals]store.Digest
				var winner atomic.Int32
				won := race(t, func(i int) (bool, error) {
					digests[i] = newDigest()
					ok, err := a.Confirm(t.Context(), store.PresentedTicket{
						ID: rec.ID, Generation: generation, Digest: digests[i], Parent: parent, RetainFor: time.Hour,
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
					t.Fatalf("generation %d: the row does not contain the winner and its parent: %+v", generation, got)
				}
				parent = snap.Record.Confirmed
			}
			t.Logf("%d rounds of %d rivals: one winner each", n, rivals)
		})
	}
}

func TestStore_TellsOneOfManyReportersOfATheft(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "clientFoundRows=true")
	a.setUser(t, 1, store.User{})
	for range rounds(t, 100) {
		rec := a.login(t)
		if ok, err := a.Confirm(t.Context(), store.PresentedTicket{ID: rec.ID, Generation: 1, Digest: newDigest(), Parent: rec.Confirmed, RetainFor: time.Hour}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		told := race(t, func(int) (bool, error) {
			return a.RevokeReused(t.Context(), store.PresentedTicket{ID: rec.ID, Digest: rec.Confirmed})
		})
		if told != 1 {
			t.Fatalf("%d callers were told; want 1", told)
		}
	}
}

// As when a login is repeated because its answer is late.
func TestStore_LoginSentManyTimesAtOnceIsOneSession(t *testing.T) {
	for _, param := range []string{"clientFoundRows=false", "clientFoundRows=true"} {
		a := newApp(t, integerUsers, sqlstore.Config{}, param)
		a.setUser(t, 1, store.User{})
		n := rounds(t, 50)
		for range n {
			login := store.NewSession{ID: newID(), UserID: "1", Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Hour}
			race(t, func(int) (bool, error) { return true, a.Create(t.Context(), login) })
		}
		if list, err := a.List(t.Context(), "1", store.ID{}, n+1); err != nil || len(list) != n {
			t.Errorf("%s: %d sessions, %v; want %d", param, len(list), err, n)
		}
	}
}

// The largest generation must not overflow.
func TestStore_ComparesTheLargestGeneration(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{})
	rec := a.login(t)
	const last = 1<<64 - 1
	top := store.PresentedTicket{ID: rec.ID, Generation: last, Digest: newDigest(), RetainFor: time.Hour}
	if ok, err := a.Confirm(t.Context(), top); !ok || err != nil {
		t.Fatalf("moving forward to the last generation: %v, %v", ok, err)
	}
	for _, p := range []store.PresentedTicket{top, {ID: rec.ID}, {ID: rec.ID, Generation: 1}, {ID: rec.ID, Generation: last, Parent: top.Digest}} {
		if ok, err := a.Confirm(t.Context(), p); ok || err != nil {
			t.Errorf("generation %d after the last: %v, %v; want false, nil", p.Generation, ok, err)
		}
	}
	if ok, err := a.RevokeReused(t.Context(), top); ok || err != nil {
		t.Errorf("the confirmed ticket was found to be reused: %v, %v", ok, err)
	}
	if ok, err := a.RevokeReused(t.Context(), store.PresentedTicket{ID: rec.ID}); !ok || err != nil {
		t.Errorf("a superseded ticket: %v, %v; want true, nil", ok, err)
	}
}

// Nodes prune while others create, confirm and revoke sessions. No live session is
// lost, and each expired row is counted by one node.
func TestStore_PruneDoesNotDisturbOtherCalls(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.setUser(t, 1, store.User{})
	live := a.login(t)
	expired := rounds(t, 2000)
	for range expired {
		if err := a.Create(t.Context(), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Microsecond}); err != nil {
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
			for pruned.Load() < int32(expired) && t.Context().Err() == nil {
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
		next := store.PresentedTicket{ID: live.ID, Generation: generation, Digest: newDigest(), Parent: parent, RetainFor: time.Hour}
		if ok, err := a.Confirm(t.Context(), next); !ok || err != nil {
			t.Fatalf("a refresh: %v, %v", ok, err)
		}
		parent = next.Digest
		if err := a.Create(t.Context(), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Errorf("a login: %v", err)
		}
		// RevokeUser locks rows by user, Prune by primary key. They may deadlock; the
		// caller repeats what failed.
		if _, err := a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Except: []store.ID{live.ID}, Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
			deadlocks.Add(1)
		}
	}
	if n := pruned.Load(); n != int32(expired) {
		t.Errorf("%d rows pruned; want %d", n, expired)
	}
	if snap, err := a.Find(t.Context(), live.ID); err != nil || snap.Record.Generation != generation || !snap.Record.RevokedAt.IsZero() {
		t.Errorf("the live session became %+v, %v", snap.Record, err)
	}
	t.Logf("%d rows pruned during %d refreshes; %d calls of RevokeUser had to be repeated", expired, generation, deadlocks.Load())
}
