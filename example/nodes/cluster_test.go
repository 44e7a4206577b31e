package nodes

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

// cluster is some nodes on one database, with a balancer before them.
type cluster struct {
	*testing.T
	db     *sql.DB // the tests' own way to the rows
	key    string
	nodes  []*node
	front  string // the balancer's URL
	client *http.Client
}

// setup says what a cluster is made of.
type setup struct {
	dsn     string          // of a database that is empty
	nodeDSN string          // how the nodes reach it; empty: by dsn
	nodes   []time.Duration // the access lifetime of each
	flags   []string        // of all
}

func newCluster(t *testing.T, s setup) *cluster {
	t.Helper()
	db, err := sql.Open("mysql", s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	c := &cluster{
		T:   t,
		db:  db,
		key: session.GenerateKey(),
		client: &http.Client{
			Transport:     transport,
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, ttl := range s.nodes {
		c.nodes = append(c.nodes, startNode(t, c.key, cmp.Or(s.nodeDSN, s.dsn), append([]string{"-access-ttl", ttl.String()}, s.flags...)...))
	}
	c.front = startBalancer(t, c.nodes)
	return c
}

const password = "a password for tests"

// user is a row of the app's users table.
type user struct{ id, email string }

var cheapHash = sync.OnceValues(func() (string, error) {
	// The least that argon2id knows: hundreds log in, and the hash is not the test.
	return argon2id.CreateHash(password, &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

// addUsers adds users to the app's table, all with the same password.
func (c *cluster) addUsers(n int, name, roles string) []user {
	c.Helper()
	hash, err := cheapHash()
	if err != nil {
		c.Fatal(err)
	}
	users := make([]user, n)
	var values []any
	for i := range users {
		users[i].email = fmt.Sprintf("%s-%d@example.com", name, i)
		values = append(values, users[i].email, hash, name, roles)
	}
	if _, err := c.db.Exec(`INSERT INTO users (email, password_hash, name, roles) VALUES (?, ?, ?, ?)`+
		strings.Repeat(", (?, ?, ?, ?)", n-1), values...); err != nil {
		c.Fatal(err)
	}
	for i := range users {
		var id int64
		if err := c.db.QueryRow(`SELECT id FROM users WHERE email = ?`, users[i].email).Scan(&id); err != nil {
			c.Fatal(err)
		}
		users[i].id = strconv.FormatInt(id, 10)
	}
	return users
}

// sessionRow is what the tests read of the kit's row.
type sessionRow struct {
	generation uint64
	revokedAt  sql.Null[int64]
	reason     string
}

func (c *cluster) row(sessionID string) (row sessionRow, err error) {
	id, err := hex.DecodeString(sessionID)
	if err != nil {
		return row, err
	}
	err = c.db.QueryRow(`SELECT generation, revoked_at, COALESCE(revoke_reason, '') FROM sessions WHERE id = ?`, id).
		Scan(&row.generation, &row.revokedAt, &row.reason)
	return row, err
}

// events counts what all nodes have logged of a kind, by session.
func (c *cluster) events(kind string) map[string]int {
	all := map[string]int{}
	for _, n := range c.nodes {
		for id, count := range n.events(kind) {
			all[id] += count
		}
	}
	return all
}

func total(counts map[string]int) (sum int) {
	for n := range maps.Values(counts) {
		sum += n
	}
	return sum
}

// noPanics is for the end of a test: whatever else happened, no node may have
// panicked or answered 500.
func (c *cluster) noPanics() {
	c.Helper()
	for _, n := range c.nodes {
		for line := range strings.Lines(n.logText()) {
			if strings.Contains(line, "panic") || strings.Contains(line, "status=500") || strings.Contains(line, "DATA RACE") {
				c.Errorf("a node has logged: %s", line)
			}
		}
	}
}

// inParallel runs f for 0 to n-1, so many at a time, and waits for all.
func inParallel(n, atATime int, f func(i int)) {
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
