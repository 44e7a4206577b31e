package session_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// holdPoll starts a poll whose answer is held back until the returned function is
// called. All that happens in between is newer than the answer.
func (n *testNode) holdPoll() (arrive func()) {
	n.t.Helper()
	held := make(chan struct{})
	first := true
	n.store.After(func(_ context.Context, method string) error {
		if method == "Changes" && first {
			first = false
			<-held
		}
		return nil
	})
	go func() {
		if err := n.ForceRefresh(n.t.Context(), "2"); err != nil { // it polls, and affects only user 2
			n.t.Error(err)
		}
	}()
	synctest.Wait()
	if first {
		n.t.Fatal("no poll is on its way")
	}
	return sync.OnceFunc(func() {
		close(held)
		synctest.Wait()
		n.store.After(nil)
	})
}

// Two polls overlap when a request polls while Run polls. The answer that arrives last
// may be the older one.
func TestManager_OlderPollAnswerRevertsNothing(t *testing.T) {
	for name, end := range map[string]func(n *testNode, b *sessiontest.Browser) error{
		"logout":     func(n *testNode, b *sessiontest.Browser) error { return n.logout(b) },
		"revocation": func(n *testNode, b *sessiontest.Browser) error { return n.RevokeUser(n.t.Context(), "1") },
		"all users":  func(n *testNode, _ *sessiontest.Browser) error { return n.RevokeAll(n.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				w.here.login(b, session.Login{})
				if err := w.here.ForceRefresh(w.Context(), "1"); err != nil { // so that every poll reports the session
					w.Fatal(err)
				}
				w.here.in(b)
				thief := accessOnly(b)
				arrive := w.here.holdPoll()
				defer arrive()
				if err := end(w.here, b); err != nil {
					w.Fatal(err)
				}
				w.here.out(thief)
				arrive()
				w.here.out(thief)
			})
		})
	}
	t.Run("reload", func(t *testing.T) {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := newBrowser()
			w.here.login(b, session.Login{})
			if err := w.here.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			w.here.in(b)
			arrive := w.here.holdPoll() // with the first reload
			defer arrive()
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
			if err := w.here.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			arrive()
			if s := w.here.in(b); !s.HasRole("admin") {
				w.Errorf("roles = %v after the reload", s.Roles)
			}
		})
	})
}

// A refresh may read a row that was reloaded after the last poll. Its access cookie is
// accepted and costs no store call.
func TestManager_RefreshThatIsNewerThanTheLastPollIsServed(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		for range 2 { // the second one makes the counter differ from the entry and from zero
			if err := w.there.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
		}
		if err := w.here.ForceRefresh(w.Context(), "1"); err != nil { // there has not polled since
			w.Fatal(err)
		}
		if _, err := w.there.visit(b); err != nil {
			w.Fatalf("the refresh was refused: %v", err)
		}
		if n := w.there.calls(func() { w.there.in(b) }); n != 0 {
			w.Errorf("the request after the refresh made %d store calls; want 0", n)
		}
		if trouble := w.there.eventsOf(session.EventStoreError); len(trouble) != 0 {
			w.Errorf("events: %v", trouble)
		}
	})
}

// The new roles reach each device of the user on each node, whichever node has polled
// last. example/nodes shows this rule with real processes.
func TestManager_ChangedRoleReachesEveryDevice(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		defer w.there.run()()
		devices := make([]*sessiontest.Browser, 3)
		for i := range devices {
			devices[i] = newBrowser()
			[]*testNode{w.here, w.there}[i%2].login(devices[i], session.Login{})
		}
		for _, role := range []string{"admin", "user", "admin", "root"} {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{role}})
			if err := w.here.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			// Half of the devices use this node first, without a poll. The others use
			// the other node, after a poll.
			if s := w.here.in(devices[0]); !s.HasRole(role) {
				w.Errorf("at once on the same node: roles = %v; want %s", s.Roles, role)
			}
			time.Sleep(pollInterval)
			for i, b := range devices {
				if s := w.there.in(b); !s.HasRole(role) {
					w.Errorf("device %d on the other node: roles = %v; want %s", i, s.Roles, role)
				}
				if s := w.here.in(b); !s.HasRole(role) {
					w.Errorf("device %d on the same node: roles = %v; want %s", i, s.Roles, role)
				}
			}
			if n := w.there.calls(func() { w.there.in(devices[1]) }); n > 1 { // a poll of Run at most
				w.Errorf("the request after the refresh made %d store calls", n)
			}
		}
		for _, n := range []*testNode{w.here, w.there} {
			if trouble := n.eventsOf(session.EventStoreError); len(trouble) != 0 {
				w.Errorf("events: %v", trouble)
			}
		}
	})
}
