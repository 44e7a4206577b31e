package sqlstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// crowded returns an app whose user 1 has n sessions, beside sessions of other users.
// It has one connection, so that rowsRead counts.
func crowded(t *testing.T, n int) app {
	t.Helper()
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.db.SetMaxOpenConns(1)
	a.exec(t, "CREATE TABLE digits (d INT)")
	a.exec(t, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	a.grow(t, 0, 4*n)
	a.setUser(t, 1, store.User{Epoch: 1})
	a.exec(t, fmt.Sprintf("UPDATE sessions SET user_id = 1 LIMIT %d", n))
	a.exec(t, "ANALYZE TABLE sessions")
	return a
}

// No statement of RevokeUser, Reload or Changes reads or changes many more rows than its
// limit, however many sessions the user has.
func TestStore_BatchesAndPagesAreBounded(t *testing.T) {
	const sessions, limit = 4500, 1000
	a := crowded(t, sessions)
	for name, change := range map[string]func() (int, error){
		"Reload": func() (int, error) { return a.Reload(t.Context(), "1", limit) },
		"RevokeUser": func() (int, error) {
			return a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: limit})
		},
	} {
		cost := a.rowsRead(t, func() {
			if n, err := change(); n != limit || err != nil {
				t.Errorf("%s found %d sessions, %v; want %d", name, n, err, limit)
			}
		})
		t.Logf("%s of %d sessions: %d rows read", name, limit, cost)
		if cost > 3*limit {
			t.Errorf("%s reads %d rows for %d sessions", name, cost, limit)
		}
	}
	for n, total := limit, limit; n == limit; total += n {
		var err error
		n, err = a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: limit})
		if err != nil || total+n > sessions || n < limit && total+n != sessions {
			t.Fatalf("a batch of %d after %d, %v; want %d in all", n, total, err, sessions)
		}
	}

	shown := map[store.ID]bool{}
	var after store.Cursor
	for page := limit; page == limit; {
		cost := a.rowsRead(t, func() {
			c, err := a.Changes(t.Context(), time.Hour, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if page = len(c.Sessions); page > 0 {
				after = c.Sessions[page-1].Cursor()
			}
			for _, change := range c.Sessions {
				shown[change.ID] = true
			}
		})
		if t.Logf("a page of %d changes: %d rows read", page, cost); cost > 2*limit+20 {
			t.Errorf("a page of %d changes reads %d rows", page, cost)
		}
	}
	if len(shown) != sessions {
		t.Errorf("the pages show %d sessions; want %d", len(shown), sessions)
	}
}

// Two nodes end a user's sessions while that user's browsers refresh and log out. No
// session is left, and nobody waits for long.
func TestStore_BatchesOfTwoNodesEndEverySession(t *testing.T) {
	const sessions = 3000
	a := crowded(t, sessions)
	a.db.SetMaxOpenConns(16)
	var wg sync.WaitGroup
	repeated := func(what string, step func() error) {
		t.Helper()
		var err error
		for range 5 { // as the Manager does: a deadlock is not a fault of the store
			if err = step(); err == nil {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	for range 2 {
		wg.Go(func() {
			for n := 500; n == 500; {
				repeated("revoke", func() (err error) {
					n, err = a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 500})
					return err
				})
			}
			var left int
			if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions WHERE user_id = 1 AND revoked_at IS NULL").Scan(&left); err != nil || left != 0 {
				t.Errorf("a node was told that none is left: %d are, %v", left, err)
			}
		})
	}
	list, err := a.List(t.Context(), "1", store.ID{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < len(list); i += 40 {
				rec := list[i]
				repeated("refresh", func() error {
					_, err := a.Confirm(t.Context(), store.PresentedTicket{ID: rec.ID, Generation: 1, Digest: newDigest(), Parent: rec.Confirmed, RetainFor: time.Hour})
					return err
				})
				repeated("logout", func() error {
					_, err := a.Revoke(t.Context(), rec.ID, "1", store.ReasonLogout)
					return err
				})
			}
		})
	}
	wg.Wait()
	if list, err := a.List(t.Context(), "1", store.ID{}, 1); err != nil || len(list) != 0 {
		t.Errorf("%d sessions are live, %v; want none", len(list), err)
	}
	if n, err := a.Reload(t.Context(), "1", 1000); n != 0 || err != nil {
		t.Errorf("%d sessions were reloaded, %v; want none", n, err)
	}
}
