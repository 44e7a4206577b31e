package session_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

const rowsPerStatement = 1000

// finishedUsers returns how often Run has finished to revoke the sessions of user "1".
func (w *testWorld) finishedUsers() (n int) {
	for _, e := range w.eventsOf(session.EventRevoked) {
		if e.SessionID == "" && e.UserID == "1" {
			n++
		}
	}
	return n
}

// batchStore records what RevokeUser, Reload and Changes are asked for.
type batchStore struct {
	store.Store
	mu      sync.Mutex // guards what follows
	revoked []store.UserRevocation
	reloads []int
	pages   []store.Cursor
	limits  []int
}

func (s *batchStore) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	s.mu.Lock()
	s.revoked = append(s.revoked, r)
	s.mu.Unlock()
	return s.Store.RevokeUser(ctx, r)
}

func (s *batchStore) Reload(ctx context.Context, userID string, limit int) (int, error) {
	s.mu.Lock()
	s.reloads = append(s.reloads, limit)
	s.mu.Unlock()
	return s.Store.Reload(ctx, userID, limit)
}

func (s *batchStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	s.mu.Lock()
	s.pages, s.limits = append(s.pages, after), append(s.limits, limit)
	s.mu.Unlock()
	return s.Store.Changes(ctx, within, after, limit)
}

// take returns what was recorded since the last call.
func (s *batchStore) take() (revoked []store.UserRevocation, pages []store.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	revoked, pages = s.revoked, s.pages
	s.revoked, s.pages = nil, nil
	return revoked, pages
}

// checkLimits fails the test if a call asked for more rows than one statement may change
// or read.
func (s *batchStore) checkLimits(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.revoked {
		if r.Limit != rowsPerStatement {
			t.Errorf("RevokeUser was asked for %d rows; want %d", r.Limit, rowsPerStatement)
		}
	}
	for _, limit := range append(s.limits, s.reloads...) {
		if limit != rowsPerStatement {
			t.Errorf("a call was asked for %d rows; want %d", limit, rowsPerStatement)
		}
	}
}

// inCrowdedWorld runs a test on a node whose user "1" has n sessions, beside one in a
// browser.
func inCrowdedWorld(t *testing.T, n int, test func(w *testWorld, db *batchStore)) {
	t.Helper()
	inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
		w.addSessions(n)
		db := &batchStore{Store: w.users}
		test(newTestWorld(w.T, w.users, db, session.Config{MaxSessions: -1}), db)
	})
}

// addSessions adds n sessions of user "1" to the store.
func (w *testWorld) addSessions(n int) {
	w.Helper()
	for i := range uint64(n) {
		row := store.NewSession{UserID: "1", Lifetime: 12 * time.Hour, RetainFor: 63 * time.Minute}
		binary.BigEndian.PutUint64(row.ID[:], i)
		row.ID[15] = 1
		if err := w.users.Create(w.Context(), row); err != nil {
			w.Fatal(err)
		}
	}
}

// liveRows returns how many sessions of user "1" are live.
func (w *testWorld) liveRows() int {
	w.Helper()
	list, err := w.users.List(w.Context(), "1", store.ID{}, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	return len(list)
}

// refreshEpoch returns the store's refresh epoch.
func (w *testWorld) refreshEpoch() uint64 {
	w.Helper()
	snap, err := w.users.Find(w.Context(), store.ID{})
	if err != nil {
		w.Fatal(err)
	}
	return snap.RefreshEpoch
}

// Without the store's clock the later batches would end new logins.
func TestManager_RevokeUserThatCannotReadTheClockIsAnError(t *testing.T) {
	inCrowdedWorld(t, 1500, func(w *testWorld, _ *batchStore) {
		w.store.Fail(errors.New("no answer"), "Find")
		if err := w.RevokeUser(w.Context(), "1"); !errors.Is(err, session.ErrStoreUnavailable) {
			w.Errorf("got %v; want ErrStoreUnavailable", err)
		}
		w.repairStore()
		if n := w.liveRows(); n != 500 {
			w.Errorf("%d sessions are live; want 500", n)
		}
	})
}

// Sessions may have begun after now, when the store's clock has been set back.
func TestManager_RevokeUserEndsSessionsFromBeforeTheClockWasSetBack(t *testing.T) {
	for _, back := range []time.Duration{0, 2 * time.Second, time.Hour} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
				s.Now = s.Now.Add(-back) // what its rows say stays
			}}, session.Config{MaxSessions: -1})
			node.login(newBrowser(), session.Login{NonInteractive: true}) // the newest of its kind
			time.Sleep(10 * time.Second)
			w.addSessions(1500)
			if err := node.RevokeUser(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if n := w.liveRows(); n != 0 {
				w.Errorf("set back by %v: %d sessions are live", back, n)
			}
		})
	}
}

