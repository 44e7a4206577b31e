package session_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// stream starts a long request of the browser and returns its Done channel.
func (w *testWorld) stream(ctx context.Context, b *sessiontest.Browser) <-chan struct{} {
	w.Helper()
	v, err := w.visit(b)
	if err != nil {
		w.Fatalf("Authenticate: %v; want a session", err)
	}
	return w.Done(withVerdict(ctx, v))
}

// closed reports whether a channel is closed after all goroutines of the bubble have
// blocked.
func closed(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// closes fails the test unless the channel is closed within the given time. It returns
// how long that took.
func (w *testWorld) closes(what string, done <-chan struct{}, within time.Duration) time.Duration {
	w.Helper()
	start := time.Now()
	select {
	case <-done:
	case <-time.After(within + time.Millisecond):
		w.Errorf("%s: Done is open after %v", what, within)
	}
	return time.Since(start)
}

func TestDone_IsClosedWhenTheSessionEnds(t *testing.T) {
	for _, c := range []struct {
		name     string
		end      func(w *testWorld, other *testWorld, s session.Session) error
		within   time.Duration // without Run
		withRun  time.Duration
		everyone bool // whether the streams of other users are closed, too
	}{
		{"revoked here", func(w, _ *testWorld, s session.Session) error { return w.Revoke(w.Context(), "1", s.ID) }, 0, 0, false},
		{"its user revoked here", func(w, _ *testWorld, _ session.Session) error { return w.RevokeUser(w.Context(), "1") }, 0, 0, false},
		{"all users revoked here", func(w, _ *testWorld, _ session.Session) error { return w.RevokeAll(w.Context()) }, 0, 0, true},
		{"revoked on another node", func(_, o *testWorld, s session.Session) error { return o.Revoke(o.Context(), "1", s.ID) }, 2 * time.Minute, 1500 * time.Millisecond, false},
		{"all users revoked on another node", func(_, o *testWorld, _ session.Session) error { return o.RevokeAll(o.Context()) }, 2 * time.Minute, 1500 * time.Millisecond, true},
		{"a ban", func(w, _ *testWorld, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			return nil
		}, 2 * time.Minute, 2 * time.Minute, false},
		{"a raised session_epoch", func(w, _ *testWorld, _ session.Session) error {
			w.users.SetUser("1", store.User{Epoch: 2})
			return nil
		}, 2 * time.Minute, 2 * time.Minute, false},
		{"the user's deletion", func(w, _ *testWorld, _ session.Session) error {
			w.users.DeleteUser("1")
			return nil
		}, 2 * time.Minute, 2 * time.Minute, false},
	} {
		for _, run := range []bool{false, true} {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				within := c.within
				if run {
					within = c.withRun
					defer w.run()()
				}
				ctx, cancel := context.WithCancel(w.Context())
				defer cancel()
				b, bystander := newBrowser(), newBrowser()
				s := w.login(b, session.Login{})
				w.login(bystander, session.Login{UserID: "2"})
				done, others := w.stream(ctx, b), w.stream(ctx, bystander)
				time.Sleep(40 * time.Minute) // longer than the idle timeout, which does not end a stream
				if closed(done) || closed(others) {
					w.Fatalf("%s: closed while the session was good", c.name)
				}
				if err := c.end(w, w.node(session.Config{}), s); err != nil {
					w.Fatal(err)
				}
				w.closes(c.name, done, within)
				if c.everyone {
					w.closes(c.name+", another user", others, within)
					return
				}
				time.Sleep(3 * time.Minute)
				if closed(others) {
					w.Errorf("%s: another user's stream was closed, too", c.name)
				}
			})
		}
	}
}

// The absolute end of a session needs no store call. It comes on time for a new access
// cookie, for an old one, and for one from a refresh.
func TestDone_IsClosedAtTheAbsoluteEnd(t *testing.T) {
	for _, age := range []time.Duration{0, 100 * time.Second, 5 * time.Minute} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			time.Sleep(age)
			done := w.stream(w.Context(), b)
			w.store.Fail(errStoreDown)
			time.Sleep(time.Until(s.EndsAt) - time.Second)
			if closed(done) {
				w.Error("closed a second before the end")
			}
			w.closes("at the end", done, time.Second)
		})
	}
}

