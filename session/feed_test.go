package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lookingStore records how far back the polls look.
type lookingStore struct {
	*MemoryStore
	mu   sync.Mutex
	down bool
	back []time.Duration
}

func (s *lookingStore) Changes(ctx context.Context, within time.Duration) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return Changes{}, errors.New("down")
	}
	s.back = append(s.back, within)
	return s.MemoryStore.Changes(ctx, within)
}

// looks waits, and returns how far back the polls since it was last called have
// looked.
func (s *lookingStore) looks(d time.Duration) (back []time.Duration) {
	time.Sleep(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	back, s.back = s.back, nil
	return back
}

func TestPollsLookNoFartherBackThanTheyMust(t *testing.T) {
	inWorld(t, func(w *world) {
		store := &lookingStore{MemoryStore: w.users}
		w.Manager.store = store
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		go w.Manager.Run(ctx)

		if first := store.looks(time.Millisecond); len(first) != 1 || first[0] != w.feed.keep {
			w.Errorf("the first poll looks back %v; want %v", first, w.feed.keep)
		}
		far := 0
		for _, back := range store.looks(time.Minute) {
			switch {
			case back == w.feed.keep:
				far++
			case back < lookOverlap || back > lookOverlap+2*time.Second:
				w.Errorf("a poll looks back %v", back)
			}
		}
		if far < 3 || far > 4 {
			w.Errorf("%d polls in a minute looked back over everything; want one every 15 seconds", far)
		}

		// What happened while none succeeded is in the first one that does.
		store.mu.Lock()
		store.down = true
		store.mu.Unlock()
		time.Sleep(13 * time.Second)
		store.mu.Lock()
		store.down = false
		store.mu.Unlock()
		if after := store.looks(10 * time.Second); len(after) == 0 || after[0] < 13*time.Second {
			w.Errorf("after 13 seconds without one, the polls look back %v", after)
		}
	})
}

// A revocation that was stamped long before it could be seen: committed late, or
// by a clock that was behind the one that counts now; and by one that was ahead.
func TestARevocationThatShowsLateIsNotMissed(t *testing.T) {
	for _, stamped := range []time.Duration{-3 * time.Second, -20 * time.Second, -2 * time.Minute, time.Minute} {
		inWorld(t, func(w *world) {
			ctx, stop := context.WithCancel(w.Context())
			defer stop()
			go w.Manager.Run(ctx)
			b := newBrowser()
			s := w.login(b, Login{})
			time.Sleep(40 * time.Second)
			w.in(b)
			id, err := ParseID(s.ID)
			if err != nil {
				w.Fatal(err)
			}
			w.users.mu.Lock()
			row := w.users.sessions[id]
			row.RevokedAt = storeNow().Add(stamped)
			row.changedAt, row.Reason = row.RevokedAt, ReasonRevoked
			w.users.mu.Unlock()
			time.Sleep(w.feed.farLookEvery() + 1500*time.Millisecond)
			if n := w.statements(func() { w.out(b) }); n == 0 {
				w.Error("the store was not asked: the session has run out by itself")
			}
		})
	}
}

func TestAnotherNodeKnowsWithinASecondOrTwo(t *testing.T) {
	for _, withRun := range []bool{true, false} {
		inWorld(t, func(w *world) {
			other := newWorld(t, w.users, Config{})
			ctx, stop := context.WithCancel(w.Context())
			defer stop()
			if withRun {
				go other.Manager.Run(ctx)
			}
			for name, end := range map[string]func(b *browser, s Session) error{
				"logout":        func(b *browser, _ Session) error { _, err := w.Logout(b.request()); return err },
				"one device":    func(_ *browser, s Session) error { return w.Revoke(ctx, "1", s.ID) },
				"other devices": func(*browser, Session) error { return w.RevokeUser(ctx, "1", ID{1}.String()) },
				"one user":      func(*browser, Session) error { return w.RevokeUser(ctx, "1") },
				"everybody":     func(*browser, Session) error { return w.RevokeAll(ctx) },
				"reuse": func(_ *browser, s Session) error {
					id, _ := ParseID(s.ID)
					_, err := w.users.RevokeReused(ctx, Presented{ID: id})
					return err
				},
				"a ban, then": func(*browser, Session) error {
					w.users.SetUser("1", User{Epoch: 1, Disabled: true})
					return w.RevokeUser(ctx, "1")
				},
			} {
				w.users.SetUser("1", User{Epoch: 1})
				b := newBrowser()
				s := w.login(b, Login{})
				other.in(b)
				kept := b.hoard()
				if err := end(b, s); err != nil {
					w.Fatal(err)
				}
				if withRun {
					time.Sleep(1500 * time.Millisecond)
				} else {
					other.in(b) // the bound is the access lifetime
					w.nextPeriod()
				}
				if s, err := other.visit(kept); !errors.Is(err, ErrUnauthenticated) {
					w.Errorf("%s, Run %v: got %+v, %v; want ErrUnauthenticated", name, withRun, s, err)
				}
			}
		})
	}
}

func TestARevokedAccessCookieIsNotBelievedForAsLongAsItLives(t *testing.T) {
	inWorld(t, func(w *world) {
		other := newWorld(w.T, w.users, Config{})
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		go other.Manager.Run(ctx)
		b := newBrowser()
		s := w.login(b, Login{})
		restored := b.copy()
		delete(restored.jar, w.names.refresh) // alone, it is never held against the store
		other.in(restored)
		if err := w.Revoke(ctx, "1", s.ID); err != nil {
			w.Fatal(err)
		}
		for range 20 {
			time.Sleep(6 * time.Second)
			w.out(restored.copy())
			other.out(restored.copy())
		}
	})
}

func TestMarksAreForgottenWhenTheyCannotMatter(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 1000 {
			b := newBrowser()
			w.login(b, Login{})
			if _, err := w.Logout(b.request()); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := w.feed.count; n > 500 {
			w.Errorf("%d marks after 1000 logouts in 1000 s; each can matter for 180 s", n)
		}
	})
}

