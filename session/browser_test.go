package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// browser keeps cookies as a browser does: by name, the last one wins, until
// their Max-Age is over.
type browser struct {
	jar map[string]kept
}

type kept struct {
	value string
	until time.Time
}

func newBrowser() *browser { return &browser{jar: map[string]kept{}} }

func (b *browser) request() *http.Request {
	r := httptest.NewRequest("GET", "https://app.test/", nil)
	for name, c := range b.jar {
		if time.Now().Before(c.until) {
			r.AddCookie(&http.Cookie{Name: name, Value: c.value})
		}
	}
	return r
}

func (b *browser) receive(cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
			continue
		}
		b.jar[c.Name] = kept{c.Value, time.Now().Add(time.Duration(c.MaxAge) * time.Second)}
	}
}

// copy is what a thief takes away, or what was in the jar at a moment.
func (b *browser) copy() *browser {
	twin := newBrowser()
	for name, c := range b.jar {
		twin.jar[name] = c
	}
	return twin
}

// hoard is a copy by someone who heeds no Max-Age: how long a cookie is good for
// must not be the browser's affair.
func (b *browser) hoard() *browser {
	twin := b.copy()
	for name, c := range twin.jar {
		twin.jar[name] = kept{c.value, time.Now().AddDate(1, 0, 0)}
	}
	return twin
}

// loseAccess is what a browser does that has too many cookies.
func (b *browser) loseAccess(m *Manager) { delete(b.jar, m.names.access) }

// world is an app's Manager, on a store that counts, fails and waits as told,
// with two users, "1" and "2".
type world struct {
	*testing.T
	*Manager
	users  *MemoryStore
	faults *faultyStore
	mu     sync.Mutex
	events []EventKind
}

// inWorld runs a test in a bubble of its own time, with A of two minutes.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(storeTimeout + time.Second) // a probe of the store may still be waiting
		users := NewMemoryStore()
		users.SetUser("1", User{Epoch: 1, Roles: []string{"staff"}, Attrs: map[string]string{"name": "Ada"}})
		users.SetUser("2", User{Epoch: 1})
		test(newWorld(t, users, Config{}))
	})
}

func newWorld(t *testing.T, users *MemoryStore, cfg Config) *world {
	t.Helper()
	w := &world{T: t, users: users, faults: &faultyStore{Store: users}}
	cfg.OnEvent = func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e.Kind)
	}
	keys, err := ParseKeys(testKey)
	if err != nil {
		t.Fatal(err)
	}
	if w.Manager, err = New(keys, w.faults, cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

const testKey = "b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc="

func (w *world) login(b *browser, l Login) Session {
	w.Helper()
	if l.UserID == "" {
		l.UserID = "1"
	}
	v, err := w.Issue(b.request(), l)
	if err != nil {
		w.Fatalf("login: %v", err)
	}
	b.receive(v.Cookies)
	return v.Session()
}

// visit makes a request and takes in the answer's cookies.
func (w *world) visit(b *browser) (Session, error) {
	v, err := w.Authenticate(b.request())
	b.receive(v.Cookies)
	return v.Session(), err
}

func (w *world) in(b *browser) Session {
	w.Helper()
	s, err := w.visit(b)
	if err != nil {
		w.Fatalf("an honest user was refused: %v", err)
	}
	return s
}

func (w *world) out(b *browser) {
	w.Helper()
	if s, err := w.visit(b); !errors.Is(err, ErrUnauthenticated) {
		w.Fatalf("got %+v, %v; want ErrUnauthenticated", s, err)
	}
}

// count returns how often an event was raised.
func (w *world) count(kind EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.events {
		if k == kind {
			n++
		}
	}
	return n
}

// statements returns how many statements f made.
func (w *world) statements(f func()) int64 {
	before := w.faults.calls()
	f()
	return w.faults.calls() - before
}

// mend ends the store's trouble, and lets what was found out about it grow old.
func (w *world) mend() {
	w.faults.set(nil, nil)
	time.Sleep(openFor)
}

// nextPeriod waits until the access cookie has run out.
func (w *world) nextPeriod() { time.Sleep(w.cfg.AccessTTL) }

// faultyStore counts the steps that reach a store. Before each it does what it
// was told to, and after each what it was told to do then.
type faultyStore struct {
	Store
	mu     sync.Mutex
	n      int64
	before func(step string) error
	after  func(step string) error
}

func (f *faultyStore) calls() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *faultyStore) set(before, after func(step string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func step[T any](f *faultyStore, name string, do func() (T, error)) (result T, err error) {
	f.mu.Lock()
	f.n++
	before, after := f.before, f.after
	f.mu.Unlock()
	var none T
	if before != nil {
		if err := before(name); err != nil {
			return none, err
		}
	}
	result, err = do()
	if after != nil {
		if err := after(name); err != nil {
			return none, err // done, but the answer was lost
		}
	}
	return result, err
}

func (f *faultyStore) Create(ctx context.Context, s NewSession) error {
	_, err := step(f, "create", func() (struct{}, error) { return struct{}{}, f.Store.Create(ctx, s) })
	return err
}

func (f *faultyStore) Find(ctx context.Context, id ID) (Snapshot, error) {
	return step(f, "find", func() (Snapshot, error) { return f.Store.Find(ctx, id) })
}

func (f *faultyStore) Confirm(ctx context.Context, p Presented) (bool, error) {
	return step(f, "confirm", func() (bool, error) { return f.Store.Confirm(ctx, p) })
}

func (f *faultyStore) RevokeReused(ctx context.Context, p Presented) (bool, error) {
	return step(f, "kill", func() (bool, error) { return f.Store.RevokeReused(ctx, p) })
}

func (f *faultyStore) Revoke(ctx context.Context, id ID, userID string, reason Reason) (bool, error) {
	return step(f, "revoke", func() (bool, error) { return f.Store.Revoke(ctx, id, userID, reason) })
}

func (f *faultyStore) Changes(ctx context.Context, within time.Duration) (Changes, error) {
	return step(f, "changes", func() (Changes, error) { return f.Store.Changes(ctx, within) })
}
