package drill

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// Faults of the database and of the connections to it.

func slow(by time.Duration) func(*world) {
	return func(w *world) {
		w.outage(func() { w.toxic("latency", answers, map[string]any{"latency": by.Milliseconds()}) }, lasting(), w.noToxics)
	}
}

func breaking(rule nodetest.Rule) func(*world) {
	return func(w *world) {
		w.breaks(rule)
		time.Sleep(inFull(30*time.Second, 4*time.Second))
		w.breaks(nil)
	}
}

// afterUpdates breaks the given part of the connections after an UPDATE of a session: the
// statement has arrived, and the node does not learn its result.
func afterUpdates(part float64) nodetest.Rule {
	return func(r *rand.Rand, packet []byte, statement bool) nodetest.Cut {
		if statement && bytes.Contains(packet, []byte(onThis().update)) && r.Float64() < part {
			return nodetest.CutAfter
		}
		return nodetest.NoCut
	}
}

// breaksWere checks that at least so many connections were broken.
func (w *world) breaksWere(least int64) {
	w.Helper()
	var before, after, lost int64
	for _, way := range w.ways {
		before, after, lost = before+way.breaker.Before.Load(), after+way.breaker.After.Load(), lost+way.breaker.Lost.Load()
	}
	if before+after+lost < least {
		w.Errorf("%d connections broken: too few for this test", before+after+lost)
	}
	w.Logf("connections broken: %d before a statement arrived, %d after, %d before its answer arrived", before, after, lost)
}

