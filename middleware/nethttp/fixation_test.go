package nethttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session/store"
)

// A login begins a new session and ends the one that the browser had, also if an
// attacker has planted that one.
func TestIssue_EveryLoginBeginsANewSession(t *testing.T) {
	type client = guardtest.Client
	logins := 0
	for name, plant := range map[string]func(a *app, b *client){
		"nothing":                       func(*app, *client) {},
		"own cookies":                   func(_ *app, b *client) { b.LogIn("ada") },
		"own cookies, expired":          func(_ *app, b *client) { b.LogIn("ada"); expire() },
		"another user's cookies":        func(_ *app, b *client) { b.LogIn("grace") },
		"another user's, expired":       func(_ *app, b *client) { b.LogIn("grace"); expire() },
		"another user's refresh cookie": func(_ *app, b *client) { b.LogIn("grace"); b.ExpireAccess() },
		"another user's access cookie":  func(_ *app, b *client) { b.LogIn("grace"); b.ForgetRefresh() },
		"cookies of two users": func(a *app, b *client) {
			b.LogIn("grace")
			b.Plant(refreshName, a.client(pageLoad).LogIn("ada").Kept()[refreshName])
		},
		"cookies of two users, the other way": func(a *app, b *client) {
			b.LogIn("ada")
			b.Plant(refreshName, a.client(pageLoad).LogIn("grace").Kept()[refreshName])
		},
		"a revoked session": func(a *app, b *client) { b.LogIn("ada"); _ = a.Sessions.RevokeUser(a.Context(), "ada") },
		"bare session ids": func(_ *app, b *client) {
			b.Plant(accessName, strings.Repeat("0", 32))
			b.Plant(refreshName, strings.Repeat("f", 32))
		},
		"garbage":                func(_ *app, b *client) { b.Plant(accessName, "x"); b.Plant(refreshName, "MTIz") },
		"cookies of other names": func(_ *app, b *client) { b.Plant("session", "planted"); b.Plant("JSESSIONID", "planted") },
		"a session with admin": func(a *app, b *client) {
			b.LogIn("grace")
			a.Users.SetUser("grace", store.User{Roles: []string{"admin"}})
		},
	} {
		for _, user := range []string{"ada", "grace"} {
			inApp(t, nethttp.Config{}, func(a *app) {
				logins++
				b := a.client(pageLoad).Copied() // sends expired cookies, too
				plant(a, b)
				planted := b.Copied()
				before := a.LiveSessions(a)
				b.Send("POST", "/login", "user="+user)
				if got := b.Send("GET", "/account", "").Body.String(); got != user {
					a.Errorf("%s, login of %s: logged in as %q", name, user, got)
				}
				fresh := a.SessionOf(b)
				if fresh == "" || before[fresh] {
					a.Errorf("%s, login of %s: the session %q existed before", name, user, fresh)
				}
				// The planted cookies, and copies of them, are worthless now and later.
				for range 2 {
					if rec := planted.Send("GET", "/account", ""); rec.Code == http.StatusOK {
						a.Errorf("%s, login of %s: the planted cookies admit %q", name, user, rec.Body)
					}
					expire()
				}
				if live := a.LiveSessions(a); len(live) != 1 || !live[fresh] {
					a.Errorf("%s, login of %s: the live sessions are %v; want the new one", name, user, live)
				}
			})
		}
	}
	inApp(t, nethttp.Config{}, func(a *app) {
		b, seen := a.client(pageLoad), map[string]bool{}
		for range 50 {
			logins++
			id := a.SessionOf(b.LogIn("ada"))
			if seen[id] {
				a.Errorf("the session id %s occurs twice", id)
			}
			seen[id] = true
		}
		if live := a.LiveSessions(a); len(live) != 1 {
			a.Errorf("%d sessions are live", len(live))
		}
	})
	t.Logf("%d logins: each begins a new session and ends the old one", logins)
}

// A role that is taken away is gone at the next request after ForceRefresh, whichever
// cookies the client sends. A new role applies after a login.
func TestRequireRole_ChangedRolesApplyToOldCookies(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("grace")
		old := b.Copied()
		a.Users.SetUser("grace", store.User{Roles: []string{"staff"}})
		if err := a.Sessions.ForceRefresh(a.Context(), "grace"); err != nil {
			a.Fatal(err)
		}
		for name, c := range map[string]*guardtest.Client{"the browser": b, "a copy of its cookies": old} {
			for range 3 {
				if rec := c.Send("GET", "/admin", ""); rec.Code != http.StatusForbidden {
					a.Errorf("%s: %d; want 403", name, rec.Code)
				}
			}
		}
		a.Users.SetUser("grace", store.User{Roles: []string{"admin"}})
		before := a.SessionOf(b)
		b.LogIn("grace")
		if rec := b.Send("GET", "/admin", ""); rec.Code != http.StatusOK || a.SessionOf(b) == before {
			a.Errorf("after a new login: %d, the same session: %v", rec.Code, a.SessionOf(b) == before)
		}
	})
}

// A request with the access cookie of one user and the refresh cookie of another gets
// the page, the rights and the cookies of one of them.
func TestGuard_CookiesOfTwoUsersAreNeverMixed(t *testing.T) {
	swaps := 0
	for _, expired := range []bool{false, true} {
		for _, access := range []string{"ada", "grace"} {
			for _, refresh := range []string{"ada", "grace"} {
				for _, path := range []string{"/account", "/admin", "/password", "/"} {
					inApp(t, nethttp.Config{}, func(a *app) {
						swaps++
						one, other := a.client(pageLoad).LogIn(access).Kept(), a.client(pageLoad).LogIn(refresh).Kept()
						if expired {
							expire()
						}
						b := a.client(pageLoad) // planted cookies are sent although they have expired
						b.Plant(accessName, one[accessName])
						b.Plant(refreshName, other[refreshName])
						want := access
						if expired {
							want = refresh
						}
						when := "access of " + access + ", refresh of " + refresh + " on " + path
						rec := b.Send("GET", path, "")
						if path == "/admin" && want == "ada" {
							if rec.Code != http.StatusForbidden {
								a.Errorf("%s, expired %v: %d", when, expired, rec.Code)
							}
						} else if rec.Code != http.StatusOK || rec.Body.String() != want {
							a.Errorf("%s, expired %v: %d %q; want %s", when, expired, rec.Code, rec.Body, want)
						}
						// A logout ends both sessions, unless the access cookie has expired.
						b.Send("POST", "/logout", "")
						if live := a.LiveSessions(a); expired && len(live) != 1 || !expired && len(live) != 0 {
							a.Errorf("%s, expired %v: %d sessions outlive the logout", when, expired, len(live))
						}
					})
				}
			}
		}
	}
	t.Logf("%d swaps: each answer belongs to one user", swaps)
}
