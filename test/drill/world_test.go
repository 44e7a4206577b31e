package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// world is the nodes, the database, and the proxies between them.
type world struct {
	*testing.T
	*recorder
	seed     uint64
	server   nodetest.Server
	db       nodetest.DB // the connection of the drill, without proxies
	ways     []*way
	c        *nodetest.Cluster
	ttl      time.Duration
	idle     time.Duration // life of a refresh cookie; 0: the example's 30 minutes
	outages  []outage
	surfers  []*jar
	join     func(*jar) // adds a browser to the load
	stopLoad func()
	noise    atomic.Int64 // the longest delay of a wake-up on this machine
}

// outage is the period of an outage.
type outage struct{ from, until time.Time }

// way is the connection of one node to its database: a breaker for single packets, then a
// proxy for all other faults.
type way struct {
	breaker *nodetest.Breaker
	proxy   *toxiproxy.Proxy
}

// plan configures a world.
type plan struct {
	nodes   int
	ttl     time.Duration
	direct  bool   // no proxies between the nodes and the database
	texts   bool   // see engine.accounts
	program string // of the nodes; empty: the example
	flags   []string
	open    time.Duration // see nodetest.Setup.KeepOpen
}

// build starts a database and the nodes.
func build(t *testing.T, seed uint64, p plan) *world {
	t.Helper()
	server := nodetest.StartServer(t)
	own, nodes := onThis().accounts(t, server, p.texts)
	dsns := make([]string, p.nodes)
	for i := range dsns {
		dsns[i] = nodes
	}
	w := onDatabases(t, seed, p, own, dsns)
	w.server = server
	return w
}

// onDatabases starts the nodes, each on the database of its DSN. All DSNs must lead to the
// same data. The drill itself uses the DSN own.
func onDatabases(t *testing.T, seed uint64, p plan, own string, dsns []string) *world {
	t.Helper()
	w := &world{T: t, recorder: &recorder{}, seed: seed, ttl: p.ttl}
	reached := dsns
	if !p.direct {
		reached = nil
		for _, dsn := range dsns {
			way, through := newWay(t, seed, dsn)
			w.ways, reached = append(w.ways, way), append(reached, through)
		}
	}
	lifetimes := make([]time.Duration, p.nodes)
	for i := range lifetimes {
		lifetimes[i] = p.ttl
	}
	w.c = nodetest.NewCluster(t, nodetest.Setup{DSN: own, NodeDSNs: reached, Nodes: lifetimes, Program: p.program, Flags: p.flags, KeepOpen: p.open})
	w.db = w.c.DB
	dbtest.Suite(t, w.db.DB, "drill: "+path.Base(t.Name()))
	watchRows(t, w.db)
	return w
}

func newWay(t *testing.T, seed uint64, dsn string) (*way, string) {
	t.Helper()
	_, addr, err := nodetest.Address(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "database", "127.0.0.1:0", addr)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	through, err := nodetest.Through(dsn, proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	breaker, through := nodetest.StartBreaker(t, through, seed)
	return &way{breaker, proxy}, through
}

// breaks sets the rule for the packets of all nodes.
func (w *world) breaks(rule nodetest.Rule) {
	for _, way := range w.ways {
		way.breaker.Breaks(rule)
	}
}

// toxic adds a fault to the proxies of all nodes, in the given directions.
func (w *world) toxic(kind string, streams []string, attributes map[string]any) {
	w.Helper()
	for _, way := range w.ways {
		for _, stream := range streams {
			text, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
			if err == nil {
				_, err = way.proxy.Toxics.AddToxicJson(bytes.NewReader(text))
			}
			if err != nil {
				w.Fatal(err)
			}
		}
	}
}

func (w *world) noToxics() {
	for _, way := range w.ways {
		way.proxy.Toxics.ResetToxics(context.Background())
	}
}

var both, answers = []string{"upstream", "downstream"}, []string{"downstream"}

// do runs a statement of the drill itself.
func (w *world) do(statement string, args ...any) {
	w.Helper()
	if _, err := w.db.Exec(statement, args...); err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
}

// outage begins an outage, waits, ends it, and records its period.
func (w *world) outage(begin func(), lasting time.Duration, end func()) {
	from := time.Now()
	begin()
	time.Sleep(lasting)
	end()
	w.outages = append(w.outages, outage{from, time.Now()})
}

var eventLine = regexp.MustCompile(` session kind=(\S+) session=([0-9a-f]{32})`)

// events returns the events that the nodes have logged: kind to session ids.
func (w *world) events() map[string][]string {
	found := map[string][]string{}
	for _, n := range w.c.Nodes {
		for _, match := range eventLine.FindAllStringSubmatch(n.LogText(), -1) {
			found[match[1]] = append(found[match[1]], match[2])
		}
	}
	return found
}
