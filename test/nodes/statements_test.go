package nodes

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// statement is an entry of the database's log.
type statement struct{ command, text string }

// statements makes the server of a cluster log all statements. The returned function
// returns those since the previous call.
func statements(c *nodetest.Cluster, server nodetest.Server) func() []statement {
	c.Helper()
	if server, ok := server.(*dbtest.Postgres); ok {
		return postgresStatements(c, server)
	}
	return mysqlStatements(c)
}

func do(c *nodetest.Cluster, statement string) {
	c.Helper()
	if _, err := c.DB.Exec(statement); err != nil {
		c.Fatal(err)
	}
}

// mysqlStatements reads the general log.
func mysqlStatements(c *nodetest.Cluster) func() []statement {
	c.Helper()
	do(c, "SET GLOBAL log_output = 'TABLE'")
	do(c, "SET GLOBAL general_log = ON")
	c.Cleanup(func() { c.DB.Exec("SET GLOBAL general_log = OFF") })
	do(c, "TRUNCATE mysql.general_log")
	// The texts contain ids, which are bytes in no character set. The column of MySQL is
	// binary, too; a conversion would make it NULL.
	const read = "SELECT command_type, argument FROM mysql.general_log"
	return func() (found []statement) {
		c.Helper()
		rows, err := c.DB.Query(read)
		if err != nil {
			c.Fatal(err)
		}
		defer do(c, "TRUNCATE mysql.general_log")
		defer rows.Close()
		for rows.Next() {
			var s statement
			if err := rows.Scan(&s.command, &s.text); err != nil {
				c.Fatal(err)
			}
			if s.text = strings.TrimSpace(s.text); s.text != read {
				found = append(found, s)
			}
		}
		if err := rows.Err(); err != nil {
			c.Fatal(err)
		}
		return found
	}
}

// postgresStatements reads the server's log, which has the executions of statements. It
// writes names as MySQL does.
func postgresStatements(c *nodetest.Cluster, server *dbtest.Postgres) func() []statement {
	c.Helper()
	do(c, "ALTER SYSTEM SET log_statement = 'all'")
	do(c, "SELECT pg_reload_conf()")
	seen := 0
	// A connection learns of the setting soon.
	if _, ok := nodetest.Eventually(10*time.Second, 10*time.Millisecond, func() bool {
		do(c, "SELECT 'this is logged'")
		log := server.Log(c)
		seen = len(log)
		return strings.Contains(log, "SELECT 'this is logged'")
	}); !ok {
		c.Fatal("PostgreSQL logs no statement")
	}
	return func() (found []statement) {
		c.Helper()
		log := server.Log(c)
		for entry := range strings.SplitSeq(log[seen:], dbtest.LogEntry) {
			if text, ok := strings.CutPrefix(entry, "LOG:  statement: "); ok {
				found = append(found, statement{"Query", text})
			} else if text, ok := strings.CutPrefix(entry, "LOG:  execute "); ok {
				_, text, _ = strings.Cut(text, ": ") // behind the statement's name
				found = append(found, statement{"Execute", text})
			}
		}
		for i, s := range found {
			found[i].text = strings.TrimSpace(strings.ReplaceAll(s.text, `"`, "`"))
		}
		seen = len(log)
		return found
	}
}

// ran reports whether the line is an execution, and not the preparation of a statement.
func (s statement) ran() bool { return s.command == "Query" || s.command == "Execute" }

// The polls of the revocation list and the removal of old rows: no request causes them.
func (s statement) isPoll() bool    { return strings.Contains(s.text, "WHERE changed_at >=") }
func (s statement) isCleanUp() bool { return strings.Contains(s.text, "`sessions` WHERE expires_at <") }

// ofSessions returns the statements on the sessions table that requests caused. The tests
// write the name of the table without quotes.
func ofSessions(all []statement) (found []string) {
	for _, s := range all {
		if s.ran() && strings.Contains(s.text, "`sessions`") && !s.isPoll() && !s.isCleanUp() {
			found = append(found, s.text)
		}
	}
	return found
}

