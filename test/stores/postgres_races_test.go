package stores

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// Calls that change many rows lock them in one order. In two orders they deadlock, and
// PostgreSQL ends one of them, but only after a second.
func TestPostgreSQL_CallsThatChangeTheSameRowsDoNotDeadlock(t *testing.T) {
	dbtest.Suite(t, postgres(t), "many writers at once")
	db := postgres(t)
	rows := newPostgres(t, db, postgresUsers, sqlstore.Config{})
	execute(t, db, "INSERT INTO users (id) VALUES (1)")
	// The order of the ids is neither that of the rows nor that of their ends.
	execute(t, db, `INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed, confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip)
		SELECT decode(md5(n::text), 'hex'), 1, 1, 0, 0, sha256(n::text::bytea), 1, n, 1, 9e15, 9e15 + n, 0, 0, '', '' FROM generate_series(1, 400) n`)

	var calls sync.WaitGroup
	var done atomic.Bool
	var reloads, deadlocks atomic.Int32
	report := func(err error) {
		if err != nil && strings.Contains(err.Error(), "40P01") {
			deadlocks.Add(1)
		} else if err != nil {
			t.Error(err)
		}
	}
	for i := range 4 {
		calls.Go(func() {
			for !done.Load() {
				_, err := rows.Reload(t.Context(), "1", 50+100*i)
				report(err)
				reloads.Add(1)
			}
		})
	}
	calls.Go(func() {
		for !done.Load() {
			_, err := rows.Prune(t.Context(), 100)
			report(err)
		}
	})
	for range 10 {
		_, err := rows.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 10})
		report(err)
		_, err = db.ExecContext(t.Context(), "UPDATE sessions SET expires_at = 1 WHERE id = (SELECT id FROM sessions ORDER BY random() LIMIT 1)")
		report(err)
		if err := rows.Create(t.Context(), store.NewSession{ID: store.ID{byte(reloads.Load()), 7}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	calls.Wait()
	if n := deadlocks.Load(); n > 0 {
		t.Errorf("%d deadlocks during %d reloads", n, reloads.Load())
	}
	t.Logf("%d reloads", reloads.Load())
}

// On MySQL a login waits for a transaction that changes the user's row. Here it does not,
// and the session is over when that transaction commits.
func TestPostgreSQL_LoginDuringAnUncommittedChangeOfTheUser(t *testing.T) {
	for change, over := range map[string]func(*store.Record) bool{
		"session_epoch = 2": func(r *store.Record) bool { return r.User.Epoch != r.UserEpoch },
		"disabled = TRUE":   func(r *store.Record) bool { return r.User.Disabled },
	} {
		db := postgres(t)
		rows := newPostgres(t, db, postgresUsers, sqlstore.Config{})
		execute(t, db, "INSERT INTO users (id) VALUES (1)")
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec("UPDATE users SET " + change); err != nil {
			t.Fatal(err)
		}
		if err := rows.Create(t.Context(), store.NewSession{ID: store.ID{1}, UserID: "1", UserEpoch: 1, Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Errorf("%s: a login: %v", change, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if snap, err := rows.Find(t.Context(), store.ID{1}); err != nil || !over(snap.Record) {
			t.Errorf("%s: the session is not over: %+v, %v", change, snap.Record, err)
		}
	}
}
