package sqlstore_test

import (
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// addExpired adds expired rows of user 1, numbered from from to to - 1. They expired in
// this order.
func (a app) addExpired(t *testing.T, from, to int) {
	t.Helper()
	a.exec(t, `INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed,
		confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip)
		WITH RECURSIVE numbers AS (SELECT CAST(? AS SIGNED) AS n UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?)
		SELECT UNHEX(LPAD(HEX(n + 1), 32, '0')), 1, 1, 0, 0, REPEAT('x', 32), 1, 1, 1, 9e15, n + 1, 0, 0, n, '' FROM numbers`, from, to)
}

func (a app) count(t *testing.T) (rows int) {
	t.Helper()
	if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// A batch has 200 rows. The limit, and the number of expired rows, fall inside a batch,
// at the end of one, and just after one.
func TestStore_PruneKeepsItsLimitAcrossBatches(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	for _, c := range []struct{ expired, limit, want int }{
		{0, 500, 0}, {1, 500, 1}, {199, 500, 199}, {200, 500, 200}, {201, 500, 201}, {400, 500, 400}, {401, 500, 401},
		{500, 1, 1}, {500, 199, 199}, {500, 200, 200}, {500, 201, 201}, {500, 400, 400}, {500, 499, 499}, {500, 500, 500},
	} {
		a.exec(t, "DELETE FROM sessions")
		if c.expired > 0 {
			a.addExpired(t, 0, c.expired)
		}
		if n, err := a.Prune(t.Context(), c.limit); n != c.want || err != nil {
			t.Errorf("Prune(%d) of %d removed %d, %v; want %d", c.limit, c.expired, n, err, c.want)
		}
		if left := a.count(t); left != c.expired-c.want {
			t.Errorf("Prune(%d) of %d left %d; want %d", c.limit, c.expired, left, c.expired-c.want)
		}
	}
}

func TestStore_PruneCountsRowsRemovedBeforeAnError(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.addExpired(t, 0, 300)
	a.exec(t, `CREATE TRIGGER refuse BEFORE DELETE ON sessions FOR EACH ROW
		IF OLD.user_agent = '250' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF`)
	if n, err := a.Prune(t.Context(), 300); n != 200 || err == nil {
		t.Errorf("Prune removed %d rows, %v; want 200 and an error", n, err)
	}
	if left := a.count(t); left != 100 {
		t.Errorf("%d rows are left; want 100", left)
	}
}

// A refresh may come between the two statements of Prune.
func TestStore_PruneKeepsARowThatWasRenewedMeanwhile(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{Epoch: 1})
	var expired []any
	var renewed store.ID
	for i := range 7 {
		n := store.NewSession{ID: newID(), UserID: "1", Confirmed: newDigest(), Lifetime: time.Hour, RetainFor: time.Microsecond}
		if err := a.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		expired = append(expired, n.ID[:])
		if i == 3 {
			renewed = n.ID
			if ok, err := a.Confirm(t.Context(), store.PresentedTicket{ID: n.ID, Generation: 1, Digest: newDigest(), Parent: n.Confirmed, RetainFor: time.Hour}); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	a.exec(t, "DO SLEEP(0.001)") // until the rows have expired
	a.exec(t, a.Statements()["prune"], expired...)
	if snap, err := a.Find(t.Context(), renewed); err != nil || snap.Record == nil || a.count(t) != 1 {
		t.Errorf("found %v, %v among %d rows; want only the renewed row", snap.Record, err, a.count(t))
	}
}