func TestManager_RevokeUserEndsAnyNumberOfSessionsInBatches(t *testing.T) {
	for _, c := range []struct {
		sessions, batches int
		raises            uint64
	}{
		{0, 1, 0}, {7, 1, 0}, {999, 1, 0}, {1000, 2, 0}, {1001, 2, 1}, {5000, 6, 1},
	} {
		inCrowdedWorld(t, c.sessions, func(w *testWorld, db *batchStore) {
			b := newBrowser()
			kept := w.login(b, session.Login{})
			if err := w.RevokeUser(w.Context(), "1", kept.ID); err != nil {
				w.Fatalf("%d sessions: %v", c.sessions, err)
			}
			if live := w.liveRows(); live != 1 {
				w.Errorf("%d sessions: %d are live; want the exception alone", c.sessions, live)
			}
			w.in(b)
			db.checkLimits(w.T)
			if batches, _ := db.take(); len(batches) != c.batches {
				w.Errorf("%d sessions: %d batches; want %d", c.sessions, len(batches), c.batches)
			}
			if got := w.refreshEpoch(); got != c.raises {
				w.Errorf("%d sessions: the refresh epoch is %d; want %d", c.sessions, got, c.raises)
			}
			if n := w.finishedUsers(); n != 0 {
				w.Errorf("%d sessions: %d events of a rest that Run has ended", c.sessions, n)
			}
		})
	}
}

// RevokeUser stops after its time. Run ends the rest, and spares the exceptions and
// whoever has logged in since.
func TestManager_RevokeUserIsFinishedByRun(t *testing.T) {
	inCrowdedWorld(t, 12_000, func(w *testWorld, db *batchStore) {
		kept, later := newBrowser(), newBrowser()
		s := w.login(kept, session.Login{})
		w.store.Delay(300*time.Millisecond, "RevokeUser")
		start := time.Now()
		err := w.RevokeUser(w.Context(), "1", s.ID)
		if took := time.Since(start); took > 2*time.Second {
			w.Errorf("RevokeUser took %v; want at most 2s", took)
		}
		if !errors.Is(err, session.ErrUnfinished) || errors.Is(err, session.ErrStoreUnavailable) || !strings.Contains(err.Error(), "6000 have") {
			w.Errorf("RevokeUser: %v; want an ErrUnfinished that says that 6000 have ended", err)
		}
		if live := w.liveRows(); live != 6001 {
			w.Errorf("%d sessions are live; want 6001", live)
		}
		if got := w.refreshEpoch(); got != 0 {
			w.Errorf("the refresh epoch is %d before all have ended", got)
		}
		w.store.Delay(0)
		time.Sleep(time.Millisecond)
		w.login(later, session.Login{})

		stop := w.run()
		time.Sleep(3 * time.Second)
		if live := w.liveRows(); live != 2 {
			w.Errorf("%d sessions are live; want the exception and the later login", live)
		}
		w.in(kept)
		w.in(later)
		if n := w.finishedUsers(); n != 1 {
			w.Errorf("%d events; want one, of user 1", n)
		}
		if got := w.refreshEpoch(); got != 1 {
			w.Errorf("the refresh epoch is %d; want 1", got)
		}
		db.checkLimits(w.T)
		db.take()
		time.Sleep(10 * time.Second)
		if batches, _ := db.take(); len(batches) != 0 {
			w.Errorf("%d more batches of a RevokeUser that is finished", len(batches))
		}
		stop()
		if lost := w.eventsOf(session.EventRevocationLost); len(lost) != 0 {
			w.Errorf("lost: %+v; want none", lost)
		}
	})
}

// A login during the call survives, too, as soon as the first batch has been read.
func TestManager_RevokeUserSparesALoginDuringTheCall(t *testing.T) {
	inCrowdedWorld(t, 3000, func(w *testWorld, db *batchStore) {
		b := newBrowser()
		batches := 0
		w.store.Before(func(_ context.Context, method string) error {
			if method == "RevokeUser" {
				if batches++; batches == 2 {
					time.Sleep(time.Millisecond) // the login is later than the store's clock was
					w.store.Before(nil)
					w.login(b, session.Login{})
				}
			}
			return nil
		})
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		if live := w.liveRows(); live != 1 {
			w.Errorf("%d sessions are live; want the login", live)
		}
		w.in(b)
	})
}

