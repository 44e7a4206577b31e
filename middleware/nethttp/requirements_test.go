package nethttp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestRequireRole_AdmitsAUserWithAnyOneOfTheRoles(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /one", who, a.guard.RequireRole("admin"))
		a.handle("GET /three", who, a.guard.RequireRole("admin", "root", "owner"))
		for _, c := range []struct {
			roles           string // separated by spaces
			one, two, three int    // the statuses of routes that name one, two and three roles
		}{
			{"admin", 200, 200, 200},
			{"root", 403, 200, 200},
			{"owner", 403, 403, 200},
			{"owner root", 403, 200, 200},
			{"staff admin", 200, 200, 200},
			{"staff root", 403, 200, 200},
			{"staff", 403, 403, 403},
			{"", 403, 403, 403},
			// Roles are compared as a whole and case-sensitively.
			{"Admin", 403, 403, 403},
			{"admi", 403, 403, 403},
			{"administrator", 403, 403, 403},
			{"root,admin", 403, 403, 403},
		} {
			a.Users.SetUser("user", store.User{Roles: strings.Fields(c.roles)})
			b := a.client(fetch).LogIn("user")
			for path, want := range map[string]int{"/one": c.one, "/admin": c.two, "/three": c.three} {
				if rec := b.Send("GET", path, ""); rec.Code != want {
					a.Errorf("a user with the roles %q on %s: %d; want %d", c.roles, path, rec.Code, want)
				}
			}
		}
	})
}

func TestRequireRole_CopiesTheCallersSlice(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		others := append(make([]string, 0, 4), "root")
		a.handle("GET /route", who, a.guard.RequireRole("admin", others...))
		others[0] = "staff"
		if room := others[:2]; room[1] != "" {
			a.Errorf("RequireRole writes %q into the caller's slice", room[1])
		}
		a.Users.SetUser("user", store.User{Roles: []string{"root"}})
		for user, want := range map[string]int{"user": http.StatusOK, "ada": http.StatusForbidden} {
			if rec := a.client(fetch).LogIn(user).Send("GET", "/route", ""); rec.Code != want {
				a.Errorf("%s: %d; want %d", user, rec.Code, want)
			}
		}
	})
}

func TestRequireRecentLogin_AdmitsLoginsYoungerThanItsDuration(t *testing.T) {
	for _, c := range []struct {
		within, after time.Duration
		want          int
	}{
		{time.Second, 990 * time.Millisecond, http.StatusOK},
		{time.Second, time.Second, http.StatusUnauthorized},
		{time.Minute, 59 * time.Second, http.StatusOK},
		{time.Minute, time.Minute, http.StatusUnauthorized},
		// The access cookie has expired. A refresh does not make the login younger.
		{10 * time.Minute, 10*time.Minute - 10*time.Millisecond, http.StatusOK},
		{10 * time.Minute, 10 * time.Minute, http.StatusUnauthorized},
		{time.Nanosecond, time.Second, http.StatusUnauthorized},
		// A duration that is not positive admits nobody.
		{0, time.Second, http.StatusUnauthorized},
		{-time.Hour, time.Second, http.StatusUnauthorized},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /route", who, a.guard.RequireRecentLogin(c.within))
			b := a.client(fetch).LogIn("ada")
			time.Sleep(c.after)
			if rec := b.Send("GET", "/route", ""); rec.Code != c.want {
				a.Errorf("RequireRecentLogin(%v), %v after the login: %d; want %d", c.within, c.after, rec.Code, c.want)
			}
		})
	}
}

func TestRequireRecentLogin_AdmitsAfterANewLogin(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		time.Sleep(10 * time.Minute)
		if rec := b.Send("GET", "/password", ""); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/login?next=%2Fpassword&reauth=1" {
			a.Errorf("%d to %q; want the login page, with reauth", rec.Code, rec.Header().Get("Location"))
		}
		if rec := b.LogIn("ada").Send("GET", "/password", ""); rec.Code != http.StatusOK {
			a.Errorf("after a new login: %d", rec.Code)
		}
	})
}

func TestRequireLive_AsksTheStoreForEachRequest(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /pay", who, a.guard.RequireLive)
		b := a.client(fetch).LogIn("ada")
		for range 2 {
			before := a.Store.Calls()
			if rec := b.Send("GET", "/pay", ""); rec.Code != 200 || a.Store.Calls()-before != 1 {
				a.Errorf("%d, %d statements; want 200, 1", rec.Code, a.Store.Calls()-before)
			}
		}
		a.Users.SetUser("ada", store.User{Disabled: true})
		if rec := b.Send("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("another route: %d; want 200 until the access cookie expires", rec.Code)
		}
		if rec := b.Send("GET", "/pay", ""); rec.Code != 401 {
			a.Errorf("user disabled: %d; want 401", rec.Code)
		}
		a.Store.Fail(errDown)
		if rec := b.Send("GET", "/pay", ""); rec.Code != 503 {
			a.Errorf("store down: %d; want 503", rec.Code)
		}
	})
}

// The access cookie is good, and may belong to a newer login than this request knows.
// RequireLive refuses the request and leaves the cookies to the next refresh.
func TestRequireLive_RefusalDeletesNoCookies(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(a *app)
		want    int
	}{
		{"the session is revoked", func(a *app) { a.revoke("ada") }, http.StatusSeeOther},
		{"the user is disabled", func(a *app) { a.Users.SetUser("ada", store.User{Disabled: true}) }, http.StatusSeeOther},
		{"the store is down", func(a *app) { a.Store.Fail(errDown) }, http.StatusServiceUnavailable},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /pay", who, a.guard.RequireLive)
			b := a.client(pageLoad).LogIn("ada")
			c.arrange(a)
			if rec := b.Send("GET", "/pay", ""); rec.Code != c.want || cookiesOf(rec) != "" {
				a.Errorf("%s: %d, cookies %q; want %d and none", c.name, rec.Code, cookiesOf(rec), c.want)
			}
		})
	}
}

// The store is asked only if there is a session to ask about.
func TestRequireLive_OnAPublicRouteAsksOnlyAboutASession(t *testing.T) {
	for _, c := range []struct {
		name       string
		arrange    func(a *app, b *guardtest.Client)
		want       int
		statements int
	}{
		{"no session", func(_ *app, b *guardtest.Client) { b.Forget() }, http.StatusUnauthorized, 0},
		{"a session", func(*app, *guardtest.Client) {}, http.StatusOK, 1},
		{"a refreshed session", func(*app, *guardtest.Client) { expire() }, http.StatusOK, 2},
		{"the store fails at the refresh", func(a *app, _ *guardtest.Client) { expire(); a.Store.Fail(errDown) }, http.StatusServiceUnavailable, 3},
	} {
		inApp(t, nethttp.Config{Public: []string{"/pay"}}, func(a *app) {
			a.handle("GET /pay", who, a.guard.RequireLive)
			b := a.client(fetch).LogIn("ada")
			c.arrange(a, b)
			before := a.Store.Calls()
			rec := b.Send("GET", "/pay", "")
			if n := a.Store.Calls() - before; rec.Code != c.want || n != c.statements {
				a.Errorf("%s: %d, %d statements; want %d, %d", c.name, rec.Code, n, c.want, c.statements)
			}
		})
	}
}
