package tokens

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/token"
	"github.com/sessionkit/sessionkit/sqlstore"

	_ "github.com/go-sql-driver/mysql"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err != nil {
		fmt.Fprintln(os.Stderr, "Node's openid-client is not installed: run make deps, or here: npm ci --ignore-scripts")
		os.Exit(1)
	}
	// The tests wait most of the time, so all of them may run in parallel. -parallel=1 runs
	// them one by one.
	if p := flag.Lookup("test.parallel"); p != nil && p.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(max(10, runtime.GOMAXPROCS(0))))
	}
	os.Exit(m.Run())
}

// The user of the app, and those who may use its endpoints: a client without a secret, one
// with a secret, and a service that may introspect.
const (
	ada = "1"

	publicClient = "cli"

	secretClient = "partner"
	secret       = "a+b c"

	service       = "reports"
	serviceSecret = "s%20"
)

// client authenticates the clients, and reports the service.
func client(_ context.Context, id, got string) error {
	if id == publicClient && got == "" || id == secretClient && got == secret {
		return nil
	}
	return token.ErrInvalidClient
}

func reports(_ context.Context, id, got string) error {
	if id == service && got == serviceSecret {
		return nil
	}
	return token.ErrInvalidClient
}

// app is an app on a database of its own, on one or more nodes.
type app struct {
	*testing.T
	ttl   time.Duration
	store store.Store
	nodes []*node

	mu     sync.Mutex // guards what follows
	events map[session.EventKind]int
}

// node is a process of the app, as far as clients can see. Its routes are
//
//	POST /oauth/token, /oauth/revoke, /oauth/introspect, /oauth/device
//	GET  /whoami    the session of the request; needs one
//	POST /approve   ApproveDevice, for the user of the request's session
type node struct {
	app      *app
	sessions *session.Manager
	server   *httptest.Server
}

func newApp(t *testing.T, ttl time.Duration, nodes int) *app {
	t.Helper()
	db, err := sql.Open("mysql", dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	dbtest.Suite(t, db, "OAuth clients of others")
	for _, statement := range []string{
		`CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch BIGINT NOT NULL, disabled BOOLEAN NOT NULL, roles VARCHAR(200) NOT NULL)`,
		`INSERT INTO users (id, session_epoch, disabled, roles) VALUES (1, 1, FALSE, '["staff"]')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := sqlstore.New(db, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{T: t, ttl: ttl, store: rows, events: map[session.EventKind]int{}}
	for range nodes {
		a.nodes = append(a.nodes, a.start(keys))
	}
	return a
}

// start starts a node, which runs until the end of the test.
func (a *app) start(keys session.Keys) *node {
	a.Helper()
	sessions, err := session.New(keys, a.store, session.Config{TokenTTL: a.ttl, DangerouslyAllowHTTP: true, OnEvent: a.count})
	if err != nil {
		a.Fatal(err)
	}
	n := &node{app: a, sessions: sessions}
	mux := http.NewServeMux()
	n.server = httptest.NewServer(mux)
	endpoints, err := token.New(sessions.Tokens(), token.Config{
		Client:          token.SecretAuth(client),
		Service:         token.SecretAuth(reports),
		VerificationURI: n.server.URL + "/device",
		OnError:         func(r *http.Request, err error) { a.Logf("%s: %v", r.URL.Path, err) },
	})
	if err != nil {
		a.Fatal(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{Public: []string{"/oauth/"}})
	if err != nil {
		a.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /oauth/token", endpoints.Token)
	routes.HandleFunc("POST /oauth/revoke", endpoints.Revoke)
	routes.HandleFunc("POST /oauth/introspect", endpoints.Introspect)
	routes.HandleFunc("POST /oauth/device", endpoints.Device)
	routes.HandleFunc("GET /whoami", whoAmI)
	routes.Handle("POST /approve", guard.RequireLive(http.HandlerFunc(n.approve)))
	mux.Handle("/", guard.Protect(routes))

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- sessions.Run(ctx) }()
	a.Cleanup(func() {
		n.server.Close()
		stop()
		<-ended
	})
	return n
}

// identity is what /whoami says.
type identity struct{ Session, User, Client string }

func whoAmI(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	_ = json.NewEncoder(w).Encode(identity{s.ID, s.UserID, s.Client}) // the client is gone
}

func (n *node) approve(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	if err := n.sessions.Tokens().ApproveDevice(r, r.PostFormValue("user_code"), session.Login{UserID: s.UserID, Epoch: 1}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// approveAsUser does what the user does in a browser.
func (n *node) approveAsUser(userCode string) {
	n.app.Helper()
	b := sessiontest.NewServerBrowser(n.server)
	b.Login(n.app, n.sessions, session.Login{UserID: ada, Epoch: 1})
	if answer := b.PostForm("/approve", url.Values{"user_code": {userCode}}); answer.StatusCode != http.StatusOK {
		n.app.Fatalf("approving the device: %s", answer.Status)
	}
}

// login returns the tokens of a new session, and its id.
func (a *app) login(client string) (*oauth2.Token, string) {
	a.Helper()
	g, err := a.nodes[0].sessions.Tokens().Issue(httptest.NewRequest(http.MethodPost, "/", nil), session.Login{UserID: ada, Epoch: 1, Client: client})
	if err != nil {
		a.Fatal(err)
	}
	return &oauth2.Token{AccessToken: g.AccessToken, RefreshToken: g.RefreshToken, Expiry: time.Now().Add(g.ExpiresIn)}, g.Session.ID
}

// show sends a request with an access token to the protected route.
func (n *node) show(access string) (status int, who identity) {
	n.app.Helper()
	r, err := http.NewRequestWithContext(n.app.Context(), http.MethodGet, n.server.URL+"/whoami", nil)
	if err != nil {
		n.app.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		n.app.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		if err := json.NewDecoder(answer.Body).Decode(&who); err != nil {
			n.app.Fatal(err)
		}
	}
	return answer.StatusCode, who
}

// revoke ends the session of a token as RFC 7009 says.
func (n *node) revoke(client, token string) {
	n.app.Helper()
	answer, err := http.PostForm(n.server.URL+"/oauth/revoke", url.Values{"client_id": {client}, "token": {token}})
	if err != nil {
		n.app.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		n.app.Fatalf("revoking: %s; want 200", answer.Status)
	}
}

// row returns the row of a session.
func (a *app) row(id string) *store.Record {
	a.Helper()
	parsed, err := store.ParseID(id)
	if err != nil {
		a.Fatal(err)
	}
	snap, err := a.store.Find(a.Context(), parsed)
	if err != nil || snap.Record == nil {
		a.Fatalf("the row of session %s: %v, %v", id, snap.Record, err)
	}
	return snap.Record
}

// count is Config.OnEvent of every node.
func (a *app) count(e session.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[e.Kind]++
}

// reported returns how often the nodes have reported each event.
func (a *app) reported() map[session.EventKind]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.events)
}

// thefts returns how many thefts the nodes have reported.
func (a *app) thefts() int { return a.reported()[session.EventReuse] }

// grow waits until a refresh token that was just issued is old enough to be rotated.
func (a *app) grow() { time.Sleep(a.ttl*5/6 + 20*time.Millisecond) }
