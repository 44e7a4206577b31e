package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
)

// at returns a client without cookies that sends to a host.
func (a *app) at(host string, kind guardtest.Kind) *guardtest.Client {
	c := a.client(kind)
	c.Origin = "https://" + host
	return c
}

// says returns a handler that answers with a text.
func says(text string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.String(http.StatusOK, text) }
}

// An entry of Config.Public opens a route of the default host, and a route of a virtual
// host only if it names that host as Echo.Host does. The guard and echo agree which host a
// request is for, however the Host header is written.
func TestProtect_PublicHoldsOnTheHostThatItNames(t *testing.T) {
	inApp(t, middleware.Config{Public: []string{"/", "GET /reports", "shop.test/", "GET shop.test/items/:id", "files.test:8443/*", "admin.test./", "ADMIN.test/", "admin.test:8443/", "*/", "gone.test/"}}, func(a *app) {
		for _, path := range []string{"/reports", "/items/:id"} {
			a.echo.Any(path, says("default"))
		}
		for _, host := range []string{"admin.test", "shop.test", "files.test:8443"} {
			group := a.echo.Host(host)
			for _, path := range []string{"/", "/reports", "/items/:id", "/*"} {
				group.Any(path, says(host))
			}
		}
		const protected = ""
		for _, c := range []struct{ method, host, path, body string }{
			{"GET", "app.test", "/", "no session"},
			{"GET", "app.test", "/reports", "default"},
			{"GET", "app.test", "/items/7", protected},
			{"GET", "admin.test", "/", protected},
			{"POST", "admin.test", "/", protected},
			{"GET", "admin.test", "/reports", protected},
			{"GET", "admin.test", "/items/7", protected},
			{"GET", "admin.test", "/nowhere", protected},
			{"GET", "shop.test", "/", "shop.test"},
			{"POST", "shop.test", "/", "shop.test"},
			{"GET", "shop.test", "/reports", protected},
			{"GET", "shop.test", "/items/7", "shop.test"},
			{"POST", "shop.test", "/items/7", protected},
			{"GET", "files.test:8443", "/nowhere", "files.test:8443"},
			{"GET", "files.test:8443", "/", protected},
			// For echo these are no virtual hosts.
			{"GET", "ADMIN.test", "/", "no session"},
			{"GET", "ADMIN.test", "/reports", "default"},
			{"GET", "ADMIN.test", "/items/7", protected},
			{"GET", "admin.test.", "/reports", "default"},
			{"GET", "admin.test:8443", "/reports", "default"},
			{"GET", "shop.test.", "/items/7", protected},
			{"GET", "SHOP.test", "/items/7", protected},
			{"GET", "shop.test:8443", "/items/7", protected},
			{"GET", "files.test", "/nowhere", protected},
			{"GET", "gone.test", "/", "no session"},
			{"GET", "gone.test", "/items/7", protected},
		} {
			rec := a.at(c.host, fetch).Send(c.method, c.path, "")
			if c.body == protected && rec.Code != http.StatusUnauthorized || c.body != protected && rec.Body.String() != c.body {
				a.Errorf("%s %s%s: %d %q; want %q, or protected if that is empty", c.method, c.host, c.path, rec.Code, rec.Body, c.body)
			}
		}
	})
}

// The login page and the logout are those of the default host. On a virtual host, entries
// of Public open them.
func TestProtect_LoginAndLogoutAreOfTheDefaultHost(t *testing.T) {
	inApp(t, middleware.Config{Public: []string{"shop.test/login", "shop.test/logout"}}, func(a *app) {
		for _, host := range []string{"admin.test", "shop.test"} {
			group := a.echo.Host(host)
			group.Any("/login", says(host))
			group.Any("/logout", a.guard.Logout)
		}
		for _, c := range []struct {
			host, method, path string
			status             int
		}{
			{"app.test", "GET", "/login", 200},
			{"app.test", "GET", "/logout", 405},
			{"app.test", "POST", "/logout", 204},
			{"admin.test", "GET", "/login", 401},
			{"admin.test", "GET", "/logout", 401},
			{"admin.test", "POST", "/logout", 401},
			{"shop.test", "GET", "/login", 200},
			{"shop.test", "GET", "/logout", 405},
			{"shop.test", "POST", "/logout", 204},
		} {
			if rec := a.at(c.host, fetch).Send(c.method, c.path, ""); rec.Code != c.status {
				a.Errorf("%s %s%s: %d; want %d", c.method, c.host, c.path, rec.Code, c.status)
			}
		}
		if rec := a.at("admin.test", fetch).Send("POST", "/logout", "", "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden {
			a.Errorf("a request of another site to admin.test/logout: %d; want 403", rec.Code)
		}
		// A login page that is not open ends in an error that says what to do, not in a
		// circle of redirects.
		rec := a.at("admin.test", pageLoad).Send("GET", "/login", "")
		if rec.Code != http.StatusUnauthorized || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), "open the login page in Config.Public") {
			a.Errorf("a page load of admin.test/login: %d to %q: %s", rec.Code, rec.Header().Get("Location"), rec.Body)
		}
		// A logout of a virtual host works in an outage, too: the guard before it asks for
		// no session.
		a.Store.Fail(errDown)
		if rec := a.at("shop.test", pageLoad).Send("POST", "/logout", ""); rec.Code != http.StatusSeeOther {
			a.Errorf("a logout of shop.test in an outage: %d; want 303", rec.Code)
		}
	})
}
