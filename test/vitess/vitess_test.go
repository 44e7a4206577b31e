package vitess

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var (
	drill = flag.Bool("vitess", false, "build Vitess and test on it")
	built = flag.String("vtcombo", "", "a program that has been built already")
)

// A lookup of a session id asks one shard, and so does everything else that a request needs.
// Without interpolation, vtgate would read a large number as a negative one.
const interpolated = "interpolateParams=true"

func TestVitess(t *testing.T) {
	if !*drill {
		t.Skip("this test takes minutes: run make drill-vitess")
	}
	if *built == "" {
		*built = build(t)
	}
	v := start(t, *built)
	t.Run("Migrate refuses prepared statements", v.refusesPreparedStatements)
	t.Run("Migrate prints the vschema", v.printsTheVschema)
	t.Run("a shard that does not answer", v.survivesASilentShard)
	t.Run("nodes that prune at once", v.prunesOnAllShards)
	for _, keyspace := range []string{flat, sharded} {
		t.Run(keyspace, func(t *testing.T) {
			t.Run("the store keeps its contract", func(t *testing.T) { v.contract(t, keyspace, interpolated) })
			t.Run("two nodes under parallel requests and thefts", func(t *testing.T) { v.nodes(t, keyspace) })
		})
	}
}

func (v *vtgate) refusesPreparedStatements(t *testing.T) {
	for _, keyspace := range []string{flat, sharded} {
		a := v.newTables(t, keyspace)
		if err := a.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), interpolated) {
			t.Errorf("%s: %v; want a refusal that names %s", keyspace, err, interpolated)
		}
	}
}

// nodes runs the tests of package nodes on a keyspace: parallel requests whose answers are
// lost, and thefts, through two processes of the example.
func (v *vtgate) nodes(t *testing.T, keyspace string) {
	db := v.open(t, keyspace, interpolated)
	users, err := os.ReadFile("../../example/schema/users.mysql.sql")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := sqlstore.New(db, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	a := app{db: db, Store: rows}
	a.exec(t, string(users))
	a.migrate(t)
	if keyspace == sharded { // the shards cannot count alone
		sequence := v.open(t, flat)
		for _, statement := range []string{
			"CREATE TABLE users_seq (id BIGINT PRIMARY KEY, next_id BIGINT, cache BIGINT) COMMENT 'vitess_sequence'",
			"INSERT INTO users_seq (id, next_id, cache) VALUES (0, 1, 100)",
			"ALTER VSCHEMA ADD SEQUENCE " + flat + ".users_seq",
			"ALTER VSCHEMA ON " + sharded + ".users ADD AUTO_INCREMENT id USING " + flat + ".users_seq",
		} {
			if _, err := sequence.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-timeout=9m",
		"-run", "^(TestParallelRequestsOnAnExpiredCookie|TestAStolenRefreshCookieIsCaught)$", "../nodes", "-dsn", v.dsn(keyspace, interpolated), "-thefts", "12")
	out, err := cmd.CombinedOutput()
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte("_test.go:")) {
			t.Logf("%s", bytes.TrimSpace(line))
		}
	}
	if err != nil || bytes.Count(out, []byte("--- PASS: ")) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

// printsTheVschema checks that what Migrate prints is what it wants: as it is, and beside
// users that lie on their shards already.
func (v *vtgate) printsTheVschema(t *testing.T) {
	for _, c := range []struct{ name, before, want string }{
		{"without a vschema", "", "`users_%d` ADD VINDEX `xxhash` (`id`)"},
		{"with users on their shards", "ALTER VSCHEMA ON app.users_%d ADD VINDEX hash (id) USING hash", "`logins_%d` ADD VINDEX `hash` (`user_id`)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := v.newTables(t, sharded, interpolated)
			number := func(text string) string { return strings.ReplaceAll(text, "%d", strings.TrimPrefix(a.users, "users_")) }
			if c.before != "" {
				a.exec(t, number(c.before))
			}
			err := a.Migrate(t.Context())
			if err == nil || !strings.Contains(err.Error(), number(c.want)) {
				t.Fatalf("%v; want %s", err, number(c.want))
			}
			t.Log(err)
			if ran := a.migrate(t); len(ran) == 0 {
				t.Error("nothing was to be run")
			}
		})
	}
}

