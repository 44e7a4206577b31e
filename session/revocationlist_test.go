package session

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

func (f *revocationList) len() (n int) {
	f.entries.Range(func(any, any) bool { n++; return true })
	return n
}

// Every poll reports a revocation again. The count of entries must be the number of
// sessions, or expired entries are removed too late.
func TestRevocationList_CountsEachSessionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		for range 10 {
			for i := range byte(100) {
				f.learn(store.Changes{Sessions: []store.Change{{ID: store.ID{i}, Revoked: true}}})
				f.revoked(store.ID{i})
			}
		}
		if f.count != 100 || f.len() != 100 {
			t.Errorf("100 sessions: a count of %d, and %d entries", f.count, f.len())
		}
		time.Sleep(f.keep + time.Second)
		for i := range 3000 { // expired entries are removed at some point
			f.revoked(store.ID{1, byte(i), byte(i >> 8)})
			if i%100 == 0 {
				time.Sleep(f.keep + time.Second)
			}
		}
		if f.count != f.len() || f.count > 400 {
			t.Errorf("a count of %d, and %d entries", f.count, f.len())
		}
	})
}

// An entry is kept from its last report on, because the session may have been revoked
// after the first one.
func TestRevocationList_EntryIsKeptFromItsLastReportOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		f.learn(store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Revoked: true}, {ID: store.ID{2}, Reload: 5}}})
		time.Sleep(2 * time.Minute)
		f.learn(store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Revoked: true}, {ID: store.ID{2}, Reload: 5}}})
		time.Sleep(3*time.Minute - time.Millisecond)
		if !f.knowsEnd(store.ID{1}, 0) || f.accepts(store.ID{1}, 0, 0) || f.accepts(store.ID{2}, 0, 4) {
			t.Error("an entry was forgotten before its time")
		}
		if f.knowsEnd(store.ID{2}, 0) || !f.accepts(store.ID{2}, 0, 5) {
			t.Error("a reload ended a session")
		}
		time.Sleep(time.Millisecond)
		if f.knowsEnd(store.ID{1}, 0) || !f.accepts(store.ID{1}, 0, 0) || !f.accepts(store.ID{2}, 0, 4) {
			t.Error("an entry was kept beyond its time")
		}

		f.learn(store.Changes{GlobalEpoch: 7})
		time.Sleep(3*time.Minute - time.Millisecond)
		if !f.knowsEnd(store.ID{1}, 6) || f.accepts(store.ID{1}, 6, 0) || f.knowsEnd(store.ID{1}, 7) || !f.accepts(store.ID{1}, 7, 0) {
			t.Error("the global epoch is 7: only the sessions below it are over")
		}
		time.Sleep(time.Millisecond)
		if f.knowsEnd(store.ID{1}, 6) || !f.accepts(store.ID{1}, 6, 0) {
			t.Error("the global epoch was kept beyond its time")
		}
	})
}

// Watchers are woken only for new revocations of their own session, or of all. A
// revocation that is reported again, a reload and an empty poll wake no watcher.
func TestRevocationList_WakesWatchersOnlyForNewRevocations(t *testing.T) {
	f := newRevocationList(windowsFor(2 * time.Minute))
	first, stop := f.watchers.add(store.ID{1})
	defer stop()
	second, stop := f.watchers.add(store.ID{2})
	defer stop()
	for _, c := range []struct {
		name  string
		learn store.Changes
		wakes [2]bool // the watchers of the two sessions
	}{
		{"nothing", store.Changes{}, [2]bool{}},
		{"a reload", store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Reload: 1}}}, [2]bool{}},
		{"a revocation of a third", store.Changes{Sessions: []store.Change{{ID: store.ID{3}, Revoked: true}}}, [2]bool{}},
		{"a revocation", store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Revoked: true}}}, [2]bool{true, false}},
		{"the same one again", store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Revoked: true}}}, [2]bool{}},
		{"an older answer about it", store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Reload: 2}}}, [2]bool{}},
		{"all users", store.Changes{GlobalEpoch: 1}, [2]bool{true, true}},
		{"all users again", store.Changes{GlobalEpoch: 1}, [2]bool{}},
		{"an older epoch", store.Changes{GlobalEpoch: 0}, [2]bool{}},
		{"another revocation among known ones", store.Changes{GlobalEpoch: 1, Sessions: []store.Change{{ID: store.ID{1}, Revoked: true}, {ID: store.ID{2}, Revoked: true}}}, [2]bool{false, true}},
	} {
		f.learn(c.learn)
		if woken := [2]bool{received(first), received(second)}; woken != c.wakes {
			t.Errorf("%s: the watchers are woken: %v; want %v", c.name, woken, c.wakes)
		}
	}
}

// Entries are kept for 180 seconds, so the memory of a node is bounded.
func TestRevocationList_ForgetsExpiredEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		for i := range 1000 {
			f.revoked(store.ID{byte(i), byte(i >> 8)})
			time.Sleep(time.Second)
		}
		if f.count > 500 {
			t.Errorf("%d entries after 1000 revocations in 1000 seconds", f.count)
		}
	})
}

