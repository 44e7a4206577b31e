package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// manyRows is the number of sessions in a large table. The project's published figures
// were measured with SESSIONKIT_TEST_ROWS=1000000.
func manyRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SESSIONKIT_TEST_ROWS")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10_000 {
		t.Fatalf("SESSIONKIT_TEST_ROWS is %q: use a number, 10000 or more", text)
	}
	return n
}

// grow adds the sessions numbered from from to to - 1, and a user for every four.
func (a app) grow(t *testing.T, from, to int) {
	t.Helper()
	const batch = 10_000
	for ; from < to; from += batch {
		n := min(batch, to-from)
		numbers := fmt.Sprintf(`(SELECT %d + d1.d + 10*d2.d + 100*d3.d + 1000*d4.d AS n FROM digits d1, digits d2, digits d3, digits d4 ORDER BY n LIMIT %d) numbers`, from, n)
		a.exec(t, "INSERT IGNORE INTO users (id) SELECT 1000 + n DIV 4 FROM "+numbers)
		// The ids ascend, so that the table grows quickly. Random ids, as those of
		// logins, change the place of a row, but not how many rows a statement reads.
		a.exec(t, `INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed,
			confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip)
			SELECT UNHEX(LPAD(HEX(n + 1), 32, '0')), 1000 + n DIV 4, 1, 0, 0, REPEAT('x', 32), 1, 1, 1, 9e15, 9e15, 0, 0, '', '' FROM `+numbers)
	}
}

// rowsRead returns how many rows the server reads while f runs. The app must have one
// connection.
func (a app) rowsRead(t *testing.T, f func()) (n int) {
	t.Helper()
	read := func() (n int) {
		rows, err := a.db.QueryContext(t.Context(), "SHOW SESSION STATUS WHERE Variable_name LIKE 'Handler_read%' AND Variable_name NOT LIKE '%rnd%'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var v int
			if err := rows.Scan(&name, &v); err != nil {
				t.Fatal(err)
			}
			n += v
		}
		return n
	}
	before := read()
	f()
	return read() - before
}

func TestStore_CostDoesNotGrowWithTheTable(t *testing.T) {
	suite(t, "rows read do not grow")
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.db.SetMaxOpenConns(1)
	a.exec(t, "CREATE TABLE digits (d INT)")
	a.exec(t, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	a.setUser(t, 1, store.User{Epoch: 1})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	measure := func() map[string]int {
		rec := a.login(t)
		for range 5 {
			_, err := a.Revoke(ctx, a.login(t).ID, "", store.ReasonLogout)
			must(err)
		}
		cost := map[string]int{}
		parent := rec.Confirmed
		cost["a refresh"] = a.rowsRead(t, func() {
			_, err := a.Find(ctx, rec.ID)
			must(err)
			ok, err := a.Confirm(ctx, store.PresentedTicket{ID: rec.ID, Generation: 1, Digest: newDigest(), Parent: parent, RetainFor: time.Hour})
			if must(err); !ok {
				t.Fatal("not confirmed")
			}
		})
		cost["a poll with five changes"] = a.rowsRead(t, func() {
			c, err := a.Changes(ctx, time.Minute, store.Cursor{}, 1000)
			if must(err); len(c.Sessions) != 5 {
				t.Fatalf("%d changes", len(c.Sessions))
			}
		})
		cost["logging one user out"] = a.rowsRead(t, func() {
			_, err := a.RevokeUser(ctx, store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 1000})
			must(err)
		})
		a.exec(t, "DELETE FROM sessions WHERE user_id = 1") // so that the next measurement begins with the same rows
		cost["logging everybody out"] = a.rowsRead(t, func() { must(a.RevokeAll(ctx)) })
		cost["finding nothing to prune"] = a.rowsRead(t, func() { _, err := a.Prune(ctx, 500); must(err) })
		return cost
	}

	small, large := 1000, manyRows(t)
	a.grow(t, 0, small)
	few := measure()
	a.grow(t, small, large)
	many := measure()
	for what, n := range few {
		t.Logf("%s: %d rows read with %d sessions, %d with %d", what, n, small, many[what], large)
		if many[what] > n+2 {
			t.Errorf("%s reads %d rows with %d sessions, and %d with %d", what, n, small, many[what], large)
		}
	}
	if few["a refresh"] == 0 {
		t.Error("nothing was measured")
	}
}

// Two nodes prune many expired rows while browsers refresh.
func TestStore_PruneDoesNotDelayRefreshes(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	a.exec(t, "CREATE TABLE digits (d INT)")
	a.exec(t, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	expired := manyRows(t)
	a.grow(t, 0, expired)
	a.exec(t, "UPDATE sessions SET expires_at = 1")
	a.setUser(t, 1, store.User{Epoch: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	var wg sync.WaitGroup
	var mu sync.Mutex
	removed, refreshes, slowest := 0, 0, time.Duration(0)
	pruning, stop := context.WithCancel(ctx)
	defer stop()
	for range 2 { // nodes
		wg.Go(func() {
			for pruning.Err() == nil { // a node stops early while the other one prunes
				n, err := a.Prune(ctx, 500)
				if err != nil {
					t.Errorf("prune: %v", err)
					stop()
				}
				mu.Lock()
				removed += n
				if removed >= expired {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for range 8 { // browsers
		rec := a.login(t)
		wg.Go(func() {
			parent := rec.Confirmed
			for generation := uint64(1); pruning.Err() == nil; generation++ {
				p := store.PresentedTicket{ID: rec.ID, Generation: generation, Digest: newDigest(), Parent: parent, RetainFor: time.Hour}
				start := time.Now()
				snap, err := a.Find(ctx, rec.ID)
				if err != nil || snap.Record == nil {
					t.Errorf("find: %v, %v", snap.Record, err)
					return
				}
				if ok, err := a.Confirm(ctx, p); err != nil || !ok {
					t.Errorf("confirm: %v, %v", ok, err)
					return
				}
				parent = p.Digest
				mu.Lock()
				refreshes++
				slowest = max(slowest, time.Since(start))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatal("pruning takes more than two minutes")
	}
	t.Logf("two nodes removed %d expired rows during %d refreshes, the slowest of which took %v", removed, refreshes, slowest.Round(time.Millisecond))
	if removed != expired || refreshes < 100 {
		t.Errorf("%d of %d rows removed, %d refreshes", removed, expired, refreshes)
	}
	if slowest > 2*time.Second {
		t.Errorf("a refresh took %v; want at most 2s, after which the Manager gives up", slowest)
	}
}