// A shard that does not answer takes its own sessions with it, and no others. vtcombo has
// one database server for all shards, so the shard's tables are locked instead.
func (v *vtgate) survivesASilentShard(t *testing.T) {
	a := v.newApp(t, sharded, interpolated)
	const users = 40
	ids := a.login(t, users)

	rows, err := sql.Open("mysql", "root@tcp("+v.rows.Addr()+")/")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	count := func(query string, args ...any) (n int) {
		t.Helper()
		if err := rows.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return n
	}
	of := func(shard, suffix string) string { return "`vt_" + sharded + "_" + shard + "`." + a.sessions + suffix }
	silent, good := "-80", "80-"
	if count("SELECT COUNT(*) FROM "+of(silent, "_epoch")) > 0 {
		silent, good = good, silent
	}
	answers := map[store.ID]bool{} // whether all that a session needs is on the good shard
	for _, id := range ids {
		answers[id] = count("SELECT COUNT(*) FROM "+of(good, "")+" WHERE id = ?", id[:]) > 0 &&
			count("SELECT COUNT(*) FROM "+of(good, "_ids")+" WHERE id = ?", id[:]) > 0
	}

	lock, err := rows.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	silence := func(shard string, suffixes ...string) {
		t.Helper()
		var tables []string
		for _, suffix := range suffixes {
			tables = append(tables, of(shard, suffix)+" WRITE")
		}
		if _, err := lock.ExecContext(t.Context(), "LOCK TABLES "+strings.Join(tables, ", ")); err != nil {
			t.Fatal(err)
		}
	}
	find := func(limit time.Duration, wanted func(id store.ID) bool) (answered int) {
		t.Helper()
		var all sync.WaitGroup
		var n atomic.Int64
		for _, id := range ids {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				snap, err := a.Find(ctx, id)
				if found := err == nil && snap.Record != nil; found != wanted(id) {
					t.Errorf("session %v: %v, %v; want an answer %v", id, snap.Record, err, wanted(id))
				} else if found {
					n.Add(1)
				}
				if err == nil && snap.Record == nil {
					t.Errorf("session %v is said not to exist", id)
				}
			})
		}
		all.Wait()
		return int(n.Load())
	}
	silence(silent, "", "_ids")
	during := find(5*time.Second, func(id store.ID) bool { return answers[id] })
	if during == 0 || during == users {
		t.Errorf("%d of %d sessions are on the good shard", during, users)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if changes, err := a.Changes(ctx, time.Minute, store.Cursor{}, 1000); err == nil {
		t.Errorf("a poll does not notice that a shard is silent: %+v", changes)
	}
	silence(good, "", "_ids", "_epoch") // and the other one speaks again
	if n := find(2*time.Second, func(store.ID) bool { return false }); n > 0 {
		t.Errorf("%d sessions were found without the epoch", n)
	}
	if _, err := lock.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	after := find(30*time.Second, func(store.ID) bool { return true })
	t.Logf("%d of %d sessions were found while one shard was silent, %d afterwards", during, users, after)
}

// login begins a session of each of n users.
func (a app) login(t *testing.T, n int) (ids []store.ID) {
	t.Helper()
	for i := range n {
		user := strconv.Itoa(i + 1)
		a.setUser(t, user, store.User{Epoch: 1})
		id := store.ID([]byte(rand.Text())[:16])
		if err := a.Create(t.Context(), store.NewSession{ID: id, UserID: user, Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// Each DELETE removes rows of both shards, and their ids. Those of two nodes must not wait
// for each other in a circle, which no server would see.
func (v *vtgate) prunesOnAllShards(t *testing.T) {
	a := v.newApp(t, sharded, interpolated)
	const sessions, nodes, rounds = 60, 4, 5
	begun, slowest := time.Now(), time.Duration(0)
	for range rounds {
		a.login(t, sessions)
		a.exec(t, "UPDATE "+a.sessions+" SET expires_at = 1")
		var all sync.WaitGroup
		var removed atomic.Int64
		pruning := time.Now()
		for range nodes {
			all.Go(func() {
				n, err := a.Prune(t.Context(), 500)
				if err != nil {
					t.Errorf("after %v: %v", time.Since(pruning), err)
				}
				removed.Add(int64(n))
			})
		}
		all.Wait()
		slowest = max(slowest, time.Since(pruning))
		if removed.Load() != sessions {
			t.Errorf("%d of %d rows were removed", removed.Load(), sessions)
		}
	}
	var left int
	if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+a.sessions+"_ids").Scan(&left); err != nil || left > 0 {
		t.Errorf("%d ids are left, %v", left, err)
	}
	t.Logf("%d nodes pruned %d rows %d times in %v, the slowest in %v", nodes, sessions, rounds, time.Since(begun).Round(time.Second), slowest.Round(time.Millisecond))
	if slowest > 10*time.Second {
		t.Errorf("pruning took %v", slowest)
	}
}
