package sqlstore_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The global epoch is in the row with the id 1. Other rows of that table, before or
// after it, must have no effect.
func TestStore_ReadsTheGlobalEpochFromRowOneOnly(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.exec(t, "DELETE FROM sessions_epoch")
	a.exec(t, "INSERT INTO sessions_epoch (id, epoch, schema_version) VALUES (0, 50, 1), (2, 70, 1)")
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.setUser(t, 1, store.User{Epoch: 1})
	if err := a.RevokeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := a.login(t)
	if rec == nil || rec.GlobalEpoch != 1 {
		t.Fatalf("the login has the record %+v; want the global epoch 1", rec)
	}
	if snap, err := a.Find(t.Context(), rec.ID); err != nil || snap.GlobalEpoch != 1 {
		t.Errorf("Find: epoch %d, %v; want 1", snap.GlobalEpoch, err)
	}
	if list, err := a.List(t.Context(), "1", store.ID{}, 100); err != nil || len(list) != 1 {
		t.Errorf("List: %d sessions, %v; want 1", len(list), err)
	}
	if _, err := a.Reload(t.Context(), "1", 1000); err != nil {
		t.Fatal(err)
	}
	if c, err := a.Changes(t.Context(), time.Hour, store.Cursor{}, 1000); err != nil || c.GlobalEpoch != 1 || len(c.Sessions) != 1 {
		t.Errorf("Changes: %+v, %v; want epoch 1 and one session", c, err)
	}
	for id, want := range map[int]int{0: 50, 1: 1, 2: 70} {
		var epoch int
		if err := a.db.QueryRowContext(t.Context(), "SELECT epoch FROM sessions_epoch WHERE id = ?", id).Scan(&epoch); err != nil || epoch != want {
			t.Errorf("row %d has the epoch %d, %v; want %d", id, epoch, err, want)
		}
	}
}
