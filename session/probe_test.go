package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// One call that fails is no outage. The node refuses requests only if a probe fails as
// well, after its repetitions.
func TestManager_StoreIsDownOnlyIfAProbeFails(t *testing.T) {
	for failures, down := range map[int64]bool{maxAttempts: false, maxAttempts + 1: false, 2*maxAttempts - 1: false, 2 * maxAttempts: true} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := w.here.refreshing()
			calls := w.here.reads(func(call int64) error {
				if call <= failures {
					return errStoreDown
				}
				return nil
			})
			w.here.unavailable(b)
			time.Sleep(200 * time.Millisecond) // for the probe
			before := calls.Load()
			if _, err := w.here.visit(b); (err != nil) != down {
				w.Errorf("%d reads failed: the next request got %v", failures, err)
			}
			if asked := calls.Load() > before; asked == down {
				w.Errorf("%d reads failed: the next request asked the store: %v", failures, asked)
			}
			if n := len(w.here.eventsOf(session.EventStoreDown)); (n == 1) != down || n > 1 {
				w.Errorf("%d reads failed: %d events that the store is down", failures, n)
			}
		})
	}
}

// probedStore answers probes by a function of its own. A probe reads a session with the
// zero ID.
type probedStore struct {
	store.Store
	probe func(ctx context.Context) error
}

func (s *probedStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	if id.IsZero() {
		if err := s.probe(ctx); err != nil {
			return store.Snapshot{}, err
		}
	}
	return s.Store.Find(ctx, id)
}

// An answer that the store gives while a probe waits is newer than the result of the
// probe. The node then refuses no request.
func TestManager_StoreAnswerOverridesAnOlderProbe(t *testing.T) {
	for name, answer := range map[string]func(n *testNode) error{
		"none":         nil,
		"of a call":    func(n *testNode) error { return n.RevokeUser(n.t.Context(), "3") },
		"of a refresh": func(n *testNode) error { _, err := n.visit(n.refreshing()); return err },
		"a definite no": func(n *testNode) error {
			_, err := n.Issue(newBrowser().NewRequest("POST", "/login", nil), session.Login{UserID: "3"})
			if errors.Is(err, session.ErrUserDisabled) {
				return nil
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				n := w.node(&probedStore{w.users, func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}}, session.Config{})
				b := n.refreshing()
				n.store.Fail(errStoreDown)
				n.unavailable(b)
				n.store.Fail(nil)
				time.Sleep(time.Second) // the probe waits
				if answer != nil {
					if err := answer(n); err != nil {
						w.Fatal(err)
					}
				}
				time.Sleep(callTimeout) // the probe has failed
				_, err := n.visit(b)
				if refused := err != nil; refused != (answer == nil) {
					w.Errorf("the next request got %v", err)
				}
				if n := len(n.eventsOf(session.EventStoreDown)); (n == 1) != (answer == nil) {
					w.Errorf("%d events that the store is down", n)
				}
			})
		})
	}
}

// unreadableRow is a store that cannot read one row.
type unreadableRow struct {
	store.Store
	id string
}

func (s *unreadableRow) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	if id.String() == s.id {
		return store.Snapshot{}, errStoreDown
	}
	return s.Store.Find(ctx, id)
}

// A row that cannot be read affects only its own session. Other sessions are served,
// and the node tries to read that row each time.
func TestManager_BrokenRowAffectsOnlyItsSession(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		db := &unreadableRow{Store: w.users}
		n := w.node(db, session.Config{})
		broken, other := n.refreshing(), n.refreshing()
		db.id = n.in(broken).ID
		broken.ExpireAccess()
		time.Sleep(2 * time.Second)
		for range 1000 {
			if asked := n.calls(func() { n.unavailable(broken) }); asked != maxAttempts {
				w.Fatalf("the request made %d store calls; want %d", asked, maxAttempts)
			}
		}
		n.in(other)
		if down := n.eventsOf(session.EventStoreDown); len(down) != 0 {
			w.Errorf("events: %v", down)
		}
	})
}
