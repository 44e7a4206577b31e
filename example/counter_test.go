package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

func TestCounterCountsStatements(t *testing.T) {
	connector, _, err := sqliteConnector(filepath.Join(t.TempDir(), "count.db"))
	if err != nil {
		t.Fatal(err)
	}
	var c counter
	db := sql.OpenDB(c.count(connector))
	defer db.Close()

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	exec := func(ctx context.Context, query string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(ctx, query, args...)
		must(err)
	}
	background := t.Context()
	exec(background, `CREATE TABLE t (n INTEGER)`)
	if got := c.background.Load(); got != 1 {
		t.Errorf("background: %d statements; want 1", got)
	}

	ctx, cost := withCost(background)
	must(db.PingContext(ctx))
	if got := cost.Load(); got != 0 {
		t.Errorf("a ping counted as %d statements; want 0", got)
	}
	exec(ctx, `INSERT INTO t VALUES (?), (?)`, 1, 2)
	var sum int
	must(db.QueryRowContext(ctx, `SELECT sum(n) FROM t WHERE n > ?`, 0).Scan(&sum))
	if sum != 3 {
		t.Errorf("sum = %d; want 3: the counter changed the answer", sum)
	}
	prepared, err := db.PrepareContext(ctx, `SELECT count(*) FROM t`)
	must(err)
	must(prepared.QueryRowContext(ctx).Scan(&sum))
	must(prepared.Close())
	if got := cost.Load(); got != 3 {
		t.Errorf("the request cost %d statements; want 3", got)
	}

	// The session store takes the request's context out of the browser's reach,
	// and it must go on counting for that request.
	exec(context.WithoutCancel(ctx), `DELETE FROM t`)
	other, otherCost := withCost(background)
	exec(other, `DELETE FROM t`)
	if got := cost.Load(); got != 4 {
		t.Errorf("the request cost %d statements; want 4", got)
	}
	if got := otherCost.Load(); got != 1 {
		t.Errorf("the other request cost %d statements; want 1", got)
	}
	if got := c.requests.Load(); got != 5 {
		t.Errorf("all requests: %d statements; want 5", got)
	}
	if got := c.background.Load(); got != 1 {
		t.Errorf("background: %d statements in the end; want 1", got)
	}
}

// lazyConn skips, as the MySQL driver does without interpolateParams: database/sql
// then prepares the statement.
type lazyConn struct{ driver.Conn }

func (lazyConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, driver.ErrSkip
}

func TestCounterDoesNotCountWhatTheDriverSkips(t *testing.T) {
	var c counter
	conn := &countingConn{Conn: lazyConn{}, counter: &c}
	if _, err := conn.ExecContext(t.Context(), "INSERT", nil); !errors.Is(err, driver.ErrSkip) {
		t.Errorf("error %v; want driver.ErrSkip passed on", err)
	}
	if _, err := conn.QueryContext(t.Context(), "SELECT", nil); !errors.Is(err, driver.ErrSkip) {
		t.Errorf("error %v; want driver.ErrSkip for a driver without QueryContext", err)
	}
	if got := c.background.Load(); got != 0 {
		t.Errorf("%d statements; want 0", got)
	}
}
