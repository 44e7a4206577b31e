package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// Times that the tests wait for. The longest time between two polls of Run is 1.2
// seconds. outageMemory after an outage the next request asks the store again.
const (
	defaultAccessTTL = 2 * time.Minute
	revocationMemory = defaultAccessTTL + time.Minute // how long a node remembers a revocation
	pollInterval     = 1300 * time.Millisecond
	callTimeout      = 2 * time.Second        // how long a call of the Manager waits for the store
	probeInterval    = 500 * time.Millisecond // the shortest time between two probes of a store that is down
	outageMemory     = 3*callTimeout + time.Second
	maxAttempts      = 3 // for one store call that fails
)

// twoNodes is an app on two nodes: two Managers with the same key and one
// database. It has the users "1" and "2".
type twoNodes struct {
	*testing.T
	users       *store.Memory
	key         string
	here, there *testNode
}

// testNode is one node. Its store counts, fails and delays only the calls of this node.
type testNode struct {
	*session.Manager
	t      *testing.T
	store  *sessiontest.Store
	mu     sync.Mutex // guards events
	events []session.Event
}

// inTwoNodes runs a test in a synctest bubble.
func inTwoNodes(t *testing.T, cfg session.Config, test func(w *twoNodes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(callTimeout + time.Second) // a probe of the store may still wait for its answer
		w := &twoNodes{T: t, users: store.NewMemory(), key: session.GenerateKey()}
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"staff"}})
		w.users.SetUser("2", store.User{Epoch: 1})
		w.here, w.there = w.node(w.users, cfg), w.node(w.users, cfg)
		test(w)
	})
}

// node returns another node of the app that uses the database db.
func (w *twoNodes) node(db store.Store, cfg session.Config) *testNode {
	w.Helper()
	n := &testNode{t: w.T, store: sessiontest.NewStore(db)}
	cfg.OnEvent = func(e session.Event) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.events = append(n.events, e)
	}
	keys, err := session.ParseKeys(w.key)
	if err != nil {
		w.Fatal(err)
	}
	if n.Manager, err = session.New(keys, n.store, cfg); err != nil {
		w.Fatal(err)
	}
	return n
}

// row returns the row of a session, which must exist.
func (w *twoNodes) row(sessionID string) *store.Record {
	w.Helper()
	id, err := store.ParseID(sessionID)
	if err != nil {
		w.Fatal(err)
	}
	snap, err := w.users.Find(w.Context(), id)
	if err != nil || snap.Record == nil {
		w.Fatalf("session %s has no row: %v", sessionID, err)
	}
	return snap.Record
}

// run starts the node's Run and returns a function that stops it and waits for
// its end.
func (n *testNode) run() (stop func()) {
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Manager.Run(ctx) }()
	return func() {
		n.t.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			n.t.Errorf("Run returned %v", err)
		}
	}
}

// login begins a session of user "1", unless the login names another.
func (n *testNode) login(b *sessiontest.Browser, l session.Login) session.Session {
	n.t.Helper()
	if l.UserID == "" {
		l.UserID = "1"
	}
	return b.Login(n.t, n.Manager, l)
}

// visit makes one request of the browser and stores the cookies of the answer.
func (n *testNode) visit(b *sessiontest.Browser) (session.Session, error) {
	v, err := n.Authenticate(b.NewRequest("GET", "/", nil))
	b.Receive(v.Cookies)
	return v.Session(), err
}

// in makes a request that must be served to a session.
func (n *testNode) in(b *sessiontest.Browser) session.Session {
	n.t.Helper()
	s, err := n.visit(b)
	if err != nil {
		n.t.Fatalf("the request was refused: %v", err)
	}
	return s
}

// out makes a request that must be refused.
func (n *testNode) out(b *sessiontest.Browser) {
	n.t.Helper()
	if s, err := n.visit(b); !errors.Is(err, session.ErrUnauthenticated) {
		n.t.Fatalf("got %+v, %v; want ErrUnauthenticated", s, err)
	}
}

// unavailable makes a request that must fail with a store error: it is neither served
// nor logged out.
func (n *testNode) unavailable(b *sessiontest.Browser) {
	n.t.Helper()
	v, err := n.Authenticate(b.NewRequest("GET", "/", nil))
	if err == nil || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
		n.t.Fatalf("got %v, %v and %d cookies; want a store error and none", v, err, len(v.Cookies))
	}
}

// logout logs the browser out. It returns the error of Logout.
func (n *testNode) logout(b *sessiontest.Browser) error {
	v, err := n.Logout(b.NewRequest("POST", "/logout", nil))
	b.Receive(v.Cookies)
	return err
}

// repairStore ends the outage of the node's store and waits until the node asks the
// store again.
func (n *testNode) repairStore() {
	n.store.Fail(nil)
	time.Sleep(outageMemory)
}

// calls returns how many store calls f makes.
func (n *testNode) calls(f func()) int {
	before := n.store.Calls()
	f()
	return n.store.Calls() - before
}

// eventsOf returns the events of a kind, in their order.
func (n *testNode) eventsOf(kind session.EventKind) []session.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.events), func(e session.Event) bool { return e.Kind != kind })
}

// accessOnly returns a copy of the browser that has only the access cookie and sends it
// for ever, as a thief may. Such a request never asks the store.
func accessOnly(b *sessiontest.Browser) *sessiontest.Browser {
	thief := b.CloneIgnoringExpiry()
	thief.Delete(func(name string) bool { return strings.Contains(name, "refresh") })
	return thief
}

// confirmable returns a browser whose next refresh confirms its ticket. If stolen is
// true, the next refresh of the thief, a copy of the browser, is reported as theft.
func (n *testNode) confirmable(stolen bool) (b, thief *sessiontest.Browser) {
	n.t.Helper()
	b = newBrowser()
	n.login(b, session.Login{})
	time.Sleep(defaultAccessTTL)
	n.in(b)
	thief = b.Clone()
	time.Sleep(defaultAccessTTL)
	if stolen {
		for range 2 {
			n.in(b)
			time.Sleep(defaultAccessTTL)
		}
	}
	return b, thief
}