func TestDone_IsClosedWhenTheRequestEnds(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		ctx, cancel := context.WithCancel(w.Context())
		done := w.stream(ctx, b)
		test := w.Done(session.Session{UserID: "1"}.NewContext(ctx))
		if closed(done) || closed(test) {
			w.Error("closed while the request went on")
		}
		cancel()
		w.closes("the request of a browser", done, 0)
		w.closes("the request of a test", test, 0)
	})
}

func TestDone_WithoutSessionIsClosedAtOnce(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		if !closed(w.Done(w.Context())) {
			w.Error("a request without a session may go on")
		}
	})
}

func TestDone_StoreErrorClosesNothing(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		done := w.stream(ctx, b)
		w.store.Fail(errStoreDown)
		time.Sleep(time.Hour)
		if closed(done) {
			w.Error("closed because the store did not answer")
		}
	})
}

// Changed roles do not end a session: the stream goes on.
func TestDone_ForceRefreshClosesNothing(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		done := w.stream(ctx, b)
		if err := w.ForceRefresh(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Hour)
		if closed(done) {
			w.Error("closed by ForceRefresh")
		}
	})
}

// A stream asks the store about once per access lifetime, as often as other requests
// do. Many streams that start together do not ask at the same time.
func TestDone_AsksTheStoreAboutOncePerAccessLifetime(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		const streams = 50
		for range streams {
			w.stream(ctx, b)
		}
		var mu sync.Mutex
		moments := map[time.Time]bool{}
		w.store.Before(func(context.Context, string) error {
			mu.Lock()
			defer mu.Unlock()
			moments[time.Now()] = true
			return nil
		})
		n := w.calls(func() { time.Sleep(2 * time.Hour) })
		if n < streams*60 || n > streams*70 {
			w.Errorf("%d streams made %d calls in two hours; want 60 to 70 each", streams, n)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(moments) < streams*50 {
			w.Errorf("%d streams asked at %d moments only", streams, len(moments))
		}
	})
}

// Done first looks at the known revocations and then waits for new ones. A revocation
// may arrive between these two steps. Each stream that starts while a long list of
// revocations is being processed must be closed when all of it is processed.
func TestDone_MissesNoRevocationWhileItBegins(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		const revocations = 50_000
		altered := &alteredStore{Store: w.users}
		w = newTestWorld(w.T, w.users, altered, session.Config{})
		b := newBrowser()
		s := w.login(b, session.Login{})
		v, err := w.visit(b)
		if err != nil {
			w.Fatal(err)
		}
		ctx := withVerdict(w.Context(), v)
		id, err := store.ParseID(s.ID)
		if err != nil {
			w.Fatal(err)
		}
		var streams []<-chan struct{}
		begun := make(chan struct{})
		page := 0
		altered.known = func(c *store.Changes) {
			if page++; page > 1 {
				return // nothing follows
			}
			for i := range uint32(revocations) {
				c.Sessions = append(c.Sessions, store.Change{ID: store.ID{byte(i), byte(i >> 8), byte(i >> 16), 1}, Revoked: true})
			}
			c.Sessions = append(c.Sessions, store.Change{ID: id, Revoked: true})
			go func() { // while the Manager takes them in
				defer close(begun)
				for range 500 {
					streams = append(streams, w.Done(ctx))
					runtime.Gosched()
				}
			}()
		}
		if err := w.RevokeUser(w.Context(), "2"); err != nil { // this polls the changes
			w.Fatal(err)
		}
		<-begun
		open := 0
		for _, done := range streams {
			if !closed(done) {
				open++
			}
		}
		if open != 0 {
			w.Errorf("%d of %d streams are open", open, len(streams))
		}
	})
}

// Revocations of other users must not delay the next question to the store.
func TestDone_NoticesABanWhileOthersLogOut(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		done := w.stream(w.Context(), b)
		w.users.SetUser("1", store.User{Epoch: 2})
		for range 6 {
			time.Sleep(20 * time.Second)
			other := newBrowser()
			w.login(other, session.Login{UserID: "2"})
			w.logout(other)
		}
		if !closed(done) {
			w.Error("open two minutes after the user's epoch was raised")
		}
	})
}
