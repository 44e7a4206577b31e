package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// A request that was sent before a revocation may arrive after the next login in this
// browser. So for an access lifetime after a revocation, a refusal does not delete the
// refresh cookie: it may belong to the new session.
func TestManager_RefusalDeletesNoCookieOfANewerLogin(t *testing.T) {
	both, access := []string{accessCookie, refreshCookie}, []string{accessCookie}
	logout := func(w *testWorld, b *sessiontest.Browser) { w.logout(b.Clone()) }
	for _, c := range []struct {
		name  string
		end   func(w *testWorld, b *sessiontest.Browser)
		since time.Duration
		want  []string
		says  string
	}{
		{"logged out just now", logout, 0, access, "ended"},
		{"logged out almost an access lifetime ago", logout, 2*time.Minute - time.Microsecond, access, "ended"},
		{"logged out an access lifetime ago", logout, 2 * time.Minute, both, "ended"},
		{"revoked just now", func(w *testWorld, _ *sessiontest.Browser) { _ = w.RevokeUser(w.Context(), "1") }, 0, access, "ended"},
		{"everybody revoked", func(w *testWorld, _ *sessiontest.Browser) { _ = w.RevokeAll(w.Context()) }, 0, both, "ended"},
		{"banned", func(w *testWorld, _ *sessiontest.Browser) {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			w.expireAccess()
		}, 0, both, "ended: the user is disabled"},
		{"idle for too long", func(*testWorld, *sessiontest.Browser) { time.Sleep(30 * time.Minute) }, 0, both, "ended"},
		{"without a row", func(w *testWorld, _ *sessiontest.Browser) {
			time.Sleep(64 * time.Minute)
			if n, err := w.users.Prune(w.Context(), 10); n != 1 || err != nil {
				w.Fatalf("Prune: %d, %v; want 1 row", n, err)
			}
		}, 0, both, "missing"},
		{"stolen", func(w *testWorld, b *sessiontest.Browser) {
			victim := b.Clone()
			for range 3 {
				w.expireAccess()
				w.in(victim)
			}
			w.expireAccess()
		}, 0, access, "reuse"},
		{"stolen, again", func(w *testWorld, b *sessiontest.Browser) {
			victim := b.Clone()
			for range 3 {
				w.expireAccess()
				w.in(victim)
			}
			w.expireAccess()
			w.out(b.Clone())
		}, 0, access, "ended"},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			b = b.CloneIgnoringExpiry()
			c.end(w, b)
			time.Sleep(c.since)
			ended, reuse := w.count(session.EventEnded), w.count(session.EventReuse)
			v, err := w.Authenticate(page(b))
			if !errors.Is(err, session.ErrUnauthenticated) || !strings.Contains(err.Error(), "("+c.says+")") || v.Session().ID != "" {
				w.Errorf("%s: %v, %v; want ErrUnauthenticated that says %s", c.name, v, err, c.says)
			}
			w.wantCookies(c.name, v.Cookies, c.want...)
			for _, cookie := range v.Cookies {
				if cookie.Value != "" || cookie.MaxAge > 1 {
					w.Errorf("%s: %s is set to %q for %d s", c.name, cookie.Name, cookie.Value, cookie.MaxAge)
				}
			}
			kind, before := session.EventEnded, ended
			if c.says == "reuse" {
				kind, before = session.EventReuse, reuse
			}
			if events := w.eventsOf(kind); len(events) != before+1 || events[before].SessionID != s.ID {
				w.Errorf("%s: events %+v; want one more, of session %s", c.name, events, s.ID)
			}
			if got := w.count(session.EventEnded) - ended + w.count(session.EventReuse) - reuse; got != 1 {
				w.Errorf("%s: %d events of an end or of reuse; want 1", c.name, got)
			}
		})
	}
}

// DropStaleCookies leaves a refusal unchanged, because it only deletes cookies.
func TestVerdict_DropStaleCookiesKeepsTheDeletionsOfARefusal(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		b = b.CloneIgnoringExpiry()
		time.Sleep(time.Hour)
		v, err := w.Authenticate(page(b))
		if !errors.Is(err, session.ErrUnauthenticated) {
			w.Fatal(err)
		}
		a := newAnswer()
		v.SetCookies(a)
		time.Sleep(time.Hour)
		w.DropStaleCookies(a.Header(), v)
		w.wantCookies("the refusal", a.cookies(), accessCookie, refreshCookie)
	})
}

// A database server may not have the row of a new login yet. The browser keeps its
// cookies and tries again.
func TestManager_MissingRowOfAFreshLoginIsNoLogout(t *testing.T) {
	for age, pending := range map[time.Duration]bool{0: true, 15*time.Second - 10*time.Millisecond: true, 15 * time.Second: false} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) { s.Record = nil }}, session.Config{})
			b := newBrowser()
			w.login(b, session.Login{})
			b.ExpireAccess()
			time.Sleep(age)
			v, err := node.Authenticate(page(b))
			if err == nil || v.Session().ID != "" || errors.Is(err, session.ErrUnauthenticated) == pending || (len(v.Cookies) == 0) != pending {
				w.Errorf("a login of %v ago: %v, %d cookies; want a logout: %v", age, err, len(v.Cookies), !pending)
			}
			if n := node.count(session.EventEnded); (n == 0) != pending {
				w.Errorf("a login of %v ago: %d events of an end", age, n)
			}
		})
	}
}
