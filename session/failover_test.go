package session_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// inReplicatedWorld runs a test on a database with a replica.
func inReplicatedWorld(t *testing.T, test func(w *testWorld, db *replicatedStore)) {
	t.Helper()
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		replica := store.NewMemory()
		replica.SetUser("1", store.User{Epoch: 1})
		db := &replicatedStore{Store: w.users, replica: replica}
		test(newTestWorld(w.T, w.users, db, session.Config{}), db)
	})
}

// A failover to a replica that lags loses confirmations: the row is then older than the
// cookie.
func TestManager_LostConfirmationsLogNobodyOut(t *testing.T) {
	for lost := range 5 {
		inReplicatedWorld(t, func(w *testWorld, db *replicatedStore) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			for range 2 { // the second one confirms
				w.expireAccess()
				w.in(b)
			}
			db.stopReplication()
			for range lost {
				w.expireAccess()
				w.in(b)
			}
			db.failOver()
			w.expireAccess()
			refreshed := w.count(session.EventRefreshed)
			w.in(b)
			want := min(lost, 1) // if no confirmation was lost, the child is the next ticket
			events := w.eventsOf(session.EventStoreBehind)
			if len(events) != want || want == 1 && events[0].SessionID != s.ID {
				w.Errorf("%d lost: events %+v; want %d of session %s", lost, events, want, s.ID)
			}
			if n := w.count(session.EventRefreshed) - refreshed; n != 1 {
				w.Errorf("%d lost: %d events of a refresh; want 1", lost, n)
			}
			for range 2 {
				w.expireAccess()
				w.in(b)
			}
			if n := w.count(session.EventStoreBehind); n != want {
				w.Errorf("%d lost: %d events that the store is behind, after two more refreshes; want %d", lost, n, want)
			}
			if n := w.count(session.EventReuse); n != 0 {
				w.Errorf("%d lost: %d events of reuse", lost, n)
			}
		})
	}
}

// A ticket that is ahead of the row is confirmed, so the older ticket that the row knew
// is superseded.
func TestManager_TheftIsCaughtAfterLostConfirmations(t *testing.T) {
	inReplicatedWorld(t, func(w *testWorld, db *replicatedStore) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.in(b)
		stolen := b.Clone() // the child that is the newest one on the replica
		w.expireAccess()
		w.in(b)
		db.stopReplication()
		for range 3 {
			w.expireAccess()
			w.in(b)
		}
		db.failOver()
		w.expireAccess()
		w.in(b)
		time.Sleep(gracePeriod + time.Second)
		w.out(stolen)
		if n := w.count(session.EventReuse); n != 1 {
			w.Errorf("%d events of reuse; want 1", n)
		}
	})
}

// lostRevocations is a store whose global epoch is lower by the number of RevokeAll
// calls that a failover has lost.
func lostRevocations(w *testWorld, lost *uint64) *alteredStore {
	return &alteredStore{
		Store: w.users,
		found: func(s *store.Snapshot) { s.GlobalEpoch -= *lost },
		known: func(c *store.Changes) { c.GlobalEpoch -= *lost },
	}
}

// A session that began after a RevokeAll has a higher epoch than a database that lost
// that RevokeAll. It goes on, and its access cookies are accepted like others.
func TestManager_LostRevokeAllEndsNoLaterSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		lost := uint64(0)
		node := newTestWorld(w.T, w.users, lostRevocations(w, &lost), session.Config{})
		if err := node.RevokeAll(w.Context()); err != nil {
			w.Fatal(err)
		}
		b := newBrowser()
		s := node.login(b, session.Login{})
		lost = 1
		node.expireAccess()
		if got := node.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
		if n := node.calls(func() { node.in(b) }); n != 0 {
			w.Errorf("the new access cookie cost %d calls; want 0", n)
		}
		if err := requireLive(node.Manager, b); err != nil {
			w.Errorf("RequireLive: %v", err)
		}
	})
}

// The database's clock is set back: after a failover, or because it ran fast. A ticket from
// before must not stay young until the clock has caught up: the browser would get no new
// one before it expires.
func TestManager_ClockThatIsSetBackLogsNobodyOut(t *testing.T) {
	for _, back := range []time.Duration{time.Second, time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 12 * time.Hour} {
		inTestWorld(t, session.Config{AbsoluteTimeout: 48 * time.Hour}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			time.Sleep(10 * time.Minute)
			w.in(b)
			w.store.SetClock(-back)
			for minute := range 120 {
				time.Sleep(time.Minute)
				if got := w.in(b); got.ID != s.ID {
					w.Fatalf("set back by %v: after %d minutes the session is %+v", back, minute+1, got)
				}
			}
			if n := w.count(session.EventReuse); n != 0 {
				w.Errorf("set back by %v: %d sessions look stolen", back, n)
			}
		})
	}
}

// Nor must it hide a thief: he and his victim would share one ticket for that time.
func TestManager_ClockThatIsSetBackHidesNoThief(t *testing.T) {
	for _, back := range []time.Duration{3 * time.Minute, time.Hour, 12 * time.Hour} {
		inTestWorld(t, session.Config{AbsoluteTimeout: 48 * time.Hour}, func(w *testWorld) {
			victim := newBrowser()
			w.login(victim, session.Login{Remember: true})
			w.expireAccess()
			w.in(victim)
			thief := victim.Clone()
			w.store.SetClock(-back)
			refreshes := 0
			for range 10 {
				time.Sleep(3 * time.Minute)
				_, _ = w.visit(victim)
				time.Sleep(20 * time.Second) // not in flight while the victim refreshes
				if _, err := w.visit(thief); err == nil {
					refreshes++
				}
			}
			if refreshes > 2 || w.count(session.EventReuse) != 1 { // one of them while the ticket is young
				w.Errorf("set back by %v: the thief was served %d times, and %d thefts were reported; want at most 2, and 1", back, refreshes, w.count(session.EventReuse))
			}
		})
	}
}

// A clock that is set forward makes young tickets old, while their siblings are on their
// way. One of them is confirmed then, and another arrives after it. That costs nothing as
// long as the answer to the confirmation arrives, too. If it is lost, the sibling is all that
// the browser has, and looks stolen: docs/security.md names this limit.
func TestManager_ClockThatIsSetForwardBetweenSiblings(t *testing.T) {
	for _, lost := range []bool{false, true} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			w.expireAccess()
			first, sibling := w.answered(b), w.answered(b)
			b.Receive(first.Cookies)
			w.store.SetClock(3 * time.Minute)
			b.ExpireAccess()
			confirmation := w.answered(b)
			b.Receive(sibling.Cookies)
			if !lost {
				b.Receive(confirmation.Cookies)
			}
			w.expireAccess()
			v, err := w.visit(b)
			if goesOn := err == nil && v.Session().ID == s.ID; goesOn == lost {
				w.Errorf("the answer is lost: %v; the session goes on: %v", lost, goesOn)
			}
			if n := w.count(session.EventReuse); (n == 1) != lost {
				w.Errorf("the answer is lost: %v; %d sessions look stolen", lost, n)
			}
		})
	}
}
