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

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var drill = flag.Bool("cluster", false, "start a cluster of three database nodes and test on it")

func TestMain(m *testing.M) {
	flag.Parse()
	// Connections break when nodes die. This is expected, so the driver does not log it.
	_ = mysql.SetLogger(log.New(io.Discard, "", 0))
	os.Exit(m.Run())
}

func needsDrill(t *testing.T) {
	t.Helper()
	if !*drill {
		t.Skip("this test takes minutes and needs the package galera-4: run make drill-cluster")
	}
}

const nodes = 3

// settings are the DSN parameters that the documentation requires. With
// wsrep_sync_wait a statement waits until its node has applied everything that
// other nodes committed before the statement began. Bit 1 is for SELECT. Bit 2 is
// for UPDATE, DELETE and INSERT … SELECT.
var settings = []string{"wsrep_sync_wait=3", "interpolateParams=true", "timeout=2s"}

// app is one database with the app's users table and the store's tables, with a
// connection pool and a store for each node.
type app struct {
	dbs    []*sql.DB
	stores []*sqlstore.Store
}

func newApp(t *testing.T, c *dbtest.Cluster, params ...string) app {
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

func (a app) setUser(t *testing.T, id string, u store.User) {
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

// definite reports whether an error is an answer of the store, and not a store error.
func definite(err error) bool {
	return errors.Is(err, session.ErrUserDisabled) || errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrUnauthenticated)
}

// With wsrep_sync_wait=3, three nodes that all accept writes behave as one store.
// The loss of a node does not end a session.
func TestCluster_ThreeNodesBehaveAsOneStore(t *testing.T) {
	needsDrill(t)
	c := dbtest.StartCluster(t, nodes)
	var results results
	t.Run("the store keeps its contract when each call goes to another node", func(t *testing.T) {
		results.add("store contract with each call on the next node: passed; %d calls repeated", contract(t, c, settings...))
	})
	t.Run("a node that waits sees what another node has acknowledged", func(t *testing.T) { stale(t, c, &results) })
	// By default the server itself repeats a statement that conflicts. This option
	// turns that off, so that session.Manager must repeat it.
	results.add("")
	results.add("conflicting writes:")
	t.Run("conflicts log no user out, and every logout persists", func(t *testing.T) {
		surf(t, c, &results, 20*time.Second, nil, "wsrep_retry_autocommit=0")
	})
	results.add("")
	results.add("one node of three is killed:")
	t.Run("the loss and return of a node logs no user out, and every logout persists", func(t *testing.T) {
		surf(t, c, &results, 35*time.Second, func(app) {
			time.Sleep(8 * time.Second)
			c.Nodes[2].Kill(t)
			time.Sleep(10 * time.Second)
			begun := time.Now()
			c.Nodes[2].Restart(t)
			results.add("the node is back after %.1f s of synchronization", time.Since(begun).Seconds())
		})
	})
	// The last node must not accept writes alone: it cannot know whether the other
	// two still do.
	results.add("")
	results.add("two nodes of three are killed:")
	t.Run("the loss of the majority logs no user out, and every logout persists", func(t *testing.T) {
		surf(t, c, &results, 45*time.Second, func(a app) {
			time.Sleep(5 * time.Second)
			c.Nodes[1].Kill(t)
			c.Nodes[2].Kill(t)
			time.Sleep(10 * time.Second)
			begun := time.Now()
			a.exec(t, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'") // the manual step of an operator
			c.Nodes[1].Restart(t)
			c.Nodes[2].Restart(t)
			results.add("the nodes are back after %.1f s of synchronization", time.Since(begun).Seconds())
		})
	})
	results.print()
}

// contract runs storetest on the cluster. It returns how many calls had to be
// repeated.
func contract(t *testing.T, c *dbtest.Cluster, params ...string) (repeats int64) {
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

			LoseRevokeAll: func(t *testing.T) { a.exec(t, "UPDATE sessions_epoch SET epoch = epoch - 1") },
			ExpiresAt: func(t *testing.T, id store.ID) time.Time {
				var at int64
				if err := a.dbs[0].QueryRowContext(t.Context(), "SELECT expires_at FROM sessions WHERE id = ?", id[:]).Scan(&at); err != nil {
					t.Fatal(err)
				}
				return time.UnixMicro(at).UTC()
			},

			Alice: "1", Bob: "18446744073709551615", Nobody: "1 OR 1=1",
		}
	})
	for _, s := range all {
		repeats += s.repeats.Load()
	}
	return repeats
}
