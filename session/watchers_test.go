package session

import (
	"context"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// count returns the number of watchers of each session.
func (ws *watchers) count() map[store.ID]int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	n := map[store.ID]int{}
	for id, those := range ws.of {
		n[id] = len(those)
	}
	return n
}

// received reports whether there is news.
func received(news <-chan struct{}) bool {
	select {
	case <-news:
		return true
	default:
		return false
	}
}

// twoSessions returns a Manager, and a session of each of two users.
func twoSessions(t *testing.T) (m *Manager, first, second Verdict) {
	t.Helper()
	users := store.NewMemory()
	users.SetUser("1", store.User{})
	users.SetUser("2", store.User{})
	keys, err := ParseKeys(GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	if m, err = New(keys, users, Config{}); err != nil {
		t.Fatal(err)
	}
	begin := func(user string) Verdict {
		v, err := m.Issue(httptest.NewRequest("POST", "/login", nil), Login{UserID: user})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return m, begin("1"), begin("2")
}

func TestWatchers_WakeThoseOfTheSession(t *testing.T) {
	var ws watchers
	first, stopFirst := ws.add(store.ID{1})
	second, stopSecond := ws.add(store.ID{1})
	other, stopOther := ws.add(store.ID{2})
	told := func() [3]bool { return [3]bool{received(first), received(second), received(other)} }
	for _, c := range []struct {
		name string
		do   func()
		want [3]bool
	}{
		{"the session of two", func() { ws.wake(store.ID{1}) }, [3]bool{true, true, false}},
		{"twice", func() { ws.wake(store.ID{2}); ws.wake(store.ID{2}) }, [3]bool{false, false, true}},
		{"an unknown session", func() { ws.wake(store.ID{3}) }, [3]bool{}},
		{"all", ws.wakeAll, [3]bool{true, true, true}},
		{"the session, after one has stopped", func() { stopFirst(); ws.wake(store.ID{1}) }, [3]bool{false, true, false}},
		{"all, after two have stopped", func() { stopSecond(); ws.wakeAll() }, [3]bool{false, false, true}},
		{"after all have stopped", func() { stopOther(); ws.wakeAll(); ws.wake(store.ID{2}) }, [3]bool{}},
	} {
		c.do()
		if got := told(); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
	if left := ws.count(); len(left) != 0 {
		t.Errorf("%d sessions are left", len(left))
	}
}

// Many streams on a node cost nothing when another user logs out. However a stream
// ends, nothing of it is left.
func TestDone_RegistersWithItsOwnSessionAndLeaves(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(m *Manager, s Session, cancel func()) error
		open int // sessions that are still watched afterwards
	}{
		{"the request ends", func(_ *Manager, _ Session, cancel func()) error { cancel(); return nil }, 0},
		{"the session is revoked", func(m *Manager, s Session, _ func()) error { return m.Revoke(context.Background(), "1", s.ID) }, 1},
		{"all users are revoked", func(m *Manager, _ Session, _ func()) error { return m.RevokeAll(context.Background()) }, 0},
		{"the absolute end", func(_ *Manager, s Session, _ func()) error { time.Sleep(time.Until(s.EndsAt)); return nil }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, first, second := twoSessions(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 100 {
				m.Done(context.WithValue(ctx, contextKey{}, &first))
				m.Done(context.WithValue(ctx, contextKey{}, &second))
			}
			synctest.Wait()
			watched := m.revocations.watchers.count()
			if len(watched) != 2 {
				t.Fatalf("%s: %d sessions are watched; want 2", c.name, len(watched))
			}
			for id, n := range watched {
				if n != 100 {
					t.Errorf("%s: session %v has %d watchers; want 100", c.name, id, n)
				}
			}
			if err := c.end(m, first.Session(), cancel); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if watched = m.revocations.watchers.count(); len(watched) != c.open {
				t.Errorf("%s: %d sessions are watched; want %d", c.name, len(watched), c.open)
			}
		})
	}
}

// A revocation is entered, and its watchers are told, while Done is on its way to them.
// Done sees the entry: it looks at the list after it is registered.
func TestDone_LooksAtTheListOnceItIsRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, v, _ := twoSessions(t)
		list := m.revocations
		list.watchers.mu.Lock()
		done := m.Done(context.WithValue(t.Context(), contextKey{}, &v))
		for range 10_000 {
			runtime.Gosched() // until Done waits for the lock
		}
		list.entries.Store(v.ticket.id, revocationEntry{revoked: true, until: time.Now().Add(time.Minute)})
		list.watchers.mu.Unlock()
		synctest.Wait()
		if !received(done) {
			t.Error("Done is open, and the session is revoked")
		}
	})
}
