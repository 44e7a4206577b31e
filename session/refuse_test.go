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

// A refusal may reach the browser after the answer to its next login. So it deletes no
// refresh cookie. Its access cookie says which session is over, and spares the store
// the next requests of that session.
func TestManager_RefusalDeletesNoCookieOfANewerLogin(t *testing.T) {
	logout := func(w *testWorld, b *sessiontest.Browser) { w.logout(b.Clone()) }
	stolen := func(w *testWorld, b *sessiontest.Browser) {
		victim := b.Clone()
		for range 3 {
			w.expireAccess()
			w.in(victim)
		}
		w.expireAccess()
	}
	for _, c := range []struct {
		name  string
		end   func(w *testWorld, b *sessiontest.Browser)
		since time.Duration
		says  string
	}{
		{"logged out just now", logout, 0, "(ended)"},
		{"logged out an access lifetime ago", logout, 2 * time.Minute, "(ended)"},
		{"revoked just now", func(w *testWorld, _ *sessiontest.Browser) { _ = w.RevokeUser(w.Context(), "1") }, 0, "(ended)"},
		{"everybody revoked", func(w *testWorld, _ *sessiontest.Browser) { _ = w.RevokeAll(w.Context()) }, 0, "(ended)"},
		{"banned", func(w *testWorld, _ *sessiontest.Browser) {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			w.expireAccess()
		}, 0, "(ended: the user is disabled)"},
		{"without a row", func(w *testWorld, _ *sessiontest.Browser) {
			time.Sleep(64 * time.Minute)
			if n, err := w.users.Prune(w.Context(), 10); n != 1 || err != nil {
				w.Fatalf("Prune: %d, %v; want 1 row", n, err)
			}
		}, 0, "(missing)"},
		{"stolen", stolen, 0, "copied"},
		{"stolen, a second ago", func(w *testWorld, b *sessiontest.Browser) {
			stolen(w, b)
			w.out(b.Clone())
		}, time.Second + time.Microsecond, "copied"},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			b = b.CloneIgnoringExpiry()
			c.end(w, b)
			time.Sleep(c.since)
			ended, reuse := w.count(session.EventEnded), w.count(session.EventReuse)
			v, err := w.Authenticate(page(b))
			if !errors.Is(err, session.ErrUnauthenticated) || !strings.Contains(err.Error(), c.says) || v.Session().ID != "" {
				w.Errorf("%s: %v, %v; want ErrUnauthenticated that says %s", c.name, v, err, c.says)
			}
			if isReused := c.says == "copied"; errors.Is(err, session.ErrReused) != isReused {
				w.Errorf("%s: %v; want ErrReused: %v", c.name, err, isReused)
			}
			w.wantCookies(c.name, v.Cookies, accessCookie)
			for _, cookie := range v.Cookies {
				if cookie.Value == "" || cookie.MaxAge != 120 {
					w.Errorf("%s: %s is set to %q for %d s; want a value for 120 s", c.name, cookie.Name, cookie.Value, cookie.MaxAge)
				}
			}
			kind, before := session.EventEnded, ended
			if c.name == "stolen" {
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

// A browser that keeps a dead refresh cookie costs one statement in an access lifetime.
// It is told why it was refused for as long.
func TestManager_RefusedBrowserCostsOneStatementInAnAccessLifetime(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		id, _ := store.ParseID(s.ID)
		if ok, err := w.users.RevokeReused(w.Context(), store.PresentedTicket{ID: id}); !ok || err != nil {
			w.Fatal(ok, err)
		}
		w.expireAccess()
		for lifetime := range 3 {
			if n := w.calls(func() { w.out(b) }); n != 1 {
				w.Errorf("lifetime %d: %d store calls for the first request; want 1", lifetime, n)
			}
			for range 11 {
				time.Sleep(10 * time.Second)
				n := w.calls(func() {
					v, err := w.visit(b)
					if !errors.Is(err, session.ErrReused) || len(v.Cookies) != 0 {
						w.Errorf("got %v, cookies %v; want ErrReused and none", err, v.Cookies)
					}
				})
				if n != 0 {
					w.Errorf("lifetime %d: %d store calls for a later request; want 0", lifetime, n)
				}
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// The access cookie of a refusal counts for an access lifetime, also if the client keeps
// it for longer.
func TestManager_AccessCookieOfARefusalExpires(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		w.expireAccess()
		w.out(b)
		kept := b.CloneIgnoringExpiry()
		w.users.SetUser("1", store.User{Epoch: 1})
		time.Sleep(2*time.Minute - 20*time.Millisecond)
		w.out(kept)
		time.Sleep(20 * time.Millisecond)
		w.in(kept)
	})
}

// The access cookie of a refusal means nothing next to another session's refresh
// cookie, next to a good access cookie, and to a login or logout.
func TestManager_AccessCookieOfARefusalCountsForItsSessionAlone(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		refused, other := newBrowser(), newBrowser()
		w.login(refused, session.Login{})
		w.logout(refused.Clone())
		w.expireAccess()
		w.out(refused)
		over := valueOf(refused, accessCookie)
		s := w.login(other, session.Login{UserID: "2"})
		good, refresh := valueOf(other, accessCookie), valueOf(other, refreshCookie)
		for _, c := range []struct {
			name  string
			lines []string
			calls int
		}{
			{"next to another session's refresh cookie", []string{accessCookie + "=" + over, refreshCookie + "=" + refresh}, 1},
			{"before a good access cookie", []string{accessCookie + "=" + over + "; " + accessCookie + "=" + good}, 0},
			{"after a good access cookie", []string{accessCookie + "=" + good + "; " + accessCookie + "=" + over}, 0},
		} {
			r := page(newBrowser())
			r.Header["Cookie"] = c.lines
			n := w.calls(func() {
				if v, err := w.Authenticate(r); err != nil || v.Session().ID != s.ID {
					w.Errorf("%s: %v, %v; want the session %s", c.name, v, err, s.ID)
				}
			})
			if n != c.calls {
				w.Errorf("%s: %d store calls; want %d", c.name, n, c.calls)
			}
		}
		r := page(newBrowser())
		r.Header.Set("Cookie", accessCookie+"="+over)
		if n := w.calls(func() {
			if v, err := w.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) || v.Session().ID != "" {
				w.Errorf("alone: %v, %v; want ErrUnauthenticated", v, err)
			}
			if _, err := w.Logout(r); err != nil {
				w.Error(err)
			}
		}); n != 0 {
			w.Errorf("alone: %d store calls for a request and a logout; want 0", n)
		}
		if n := w.count(session.EventAmbiguous) + w.count(session.EventUndecodable); n != 0 {
			w.Errorf("%d events of ambiguous or undecodable cookies; want 0", n)
		}
	})
}

// A client that discards the access cookie of a refusal costs one statement a second,
// with whichever tickets of the session it comes.
func TestManager_RefusedSessionCostsOneStatementASecond(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		older := b.CloneIgnoringExpiry()
		w.expireAccess()
		w.in(b)
		newer := b.CloneIgnoringExpiry()
		w.logout(b)
		w.expireAccess()
		ended := w.count(session.EventEnded)
		for second := range 3 {
			n := w.calls(func() {
				for range 10 {
					for _, thief := range []*sessiontest.Browser{older, newer} {
						if _, err := w.Authenticate(page(thief)); !errors.Is(err, session.ErrUnauthenticated) {
							w.Errorf("got %v; want ErrUnauthenticated", err)
						}
					}
				}
			})
			if n != 1 {
				w.Errorf("second %d: %d store calls; want 1", second, n)
			}
			time.Sleep(time.Second + time.Microsecond)
		}
		if n := w.count(session.EventEnded) - ended; n != 3 {
			w.Errorf("%d events; want 3", n)
		}
	})
}

