package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// A session from before a login is never the one after it, whoever planted it.
func TestEveryLoginBeginsANewSession(t *testing.T) {
	logins := 0
	for name, plant := range map[string]func(a *app, b *client){
		"nothing":            func(*app, *client) {},
		"its own cookies":    func(_ *app, b *client) { b.login("ada") },
		"own, expired":       func(a *app, b *client) { b.login("ada"); a.expire() },
		"another's":          func(_ *app, b *client) { b.login("grace") },
		"another's, expired": func(a *app, b *client) { b.login("grace"); a.expire() },
		"another's refresh":  func(_ *app, b *client) { b.login("grace"); delete(b.jar, accessName) },
		"another's access":   func(_ *app, b *client) { b.login("grace"); delete(b.jar, refreshName) },
		"a mix of two users'": func(a *app, b *client) {
			b.login("grace")
			b.jar[refreshName] = a.client(pageLoad).login("ada").jar[refreshName]
		},
		"a mix the other way": func(a *app, b *client) {
			b.login("ada")
			b.jar[refreshName] = a.client(pageLoad).login("grace").jar[refreshName]
		},
		"one that is over": func(a *app, b *client) { b.login("ada"); _ = a.sessions.RevokeUser(a.Context(), "ada") },
		"a session id, bare": func(_ *app, b *client) {
			b.jar[accessName], b.jar[refreshName] = strings.Repeat("0", 32), strings.Repeat("f", 32)
		},
		"garbage":           func(_ *app, b *client) { b.jar[accessName], b.jar[refreshName] = "x", "MTIz" },
		"under other names": func(_ *app, b *client) { b.jar["session"], b.jar["JSESSIONID"] = "planted", "planted" },
		"a session with admin": func(a *app, b *client) {
			b.login("grace")
			a.users.SetUser("grace", session.User{Roles: []string{"admin"}})
		},
	} {
		for _, user := range []string{"ada", "grace"} {
			inApp(t, middleware.Config{}, func(a *app) {
				logins++
				b := a.client(pageLoad)
				plant(a, b)
				planted := b.as(pageLoad)
				before := a.sessionIDs()
				b.do("POST", "/login", "user="+user)
				if got := b.do("GET", "/account", "").Body.String(); got != user {
					a.Errorf("%s, login of %s: it is %q", name, user, got)
				}
				fresh := a.sessionOf(b)
				if fresh == "" || before[fresh] {
					a.Errorf("%s, login of %s: the session %q was there before", name, user, fresh)
				}
				// Whoever planted them, or copied them, is out.
				if rec := planted.do("GET", "/account", ""); rec.Code == http.StatusOK {
					a.Errorf("%s, login of %s: the planted cookies answer as %q", name, user, rec.Body)
				}
				a.expire()
				if rec := planted.do("GET", "/account", ""); rec.Code == http.StatusOK {
					a.Errorf("%s, login of %s: the planted cookies answer as %q", name, user, rec.Body)
				}
				if live := a.sessionIDs(); len(live) != 1 || !live[fresh] {
					a.Errorf("%s, login of %s: %d sessions are live: %v; want the new one", name, user, len(live), live)
				}
			})
		}
	}
	// Again and again, on one browser.
	inApp(t, middleware.Config{}, func(a *app) {
		b, seen := a.client(pageLoad), map[string]bool{}
		for range 50 {
			logins++
			b.login("ada")
			if id := a.sessionOf(b); seen[id] {
				a.Errorf("the session %s came twice", id)
			} else {
				seen[id] = true
			}
		}
		if live := a.sessionIDs(); len(live) != 1 {
			a.Errorf("%d sessions are live", len(live))
		}
	})
	t.Logf("%d logins: a new session each time, and no other goes on", logins)
}

// A right that is taken away is gone at the next request, and none is gained by
// what a client still holds.
func TestAChangedRoleIsNotFixedByOldCookies(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		b := a.client(pageLoad).login("grace")
		old := b.as(pageLoad)
		a.users.SetUser("grace", session.User{Roles: []string{"staff"}})
		if err := a.sessions.Reload(a.Context(), "grace"); err != nil {
			a.Fatal(err)
		}
		for name, c := range map[string]*client{"the browser": b, "a copy of its cookies": old} {
			for range 3 {
				if rec := c.do("GET", "/admin", ""); rec.Code != http.StatusForbidden {
					a.Errorf("%s: %d; want 403", name, rec.Code)
				}
			}
		}
		// The other way: old cookies do not hold the user down, either.
		a.users.SetUser("grace", session.User{Roles: []string{"admin"}})
		before := a.sessionOf(b)
		b.login("grace")
		if rec := b.do("GET", "/admin", ""); rec.Code != http.StatusOK || a.sessionOf(b) == before {
			a.Errorf("after a new login: %d, the same session: %v", rec.Code, a.sessionOf(b) == before)
		}
	})
}

// Of two users' cookies in one request, none is mixed with the other: the answer
// is one user's, with that user's rights, and one session's cookies.
func TestCookiesOfTwoUsersMakeNoThird(t *testing.T) {
	swaps := 0
	for _, expired := range []bool{false, true} {
		for _, access := range []string{"ada", "grace"} {
			for _, refresh := range []string{"ada", "grace"} {
				for _, path := range []string{"/account", "/admin", "/password", "/"} {
					inApp(t, middleware.Config{}, func(a *app) {
						swaps++
						one, other := a.client(pageLoad).login(access), a.client(pageLoad).login(refresh)
						if expired {
							a.expire()
						}
						b := a.client(pageLoad)
						b.jar[accessName], b.jar[refreshName] = one.jar[accessName], other.jar[refreshName]
						want := access
						if expired {
							want = refresh
						}
						rec := b.do("GET", path, "")
						if path == "/admin" && want == "ada" {
							if rec.Code != http.StatusForbidden {
								a.Errorf("access of %s, refresh of %s, expired %v: %d on %s", access, refresh, expired, rec.Code, path)
							}
						} else if rec.Code != http.StatusOK || rec.Body.String() != want {
							a.Errorf("access of %s, refresh of %s, expired %v: %d %q on %s; want %s", access, refresh, expired, rec.Code, rec.Body, path, want)
						}
						// A logout ends whatever the browser holds.
						b.do("POST", "/logout", "")
						if live := a.sessionIDs(); expired && len(live) != 1 || !expired && len(live) != 0 {
							a.Errorf("access of %s, refresh of %s, expired %v: %d sessions outlive the logout", access, refresh, expired, len(live))
						}
					})
				}
			}
		}
	}
	t.Logf("%d swaps: each answer is one user's", swaps)
}

const accessName, refreshName = "__Host-Http-session", "__Host-Http-refresh"

// sessionIDs are all live sessions.
func (a *app) sessionIDs() map[string]bool {
	a.Helper()
	ids := map[string]bool{}
	for _, user := range []string{"ada", "grace"} {
		list, err := a.sessions.List(a.Context(), user)
		if err != nil {
			a.Fatal(err)
		}
		for _, info := range list {
			ids[info.ID] = true
		}
	}
	return ids
}

// sessionOf is the session that a client's cookies name.
func (a *app) sessionOf(c *client) string {
	r, err := http.NewRequest("GET", "https://app.test/", nil)
	if err != nil {
		a.Fatal(err)
	}
	for name, value := range c.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	v, err := a.sessions.Authenticate(r)
	if err != nil {
		return ""
	}
	return v.Session().ID
}
