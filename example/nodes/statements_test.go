package nodes

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// sessionStatements turns on MariaDB's own log of all statements. The function
// it returns gives those that were run on the sessions since the last call, but
// for the feed's and the clean-up's, which no request makes.
func (c *cluster) sessionStatements() func() []string {
	c.Helper()
	do := func(statement string) {
		c.Helper()
		if _, err := c.db.Exec(statement); err != nil {
			c.Fatal(err)
		}
	}
	do("SET GLOBAL log_output = 'TABLE'")
	do("SET GLOBAL general_log = ON")
	c.Cleanup(func() { c.db.Exec("SET GLOBAL general_log = OFF") })
	do("TRUNCATE mysql.general_log")
	return func() (found []string) {
		c.Helper()
		rows, err := c.db.Query("SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')")
		if err != nil {
			c.Fatal(err)
		}
		defer do("TRUNCATE mysql.general_log")
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				c.Fatal(err)
			}
			// The tests' own reading of a row names its columns in another order.
			of := func(part string) bool { return strings.Contains(text, part) }
			if of("`sessions`") && !of("changed_at >=") && !of("expires_at <") {
				found = append(found, strings.TrimSpace(text))
			}
		}
		if err := rows.Err(); err != nil {
			c.Fatal(err)
		}
		return found
	}
}

func TestAnAccessCookieCostsNoStatement(t *testing.T) {
	const requests = 1000
	c := newCluster(t, setup{
		dsn:   mysqltest.Start(t).Database(t),
		nodes: []time.Duration{time.Minute},
	})
	node := c.nodes[0].base()
	b := c.loginAll(c.addUsers(1, "reader", "[]"), node)[0]
	statements := c.sessionStatements()

	begin := time.Now()
	inParallel(requests, 8, func(int) {
		a := b.visit(node, me)
		if err := a.is(b.who); err != nil {
			t.Error(err)
			return
		}
		if who, err := a.session(); err != nil || who.Statements != b.who.Statements {
			t.Errorf("the node has counted %d statements, error %v; want %d as after the login", who.Statements, err, b.who.Statements)
		}
		if len(a.cookies) > 0 {
			t.Errorf("a valid access cookie was answered with new ones: %v", a)
		}
	})
	if took := time.Since(begin); time.Now().After(b.who.ExpiresAt) {
		t.Fatalf("the %d requests took %v, longer than the access cookie's life", requests, took)
	}
	found := statements()
	if len(found) > 0 {
		t.Errorf("the database has run %d statements for them; the first is:\n%s", len(found), found[0])
	}
	t.Logf("%d requests in %v: %d statements", requests, time.Since(begin).Round(time.Millisecond), len(found))
	c.noPanics()
}

func TestARefreshCostsAtMostTwoStatements(t *testing.T) {
	const (
		refreshes = 8
		parallel  = 20 // requests of the last one
		ttl       = time.Second
	)
	c := newCluster(t, setup{
		dsn:   mysqltest.Start(t).Database(t),
		nodes: []time.Duration{ttl},
	})
	node := c.nodes[0].base()
	b := c.loginAll(c.addUsers(1, "reader", "[]"), node)[0]
	statements := c.sessionStatements()

	last := b.who
	var costs []int64
	for range refreshes {
		sleepUntil(last.ExpiresAt.Add(10 * time.Millisecond))
		statements() // those of before
		a := b.visit(node, me)
		who, err := a.session()
		if err != nil {
			t.Fatal(err)
		}
		cost, found := who.Statements-last.Statements, statements()
		if cost < 1 || cost > 2 || len(found) > 2 || len(a.cookies) != 2 {
			t.Errorf("a refresh cost %d statements by the node's count, %d by the database's, and set %d cookies; want at most 2 and 2 cookies\n%s",
				cost, len(found), len(a.cookies), strings.Join(found, "\n"))
		}
		costs, last = append(costs, cost), who
	}
	row, err := c.row(b.who.SessionID)
	if err != nil || row.generation != refreshes-1 {
		t.Errorf("%d refreshes were confirmed, error %v; want %d: each but the first, whose cookie is the login's", row.generation, err, refreshes-1)
	}

	sleepUntil(last.ExpiresAt.Add(10 * time.Millisecond))
	statements()
	with := b.cookies()
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			if err := b.sendWith(node, me, with).is(b.who); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	shared := statements()
	if len(shared) > 4 {
		t.Errorf("%d parallel requests on one node cost %d statements; want 2, or twice that where some came late:\n%s",
			parallel, len(shared), strings.Join(shared, "\n"))
	}
	t.Logf("statements per refresh: %v; of %d parallel requests together: %d", costs, parallel, len(shared))
	c.noPanics()
}