// An expired ticket says nothing about newer tickets of its session.
func TestManager_RefusalOfAnExpiredTicketCountsForThatTicketAlone(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		older := b.CloneIgnoringExpiry()
		for range 20 {
			time.Sleep(2 * time.Minute)
			w.in(b)
		}
		w.expireAccess()
		if _, err := w.Authenticate(page(older)); !errors.Is(err, session.ErrUnauthenticated) {
			w.Fatalf("an expired ticket: %v; want ErrUnauthenticated", err)
		}
		w.in(b)
	})
}

// A ticket that ended more than a day ago by the store's clock costs no statement.
func TestManager_TicketThatEndedLongAgoCostsNoStatement(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		b = b.CloneIgnoringExpiry()
		for _, c := range []struct {
			wait time.Duration
			want int
		}{{30*time.Minute + 24*time.Hour, 1}, {time.Minute, 0}} {
			time.Sleep(c.wait)
			w.login(newBrowser(), session.Login{UserID: "2"}) // the node reads the store's clock
			n := w.calls(func() {
				if _, err := w.Authenticate(page(b)); !errors.Is(err, session.ErrUnauthenticated) {
					w.Errorf("got %v; want ErrUnauthenticated", err)
				}
			})
			if n != c.want {
				w.Errorf("%v later: %d store calls; want %d", c.wait, n, c.want)
			}
		}
	})
}