// A store that fails after some batches keeps nobody logged in for long: Run goes on
// when it answers. One that fails at once was told nothing, and the caller knows.
func TestManager_RevokeUserIsFinishedAfterAnOutage(t *testing.T) {
	for name, c := range map[string]struct {
		method     string
		after      int // this many calls of the method succeed
		unfinished bool
	}{
		"at the first batch": {"RevokeUser", 0, false},
		"at the third batch": {"RevokeUser", 2, true},
		"at the raise":       {"RefreshAll", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			inCrowdedWorld(t, 4000, func(w *testWorld, db *batchStore) {
				calls := 0
				w.store.Before(func(_ context.Context, method string) error {
					if method == c.method {
						if calls++; calls > c.after {
							return errStoreDown
						}
					}
					return nil
				})
				err := w.RevokeUser(w.Context(), "1")
				if !errors.Is(err, session.ErrStoreUnavailable) || !errors.Is(err, errStoreDown) || errors.Is(err, session.ErrUnfinished) != c.unfinished {
					w.Errorf("RevokeUser: %v; want the store's error, and ErrUnfinished: %v", err, c.unfinished)
				}
				stop := w.run()
				time.Sleep(10 * time.Minute)
				w.repairStore()
				wantLive, wantEvents := 4000, 0
				if c.unfinished {
					wantLive, wantEvents = 0, 1
				}
				if live, events := w.liveRows(), w.finishedUsers(); live != wantLive || events != wantEvents {
					w.Errorf("%d sessions are live, and %d events; want %d and %d", live, events, wantLive, wantEvents)
				}
				if got := w.refreshEpoch(); got != uint64(wantEvents) {
					w.Errorf("the refresh epoch is %d; want %d", got, wantEvents)
				}
				stop()
			})
		})
	}
}

func TestManager_RevokeUserThatRunCannotFinishIsReportedLost(t *testing.T) {
	inCrowdedWorld(t, 9000, func(w *testWorld, db *batchStore) {
		w.store.Delay(time.Second, "RevokeUser")
		if err := w.RevokeUser(w.Context(), "1"); !errors.Is(err, session.ErrUnfinished) {
			w.Fatalf("RevokeUser: %v; want ErrUnfinished", err)
		}
		stop := w.run()
		time.Sleep(time.Second)
		stop()
		if lost := w.eventsOf(session.EventRevocationLost); len(lost) != 1 || lost[0].UserID != "1" {
			w.Errorf("lost: %+v; want one, of user 1", lost)
		}
	})
}

// The same call once more, as a caller makes it who gets an error, ends later logins as
// well, and is finished once.
func TestManager_RevokeUserCalledAgainEndsLaterLogins(t *testing.T) {
	inCrowdedWorld(t, 9000, func(w *testWorld, db *batchStore) {
		b := newBrowser()
		w.store.Delay(time.Second, "RevokeUser")
		for range 2 {
			if err := w.RevokeUser(w.Context(), "1"); !errors.Is(err, session.ErrUnfinished) {
				w.Fatalf("RevokeUser: %v; want ErrUnfinished", err)
			}
			w.login(b, session.Login{})
			time.Sleep(time.Millisecond)
		}
		w.store.Delay(0)
		stop := w.run()
		time.Sleep(5 * time.Second)
		stop()
		if live, events := w.liveRows(), w.finishedUsers(); live != 1 || events != 1 {
			w.Errorf("%d sessions are live, and %d events; want the last login, and one event", live, events)
		}
		w.in(b)
	})
}

func TestManager_ForceRefreshOfManySessionsMakesEverybodyRefresh(t *testing.T) {
	for _, c := range []struct {
		sessions int
		raises   uint64
	}{{998, 0}, {999, 1}, {2500, 1}} {
		inCrowdedWorld(t, c.sessions, func(w *testWorld, db *batchStore) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
			if err := w.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if got := w.refreshEpoch(); got != c.raises {
				w.Errorf("%d sessions and one: the refresh epoch is %d; want %d", c.sessions, got, c.raises)
			}
			if s := w.in(b); len(s.Roles) != 1 || s.Roles[0] != "admin" {
				w.Errorf("%d sessions and one: the roles are %v; want admin", c.sessions, s.Roles)
			}
			db.checkLimits(w.T)
		})
	}
}