// begin begins a transaction of the drill itself.
func (w *world) begin() *sql.Tx {
	w.Helper()
	tx, err := w.db.Begin()
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// locked locks every row: it can be read, but not changed.
func locked(w *world) {
	var tx *sql.Tx
	w.outage(func() {
		tx = w.begin()
		if _, err := tx.Exec("UPDATE sessions SET user_agent = user_agent"); err != nil {
			w.Fatal(err)
		}
	}, lasting(), func() {
		if err := tx.Rollback(); err != nil {
			w.Fatal(err)
		}
	})
}

// deadlocks makes statements of the nodes fail with real deadlocks (error 1213, on
// PostgreSQL 40P01). The drill's transaction locks a table. A trigger makes each UPDATE of a session wait for a
// row of this table, and then the transaction asks for the session's row. MySQL aborts the
// transaction that has changed fewer rows, PostgreSQL the one that finds the deadlock. That
// is always the node's.
func deadlocks(w *world) {
	w.do("CREATE TABLE drill_lock (id INT PRIMARY KEY, n INT NOT NULL)")
	w.do("INSERT INTO drill_lock WITH RECURSIVE seq AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM seq WHERE n < 500) SELECT n, 0 FROM seq")
	run(w, w.db, onThis().waitForLock...)
	before := w.number(onThis().deadlocks)
	for until := time.Now().Add(lasting()); time.Now().Before(until); {
		tx := w.begin()
		for _, statement := range []string{"UPDATE drill_lock SET n = n + 1", onThis().pause, "SELECT COUNT(*) FROM (SELECT id FROM sessions FOR UPDATE) s"} {
			if _, err := tx.Exec(statement); err != nil {
				w.Errorf("%s: %v", statement, err)
			}
		}
		if err := tx.Commit(); err != nil {
			w.Error(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	run(w, w.db, onThis().noWaiting...)
	n := w.number(onThis().deadlocks) - before
	if n < 10 {
		w.Errorf("%d deadlocks: too few for this test", n)
	}
	w.Logf("%d deadlocks", n)
}

// number returns the number that a query returns.
func (w *world) number(query string) (n int) {
	w.Helper()
	if err := w.db.QueryRow(query).Scan(&n); err != nil {
		w.Fatalf("%s: %v", query, err)
	}
	return n
}

// status returns a status variable of MySQL or MariaDB.
func (w *world) status(name string) (n int) {
	w.Helper()
	if err := w.db.QueryRow("SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&name, &n); err != nil {
		w.Fatal(err)
	}
	return n
}

// deleted deletes the rows of ten sessions. Only these sessions end.
func deleted(w *world) {
	for _, j := range w.surfers[:10] {
		id, err := hex.DecodeString(j.Who.SessionID)
		if err != nil {
			w.Fatal(err)
		}
		w.mark(history.Delete, j)
		w.do("DELETE FROM sessions WHERE id = ?", id)
	}
	time.Sleep(lasting())
	for _, j := range w.surfers[:10] {
		if a := w.send(w.Context(), j, request{Request: nodetest.Me, base: w.c.Front, with: j.Cookies()}); !a.Refused() {
			w.Errorf("a session whose row was deleted: %v", a)
		}
	}
}

// tooManyOnMySQL lets other clients take all connections of the server.
func tooManyOnMySQL(w *world) {
	const most = 10 // the smallest limit that the server accepts
	others := make([]*sql.Conn, most)
	for i := range others {
		conn, err := w.db.Conn(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		others[i] = conn
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	w.outage(func() {
		admin := others[0]
		if _, err := admin.ExecContext(w.Context(), "SET GLOBAL max_connections = 10"); err != nil {
			w.Fatal(err)
		}
		go func() {
			defer close(stopped)
			for {
				killConnections(admin, "app")
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		}()
	}, lasting(), func() {
		close(stop)
		<-stopped
		if _, err := others[0].ExecContext(w.Context(), "SET GLOBAL max_connections = 600"); err != nil {
			w.Fatal(err)
		}
	})
	for _, conn := range others {
		conn.Close()
	}
	if n := w.status("Connection_errors_max_connections"); n < 10 {
		w.Errorf("%d connections refused: too few for this test", n)
	}
}

// tooManyOnPostgres lets the server refuse every connection of the nodes, as if others had
// taken all: its own limit could be lowered by a restart only.
func tooManyOnPostgres(w *world) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	w.outage(func() {
		w.do("ALTER ROLE app CONNECTION LIMIT 0")
		go func() {
			defer close(stopped)
			for {
				_, _ = w.db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		}()
	}, lasting(), func() {
		close(stop)
		<-stopped
		w.do("ALTER ROLE app CONNECTION LIMIT -1")
	})
	if n := strings.Count(w.server.(*dbtest.Postgres).Log(w), "too many connections for role"); n < 10 {
		w.Errorf("%d connections refused: too few for this test", n)
	}
}

// killConnections ends all connections of an account. MariaDB has a statement that does
// this, MySQL has not.
func killConnections(admin *sql.Conn, account string) {
	var ids []byte
	_ = admin.QueryRowContext(context.Background(), "SELECT GROUP_CONCAT(ID) FROM information_schema.PROCESSLIST WHERE USER = ?", account).Scan(&ids)
	for id := range strings.SplitSeq(string(ids), ",") { // some have ended meanwhile
		_, _ = admin.ExecContext(context.Background(), "KILL "+id)
	}
}

// replaced replaces the rows by a copy that is ten seconds old, as a failover does to a
// replica that is behind.
func replaced(w *world) {
	w.do("CREATE TABLE drill_copy AS SELECT * FROM sessions")
	time.Sleep(10 * time.Second)
	conn, err := w.db.Conn(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{onThis().restoring, onThis().restore, onThis().restored} {
		if _, err := conn.ExecContext(w.Context(), statement); err != nil {
			w.Fatalf("%s: %v", statement, err)
		}
	}
	time.Sleep(lasting())
}

func wasAhead(w *world, r *result) {
	ahead := len(w.events()["store-behind"])
	if ahead < 10 {
		w.Errorf("%d cookies were ahead of their rows: too few for this test", ahead)
	}
	w.Logf("%d cookies were ahead of their rows; %d ended sessions were restored", ahead, r.unrevoked)
}
