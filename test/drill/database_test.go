package drill

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// What goes wrong with the database, or on the way to it.

func slow(by time.Duration) func(*world) {
	return func(w *world) {
		w.trouble(func() { w.toxic("latency", answers, map[string]any{"latency": by.Milliseconds()}) }, lasting(), w.noToxics)
	}
}

func breaking(rule nodetest.Rule) func(*world) {
	return func(w *world) {
		w.breaks(rule)
		time.Sleep(inFull(30*time.Second, 4*time.Second))
		w.breaks(nil)
	}
}

// afterUpdates breaks so large a part of the connections on which a row was just
// changed: the statement has arrived, and nobody will know what became of it.
func afterUpdates(part float64) nodetest.Rule {
	return func(r *rand.Rand, packet []byte, statement bool) nodetest.Cut {
		if statement && bytes.Contains(packet, []byte("UPDATE `sessions` SET")) && r.Float64() < part {
			return nodetest.CutAfter
		}
		return nodetest.NoCut
	}
}

// breaksWere checks that enough connections were broken to say anything.
func (w *world) breaksWere(least int64) {
	w.Helper()
	var before, after, lost int64
	for _, way := range w.ways {
		before, after, lost = before+way.breaker.Before.Load(), after+way.breaker.After.Load(), lost+way.breaker.Lost.Load()
	}
	if before+after+lost < least {
		w.Errorf("%d connections broken; too few to say anything", before+after+lost)
	}
	w.Logf("connections broken: %d before a statement arrived, %d after, %d on the answer's way back", before, after, lost)
}

// begin begins a transaction on a connection of the drill's own.
func (w *world) begin() *sql.Tx {
	w.Helper()
	tx, err := w.db.Begin()
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// locked holds every row, so that none can be moved on, though all can be read.
func locked(w *world) {
	var tx *sql.Tx
	w.trouble(func() {
		tx = w.begin()
		if _, err := tx.Exec("UPDATE sessions SET user_agent = CONCAT(user_agent, '.')"); err != nil {
			w.Fatal(err)
		}
	}, lasting(), func() {
		if err := tx.Rollback(); err != nil {
			w.Fatal(err)
		}
	})
}

// deadlocks makes statements of the nodes victims of real deadlocks (error 1213).
// A trigger makes each UPDATE of a session look at a row that somebody else holds,
// who then wants the session's. Of the two the database gives up the one that has
// changed less, and that is never the other: it has changed a whole table.
func deadlocks(w *world) {
	w.do("CREATE TABLE drill_pit (id INT PRIMARY KEY, n INT NOT NULL)")
	w.do("INSERT INTO drill_pit SELECT seq, 0 FROM seq_1_to_500")
	w.do(`CREATE TRIGGER drill_pit BEFORE UPDATE ON sessions FOR EACH ROW
		SET @drill_pit = (SELECT n FROM drill_pit WHERE id = 1 LOCK IN SHARE MODE)`)
	before := w.status("Innodb_deadlocks")
	for until := time.Now().Add(lasting()); time.Now().Before(until); {
		tx := w.begin()
		for _, statement := range []string{"UPDATE drill_pit SET n = n + 1", "DO SLEEP(0.1)", "SELECT COUNT(*) FROM (SELECT id FROM sessions FOR UPDATE) s"} {
			if _, err := tx.Exec(statement); err != nil {
				w.Errorf("%s: %v", statement, err)
			}
		}
		if err := tx.Commit(); err != nil {
			w.Error(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.do("DROP TRIGGER drill_pit")
	n := w.status("Innodb_deadlocks") - before
	if n < 10 {
		w.Errorf("%d deadlocks; too few to say anything", n)
	}
	w.Logf("%d deadlocks", n)
}

func (w *world) status(name string) (n int) {
	w.Helper()
	if err := w.db.QueryRow("SELECT variable_value FROM information_schema.global_status WHERE variable_name = ?", name).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// deleted removes the rows of a few sessions. Exactly those are over.
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
			w.Errorf("a session whose row is gone: %v", a)
		}
	}
}

// tooManyConnections has other clients take all connections that there are.
func tooManyConnections(w *world) {
	const most = 10 // the server takes no smaller number
	others := make([]*sql.Conn, most)
	for i := range others {
		conn, err := w.db.Conn(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		others[i] = conn
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	w.trouble(func() {
		admin := others[0]
		if _, err := admin.ExecContext(w.Context(), "SET GLOBAL max_connections = 10"); err != nil {
			w.Fatal(err)
		}
		go func() {
			defer close(stopped)
			for {
				_, _ = admin.ExecContext(context.Background(), "KILL USER app")
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
		w.Errorf("%d connections refused; too few to say anything", n)
	}
}

// replaced puts a copy of the rows in their place that is ten seconds old, as a
// failover to a database does that has not heard of the latest.
func replaced(w *world) {
	w.do("CREATE TABLE drill_copy AS SELECT * FROM sessions")
	time.Sleep(10 * time.Second)
	conn, err := w.db.Conn(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"SET @drill_restores = 1",
		`UPDATE sessions s JOIN drill_copy c ON s.id = c.id SET s.generation = c.generation, s.confirmed = c.confirmed,
			s.previous = c.previous, s.confirmed_at = c.confirmed_at, s.expires_at = c.expires_at, s.reload = c.reload,
			s.changed_at = c.changed_at, s.revoked_at = c.revoked_at, s.revoke_reason = c.revoke_reason`,
		"SET @drill_restores = NULL",
	} {
		if _, err := conn.ExecContext(w.Context(), statement); err != nil {
			w.Fatalf("%s: %v", statement, err)
		}
	}
	time.Sleep(lasting())
}

func wasAhead(w *world, r *result) {
	ahead := len(w.events()["ahead"])
	if ahead < 10 {
		w.Errorf("%d cookies were ahead of their rows; too few to say anything", ahead)
	}
	w.Logf("%d cookies were ahead of their rows; %d ended sessions are good again", ahead, r.unrevoked)
}