// A ticket from before the refresh epoch rose is good for one refresh.
func TestManager_RaisedRefreshEpochCostsEverybodyOneRefresh(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		there := w.node(session.Config{})
		b, other := newBrowser(), newBrowser()
		s := w.login(b, session.Login{})
		w.login(other, session.Login{UserID: "2"})
		if err := w.users.RefreshAll(w.Context()); err != nil {
			w.Fatal(err)
		}
		if n := there.calls(func() { there.in(b) }); n != 0 {
			w.Errorf("a node that has not polled made %d calls; want none", n)
		}
		for _, n := range []*testWorld{w, there} {
			stop := n.run()
			time.Sleep(time.Millisecond)
			stop()
		}
		for i, want := range []int{1, 0, 0} {
			if n := there.calls(func() {
				if got := there.in(b); got.ID != s.ID {
					w.Errorf("session %s; want %s", got.ID, s.ID)
				}
			}); n != want {
				w.Errorf("request %d made %d calls; want %d", i+1, n, want)
			}
		}
		if n := w.calls(func() { w.in(b); w.in(other); w.in(other) }); n != 1 {
			w.Errorf("another node made %d calls; want one, for the other browser", n)
		}
	})
}

// A database that has lost the raise in a failover costs statements for a while, and
// logs nobody out.
func TestManager_LostRefreshEpochLogsNobodyOut(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		backup := w.users.Backup()
		if err := w.users.RefreshAll(w.Context()); err != nil {
			w.Fatal(err)
		}
		stop := w.run()
		defer stop()
		time.Sleep(time.Second)
		w.users.Restore(backup)
		for range 5 {
			if n := w.calls(func() { w.in(b) }, "Find"); n != 1 {
				w.Errorf("a request made %d calls of Find; want 1 while the node remembers the raise", n)
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(revocationMemory)
		w.in(b)
		if n := w.calls(func() { w.in(b) }, "Find"); n != 0 {
			w.Errorf("a request made %d calls of Find after the node has forgotten the raise; want none", n)
		}
	})
}

// A poll reads pages. It goes on where the last one stopped, and reads no page twice.
func TestManager_PollReadsPagesUntilItHasCaughtUp(t *testing.T) {
	inCrowdedWorld(t, 25_000, func(w *testWorld, db *batchStore) {
		b := newBrowser()
		w.login(b, session.Login{})
		for { // on another node, so that the revocations are in the store alone
			n, err := w.users.RevokeUser(w.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 700})
			if err != nil {
				w.Fatal(err)
			}
			if n < 700 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		w.store.Delay(200*time.Millisecond, "Changes")
		stop := w.run()
		time.Sleep(20 * time.Second)
		stop()
		db.checkLimits(w.T)
		_, pages := db.take()
		const whole = 26 // pages; the last one is not full
		if len(pages) < whole {
			w.Fatalf("%d pages were read; want %d or more", len(pages), whole)
		}
		for i, after := range pages[:whole] {
			switch {
			case i == 0 && after != store.Cursor{}:
				w.Errorf("the first page begins after %v", after)
			case i > 0 && after.At.Before(pages[i-1].At), i > 0 && after == pages[i-1]:
				w.Errorf("page %d begins after %v, and the one before after %v", i+1, after, pages[i-1])
			}
		}
		w.out(b)
		if n := w.count(session.EventStoreError); n != 0 {
			w.Errorf("%d store errors", n)
		}
	})
}

