package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// managerCalls are calls of a Manager. Each needs one method of the store.
var managerCalls = map[string]func(n *testNode, b *sessiontest.Browser, s session.Session) error{
	"Create": func(n *testNode, _ *sessiontest.Browser, _ session.Session) error {
		_, err := n.Issue(newBrowser().NewRequest("POST", "/login", nil), session.Login{UserID: "1"})
		return err
	},
	"Find": func(n *testNode, b *sessiontest.Browser, _ session.Session) error { return requireLive(n.Manager, b) },
	"Revoke": func(n *testNode, _ *sessiontest.Browser, s session.Session) error {
		return n.Revoke(n.t.Context(), "1", s.ID)
	},
	"RevokeUser": func(n *testNode, _ *sessiontest.Browser, _ session.Session) error {
		return n.RevokeUser(n.t.Context(), "1")
	},
	"RevokeAll": func(n *testNode, _ *sessiontest.Browser, _ session.Session) error { return n.RevokeAll(n.t.Context()) },
	"Reload": func(n *testNode, _ *sessiontest.Browser, _ session.Session) error {
		return n.ForceRefresh(n.t.Context(), "1")
	},
	"List": func(n *testNode, _ *sessiontest.Browser, _ session.Session) error {
		_, err := n.List(n.t.Context(), "1")
		return err
	},
}

// ErrUserDisabled is a definite answer: the store is not asked again, and no event
// reports an error.
func TestManager_DefiniteErrorIsNotRepeated(t *testing.T) {
	for method, call := range managerCalls {
		for _, definite := range []error{session.ErrUserDisabled} {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				s := w.here.login(b, session.Login{})
				before := w.here.store.Calls(method)
				w.here.store.Fail(fmt.Errorf("the store: %w", definite), method)
				err := call(w.here, b, s)
				if n := w.here.store.Calls(method) - before; !errors.Is(err, definite) || n != 1 {
					w.Errorf("%s: got %v after %d calls; want %v after one", method, err, n, definite)
				}
				if trouble := w.here.eventsOf(session.EventStoreError); len(trouble) != 0 {
					w.Errorf("%s, %v: events %v", method, definite, trouble)
				}
			})
		}
	}
}

// A store call that fails is made up to three times with short pauses, because the
// cause, a deadlock or a lost answer, is often gone by then.
func TestManager_CallWithoutAnswerIsRepeated(t *testing.T) {
	for method, call := range managerCalls {
		for failures := range maxAttempts + 1 {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				s := w.here.login(b, session.Login{})
				var mu sync.Mutex // guards at: a probe may call at the same time
				var at []time.Time
				w.here.store.Before(func(_ context.Context, m string) error {
					if m != method {
						return nil
					}
					mu.Lock()
					defer mu.Unlock()
					if at = append(at, time.Now()); len(at) <= failures {
						return errStoreDown
					}
					return nil
				})
				err := call(w.here, b, s)
				mu.Lock()
				calls := at
				mu.Unlock()
				w.here.store.Before(nil)
				if want := min(failures+1, maxAttempts); len(calls) < want || failures < maxAttempts && err != nil || failures == maxAttempts && !errors.Is(err, errStoreDown) {
					w.Errorf("%s failed %d times: got %v after %d calls", method, failures, err, len(calls))
				}
				for i := 1; i < len(calls) && i <= failures; i++ {
					if pause := calls[i].Sub(calls[i-1]); pause >= 40*time.Millisecond {
						w.Errorf("%s was repeated after %v; want less than 40ms", method, pause)
					}
				}
				trouble := w.here.eventsOf(session.EventStoreError)
				if told := len(trouble) == 1 && errors.Is(trouble[0].Err, errStoreDown); told != (failures == maxAttempts) || len(trouble) > 1 {
					w.Errorf("%s failed %d times: events %v", method, failures, trouble)
				}
			})
		}
	}
}

// The pauses are random, so that two nodes that met in a deadlock do not meet again.
func TestManager_RepetitionsAreSpread(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		pauses := map[time.Duration]bool{}
		for range 100 {
			start := time.Now()
			failed := false
			w.here.store.Before(func(context.Context, string) error {
				if failed {
					return nil
				}
				failed = true
				return errStoreDown
			})
			if err := requireLive(w.here.Manager, b); err != nil {
				w.Fatal(err)
			}
			pauses[time.Since(start).Truncate(time.Millisecond)] = true
		}
		if len(pauses) < 20 {
			w.Errorf("100 repetitions came after %d different pauses", len(pauses))
		}
	})
}
