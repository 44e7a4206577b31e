package nethttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// at returns a client without cookies that sends to a host.
func (a *app) at(host string, kind guardtest.Kind) *guardtest.Client {
	c := a.client(kind)
	c.Origin = "https://" + host
	return c
}

// says returns a handler that answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// A pattern of Config.Public without a host opens no route of a ServeMux whose pattern
// names a host. One with a host opens it. The guard and the ServeMux agree which route a
// request is for, however the Host header is written.
func TestProtect_PublicHoldsOnTheHostThatItNames(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/{$}", "GET /reports", "/items/{id}", "shop.test/{$}", "GET shop.test/items/{id}"}}, func(a *app) {
		a.handle("/reports", says("default"))
		a.handle("/items/{id}", says("default"))
		for _, host := range []string{"admin.test", "shop.test"} {
			a.handle(host+"/{$}", says(host))
			a.handle("GET \t"+host+"/reports", says(host))
			a.handle(host+"/items/{id}", says(host))
			a.handle(host+"/login", says(host))
			a.handle(host+"/logout", says(host))
		}
		const protected = ""
		for _, c := range []struct{ method, host, path, body string }{
			{"GET", "app.test", "/", "no session"},
			{"GET", "app.test", "/reports", "default"},
			{"POST", "app.test", "/reports", protected},
			{"GET", "app.test", "/items/7", "default"},
			{"GET", "app.test", "/login", "no session"},
			{"GET", "admin.test", "/", protected},
			{"POST", "admin.test", "/", protected},
			{"GET", "admin.test", "/reports", protected},
			{"GET", "admin.test", "/items/7", protected},
			{"GET", "admin.test", "/login", protected},
			{"GET", "admin.test", "/logout", protected},
			{"POST", "admin.test", "/logout", protected},
			{"GET", "admin.test:8443", "/reports", protected}, // ServeMux ignores the port
			{"GET", "shop.test", "/", "shop.test"},
			{"POST", "shop.test", "/", "shop.test"},
			{"GET", "shop.test", "/reports", protected},
			{"GET", "shop.test", "/items/7", "shop.test"},
			{"POST", "shop.test", "/items/7", protected},
			{"GET", "shop.test:8443", "/items/7", "shop.test"},
			{"GET", "shop.test", "/login", protected},
			// For ServeMux these are no hosts of their own.
			{"GET", "ADMIN.test", "/reports", "default"},
			{"GET", "ADMIN.test", "/account", protected},
			{"GET", "admin.test.", "/reports", "default"},
			{"GET", "SHOP.test", "/account", protected},
			{"GET", "shop.test.", "/account", protected},
		} {
			rec := a.at(c.host, fetch).Send(c.method, c.path, "")
			if c.body == protected && rec.Code != http.StatusUnauthorized || c.body != protected && rec.Body.String() != c.body {
				a.Errorf("%s %s%s: %d %q; want %q, or protected if that is empty", c.method, c.host, c.path, rec.Code, rec.Body, c.body)
			}
		}
		rec := a.at("admin.test", pageLoad).Send("GET", "/login", "")
		if rec.Code != http.StatusUnauthorized || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), "open the login page in Config.Public") {
			a.Errorf("a page load of admin.test/login: %d to %q; want an error that says what to do:\n%s", rec.Code, rec.Header().Get("Location"), rec.Body)
		}
	})
}

// The routes of a handler that is no ServeMux are not known. There, what names no host
// holds on Config.Hosts, and on every host if Hosts is empty.
func TestProtect_WithHostsOpensNothingOnOthers(t *testing.T) {
	const open, closed = http.StatusOK, http.StatusUnauthorized
	public := []string{"/{$}", "GET /reports", "shop.test/login", "shop.test/reports"}
	for _, c := range []struct {
		hosts  []string
		host   string
		status map[string]int
	}{
		{nil, "app.test", map[string]int{"/": open, "/reports": open, "/login": open, "/logout": open, "/account": closed}},
		{nil, "admin.test", map[string]int{"/": open, "/reports": open, "/login": open, "/logout": open, "/account": closed}},
		{[]string{"app.test", "localhost:8080"}, "app.test", map[string]int{"/": open, "/reports": open, "/login": open, "/logout": open, "/account": closed}},
		{[]string{"app.test", "localhost:8080"}, "localhost:8080", map[string]int{"/": open, "/reports": open, "/login": open, "/logout": open, "/account": closed}},
		{[]string{"app.test", "localhost:8080"}, "admin.test", map[string]int{"/": closed, "/reports": closed, "/login": closed, "/logout": closed, "/account": closed}},
		{[]string{"app.test", "localhost:8080"}, "shop.test", map[string]int{"/": closed, "/reports": open, "/login": open, "/logout": closed, "/account": closed}},
		// A router may take each of these for another host than the one in the list.
		{[]string{"app.test"}, "APP.test", map[string]int{"/": closed, "/reports": closed, "/login": closed, "/logout": closed}},
		{[]string{"app.test"}, "app.test.", map[string]int{"/": closed, "/reports": closed, "/login": closed, "/logout": closed}},
		{[]string{"app.test"}, "app.test:8443", map[string]int{"/": closed, "/reports": closed, "/login": closed, "/logout": closed}},
		{[]string{"localhost:8080"}, "localhost", map[string]int{"/": closed, "/reports": closed, "/login": closed, "/logout": closed}},
		{[]string{"localhost:8080"}, "SHOP.test", map[string]int{"/": closed, "/reports": closed, "/login": closed}},
		{[]string{"localhost:8080"}, "shop.test.", map[string]int{"/": closed, "/reports": closed, "/login": closed}},
	} {
		inApp(t, nethttp.Config{Hosts: c.hosts, Public: public}, func(a *app) {
			router := a.guard.Protect(says("runs"))
			for path, want := range c.status {
				if rec := a.at(c.host, fetch).At(router).Send("GET", path, ""); rec.Code != want {
					a.Errorf("Hosts %q, %s%s: %d; want %d", c.hosts, c.host, path, rec.Code, want)
				}
			}
		})
	}
}

// Hosts restricts a ServeMux, too: its routes that name no host serve every host.
func TestProtect_WithHostsRestrictsAServeMux(t *testing.T) {
	inApp(t, nethttp.Config{Hosts: []string{"app.test", "admin.test"}}, func(a *app) {
		a.handle("admin.test/{$}", says("admin"))
		for host, want := range map[string]int{"app.test": 200, "admin.test": 401, "other.test": 401} {
			if rec := a.at(host, fetch).Send("GET", "/", ""); rec.Code != want {
				a.Errorf("%s: %d; want %d", host, rec.Code, want)
			}
		}
	})
}

func TestNew_RefusesFaultyHosts(t *testing.T) {
	sessions := guardtest.NewWorld(t).Sessions
	for _, host := range []string{"", "https://app.test", "app.test/", "APP.test", "*.app.test", "app.test?", "app .test", "ada@app.test"} {
		g, err := nethttp.New(sessions, nethttp.Config{Hosts: []string{"app.test", host}})
		if g != nil || err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), fmt.Sprintf("guard: Config.Hosts has %q", host)) {
			t.Errorf("%q: %v; want an error that names it alone", host, err)
		}
	}
	hosts := []string{"app.test", "app.test.", "localhost:8080", "[::1]:8080", "192.0.2.1"}
	if _, err := nethttp.New(sessions, nethttp.Config{Hosts: hosts}); err != nil {
		t.Errorf("%q: %v", hosts, err)
	}
}
