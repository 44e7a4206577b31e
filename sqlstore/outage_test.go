package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// methods calls each method of the store once.
func (a app) methods(rec *store.Record) map[string]func(ctx context.Context) error {
	p := store.PresentedTicket{ID: rec.ID, Generation: 1, Digest: newDigest(), Parent: rec.Confirmed, RetainFor: time.Hour}
	return map[string]func(ctx context.Context) error{
		"Create": func(ctx context.Context) error {
			return a.Create(ctx, store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour})
		},
		"Find":         func(ctx context.Context) error { _, err := a.Find(ctx, rec.ID); return err },
		"Confirm":      func(ctx context.Context) error { _, err := a.Confirm(ctx, p); return err },
		"RevokeReused": func(ctx context.Context) error { _, err := a.RevokeReused(ctx, p); return err },
		"Revoke": func(ctx context.Context) error {
			_, err := a.Revoke(ctx, newID(), "1", store.ReasonRevoked)
			return err
		},
		"RevokeUser": func(ctx context.Context) error {
			_, err := a.RevokeUser(ctx, store.UserRevocation{UserID: "1", Except: []store.ID{rec.ID}, Reason: store.ReasonRevoked, Limit: 1000})
			return err
		},
		"RevokeAll":  a.RevokeAll,
		"RefreshAll": a.RefreshAll,
		"Reload":     func(ctx context.Context) error { _, err := a.Reload(ctx, "1", 9); return err },
		"List":       func(ctx context.Context) error { _, err := a.List(ctx, "1", store.ID{}, 100); return err },
		"Newest":     func(ctx context.Context) error { _, err := a.Newest(ctx, "1", true, 100); return err },
		"Changes":    func(ctx context.Context) error { _, err := a.Changes(ctx, time.Hour, store.Cursor{}, 1000); return err },
		"Prune":      func(ctx context.Context) error { _, err := a.Prune(ctx, 10); return err },
		"Migrate":    a.Migrate,
	}
}

// While the database is down or silent, every method returns an error that is not a
// verdict, soon after its context ends. Afterwards everybody is still logged in.
func TestStore_OutageIsAnErrorAndEndsNoSession(t *testing.T) {
	suite(t, "an outage ends no session")
	server := dbtest.Start(t)
	a := appOn(t, server.Database(t, "interpolateParams=true"), integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{})
	rec := a.login(t)

	fails := func(when string) {
		t.Helper()
		for name, call := range a.methods(rec) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			begun := time.Now()
			err := call(ctx)
			cancel()
			if err == nil || errors.Is(err, session.ErrUserDisabled) || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("%s %s: %v; want an error that is not a verdict", when, name, err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("%s %s took %v, with a context of 200 ms", when, name, took)
			}
		}
	}
	server.Stop(t)
	fails("stopped:")
	server.Restart(t)
	server.Kill(t)
	fails("killed:")
	server.Restart(t)
	server.Freeze(t)
	fails("frozen:")
	server.Thaw(t)

	snap, err := a.Find(t.Context(), rec.ID)
	if err != nil || snap.Record == nil || !snap.Record.RevokedAt.IsZero() {
		t.Fatalf("afterwards the session is %+v, %v", snap.Record, err)
	}
}

// No statement leaves a transaction open, so none reads from an old snapshot.
func TestStore_EveryStatementCommits(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{})
	rec := a.login(t)
	for name, call := range a.methods(rec) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var open int
	if err := a.db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM information_schema.INNODB_TRX x
		JOIN information_schema.PROCESSLIST p ON p.ID = x.trx_mysql_thread_id
		WHERE p.DB = DATABASE() AND p.ID <> CONNECTION_ID()`).Scan(&open); err != nil {
		t.Fatal(err)
	}
	if open != 0 {
		t.Errorf("%d transactions are open", open)
	}
}
