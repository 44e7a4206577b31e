package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// storePatience is how long one method of the Manager waits for all its store calls
// together, plus a margin for the last one.
const storePatience = 2*time.Second + 200*time.Millisecond

// failTimes returns a hook that fails the next calls of a method.
func failTimes(times int, method string) sessiontest.Hook {
	var mu sync.Mutex
	return func(_ context.Context, m string) error {
		mu.Lock()
		defer mu.Unlock()
		if m != method || times == 0 {
			return nil
		}
		times--
		return errStoreDown
	}
}

// needsConfirm returns a browser whose next request confirms its ticket, and one whose
// next request is reuse.
func (w *testWorld) needsConfirm() (confirms, reuses *sessiontest.Browser, s session.Session) {
	w.Helper()
	confirms = newBrowser()
	s = w.login(confirms, session.Login{})
	reuses = confirms.Clone()
	for range 2 {
		w.expireAccess()
		w.in(confirms)
	}
	w.expireAccess()
	return confirms, reuses, s
}

func TestManager_StoreErrorIsNeverALogout(t *testing.T) {
	for name, methods := range map[string][]string{"no call": nil, "no write": {"Confirm", "Revoke", "RevokeReused"}} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			for range 2 {
				w.expireAccess()
				w.in(b)
			}
			w.store.Fail(errStoreDown, methods...)
			w.in(b) // its access cookie is still valid
			w.expireAccess()
			v, err := w.Authenticate(page(b))
			if !errors.Is(err, errStoreDown) || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || v.Session().ID != "" {
				w.Errorf("%s is answered: %v, %v, %d cookies; want the error of the store alone", name, v, err, len(v.Cookies))
			}
			if events := w.eventsOf(session.EventStoreError); len(events) != 1 || !errors.Is(events[0].Err, errStoreDown) {
				w.Errorf("%s is answered: events %+v; want one with the error of the store", name, events)
			}
			w.repairStore()
			w.in(b)
		})
	}
}

// All store calls of a refresh share two seconds.
func TestManager_RefreshHasTwoSecondsForAllItsCalls(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, _, _ := w.needsConfirm()
		w.store.Delay(1500 * time.Millisecond)
		start := time.Now()
		_, err := w.Authenticate(page(b))
		if took := time.Since(start); err == nil || errors.Is(err, session.ErrUnauthenticated) || took > storePatience {
			w.Errorf("Authenticate: %v after %v; want an error after 2 s", err, took)
		}
	})
}

// A store call that fails, for example because of a deadlock, is repeated. The third
// failure is an error.
func TestManager_RefreshRepeatsWhatFailed(t *testing.T) {
	for _, method := range []string{"Find", "Confirm", "RevokeReused"} {
		for failures := range 5 {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b, reuses, _ := w.needsConfirm()
				if method == "RevokeReused" {
					b = reuses
				}
				w.store.Before(failTimes(failures, method))
				var err error
				n := w.calls(func() { _, err = w.visit(b) }, method)
				definite := err == nil || errors.Is(err, session.ErrUnauthenticated)
				if definite != (failures < 3) || n != min(failures+1, 3) {
					w.Errorf("%s failed %d times: %v after %d calls; want an answer: %v", method, failures, err, n, failures < 3)
				}
			})
		}
	}
}

// If the answer of a store call is lost, the store has usually done its work. The
// repetition must neither look like a theft nor hide one.
func TestManager_LostStoreAnswerIsNoTheft(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, _, _ := w.needsConfirm()
		w.store.After(failTimes(1, "Confirm"))
		w.in(b)
		w.expireAccess()
		w.in(b)
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("a repeated confirmation: %d events of reuse; want 0", n)
		}
	})
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, thief, s := w.needsConfirm()
		w.store.After(failTimes(1, "RevokeReused"))
		w.out(thief)
		w.out(b)
		if events := w.eventsOf(session.EventReuse); len(events) != 1 || events[0].SessionID != s.ID {
			w.Errorf("a repeated revocation: events %+v; want one of session %s", events, s.ID)
		}
	})
	// A session that was revoked by another node for another reason is no theft, even
	// if a call failed before.
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		_, thief, s := w.needsConfirm()
		id, err := store.ParseID(s.ID)
		if err != nil {
			w.Fatal(err)
		}
		failed := false
		w.store.Before(func(ctx context.Context, method string) error {
			if method != "RevokeReused" || failed {
				return nil
			}
			failed = true
			_, _ = w.users.Revoke(ctx, id, "", store.ReasonLogout) // on another node, at the same time
			return errStoreDown
		})
		w.out(thief)
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("a session that was logged out: %d events of reuse; want 0", n)
		}
	})
	// The same holds if a confirmation failed before.
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, _, s := w.needsConfirm()
		id, err := store.ParseID(s.ID)
		if err != nil {
			w.Fatal(err)
		}
		failed := false
		w.store.Before(func(ctx context.Context, method string) error {
			if method != "Confirm" || failed {
				return nil
			}
			failed = true
			_, _ = w.users.RevokeReused(ctx, store.PresentedTicket{ID: id}) // reported by another node
			return errStoreDown
		})
		w.out(b)
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("a theft that another node has reported: %d events of reuse; want 0", n)
		}
	})
}

// A request that loses the race for a row reads the row again, three times at most.
func TestManager_RowThatKeepsChangingIsAnError(t *testing.T) {
	for lost, want := range map[int]int{1: 2, 2: 3, 3: 3} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			w = newTestWorld(w.T, w.users, &losesRaces{w.users, lost}, session.Config{})
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			w.in(b)
			w.expireAccess()
			var err error
			var v session.Verdict
			n := w.calls(func() { v, err = w.Authenticate(page(b)) }, "Find")
			if n != want || (err == nil) != (lost < 3) || errors.Is(err, session.ErrUnauthenticated) || err != nil && len(v.Cookies) != 0 {
				w.Errorf("%d races lost: %v after %d reads; want %d, and no logout", lost, err, n, want)
			}
			if n := w.count(session.EventStoreError); (n == 1) != (lost == 3) {
				w.Errorf("%d races lost: %d events of a store error", lost, n)
			}
		})
	}
}

// losesRaces answers Confirm like a store whose row was changed in between.
type losesRaces struct {
	store.Store
	left int
}

func (s *losesRaces) Confirm(ctx context.Context, p store.PresentedTicket) (bool, error) {
	if s.left > 0 {
		s.left--
		return false, nil
	}
	return s.Store.Confirm(ctx, p)
}

// A login reads its row back. If the store fails then, the error is the store's, and not
// that the row is missing.
func TestManager_LoginThatCannotReadItsRowSaysWhy(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.store.Fail(errStoreDown, "Find")
		if _, err := w.Issue(page(newBrowser()), session.Login{UserID: "1", Epoch: 1}); !errors.Is(err, errStoreDown) || !errors.Is(err, session.ErrStoreUnavailable) {
			w.Errorf("got %v; want the store's error", err)
		}
	})
}