// A ban is not an end. Once it is lifted, a session that has not run out goes on.
func TestManager_SessionGoesOnWhenABanIsLifted(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		w.expireAccess()
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		w.out(b)
		w.users.SetUser("1", store.User{Epoch: 1})
		w.out(b) // its access cookie still says that the session is over
		w.expireAccess()
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
	})
}

// Of two parallel requests, one may come before the idle end of the ticket and one after
// it. The refusal of the second must not speak of the session, which goes on.
func TestManager_RefusalAtTheIdleEndSaysNothingOfTheSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		late := b.CloneIgnoringExpiry()
		time.Sleep(30*time.Minute - 10*time.Millisecond)
		w.in(b)
		time.Sleep(20 * time.Millisecond)
		v, err := w.node(session.Config{}).Authenticate(page(late))
		if !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
			w.Errorf("the ticket that has ended: cookies %q, %v; want none, and ErrUnauthenticated", cookieNames(v.Cookies), err)
		}
		b.Receive(v.Cookies)
		b.ExpireAccess()
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
	})
}

// Whatever sends a dead cookie, and wherever to: it costs a statement at most once.
func TestManager_DeadCookiesCostNoStatementForEachLogout(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		b = b.CloneIgnoringExpiry()
		if n := w.calls(func() {
			for range 50 {
				w.logout(b.Clone())
			}
		}); n != 1 {
			w.Errorf("50 logouts with one cookie cost %d calls; want 1", n)
		}
		time.Sleep(12*time.Hour + 24*time.Hour) // to a day after the absolute end
		w.login(newBrowser(), session.Login{})  // reads the store's clock
		if n := w.calls(func() { w.logout(b.Clone()) }); n != 0 {
			w.Errorf("a logout a day after the end of the cookie costs %d calls; want none", n)
		}
	})
}

// A revocation that failed is tried again by the next logout.
func TestManager_LogoutThatFailedIsTriedAgain(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		w.store.Fail(errStoreDown, "Revoke")
		if _, err := w.Logout(page(b)); !errors.Is(err, session.ErrStoreUnavailable) {
			w.Fatalf("got %v", err)
		}
		w.repairStore()
		if _, err := w.Logout(page(b)); err != nil {
			w.Errorf("the second logout: %v", err)
		}
		if row := w.row(s.ID); row.RevokedAt.IsZero() {
			w.Error("the session is not revoked")
		}
	})
}

// Two dead cookies cost no more than one.
func TestManager_TwoDeadCookiesCostNoStatement(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, other := newBrowser(), newBrowser()
		w.login(b, session.Login{})
		w.login(other, session.Login{UserID: "2"})
		w.expireAccess()
		w.in(other)
		mixed := b.CloneIgnoringExpiry()
		give(mixed, oddRefreshCookie, valueOf(other, oddRefreshCookie))
		w.revokeAll("1")
		w.revokeAll("2")
		if n := w.calls(func() {
			for range 10 {
				w.out(mixed.Clone())
			}
		}); n > 3 {
			w.Errorf("10 requests at once with two dead cookies cost %d calls; want one for each, and one that says why", n)
		}
		time.Sleep(32*time.Minute + 24*time.Hour)
		w.login(newBrowser(), session.Login{}) // reads the store's clock
		if n := w.calls(func() { w.out(mixed) }); n != 0 {
			w.Errorf("a day after their end, two dead cookies cost %d calls; want none", n)
		}
	})
}

func (w *testWorld) revokeAll(userID string) {
	w.Helper()
	if err := w.RevokeUser(w.Context(), userID); err != nil {
		w.Fatal(err)
	}
}

// DropStaleCookies leaves a refusal unchanged.
func TestVerdict_DropStaleCookiesKeepsTheCookieOfARefusal(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.revokeAll("1")
		v, err := w.Authenticate(page(b))
		if !errors.Is(err, session.ErrUnauthenticated) {
			w.Fatal(err)
		}
		a := newAnswer()
		v.SetCookies(a)
		time.Sleep(time.Hour)
		w.DropStaleCookies(a.Header(), v)
		w.wantCookies("the refusal", a.cookies(), accessCookie)
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
