package nodetest

import (
	"cmp"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/sessionkit/sessionkit/session"
)

// Cluster is several nodes on one database, behind a balancer.
type Cluster struct {
	*testing.T
	DB     DB // the connection of the tests
	Key    string
	Nodes  []*Node
	Front  string // the balancer's URL
	client *http.Client
}

// Setup configures a cluster.
type Setup struct {
	DSN      string          // of an empty database
	NodeDSNs []string        // the DSNs of the nodes, in turn; none: DSN
	Nodes    []time.Duration // the access lifetime of each
	Flags    []string        // of all nodes
	Program  string          // empty: the example as Main has built it
	KeepOpen time.Duration   // how long browsers keep an idle connection; 0: as long as the balancer
}

// NewCluster starts the nodes and the balancer, for one test.
func NewCluster(t *testing.T, s Setup) *Cluster {
	t.Helper()
	db := Open(t, s.DSN)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	transport := newTransport()
	transport.IdleConnTimeout = cmp.Or(s.KeepOpen, transport.IdleConnTimeout)
	t.Cleanup(transport.CloseIdleConnections)
	c := &Cluster{
		T:   t,
		DB:  db,
		Key: session.GenerateKey(),
		client: &http.Client{
			Transport:     transport,
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	dsns := s.NodeDSNs
	if len(dsns) == 0 {
		dsns = []string{s.DSN}
	}
	for i, ttl := range s.Nodes {
		c.Nodes = append(c.Nodes, startNode(t, cmp.Or(s.Program, program), c.Key, dsns[i%len(dsns)], append([]string{"-access-ttl", ttl.String()}, s.Flags...)...))
	}
	c.Front = startBalancer(t, c.Nodes)
	return c
}

// Password is the password of all users.
const Password = "a password for tests"

// User is a row of the app's users table.
type User struct{ ID, email string }

var cheapHash = sync.OnceValues(func() (string, error) {
	// The cheapest parameters: hundreds of users log in, and the tests do not test the hash.
	return argon2id.CreateHash(Password, &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

// AddUsers adds n users with the password Password to the app's table.
func (c *Cluster) AddUsers(n int, name, roles string) []User {
	c.Helper()
	hash, err := cheapHash()
	if err != nil {
		c.Fatal(err)
	}
	users := make([]User, n)
	var values []any
	for i := range users {
		users[i].email = fmt.Sprintf("%s-%d@example.com", name, i)
		values = append(values, users[i].email, hash, name, roles)
	}
	if _, err := c.DB.Exec(`INSERT INTO users (email, password_hash, name, roles) VALUES (?, ?, ?, ?)`+
		strings.Repeat(", (?, ?, ?, ?)", n-1), values...); err != nil {
		c.Fatal(err)
	}
	for i := range users {
		var id int64
		if err := c.DB.QueryRow(`SELECT id FROM users WHERE email = ?`, users[i].email).Scan(&id); err != nil {
			c.Fatal(err)
		}
		users[i].ID = strconv.FormatInt(id, 10)
	}
	return users
}

// SessionRow holds the columns of a session's row that the tests read.
type SessionRow struct {
	Generation uint64
	RevokedAt  sql.Null[int64]
	Reason     string
}

// Row reads the row of a session.
func (c *Cluster) Row(sessionID string) (row SessionRow, err error) {
	id, err := hex.DecodeString(sessionID)
	if err != nil {
		return row, err
	}
	err = c.DB.QueryRow(`SELECT generation, revoked_at, COALESCE(revoke_reason, '') FROM sessions WHERE id = ?`, id).
		Scan(&row.Generation, &row.RevokedAt, &row.Reason)
	return row, err
}

// Events counts the events of a kind that all nodes have logged, by session id.
func (c *Cluster) Events(kind string) map[string]int {
	all := map[string]int{}
	for _, n := range c.Nodes {
		for id, count := range n.Events(kind) {
			all[id] += count
		}
	}
	return all
}

// Total adds up the counts of Events.
func Total(counts map[string]int) (sum int) {
	for n := range maps.Values(counts) {
		sum += n
	}
	return sum
}

// NoPanics fails the test if a node has panicked, answered 500 or reported a data race.
// Call it at the end.
func (c *Cluster) NoPanics() {
	c.Helper()
	for _, n := range c.Nodes {
		for line := range strings.Lines(n.LogText()) {
			if strings.Contains(line, "panic") || strings.Contains(line, "status=500") || strings.Contains(line, "DATA RACE") {
				c.Errorf("a node has logged: %s", line)
			}
		}
	}
}

// InParallel calls f for 0 to n-1, atATime calls in parallel, and waits for all.
func InParallel(n, atATime int, f func(i int)) {
	var all sync.WaitGroup
	turns := make(chan struct{}, atATime)
	for i := range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			f(i)
		})
	}
	all.Wait()
}
