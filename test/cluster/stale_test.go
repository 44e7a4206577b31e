package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func random[T ~[16]byte | ~[32]byte]() (v T) {
	b := make([]byte, len(v))
	rand.Read(b)
	return T(b)
}

// stale writes on one node and immediately makes the next step on another node. It
// counts how often the second node has not seen the write, for each setting.
func stale(t *testing.T, c *dbtest.Cluster, results *results) {
	const attempts = 200
	for _, wait := range []string{"0", "1", "3"} {
		a := newApp(t, c, "interpolateParams=true", "wsrep_sync_wait="+wait)
		a.setUser(t, "1", store.User{Epoch: 1})
		ctx := t.Context()
		must := func(ok bool, err error) {
			t.Helper()
			if err != nil || !ok {
				t.Fatalf("sync_wait %s: %v, %v", wait, ok, err)
			}
		}
		var refused, behind, alive int
		for i := range attempts {
			// A node that is behind may report a conflict, more than once.
			here, there := only(a.stores[i%nodes]), only(a.stores[(i+1)%nodes])
			login := store.NewSession{ID: random[store.ID](), UserID: "1", Confirmed: random[store.Digest](), Lifetime: time.Hour, RetainFor: time.Hour}

			// A password change on one node, and a login with the new password on the next.
			epoch := uint64(i + 2)
			arrive(t, func() bool {
				_, err := a.dbs[i%nodes].ExecContext(ctx, "UPDATE users SET session_epoch = ? WHERE id = 1", epoch)
				return err == nil
			})
			login.UserEpoch = epoch
			if err := there.Create(ctx, login); errors.Is(err, session.ErrUserDisabled) {
				refused++
				arrive(t, func() bool { return there.Create(ctx, login) == nil })
			} else {
				must(true, err)
			}
			arrive(t, func() bool { return has(ctx, here, login.ID) && has(ctx, there, login.ID) })

			// The confirmation of a ticket on one node, and of its child on the next.
			first := store.PresentedTicket{ID: login.ID, Generation: 1, Digest: random[store.Digest](), Parent: login.Confirmed, RetainFor: time.Hour}
			must(here.Confirm(ctx, first))
			snap, err := there.Find(ctx, login.ID)
			must(snap.Record != nil, err)
			if snap.Record.Generation < 1 {
				behind++
			}
			second := store.PresentedTicket{ID: login.ID, Generation: 2, Digest: random[store.Digest](), Parent: first.Digest, RetainFor: time.Hour}
			must(there.Confirm(ctx, second)) // a row that is behind moves to this generation

			// A logout on one node, and a request on the next.
			must(here.Revoke(ctx, login.ID, "", store.ReasonLogout))
			snap, err = there.Find(ctx, login.ID)
			must(snap.Record != nil, err)
			if snap.Record.RevokedAt.IsZero() {
				alive++
			}
		}
		results.add("wsrep_sync_wait=%s, %d attempts each: %d logins after a password change were refused, %d refreshes found an older row, %d logouts were not seen immediately",
			wait, attempts, refused, behind, alive)
		if wait == "3" && refused+behind+alive > 0 {
			t.Error("a node with wsrep_sync_wait=3 has not seen what another node had acknowledged")
		}
	}
}

// only is the store of one node. It repeats a call once after a store error.
func only(s member) *spread { return &spread{nodes: []member{s}} }

func has(ctx context.Context, s store.Store, id store.ID) bool {
	snap, err := s.Find(ctx, id)
	return err == nil && snap.Record != nil
}

// arrive waits until a write has reached another node: until there returns true.
func arrive(t *testing.T, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !there(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the write did not reach the other node within 10 s")
		}
	}
}