// A page that fails is read again, and not those before it.
func TestManager_PollGoesOnAfterAnError(t *testing.T) {
	inCrowdedWorld(t, 5000, func(w *testWorld, db *batchStore) {
		for range 5 {
			if _, err := w.users.RevokeUser(w.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		calls := 0
		w.store.Before(func(_ context.Context, method string) error {
			if method == "Changes" {
				if calls++; calls > 3 {
					return errStoreDown
				}
			}
			return nil
		})
		stop := w.run()
		time.Sleep(time.Minute)
		_, before := db.take()
		w.repairStore()
		stop()
		_, after := db.take()
		if len(before) != 3 || len(after) < 3 || !after[0].At.After(before[2].At) {
			w.Errorf("before the outage the pages began after %v, then after %v; want the fourth page next", before, after)
		}
	})
}

// A poll of many pages takes longer than it reads back. It must not lose the pages that
// have become older meanwhile, and be done before the next poll that reads far back.
func TestManager_PollOfManyPagesMissesNone(t *testing.T) {
	inCrowdedWorld(t, 12_000, func(w *testWorld, db *batchStore) {
		b := newBrowser()
		w.login(b, session.Login{}) // its id, a random one, comes after all others
		defer w.run()()
		time.Sleep(500 * time.Millisecond)
		if _, err := w.users.RevokeUser(w.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 20_000}); err != nil {
			w.Fatal(err)
		}
		w.store.Delay(600*time.Millisecond, "Changes")
		time.Sleep(13 * time.Second)
		if n := w.calls(func() { w.out(b) }); n == 0 {
			w.Error("the node does not know of the last revocation")
		}
	})
}

// floodStore adds changes of other sessions to every poll that reads far back.
type floodStore struct {
	store.Store
	flood int // not changed while the store is in use
}

func (s *floodStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	c, err := s.Store.Changes(ctx, within, after, limit)
	for i := range uint32(s.flood) {
		if within == revocationMemory && after == (store.Cursor{}) {
			c.Sessions = append(c.Sessions, store.Change{ID: store.ID{0: 0xff, 1: byte(i), 2: byte(i >> 8), 3: byte(i >> 16)}, Revoked: true, At: c.Now})
		}
	}
	return c, err
}

// A node that cannot hold all changes has everybody refresh instead, and not more often
// than it reads all of them again.
func TestManager_FullRevocationListRaisesTheRefreshEpoch(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		db := &floodStore{Store: w.users, flood: session.MaxListed + 1}
		n := newTestWorld(w.T, w.users, db, session.Config{})
		b := newBrowser()
		s := w.login(b, session.Login{})
		defer n.run()()
		time.Sleep(10 * time.Second)
		if got := w.refreshEpoch(); got != 1 {
			w.Errorf("the refresh epoch is %d after 10 seconds; want 1", got)
		}
		time.Sleep(30 * time.Second)
		if got := w.refreshEpoch(); got != 3 {
			w.Errorf("the refresh epoch is %d after 40 seconds; want 3, raised about every 15 seconds", got)
		}
		if got := n.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
	})
}

// A revoked row leaves early. The session stays over, because a missing row says the
// same.
func TestManager_RevokedRowLeavesEarlyAndTheSessionStaysOver(t *testing.T) {
	for name, revoke := range map[string]func(w *testWorld, s *session.Session) error{
		"one":  func(w *testWorld, s *session.Session) error { return w.Revoke(w.Context(), "1", s.ID) },
		"user": func(w *testWorld, s *session.Session) error { return w.RevokeUser(w.Context(), "1") },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{Remember: true})
				copied := b.CloneIgnoringExpiry()
				if err := revoke(w, &s); err != nil {
					w.Fatal(err)
				}
				w.sleepAndPrune(time.Now().Add(time.Hour))
				if row := w.row(s.ID); row == nil || row.Reason != store.ReasonRevoked {
					w.Fatalf("an hour later the row is %+v; want it kept", row)
				}
				if err := w.Revoke(w.Context(), "1", s.ID); err != nil {
					w.Errorf("revoked once more, an hour later: %v", err)
				}
				w.sleepAndPrune(time.Now().Add(2 * time.Minute))
				if row := w.row(s.ID); row != nil {
					w.Fatalf("62 minutes later the row is %+v; want none", row)
				}
				w.out(b)
				w.out(copied)
				if err := w.Revoke(w.Context(), "1", s.ID); !errors.Is(err, session.ErrNotFound) {
					w.Errorf("revoked once more, without a row: %v; want ErrNotFound", err)
				}
			})
		})
	}
}

// The victim of a theft can be told whenever they return, until their cookie ends.
func TestManager_RowOfATheftStays(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{Remember: true})
		thief := b.CloneIgnoringExpiry()
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.out(thief)
		w.sleepAndPrune(time.Now().Add(29 * 24 * time.Hour))
		if row := w.row(s.ID); row == nil || row.Reason != store.ReasonReuse {
			w.Errorf("29 days later the row is %+v; want the theft", row)
		}
	})
}

// Each node must be able to read of a revocation as long as a ticket of the session may
// be accepted, whatever the node's Config.
func TestStore_RevokedRowsOutliveEveryAccessTicket(t *testing.T) {
	const longest = store.RetainRevoked - time.Minute
	keys := testWorldKeys(t, testWorldKey)
	if _, err := session.New(keys, store.NewMemory(), session.Config{AccessTTL: longest, IdleTimeout: 12 * time.Hour}); err != nil {
		t.Errorf("AccessTTL %v: %v; want it accepted", longest, err)
	}
	if _, err := session.New(keys, store.NewMemory(), session.Config{AccessTTL: longest + 1, IdleTimeout: 12 * time.Hour}); err == nil {
		t.Errorf("AccessTTL %v is accepted: revoked rows leave before its tickets expire", longest+1)
	}
}
