package session_test

import (
	"context"
	"errors"
	"net/http"
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

const (
	testWorldKey = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="

	accessCookie     = "__Host-Http-session"
	refreshCookie    = "__Host-Http-refresh-0" // of a login, and of even generations
	oddRefreshCookie = "__Host-Http-refresh-1" // of a login, and of odd generations
)

var refreshCookies = []string{refreshCookie, oddRefreshCookie}

var errStoreDown = errors.New("connection refused")

// testWorld is one node of an app: a Manager on a store that counts, fails and
// delays its calls. The store has two users, "1" and "2".
type testWorld struct {
	*testing.T
	*session.Manager
	users     *store.Memory
	store     *sessiontest.Store // stands before users
	accessTTL time.Duration

	mu     sync.Mutex // guards events
	events []session.Event
}

// inTestWorld runs a test in a synctest bubble.
func inTestWorld(t *testing.T, cfg session.Config, test func(w *testWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // a probe may wait for the store until then
		users := store.NewMemory()
		users.SetUser("1", store.User{Epoch: 1, Roles: []string{"staff"}, Attrs: map[string]string{"name": "Ada"}})
		users.SetUser("2", store.User{Epoch: 1})
		test(newTestWorld(t, users, users, cfg))
	})
}

// newTestWorld returns a node whose store is inner, which is users or stands
// before it. A nil cfg.OnEvent is replaced by one that records the events.
func newTestWorld(t *testing.T, users *store.Memory, inner store.Store, cfg session.Config) *testWorld {
	t.Helper()
	w := &testWorld{T: t, users: users, store: sessiontest.NewStore(inner), accessTTL: cfg.AccessTTL}
	if w.accessTTL == 0 {
		w.accessTTL = 2 * time.Minute // the default
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(e session.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}
	}
	var err error
	if w.Manager, err = session.New(testWorldKeys(t, testWorldKey), w.store, cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// node returns another node of the same app, with the same store.
func (w *testWorld) node(cfg session.Config) *testWorld {
	w.Helper()
	return newTestWorld(w.T, w.users, w.users, cfg)
}

func testWorldKeys(t testing.TB, texts ...string) session.Keys {
	t.Helper()
	keys, err := session.ParseKeys(strings.Join(texts, " "))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newBrowser() *sessiontest.Browser { return sessiontest.NewBrowser(nil) }

// page is a page load of the browser.
func page(b *sessiontest.Browser) *http.Request { return b.NewRequest(http.MethodGet, "/", nil) }

// login logs user "1" in, unless login names another.
func (w *testWorld) login(b *sessiontest.Browser, login session.Login) session.Session {
	w.Helper()
	if login.UserID == "" {
		login.UserID = "1"
	}
	return b.Login(w.T, w.Manager, login)
}

// visit loads a page. The browser receives the cookies of the answer.
func (w *testWorld) visit(b *sessiontest.Browser) (session.Verdict, error) {
	v, err := w.Authenticate(page(b))
	b.Receive(v.Cookies)
	return v, err
}

// in loads a page, which must be served to a session.
func (w *testWorld) in(b *sessiontest.Browser) session.Session {
	w.Helper()
	v, err := w.visit(b)
	if err != nil {
		w.Fatalf("Authenticate: %v; want a session", err)
	}
	return v.Session()
}

// out loads a page, which must be refused.
func (w *testWorld) out(b *sessiontest.Browser) {
	w.Helper()
	if v, err := w.visit(b); !errors.Is(err, session.ErrUnauthenticated) {
		w.Fatalf("Authenticate: %v, %v; want ErrUnauthenticated", v, err)
	}
}

// answered is like in, but the browser does not receive the answer.
func (w *testWorld) answered(b *sessiontest.Browser) session.Verdict {
	w.Helper()
	v, err := w.Authenticate(page(b))
	if err != nil {
		w.Fatalf("Authenticate: %v; want a session", err)
	}
	return v
}

// logout logs out. The browser receives the cookies of the answer.
func (w *testWorld) logout(b *sessiontest.Browser) {
	w.Helper()
	v, err := w.Logout(page(b))
	if err != nil {
		w.Fatalf("Logout: %v", err)
	}
	b.Receive(v.Cookies)
}

// expireAccess waits until each access cookie has expired.
func (w *testWorld) expireAccess() { time.Sleep(w.accessTTL) }

// calls returns how many calls of the store f makes.
func (w *testWorld) calls(f func(), methods ...string) int {
	before := w.store.Calls(methods...)
	f()
	return w.store.Calls(methods...) - before
}

// repairStore ends the failures of the store and waits until the Manager no longer
// remembers the outage.
func (w *testWorld) repairStore() {
	w.store.Before(nil)
	w.store.After(nil)
	time.Sleep(4 * time.Second)
}

// eventsOf returns the events of a kind, in their order.
func (w *testWorld) eventsOf(kind session.EventKind) (events []session.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

func (w *testWorld) count(kind session.EventKind) int { return len(w.eventsOf(kind)) }

// row returns the row of a session, or nil if there is none.
func (w *testWorld) row(sessionID string) *store.Record {
	w.Helper()
	id, err := store.ParseID(sessionID)
	if err != nil {
		w.Fatal(err)
	}
	snap, err := w.users.Find(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return snap.Record
}

// cookieNames returns the names of cookies, in their order.
func cookieNames(cookies []*http.Cookie) (names []string) {
	for _, c := range cookies {
		names = append(names, c.Name)
	}
	return names
}

// wantCookies fails the test unless exactly the cookies named are set.
func (w *testWorld) wantCookies(what string, cookies []*http.Cookie, want ...string) {
	w.Helper()
	if got := cookieNames(cookies); !slices.Equal(got, want) {
		w.Errorf("%s: cookies %v; want %v", what, got, want)
	}
}

// without returns a copy of the browser that lacks a cookie.
func without(b *sessiontest.Browser, names ...string) *sessiontest.Browser {
	b = b.CloneIgnoringExpiry()
	b.Delete(func(name string) bool { return slices.Contains(names, name) })
	return b
}

// run starts Run and returns a function that stops it.
func (w *testWorld) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Manager.Run(ctx)
	}()
	return func() { cancel(); <-ended }
}

// valueOf returns the value of the cookie that the browser sends, empty for none.
func valueOf(b *sessiontest.Browser, name string) string {
	c, err := page(b).Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// answer is an http.ResponseWriter that keeps only the header.
type answer struct{ header http.Header }

func newAnswer() answer { return answer{http.Header{}} }

func (a answer) Header() http.Header       { return a.header }
func (answer) Write(b []byte) (int, error) { return len(b), nil }
func (answer) WriteHeader(int)             {}

// cookies returns the cookies that the answer sets.
func (a answer) cookies() []*http.Cookie { return (&http.Response{Header: a.header}).Cookies() }

// give stores a cookie in the browser.
func give(b *sessiontest.Browser, name, value string) {
	b.Receive([]*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true}})
}

// giveRefresh puts another browser's refresh cookies into a browser.
func giveRefresh(b, from *sessiontest.Browser) {
	for _, name := range refreshCookies {
		give(b, name, valueOf(from, name))
	}
}

// withVerdict returns a context as a guard gives it to a handler.
func withVerdict(ctx context.Context, v session.Verdict) context.Context {
	return guardContext{ctx, &v}
}
