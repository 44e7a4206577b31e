package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
)

func TestNew_RefusesEachFaultyRoute(t *testing.T) {
	sessions := guardtest.NewWorld(t).Sessions
	for _, config := range []func(string) middleware.Config{
		func(p string) middleware.Config { return middleware.Config{Public: []string{p}} },
		func(p string) middleware.Config { return middleware.Config{Public: []string{"/", "GET /x", p, "/y"}} },
	} {
		for _, route := range []string{
			"/a", "/a/b", "/a-b", "/a.b", "/a_b", "/a/", "/", "/static*", "/static/*", "/articles/:id", "GET /", "HEAD /a", "POST /a", "DELETE /articles/:id", "GET /*/a",
			"shop.test/", "GET shop.test/articles/:id", "shop.test:8443/static*", "[::1]:8080/", "status.test/*",
			"/" + strings.Repeat("a", 2048),
		} {
			if g, err := middleware.New(sessions, config(route)); g == nil || err != nil {
				t.Errorf("%.60q is refused: %v", route, err)
			}
		}
		for _, route := range []string{
			"a", "", "*", "static*", "/a?b", "/a#b", "GET /a?b", "POST /a#b", "/*", "GET /*", "POST /*", "get /a", "Get /a", "GEt /a", "GET a", "GET ", "GET  /a", "https://evil.test/a",
			"shop.test", "GET shop.test", "GET  shop.test/a", "GET shop.test /a", "shop.test/a?b", "shop.test/a#b", "shop.test?/a", "shop.test//a", "get shop.test/a",
		} {
			g, err := middleware.New(sessions, config(route))
			if g != nil || err == nil {
				t.Errorf("%.60q is accepted", route)
				continue
			}
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "guard: Config.Public has ") || !strings.Contains(line, fmt.Sprintf("%q", route)) {
					t.Errorf("%.60q: the error is %.200s", route, line)
				}
			}
		}
	}
}

// A Config with several faults gets one error that names each of them.
func TestNew_NamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		cfg   middleware.Config
		lines int
		names []string
	}{
		{middleware.Config{}, 1, []string{"needs a session.Manager"}},
		{middleware.Config{LoginPath: "login", LogoutPath: "//evil.test", Public: []string{"static", "/*", "/x?y=1"}}, 6, []string{"Manager", "LoginPath", "LogoutPath", `"static"`, `"/*"`, `"/x?y=1"`}},
		{middleware.Config{LoginPath: "x", LogoutPath: "x", Public: []string{"x", "y z?#"}}, 8, []string{"LogoutPath is the same as LoginPath", `"y z?#"`}},
	} {
		g, err := middleware.New(nil, c.cfg)
		if g != nil || err == nil {
			t.Fatalf("%+v is accepted", c.cfg)
		}
		if n := strings.Count(err.Error(), "\n") + 1; n != c.lines {
			t.Errorf("%d lines; want %d:\n%v", n, c.lines, err)
		}
		for _, name := range c.names {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name %s:\n%v", name, err)
			}
		}
	}
}

// LoginPath, LogoutPath, CrossOrigin and Credentials reach the rules of package
// nethttp.
func TestNew_PassesTheConfigOn(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://partner.test"); err != nil {
		t.Fatal(err)
	}
	errDirectory := errors.New("the directory does not answer")
	credentials := func(r *http.Request) (session.Login, error) {
		switch r.Header.Get("Authorization") {
		case "":
			return session.Login{}, session.ErrUnauthenticated
		case "grace":
			return session.Login{UserID: "grace"}, nil
		}
		return session.Login{}, errDirectory
	}
	inApp(t, middleware.Config{LoginPath: "/signin", LogoutPath: "/signout", CrossOrigin: trusting, Credentials: credentials}, func(a *app) {
		for _, path := range []string{"/signin", "/signout"} {
			a.echo.Any(path, who)
		}
		partner := []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://partner.test"}
		evil := []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}
		for _, c := range []struct {
			method, path string
			more         []string
			status       int
			body         string
		}{
			{"GET", "/signin", nil, 200, "no session"},
			{"POST", "/signin", nil, 200, "no session"},
			{"PUT", "/signin", nil, 200, "no session"},
			{"GET", "/signout", nil, 200, "no session"},
			{"GET", "/login", nil, 401, ""},
			{"GET", "/logout", nil, 401, ""},
			{"POST", "/signin", partner, 200, "no session"},
			{"POST", "/signin", evil, 403, ""},
			{"GET", "/account", []string{"Authorization", "grace"}, 200, "grace"},
			{"GET", "/account", []string{"Authorization", "?"}, 503, ""},
		} {
			rec := a.client(fetch).Send(c.method, c.path, "", c.more...)
			if rec.Code != c.status || c.body != "" && rec.Body.String() != c.body {
				a.Errorf("%s %s with %q: %d %q; want %d %q", c.method, c.path, c.more, rec.Code, rec.Body, c.status, c.body)
			}
		}
		if rec := a.client(fetch).Send("GET", "/signout", ""); len(rec.Header()["Vary"]) != 0 || len(rec.Header()["Cache-Control"]) != 0 {
			a.Errorf("/signout: headers %v; want no guard before it", rec.Header())
		}
		if to := a.client(pageLoad).Send("GET", "/account", "").Header().Get("Location"); to != "/signin?next=%2Faccount" {
			a.Errorf("a page load is sent to %q; want /signin", to)
		}
	})
}

// Issue and Logout refuse requests of other sites, also without a guard before them.
func TestIssue_AndLogoutRefuseOtherSites(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		e := echo.New()
		e.POST("/issue", func(c echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "ada"}) })
		e.POST("/out", a.guard.Logout)
		b := a.client(fetch).LogIn("ada").At(e)
		for _, path := range []string{"/issue", "/out"} {
			if rec := b.Send("POST", path, "", "Sec-Fetch-Site", "cross-site"); rec.Code != http.StatusForbidden || cookiesOf(rec) != "" {
				a.Errorf("%s: %d, cookies %q; want 403", path, rec.Code, cookiesOf(rec))
			}
		}
	})
}
