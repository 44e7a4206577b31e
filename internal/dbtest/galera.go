package dbtest

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Cluster is a MariaDB Galera cluster for one test. Its nodes listen on the loopback
// interface, and each accepts writes. A node can be stopped, killed, frozen and
// restarted like any Server. A restarted node synchronizes with the others. The
// cluster ends with the test process, as a Server does.
//
// It needs the package galera-4 in addition to the server. It is not safe for
// concurrent use. Make one with StartCluster.
type Cluster struct {
	// Nodes are the servers of the cluster.
	Nodes []*Server
}

// copyScript is the program wsrep_sst_copy, which copies the data of a node to a new
// node on the same machine. MariaDB's own programs for this are in another package,
// and do not run as root.
//
//go:embed wsrep_sst_copy.sh
var copyScript []byte

const galeraLibrary = "/usr/lib/galera/libgalera_smm.so"

// StartCluster starts a cluster with the given number of nodes for this test alone.
// It takes about ten seconds. The test fails if the cluster cannot start.
func StartCluster(tb testing.TB, nodes int) *Cluster {
	tb.Helper()
	p, err := findProgram()
	if err == nil && !p.mariadb() {
		err = fmt.Errorf("dbtest: %s is not MariaDB", p.path)
	}
	if _, missing := os.Stat(galeraLibrary); err == nil && missing != nil {
		err = errors.New("dbtest: there is no " + galeraLibrary + ": run `apt-get install galera-4` (1 MB; nothing is started)")
	}
	must(tb, err)
	for range 3 { // another process may take a port first
		c := new(Cluster)
		if err = c.begin(p, nodes); err == nil {
			tb.Cleanup(c.close)
			logVersion(tb, c.Nodes[0])
			return c
		}
		c.close()
	}
	tb.Fatalf("dbtest: starting a cluster: %v", err)
	return nil
}

func (c *Cluster) begin(p program, nodes int) error {
	const host, between = "127.0.0.1", 10
	base := 20000 + rand.IntN(12000-nodes*between)
	at := func(node, port int) string { return net.JoinHostPort(host, strconv.Itoa(base+node*between+port)) }
	var group []string
	for i := range nodes {
		group = append(group, at(i, 1))
	}
	for i := range nodes {
		s := &Server{tcp: at(i, 0), options: []string{
			"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
			"--wsrep-on=ON", "--wsrep-provider=" + galeraLibrary,
			"--wsrep-cluster-name=sessionkit", "--wsrep-cluster-address=gcomm://" + strings.Join(group, ","),
			"--wsrep-node-name=node" + strconv.Itoa(i+1), "--wsrep-node-address=" + at(i, 1),
			"--wsrep-sst-method=copy", "--wsrep-sst-receive-address=" + at(i, 3),
			// A failed node is detected after 2 seconds. With a shorter timeout, nodes
			// on a busy machine would exclude each other.
			"--wsrep-provider-options=gmcast.listen_addr=tcp://" + at(i, 1) + ";ist.recv_addr=" + at(i, 2) + ";ist.recv_bind=" + at(i, 2) +
				";gcache.size=32M;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S",
		}}
		c.Nodes = append(c.Nodes, s)
		if err := s.startGuardian(p); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.dir, "wsrep_sst_copy"), copyScript, 0o755); err != nil {
			return err
		}
	}
	first := c.Nodes[0]
	if err := p.createData(first.dir); err != nil {
		return err
	}
	if err := first.run("--wsrep-new-cluster"); err != nil {
		return err
	}
	if err := first.admitTCP(); err != nil {
		return err
	}
	for _, s := range c.Nodes[1:] {
		if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
			return err
		}
		if err := s.run(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) close() {
	for _, s := range c.Nodes {
		s.close()
	}
}

// Database creates an empty database for one test, as Server.Database does, and
// returns its DSN on each node. It waits until the database exists on all nodes.
func (c *Cluster) Database(tb testing.TB, params ...string) (dsns []string) {
	tb.Helper()
	first := c.Nodes[0].Database(tb, params...)
	for _, s := range c.Nodes {
		dsn := strings.Replace(first, c.Nodes[0].socket(), s.socket(), 1)
		must(tb, waitFor(dsn))
		dsns = append(dsns, dsn)
	}
	return dsns
}

// waitFor waits up to 10 s until the database of a DSN exists on its node.
func waitFor(dsn string) (err error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
	}
	return err
}