// A failover that loses a revocation is a matter of minutes, not of a restart.
func TestADatabaseThatForgetsARevocationIsBelievedInTheEnd(t *testing.T) {
	for name, lose := range map[string]func(w *world, id ID){
		"one session": func(w *world, id ID) {
			w.users.sessions[id].RevokedAt, w.users.sessions[id].changedAt = time.Time{}, time.Time{}
		},
		"everybody": func(w *world, _ ID) { w.users.epoch-- },
	} {
		inWorld(t, func(w *world) {
			ctx, stop := context.WithCancel(w.Context())
			defer stop()
			b := newBrowser()
			s := w.login(b, Login{})
			id, _ := ParseID(s.ID)
			if err := map[string]func() error{
				"one session": func() error { return w.Revoke(ctx, "1", s.ID) },
				"everybody":   func() error { return w.RevokeAll(ctx) },
			}[name](); err != nil {
				w.Fatal(err)
			}
			lose(w, id)
			go w.Manager.Run(ctx)
			time.Sleep(time.Second)
			w.out2(b)
			w.nextPeriod()
			w.out2(b)
			time.Sleep(feedSlack)
			w.in(b)
		})
	}
}

func TestADatabaseThatForgetsAReloadIsBelievedInTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		s := w.login(b, Login{})
		if err := w.Reload(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		id, _ := ParseID(s.ID)
		row := w.users.sessions[id]
		row.Reload, row.changedAt = 0, time.Time{} // a failover that loses it
		if _, err := w.visit(b); err == nil || errors.Is(err, ErrUnauthenticated) {
			w.Errorf("right after it: %v; want the store's trouble", err)
		}
		time.Sleep(w.feed.keep)
		w.in(b)
	})
}

func TestAMarkThatIsOverIsNotRevivedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(2 * time.Minute)
		f.revoked(ID{1})
		time.Sleep(time.Hour)
		f.learn(Changes{Sessions: []Change{{ID: ID{1}, Reload: 1}}})
		if f.over(ID{1}, 0) || !f.believes(ID{1}, 0, 1) {
			t.Error("a revocation of an hour ago is back")
		}
	})
}

// A database that was restored counts everybody's epoch from a lower one. What a
// node remembers of the higher ones must not hide the next rise.
func TestAnEpochThatWentBackRisesAgain(t *testing.T) {
	for lost := range uint64(4) {
		inWorld(t, func(w *world) {
			ctx, stop := context.WithCancel(w.Context())
			defer stop()
			go w.Manager.Run(ctx)
			for range 3 {
				if err := w.RevokeAll(ctx); err != nil {
					w.Fatal(err)
				}
			}
			w.users.mu.Lock()
			w.users.epoch -= lost
			w.users.mu.Unlock()
			time.Sleep(2 * w.feed.keep)
			b := newBrowser()
			w.login(b, Login{})
			w.in(b)
			if err := w.RevokeAll(ctx); err != nil {
				w.Fatal(err)
			}
			if n := w.statements(func() { w.out(b) }); n == 0 {
				w.Errorf("%d epochs lost: the store was not asked", lost)
			}
		})
	}
}
