package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// staleStore answers Find with the rows as they were when freeze was called, like a
// replica that has stopped replicating. The other methods see the current rows.
type staleStore struct {
	store.Store
	mu     sync.Mutex // guards frozen
	frozen map[store.ID]store.Snapshot
}

func (s *staleStore) freeze(t *testing.T, sessionID string) {
	t.Helper()
	id, err := store.ParseID(sessionID)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Store.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = map[store.ID]store.Snapshot{id: snap}
}

func (s *staleStore) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = nil
}

func (s *staleStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	now, err := s.Store.Find(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if snap, ok := s.frozen[id]; ok {
		snap.Now = now.Now
		return snap, err
	}
	return now, err
}

// A node that knows of a revocation distrusts a database that answers from before it.
// The request gets a store error: it is neither served nor logged out.
func TestManager_StaleReadRevivesNoSession(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(n *testNode, s session.Session) error
		stay time.Duration // how long the node remembers the revocation
	}{
		{"revoked", func(n *testNode, s session.Session) error { return n.Revoke(n.t.Context(), "1", s.ID) }, revocationMemory},
		// Each poll reads the global epoch again, so the node knows it for as long as
		// it runs.
		{"all users", func(n *testNode, _ session.Session) error { return n.RevokeAll(n.t.Context()) }, 5 * revocationMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				db := &staleStore{Store: w.users}
				node := w.node(db, session.Config{})
				defer node.run()()
				b := newBrowser()
				s := node.login(b, session.Login{})
				db.freeze(w.T, s.ID)
				if err := c.end(w.there, s); err != nil {
					w.Fatal(err)
				}
				start := time.Now()
				time.Sleep(pollInterval)
				b.ExpireAccess()
				for time.Since(start) < c.stay {
					node.unavailable(b)
					time.Sleep(200 * time.Millisecond)
				}
				db.follow()
				node.out(b)
			})
		})
	}
}

// failoverStore is a database that loses its last writes in a failover.
type failoverStore struct {
	store.Store
	mu     sync.Mutex // guards what follows
	epochs uint64     // how many RevokeAll calls it lost
	rows   bool       // whether it lost the writes of Revoke and Reload
}

func (s *failoverStore) lose(epochs uint64, rows bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs, s.rows = epochs, rows
}

func (s *failoverStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	snap, err := s.Store.Find(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	snap.GlobalEpoch -= s.epochs
	if r := snap.Record; r != nil {
		r.GlobalEpoch = min(r.GlobalEpoch, snap.GlobalEpoch)
		if s.rows {
			r.RevokedAt, r.Reason, r.Reload = time.Time{}, "", 0
		}
	}
	return snap, err
}

// RecordLate finds a row that was not revoked.
func (s *failoverStore) RecordLate(ctx context.Context, p store.PresentedTicket) (bool, error) {
	ok, err := s.Store.RecordLate(ctx, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok || s.rows, err
}

func (s *failoverStore) Changes(ctx context.Context, within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	changes, err := s.Store.Changes(ctx, within, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	changes.GlobalEpoch -= s.epochs
	if s.rows {
		changes.Sessions = nil
	}
	return changes, err
}

// A revocation that the database has lost is forgotten by the node, with and without
// Run, when no older access cookie is left. Until then the session is neither served
// nor over.
func TestManager_RevocationThatTheDatabaseLostIsForgotten(t *testing.T) {
	for name, act := range map[string]func(n *testNode, db *failoverStore, s session.Session) error{
		"one session": func(n *testNode, db *failoverStore, s session.Session) error {
			defer db.lose(0, true)
			return n.Revoke(n.t.Context(), "1", s.ID)
		},
		"a reload": func(n *testNode, db *failoverStore, s session.Session) error {
			defer db.lose(0, true)
			return n.ForceRefresh(n.t.Context(), "1")
		},
		"all users": func(n *testNode, db *failoverStore, s session.Session) error {
			defer db.lose(1, false)
			return n.RevokeAll(n.t.Context())
		},
	} {
		for _, runs := range []bool{true, false} {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				db := &failoverStore{Store: w.users}
				node := w.node(db, session.Config{})
				b := newBrowser()
				s := node.login(b, session.Login{})
				if err := act(node, db, s); err != nil {
					w.Fatalf("%s: %v", name, err)
				}
				if runs {
					defer node.run()()
				}
				for range 10 {
					node.unavailable(b)
					time.Sleep((revocationMemory - time.Second) / 10)
				}
				time.Sleep(2 * time.Second)
				node.in(b)
			})
		}
	}
}

// A restored database continues with a lower global epoch. The higher epochs that a
// node remembers must not hide the next RevokeAll.
func TestManager_RevokeAllActsAfterTheEpochWasLost(t *testing.T) {
	for lost := range uint64(4) {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			db := &failoverStore{Store: w.users}
			node, other := w.node(db, session.Config{}), w.node(db, session.Config{})
			defer node.run()()
			defer other.run()()
			for range 3 {
				if err := node.RevokeAll(w.Context()); err != nil {
					w.Fatal(err)
				}
			}
			db.lose(lost, false)
			time.Sleep(2 * revocationMemory)
			b := newBrowser()
			node.login(b, session.Login{})
			thief := accessOnly(b)
			node.in(thief)
			other.in(thief)
			if err := node.RevokeAll(w.Context()); err != nil {
				w.Fatal(err)
			}
			node.out(thief)
			time.Sleep(pollInterval)
			other.out(thief)
		})
	}
}