// TestAnAccessCookieCostsNoStatement records all statements of two nodes while they serve
// 10,000 requests: the polls of the revocation list, and nothing else.
func TestAnAccessCookieCostsNoStatement(t *testing.T) {
	const (
		requests = 10_000
		lasting  = 10 * time.Second // at least, so that there are polls to count
	)
	server := nodetest.StartServer(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   server.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	browsers := c.LoginAll(c.AddUsers(20, "reader", "[]"), c.Nodes[0].Base(), c.Nodes[1].Base())
	counted := make([]int64, len(c.Nodes)) // by each node, for all requests so far
	for i, n := range c.Nodes {
		who, err := browsers[0].Visit(n.Base(), nodetest.Me).Session()
		if err != nil {
			t.Fatal(err)
		}
		counted[i] = who.Statements
	}
	statements := statements(c, server)

	begin := time.Now()
	nodetest.InParallel(requests, 8, func(i int) {
		b, k := browsers[i%len(browsers)], i/len(browsers)%len(c.Nodes)
		a := b.Visit(c.Nodes[k].Base(), nodetest.Me)
		if err := a.Is(b.Who); err != nil {
			t.Error(err)
			return
		}
		if who, err := a.Session(); err != nil || who.Statements != counted[k] {
			t.Errorf("the node counts %d statements, error %v; want %d as before", who.Statements, err, counted[k])
		}
		if len(a.Cookies) > 0 {
			t.Errorf("a valid access cookie was answered with new ones: %v", a)
		}
	})
	served := time.Since(begin)
	nodetest.SleepUntil(begin.Add(lasting))
	found := statements()
	took := time.Since(begin)

	polls := 0
	for _, s := range found {
		switch {
		case s.isPoll():
			if s.ran() {
				polls++
			}
		case s.command == "Close stmt" || s.isCleanUp(): // of a poll; the removal runs once a minute
		case s.command == "Connect" || s.command == "Quit": // of the connection pools
		case s.text == "-- ping": // of pgx, before it uses a connection that was idle for a second
		default:
			t.Errorf("unexpected statement, command %v: %s", s.command, s.text)
		}
	}
	// A node waits from 0.8 to 1.2 s between two polls. The lower bound also allows for a
	// busy machine.
	seconds := took.Seconds()
	if least, most := 2*(seconds/1.5-1), 2*(seconds/0.8+1); float64(polls) < least || float64(polls) > most {
		t.Errorf("%d polls by 2 nodes in %v; want one a second from each", polls, took)
	}
	t.Logf("%d requests in %v; in %v the log has %d lines, for %d polls",
		requests, served.Round(time.Millisecond), took.Round(time.Millisecond), len(found), polls)
	c.NoPanics()
}

func TestARefreshCostsAtMostTwoStatements(t *testing.T) {
	const (
		refreshes = 8
		parallel  = 20 // requests of the last refresh
		ttl       = time.Second
	)
	server := nodetest.StartServer(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   server.Database(t),
		Nodes: []time.Duration{ttl},
	})
	node := c.Nodes[0].Base()
	b := c.LoginAll(c.AddUsers(1, "reader", "[]"), node)[0]
	asked := statements(c, server)
	statements := func() []string { return ofSessions(asked()) }

	last := b.Who
	var costs []int64
	for range refreshes {
		nodetest.SleepUntil(last.ExpiresAt.Add(10 * time.Millisecond))
		statements() // discards the earlier ones
		a := b.Visit(node, nodetest.Me)
		who, err := a.Session()
		if err != nil {
			t.Fatal(err)
		}
		cost, found := who.Statements-last.Statements, statements()
		if cost < 1 || cost > 2 || len(found) > 2 || len(a.Cookies) != 2 {
			t.Errorf("a refresh cost %d statements by the node's count, %d by the database's, and set %d cookies; want at most 2 and 2 cookies\n%s",
				cost, len(found), len(a.Cookies), strings.Join(found, "\n"))
		}
		costs, last = append(costs, cost), who
	}
	row, err := c.Row(b.Who.SessionID)
	if err != nil || row.Generation != refreshes-1 {
		t.Errorf("%d refreshes were confirmed, error %v; want %d: each except the first, which presents the ticket of the login", row.Generation, err, refreshes-1)
	}

	nodetest.SleepUntil(last.ExpiresAt.Add(10 * time.Millisecond))
	statements()
	with := b.Cookies()
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			if err := b.SendWith(node, nodetest.Me, with).Is(b.Who); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	shared := statements()
	if len(shared) > 4 {
		t.Errorf("%d parallel requests on one node cost %d statements; want 2, or 4 if some requests were late:\n%s",
			parallel, len(shared), strings.Join(shared, "\n"))
	}
	t.Logf("statements per refresh: %v; of %d parallel requests together: %d", costs, parallel, len(shared))
	c.NoPanics()
}
