package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// oneStepStore is a store that reads and confirms in one step.
type oneStepStore struct {
	store.Store

	mu    sync.Mutex // guards what follows
	loses int        // so many races that come
}

var _ store.OneStep = (*oneStepStore)(nil)

func (s *oneStepStore) FindAndConfirm(ctx context.Context, p store.PresentedTicket) (store.Snapshot, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap, err := s.Find(ctx, p.ID)
	if err != nil || !snap.IsNext(p) {
		return snap, false, err
	}
	if s.loses > 0 {
		s.loses--
		return snap, false, nil
	}
	confirmed, err := s.Confirm(ctx, p)
	return snap, confirmed, err
}

func inOneStepWorld(t *testing.T, cfg session.Config, test func(w *testWorld, s *oneStepStore)) {
	t.Helper()
	inTestWorld(t, cfg, func(w *testWorld) {
		s := &oneStepStore{Store: w.users}
		test(newTestWorld(t, w.users, s, cfg), s)
	})
}

func TestManager_RefreshesInOneStep(t *testing.T) {
	inOneStepWorld(t, session.Config{}, func(w *testWorld, _ *oneStepStore) {
		b := newBrowser()
		id := w.login(b, session.Login{}).ID
		for generation := range uint64(3) {
			w.expireAccess()
			if n := w.calls(func() { w.in(b) }); n != 1 {
				t.Errorf("refresh %d made %d calls; want 1", generation, n)
			}
			// The first refresh presents the ticket of the login.
			if row := w.row(id); row.Generation != generation {
				t.Errorf("after refresh %d the row has generation %d", generation, row.Generation)
			}
		}
		if n := w.store.Calls("FindAndConfirm"); n != 3 {
			t.Errorf("%d calls of FindAndConfirm; want 3", n)
		}
	})
}

// The row keeps as long as it does with two steps: nobody is logged out before their time.
func TestManager_OneStepKeepsTheRowAsLongAsTwo(t *testing.T) {
	for name, login := range map[string]session.Login{"login": {}, "remember": {Remember: true}, "a timeout of its own": {IdleTimeout: 10 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			var expires [2]time.Time
			for i, steps := range []func(*testing.T, session.Config, func(*testWorld)){
				inTestWorld,
				func(t *testing.T, cfg session.Config, test func(*testWorld)) {
					inOneStepWorld(t, cfg, func(w *testWorld, _ *oneStepStore) { test(w) })
				},
			} {
				steps(t, session.Config{}, func(w *testWorld) {
					b := newBrowser()
					s := w.login(b, login)
					for range 3 {
						w.expireAccess()
						w.in(b)
					}
					id, err := store.ParseID(s.ID)
					if err != nil {
						t.Fatal(err)
					}
					expires[i] = w.users.ExpiresAt(id)
				})
			}
			if !expires[0].Equal(expires[1]) || expires[0].IsZero() {
				t.Errorf("the row is kept until %v with two steps, and %v with one", expires[0], expires[1])
			}
		})
	}
}

func TestManager_OneStepThatLosesARaceIsTwo(t *testing.T) {
	inOneStepWorld(t, session.Config{}, func(w *testWorld, s *oneStepStore) {
		b := newBrowser()
		id := w.login(b, session.Login{}).ID
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		s.loses = 1
		w.in(b)
		if row := w.row(id); row.Generation != 1 || w.store.Calls("Confirm") != 1 {
			t.Errorf("the row has generation %d after %d calls of Confirm; want 1 and 1", row.Generation, w.store.Calls("Confirm"))
		}
	})
}

func TestManager_LostAnswerToOneStepLogsNobodyOut(t *testing.T) {
	inOneStepWorld(t, session.Config{}, func(w *testWorld, _ *oneStepStore) {
		b := newBrowser()
		id := w.login(b, session.Login{}).ID
		for range 2 {
			w.expireAccess()
			w.store.After(failTimes(1, "FindAndConfirm"))
			w.in(b)
		}
		w.expireAccess()
		w.in(b)
		if row := w.row(id); row.Generation != 2 || !row.RevokedAt.IsZero() {
			t.Errorf("the row is %+v; want generation 2, not revoked", row)
		}
	})
}

// A foreign client must not confirm the ticket that it has stolen.
func TestManager_OneStepConfirmsNothingForAForeignClient(t *testing.T) {
	inOneStepWorld(t, byAgent(true), func(w *testWorld, _ *oneStepStore) {
		b := newBrowser()
		id := w.loginFrom("Firefox", b).ID
		w.expireAccess()
		v, err := w.Authenticate(from("Firefox", b)) // receives the child, which is next
		if err != nil {
			t.Fatal(err)
		}
		b.Receive(v.Cookies)
		w.expireAccess()
		if v, err := w.Authenticate(from("Chrome", b)); !isUnauthenticated(err) {
			t.Errorf("a foreign client got %v, %v; want ErrUnauthenticated", v, err)
		}
		if row := w.row(id); row.Generation != 0 || w.store.Calls("FindAndConfirm") != 0 {
			t.Errorf("the row has generation %d after %d calls of FindAndConfirm; want 0 and 0", row.Generation, w.store.Calls("FindAndConfirm"))
		}
	})
}
