package nethttp_test

import (
	"bytes"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

func newCore(t *testing.T) *nethttp.Core {
	t.Helper()
	core, err := nethttp.NewCore(guardtest.NewWorld(t).Sessions, nethttp.CoreConfig{LoginPath: "/signin", LogoutPath: "/signout"})
	if err != nil {
		t.Fatal(err)
	}
	return core
}

func TestRoutes_RequirementDependsOnTheRouteAndTheMethod(t *testing.T) {
	routes, err := newCore(t).Routes(nethttp.RoutesConfig{
		Public:     []string{"/", "GET /articles/:id", "POST /form", "PUT /form", "GET /both", "/both", "shop.test/"},
		Background: []string{"GET /news", "/poll"},
		Hosts:      true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		route, method              string
		public, background, exempt bool
	}{
		{"/", "GET", true, false, false}, {"/", "POST", true, false, false}, {"", "GET", false, false, false},
		{"/articles/:id", "GET", true, false, false}, {"/articles/:id", "HEAD", true, false, false}, {"/articles/:id", "POST", false, false, false},
		{"/articles/:name", "GET", false, false, false}, {"/articles/7", "GET", false, false, false},
		{"/form", "POST", true, false, false}, {"/form", "PUT", true, false, false}, {"/form", "GET", false, false, false},
		{"/both", "DELETE", true, false, false},
		{"shop.test/", "GET", true, false, false}, {"other.test/", "GET", false, false, false}, {"shop.test/signin", "GET", false, false, false},
		{"/signin", "GET", true, false, false}, {"/signin", "DELETE", true, false, false}, {"/login", "GET", false, false, false},
		{"/signout", "POST", false, false, true}, {"/signout", "GET", false, false, true}, {"shop.test/signout", "POST", false, false, false},
		{"/news", "GET", false, true, false}, {"/news", "HEAD", false, true, false}, {"/news", "POST", false, false, false}, {"/poll", "POST", false, true, false},
	} {
		need, guarded := routes.Requirement(c.route, c.method)
		if need.Public != c.public || need.Background != c.background || guarded == c.exempt {
			t.Errorf("%s %q: %+v, guarded %v; want public %v, background %v, guarded %v", c.method, c.route, need, guarded, c.public, c.background, !c.exempt)
		}
	}
}

func TestRoutes_NamesEachFault(t *testing.T) {
	for _, hosts := range []bool{true, false} {
		for _, entry := range []string{
			"/a", "/a/b", "/a-b", "/a.b", "/a_b", "/a/", "/", "/static*", "/static/*", "/static/*path", "/articles/:id", "GET /", "HEAD /a", "POST /a", "DELETE /articles/:id", "GET /*/a",
		} {
			if _, err := newCore(t).Routes(nethttp.RoutesConfig{Public: []string{"/x", entry}, Background: []string{entry}, Hosts: hosts}); err != nil {
				t.Errorf("%q with hosts %v is refused: %v", entry, hosts, err)
			}
		}
		for _, entry := range []string{
			"a", "", "*", "static*", "/a?b", "/a#b", "GET /a?b", "/*", "GET /*", "/*path", "POST /*path", "get /a", "GEt /a", "GET a", "GET ", "GET  /a", "https://evil.test/a",
			"shop.test", "GET  shop.test/a", "GET shop.test /a", "shop.test/a?b", "shop.test?/a", "shop.test//a", "/articles/{id}", "/{$}",
		} {
			routes, err := newCore(t).Routes(nethttp.RoutesConfig{Public: []string{"/x"}, Background: []string{entry}, Hosts: hosts})
			if routes != nil || err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("guard: Config.Background has %q: ", entry)) {
				t.Errorf("%q with hosts %v: %v", entry, hosts, err)
			}
		}
	}
	for _, entry := range []string{"shop.test/", "GET shop.test/articles/:id", "shop.test:8443/static*", "[::1]:8080/", "status.test/*"} {
		if _, err := newCore(t).Routes(nethttp.RoutesConfig{Public: []string{entry}, Hosts: true}); err != nil {
			t.Errorf("%q is refused: %v", entry, err)
		}
		if _, err := newCore(t).Routes(nethttp.RoutesConfig{Public: []string{entry}}); err == nil || strings.Contains(err.Error(), "virtual host") {
			t.Errorf("%q without hosts: %v", entry, err)
		}
	}
	if _, err := newCore(t).Routes(nethttp.RoutesConfig{Public: []string{"a", "/b?"}, Background: []string{"c"}}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults: %v", err)
	}
}

// The list of the Config may change after New.
func TestRoutes_CopiesItsLists(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	public := []string{"/a"}
	routes, err := newCore(t).Routes(nethttp.RoutesConfig{Public: public})
	if err != nil {
		t.Fatal(err)
	}
	public[0] = "/b"
	if need, _ := routes.Requirement("/b", "GET"); need.Public {
		t.Error("/b is public")
	}
	calls := 0
	registered := func() iter.Seq2[string, string] {
		calls++
		return func(yield func(string, string) bool) { yield("/b", "GET") }
	}
	routes.ReportUnmatched(registered)
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "/a") || !strings.Contains(log.String(), "Config.Public") {
		t.Errorf("the log is %q; want one warning of /a", log)
	}
	known := calls
	routes.ReportUnmatched(registered)
	if strings.Count(log.String(), "\n") != 1 || calls != known {
		t.Errorf("reported again, %d more calls: %s", calls-known, log)
	}
}
