package session_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// keyWorld makes Managers that count their events of a shared key.
type keyWorld struct{ *testing.T }

func (w keyWorld) manager(s store.Store, cfg session.Config, keys ...string) *session.Manager {
	w.Helper()
	m, err := session.New(testWorldKeys(w.T, keys...), s, cfg)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// serve has the Managers serve a request each, in turn, and returns their events of a
// shared key together.
func (w keyWorld) serve(managers ...*session.Manager) (raised uint64) {
	for _, m := range managers {
		before := m.Stats()[session.EventMisconfigured]
		r := page(newBrowser())
		r.Host = "localhost" // plain HTTP to another host is another fault
		_, _ = m.Authenticate(r)
		raised += m.Stats()[session.EventMisconfigured] - before
	}
	return raised
}

// Two apps with one key, one name and different stores accept each other's users. Nodes
// of one app have one store.
func TestManager_KeySharedByTwoStoresIsAWarning(t *testing.T) {
	w, key, newer, another := keyWorld{t}, session.GenerateKey(), session.GenerateKey(), session.GenerateKey()
	customers, staff := store.NewMemory(), store.NewMemory()
	first := w.manager(customers, session.Config{}, newer, key)
	for _, c := range []struct {
		what  string
		store store.Store
		cfg   session.Config
		keys  []string
		want  uint64 // events when both serve
	}{
		{"another store", staff, session.Config{}, []string{key}, 1},
		{"another store, one key of two", staff, session.Config{}, []string{another, key}, 1},
		{"another store, both keys", staff, session.Config{}, []string{key, newer}, 2},
		{"another store behind a wrapper", sessiontest.NewStore(staff), session.Config{}, []string{key}, 1},
		{"another store, another key", staff, session.Config{}, []string{another}, 0},
		{"another store, another name", staff, session.Config{App: "staff"}, []string{key}, 0},
		{"another store, other cookies", staff, session.Config{DangerouslyAllowHTTP: true}, []string{key}, 0},
		{"a second node", customers, session.Config{}, []string{key}, 0},
		{"a second node behind a wrapper", sessiontest.NewStore(customers), session.Config{}, []string{key}, 0},
		{"a second node behind two", sessiontest.NewStore(sessiontest.NewStore(customers)), session.Config{}, []string{key}, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			w.serve(first) // before the other exists
			m := w.manager(c.store, c.cfg, c.keys...)
			if n := w.serve(m, m, m); n != 0 {
				t.Errorf("only the second serves: %d events; want none", n)
			}
			if n := w.serve(first); n != c.want {
				t.Errorf("both serve: %d events; want %d", n, c.want)
			}
			if err := m.SetKeys(testWorldKeys(t, session.GenerateKey())); err != nil {
				t.Fatal(err)
			}
			w.serve(first)
			if n := w.serve(m, first); n != 0 {
				t.Errorf("after the key was replaced: %d events; want none", n)
			}
		})
	}
}

func TestManager_LoginUnderASharedKeyIsAWarning(t *testing.T) {
	w, key := keyWorld{t}, session.GenerateKey()
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	first, second := w.manager(store.NewMemory(), session.Config{}, key), w.manager(users, session.Config{}, session.GenerateKey())
	if err := second.SetKeys(testWorldKeys(t, key)); err != nil {
		t.Fatal(err)
	}
	w.serve(first)
	if _, err := second.Issue(page(newBrowser()), session.Login{UserID: "1", Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	if n := second.Stats()[session.EventMisconfigured]; n != 1 {
		t.Errorf("%d events; want 1", n)
	}
}

// The keys in use keep no Manager in memory, and those of Managers that are gone are
// forgotten.
func TestNew_KeysOfAManagerThatIsGoneAreForgotten(t *testing.T) {
	w, before := keyWorld{t}, session.KeyGroups()
	for range 50 {
		w.serve(w.manager(store.NewMemory(), session.Config{}, session.GenerateKey()))
	}
	for deadline := time.Now().Add(5 * time.Second); session.KeyGroups() > before && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond) // the garbage collector runs its cleanups in its own time
	}
	if after := session.KeyGroups(); after > before {
		t.Errorf("%d keys are remembered; want at most the %d of before", after, before)
	}
}