// A database that has lost an old revocation may reload the session. The expired entry
// then has no effect.
func TestRevocationList_ReloadRevivesNoExpiredRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		f.revoked(store.ID{1})
		time.Sleep(time.Hour)
		f.learn(store.Changes{Sessions: []store.Change{{ID: store.ID{1}, Reload: 1}}})
		if f.knowsEnd(store.ID{1}, 0) || !f.accepts(store.ID{1}, 0, 1) {
			t.Error("a revocation of an hour ago is active again")
		}
	})
}

// numberedID returns an id of its own for each number.
func numberedID(n int) (id store.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

// The list holds what this node revokes, and so many changes of other nodes as there is
// room for. From then on the refresh epoch must take their place.
func TestRevocationList_IsBoundedAndRaisesTheRefreshEpochInstead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		f.learn(store.Changes{RefreshEpoch: 4})
		time.Sleep(f.fullPoll)
		flood := func(from, to int) store.Changes {
			c := store.Changes{RefreshEpoch: f.refresh.Load().epoch}
			for i := from; i < to; i++ {
				c.Sessions = append(c.Sessions, store.Change{ID: numberedID(i), Revoked: true})
			}
			return c
		}
		f.learn(flood(0, 25_000))
		if f.len() != 25_000 || f.mustRaise() {
			t.Fatalf("%d entries after 25000 changes, must raise: %v", f.len(), f.mustRaise())
		}
		f.learn(flood(25_000, maxListed))
		f.learn(flood(0, maxListed)) // they are known
		if f.mustRaise() {
			t.Fatal("a list that holds all changes raises the refresh epoch")
		}
		f.learn(flood(maxListed, maxListed+3))
		if f.len() != maxListed || f.count != maxListed || !f.mustRaise() {
			t.Fatalf("%d entries, must raise: %v; want %d, true", f.len(), f.mustRaise(), maxListed)
		}
		if f.revoked(numberedID(maxListed)); f.accepts(numberedID(maxListed), 0, 0) {
			t.Error("a full list does not hold what this node revokes")
		}

		// The raise covers every page that was read before it.
		if f.mustRefresh(4) {
			t.Error("a ticket with the present refresh epoch is not accepted")
		}
		f.learn(store.Changes{RefreshEpoch: 5})
		if !f.mustRefresh(4) || f.mustRefresh(5) || f.mustRaise() {
			t.Error("the refresh epoch has risen to 5: only tickets below it take the refresh path")
		}
		f.learn(flood(maxListed+1, maxListed+3)) // read again
		time.Sleep(f.fullPoll - time.Millisecond)
		if f.mustRaise() {
			t.Error("raised again for what was read again, before its time")
		}
		if time.Sleep(time.Millisecond); !f.mustRaise() {
			t.Error("changes that find no room are never covered")
		}

		// When the entries have expired there is room again.
		time.Sleep(f.keep)
		f.learn(flood(maxListed, maxListed+3))
		if f.len() > 4 || f.accepts(numberedID(maxListed+2), 0, 0) {
			t.Errorf("%d entries after the others have expired", f.len())
		}
	})
}

func TestRevocationList_RefreshEpochIsKeptAsLongAsTheGlobalOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		f.learn(store.Changes{RefreshEpoch: 7})
		f.learn(store.Changes{RefreshEpoch: 6}) // an older answer
		time.Sleep(f.keep - time.Millisecond)
		if !f.mustRefresh(6) || f.mustRefresh(7) || !f.accepts(store.ID{1}, 0, 0) || f.knowsEnd(store.ID{1}, 0) {
			t.Error("the refresh epoch is 7: tickets below it take the refresh path, and nobody is logged out")
		}
		time.Sleep(2 * time.Millisecond)
		if f.mustRefresh(6) {
			t.Error("the refresh epoch was kept beyond its time")
		}
		if f.learn(store.Changes{RefreshEpoch: 6}); f.mustRefresh(6) || !f.mustRefresh(5) {
			t.Error("a database that has lost a raise is not believed when the entry has expired")
		}
	})
}

// A full list raises the refresh epoch at once for a change that it has not left out
// before, and rarely for those that polls read again.
func TestRevocationList_RaisesAtOnceForANewChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newRevocationList(windowsFor(2 * time.Minute))
		for i := range maxListed {
			f.revoked(store.ID{1, byte(i), byte(i >> 8), byte(i >> 16)})
		}
		began, epoch := time.Now(), uint64(0)
		change := func(n byte) store.Change {
			return store.Change{ID: store.ID{2, n}, At: began.Add(time.Duration(n)), Revoked: true}
		}
		raises := func(changes ...store.Change) bool {
			f.learn(store.Changes{RefreshEpoch: epoch, Sessions: changes})
			must := f.mustRaise()
			if must {
				epoch++
			}
			return must
		}
		for _, c := range []struct {
			what    string
			changes []store.Change
			want    bool
		}{
			{"the first one", []store.Change{change(1)}, true},
			{"the same again", []store.Change{change(1)}, false},
			{"a new one after it", []store.Change{change(1), change(2)}, true},
			{"both again", []store.Change{change(1), change(2)}, false},
			{"another new one", []store.Change{change(3)}, true},
		} {
			if got := raises(c.changes...); got != c.want {
				t.Errorf("%s: raises %v; want %v", c.what, got, c.want)
			}
			time.Sleep(time.Second)
		}
		raises() // sees the last raise
		time.Sleep(f.fullPoll)
		if !raises(change(1)) {
			t.Error("a change that is still there after the time between two full polls does not raise the epoch")
		}
	})
}
