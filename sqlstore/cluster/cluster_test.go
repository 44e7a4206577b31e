package cluster

import (
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

var drill = flag.Bool("cluster", false, "start a cluster of three database nodes and test on it")

func TestMain(m *testing.M) {
	flag.Parse()
	// Connections break when nodes die, as they must.
	_ = mysql.SetLogger(log.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

func needsDrill(t *testing.T) {
	t.Helper()
	if !*drill {
		t.Skip("this takes minutes, and a package more: run make drill-cluster")
	}
}

const nodes = 3

// settings are what the documentation asks for: a statement waits until its node
// has seen what the others had committed before it began, be it a SELECT (1), or
// an UPDATE, DELETE or INSERT … SELECT (2).
var settings = []string{"wsrep_sync_wait=3", "interpolateParams=true", "timeout=2s"}

// app is the app's table and the kit's, on each node.
type app struct {
	dbs    []*sql.DB
	stores []*sqlstore.Store
}

func newApp(t *testing.T, c *mysqltest.Cluster, params ...string) app {
	t.Helper()
	var a app
	for i, dsn := range c.Database(t, params...) {
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(48)
		db.SetMaxIdleConns(48)
		store, err := sqlstore.New(db, sqlstore.Config{Attrs: map[string]string{"name": "name"}})
		if err != nil {
			t.Fatal(err)
		}
		a.dbs, a.stores = append(a.dbs, db), append(a.stores, store)
		if i > 0 {
			continue
		}
		a.exec(t, `CREATE TABLE users (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(255) CHARACTER SET utf8mb4 NULL,
			session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1, disabled BOOLEAN NOT NULL DEFAULT FALSE, roles VARCHAR(255) NOT NULL DEFAULT '')`)
		if err := store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// exec runs a statement on the first node.
func (a app) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := a.dbs[0].ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func (a app) setUser(t *testing.T, id string, u session.User) {
	t.Helper()
	roles := []byte(nil)
	if len(u.Roles) > 0 {
		var err error
		if roles, err = json.Marshal(u.Roles); err != nil {
			t.Fatal(err)
		}
	}
	a.exec(t, "REPLACE INTO users (id, name, session_epoch, disabled, roles) VALUES (?, ?, ?, ?, ?)",
		id, sql.NullString{String: u.Attrs["name"], Valid: u.Attrs != nil}, u.Epoch, u.Disabled, string(roles))
}

// definite reports whether an error is a verdict, and not the store's trouble.
func definite(err error) bool {
	return errors.Is(err, session.ErrUserDisabled) || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrUnauthenticated)
}

// Three nodes that take writes are one store, as long as they wait for each
// other; and what dies is a node, not a session.
func TestThreeDatabaseNodesAreOneStore(t *testing.T) {
	needsDrill(t)
	c := mysqltest.StartCluster(t, nodes)
	var results results
	t.Run("the contract holds whichever node a call goes to", func(t *testing.T) {
		results.add("the store's contract, each call on the next node: holds; %d calls repeated", contract(t, c, settings...))
	})
	t.Run("a node knows what another has acknowledged, if it is told to wait", func(t *testing.T) { stale(t, c, &results) })
	// As a rule the server repeats what conflicts, and nobody hears of it. Here it
	// does not, and session.Manager must.
	results.add("")
	results.add("conflicting writes:")
	t.Run("nobody is logged out by conflicts, and every logout stands", func(t *testing.T) {
		surf(t, c, &results, 20*time.Second, nil, "wsrep_retry_autocommit=0")
	})
	results.add("")
	results.add("one node of three is killed:")
	t.Run("nobody is logged out by a node that dies and comes back, and every logout stands", func(t *testing.T) {
		surf(t, c, &results, 35*time.Second, func(app) {
			time.Sleep(8 * time.Second)
			c.Nodes[2].Kill(t)
			time.Sleep(10 * time.Second)
			begun := time.Now()
			c.Nodes[2].Restart(t)
			results.add("it is back after %.1f s of catching up", time.Since(begun).Seconds())
		})
	})
	// The last one must not go on alone: it cannot know whether the others have.
	results.add("")
	results.add("two nodes of three are killed:")
	t.Run("nobody is logged out by the loss of the majority, and every logout stands", func(t *testing.T) {
		surf(t, c, &results, 45*time.Second, func(a app) {
			time.Sleep(5 * time.Second)
			c.Nodes[1].Kill(t)
			c.Nodes[2].Kill(t)
			time.Sleep(10 * time.Second)
			begun := time.Now()
			a.exec(t, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'") // as an operator would
			c.Nodes[1].Restart(t)
			c.Nodes[2].Restart(t)
			results.add("they are back after %.1f s of catching up", time.Since(begun).Seconds())
		})
	})
	results.print()
}

// contract holds the store against its contract, and returns how often an answer
// had to be asked for again.
func contract(t *testing.T, c *mysqltest.Cluster, params ...string) (repeats int64) {
	var all []*spread
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		a := newApp(t, c, params...)
		s := new(spread)
		for _, store := range a.stores {
			s.nodes = append(s.nodes, store)
		}
		all = append(all, s)
		return storetest.Backend{
			Store:      s,
			SetUser:    a.setUser,
			RemoveUser: func(t *testing.T, id string) { a.exec(t, "DELETE FROM users WHERE id = ?", id) },
			Alice:      "1", Bob: "18446744073709551615", Nobody: "1 OR 1=1",
		}
	})
	for _, s := range all {
		repeats += s.repeats.Load()
	}
	return repeats
}
