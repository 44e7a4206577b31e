package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

func random[T ~[16]byte | ~[32]byte]() (v T) {
	b := make([]byte, len(v))
	rand.Read(b)
	return T(b)
}

// stale writes on one node and takes the next step on another at once.
func stale(t *testing.T, c *mysqltest.Cluster, results *results) {
	const rounds = 200
	for _, wait := range []string{"0", "1", "3"} {
		a := newApp(t, c, "interpolateParams=true", "wsrep_sync_wait="+wait)
		a.setUser(t, "1", session.User{Epoch: 1})
		ctx := t.Context()
		must := func(ok bool, err error) {
			t.Helper()
			if err != nil || !ok {
				t.Fatalf("sync_wait %s: %v, %v", wait, ok, err)
			}
		}
		var refused, behind, alive int
		for i := range rounds {
			// A node that is behind may be told so by a conflict, more than once.
			here, there := only(a.stores[i%nodes]), only(a.stores[(i+1)%nodes])
			login := session.NewSession{ID: random[session.ID](), UserID: "1", Confirmed: random[session.Digest](), Lifetime: time.Hour, KeepFor: time.Hour}

			// The password was changed here, and the new one is used there.
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

			// A ticket is confirmed here, and its child there.
			first := session.Presented{ID: login.ID, Generation: 1, Digest: random[session.Digest](), Parent: login.Confirmed, KeepFor: time.Hour}
			must(here.Confirm(ctx, first))
			snap, err := there.Find(ctx, login.ID)
			must(snap.Record != nil, err)
			if snap.Record.Generation < 1 {
				behind++
			}
			second := session.Presented{ID: login.ID, Generation: 2, Digest: random[session.Digest](), Parent: first.Digest, KeepFor: time.Hour}
			must(there.Confirm(ctx, second)) // where the row is behind it is moved on

			// A logout here, and a request there.
			must(here.Revoke(ctx, login.ID, "", session.ReasonLogout))
			snap, err = there.Find(ctx, login.ID)
			must(snap.Record != nil, err)
			if snap.Record.RevokedAt.IsZero() {
				alive++
			}
		}
		results.add("wsrep_sync_wait=%s: of %d logins after a password change %d were refused, of as many refreshes %d found an older row, and of as many logouts %d were not seen at once",
			wait, rounds, refused, behind, alive)
		if wait == "3" && refused+behind+alive > 0 {
			t.Error("nodes that wait for each other did not know what had been acknowledged")
		}
	}
}

// only is one node's store, which is asked once more when it is in trouble.
func only(s session.Store) *spread { return &spread{nodes: []session.Store{s}} }

func has(ctx context.Context, s session.Store, id session.ID) bool {
	snap, err := s.Find(ctx, id)
	return err == nil && snap.Record != nil
}

// arrive waits until something has reached another node.
func arrive(t *testing.T, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !there(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not arrive within 10 s")
		}
	}
}
