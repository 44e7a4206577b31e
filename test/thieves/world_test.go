package thieves

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/sqlstore"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// Every test uses the default Config.
const (
	accessTTL   = 2 * time.Minute
	grace       = accessTTL / 12
	idleTimeout = 30 * time.Minute
)

// world is an app on two nodes with one database, in a bubble.
type world struct {
	*testing.T
	clock *databaseClock
	db    *sql.DB // of the test itself
	nodes [2]*node

	requests, statements atomic.Int64

	mu     sync.Mutex                           // guards events
	events map[session.EventKind]map[string]int // by session id
}

// node is one node of the app. It has one protected page, which shows who is logged in.
type node struct {
	sessions *session.Manager
	app      http.Handler
}

// inWorld runs a test with the users 1 to users.
func inWorld(t *testing.T, users int, test func(w *world)) {
	t.Helper()
	dsn := dbtest.Database(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, clock: new(databaseClock), events: map[session.EventKind]map[string]int{}}
		w.db = open(t, dsn, w.clock)
		w.exec(`CREATE TABLE users (id BIGINT UNSIGNED PRIMARY KEY, session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1,
			disabled BOOLEAN NOT NULL DEFAULT FALSE, roles VARCHAR(255) NOT NULL DEFAULT '')`)
		values := make([]string, users)
		for i := range values {
			values[i] = fmt.Sprintf("(%d)", i+1)
		}
		w.exec("INSERT INTO users (id) VALUES " + strings.Join(values, ", "))
		key := session.GenerateKey()
		for i := range w.nodes {
			w.nodes[i] = w.newNode(dsn, key)
		}
		test(w)
	})
}

// inParallel runs clients, each in a goroutine with a randomness of its own, and waits
// for all. It returns how many did not do well. The first ten errors are printed.
func (w *world) inParallel(clients int, seed uint64, run func(r *rand.Rand, user int) error) (failed int64) {
	var n atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			r := nodetest.Dice(seed, i)
			time.Sleep(nodetest.UpTo(r, time.Hour)) // so that they do not come at the same times
			if err := run(r, i+1); err != nil && n.Add(1) <= 10 {
				w.Errorf("client %d: %v", i+1, err)
			}
		})
	}
	all.Wait()
	if n.Load() > 10 {
		w.Errorf("and %d other clients", n.Load()-10)
	}
	return n.Load()
}

func (w *world) exec(statement string) {
	w.Helper()
	if _, err := w.db.ExecContext(w.Context(), statement); err != nil {
		w.Fatal(err)
	}
}

func (w *world) newNode(dsn, key string) *node {
	w.Helper()
	store, err := sqlstore.New(open(w.T, dsn, w.clock), sqlstore.Config{})
	if err != nil {
		w.Fatal(err)
	}
	if err := store.Migrate(w.Context()); err != nil {
		w.Fatal(err)
	}
	keys, err := session.ParseKeys(key)
	if err != nil {
		w.Fatal(err)
	}
	sessions, err := session.New(keys, store, session.Config{OnEvent: w.count})
	if err != nil {
		w.Fatal(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		w.Fatal(err)
	}
	return &node{sessions, guard.Protect(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprint(rw, s.ID)
	}))}
}

// count counts the events of both nodes.
func (w *world) count(e session.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events[e.Kind] == nil {
		w.events[e.Kind] = map[string]int{}
	}
	w.events[e.Kind][e.SessionID]++
}

// eventsOf returns how many events of a kind both nodes have raised for a session.
func (w *world) eventsOf(kind session.EventKind, sessionID string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[kind][sessionID]
}

// allEventsOf returns how many events of a kind both nodes have raised in all.
func (w *world) allEventsOf(kind session.EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, events := range w.events[kind] {
		n += events
	}
	return n
}

// answer is what a client gets.
type answer struct {
	status     int
	session    string // the id of the session that the page was served to; empty if none was served
	header     http.Header
	cookies    []*http.Cookie
	statements int64 // that the request has caused
}

// servedTo reports whether the page was served to a session.
func (a answer) servedTo(sessionID string) bool {
	return a.status == http.StatusOK && a.session == sessionID
}

// refused reports whether the client was sent to the login page.
func (a answer) refused() bool { return a.status == http.StatusSeeOther && a.session == "" }

// refreshed reports whether more than the access cookie was needed.
func (a answer) refreshed() bool { return a.statements > 0 || len(a.cookies) > 0 }

// hasChild reports whether a refresh cookie is set, and not only an access cookie.
func (a answer) hasChild() bool {
	set := 0
	for _, c := range a.cookies {
		if c.Value != "" && c.MaxAge > 0 {
			set++
		}
	}
	return set > 1
}

func (a answer) String() string {
	return fmt.Sprintf("status %d, session %q, %d cookies, %d statements", a.status, a.session, len(a.cookies), a.statements)
}

// send makes a request to a node. The cookies of the answer are not stored.
func (w *world) send(n *node, r *http.Request) answer {
	var statements atomic.Int64
	recorder := httptest.NewRecorder()
	n.app.ServeHTTP(recorder, r.WithContext(counting(r.Context(), &statements)))
	w.requests.Add(1)
	w.statements.Add(statements.Load())
	a := answer{status: recorder.Code, header: recorder.Header(), cookies: recorder.Result().Cookies(), statements: statements.Load()}
	if a.status == http.StatusOK {
		a.session = recorder.Body.String()
	}
	return a
}

// page returns a request for the page, with the cookies that the browser has now.
func page(b *sessiontest.Browser) *http.Request { return b.NewRequest(http.MethodGet, "/", nil) }

// login begins a session. It returns the session's id.
func (w *world) login(n *node, b *sessiontest.Browser, user int, remember bool) (string, error) {
	v, err := n.sessions.Issue(b.NewRequest(http.MethodPost, "/login", nil), session.Login{UserID: fmt.Sprint(user), Epoch: 1, Remember: remember})
	b.Receive(v.Cookies)
	return v.Session().ID, err
}

// row is what the tests read of a session's row.
type row struct {
	generation uint64
	reason     string // of its revocation; empty: it was not revoked
}

func (w *world) row(sessionID string) (r row, err error) {
	err = w.db.QueryRowContext(w.Context(), "SELECT generation, IF(revoked_at IS NULL, '', revoke_reason) FROM sessions WHERE id = UNHEX(?)", sessionID).
		Scan(&r.generation, &r.reason)
	return r, err
}
