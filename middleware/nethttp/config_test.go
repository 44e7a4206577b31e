package nethttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

func TestNew_RefusesEachFaultyPath(t *testing.T) {
	sessions := guardtest.NewWorld(t).Sessions
	for field, config := range map[string]func(string) nethttp.Config{
		"LoginPath":  func(p string) nethttp.Config { return nethttp.Config{LoginPath: p} },
		"LogoutPath": func(p string) nethttp.Config { return nethttp.Config{LogoutPath: p} },
	} {
		for _, path := range []string{"/a", "/a/b", "/a-b", "/a.b", "/a_b", "/a/"} {
			if g, err := nethttp.New(sessions, config(path)); g == nil || err != nil {
				t.Errorf("%s %q is refused: %v", field, path, err)
			}
		}
		for _, path := range []string{
			"a", "//evil.test", "/a?b", "/a#b", "https://evil.test/a", "/", "/:a", "/a:b", "/*", "/a*", "/{a}", "/a}", "/a%20b", "/a%2fb", "/a b", "/a\\b",
			"/a\x7f", "/a\n", "/é", "/.", "/..", "/a/../b", "/a//b", "/" + strings.Repeat("a", 2048),
		} {
			g, err := nethttp.New(sessions, config(path))
			if g != nil || err == nil {
				t.Errorf("%s %.60q is accepted", field, path)
				continue
			}
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "guard: Config."+field+" ") || !strings.Contains(line, fmt.Sprintf("%q", path)) {
					t.Errorf("%s %.60q: the error is %.200s", field, path, line)
				}
			}
		}
	}
}

func TestNew_RefusesFaultyPublicPatterns(t *testing.T) {
	sessions := guardtest.NewWorld(t).Sessions
	for _, pattern := range []string{
		"/", "GET /", "GET  /", "GET\t/", "GET \t/", "POST /{path...}", "/{path...}", "no-path", "", "get", "GET", "/a b", "/{", "/{a}/{a}",
	} {
		g, err := nethttp.New(sessions, nethttp.Config{Public: []string{"/{$}", pattern, "/last"}})
		if g != nil || err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), fmt.Sprintf("guard: Config.Public has %q", pattern)) {
			t.Errorf("%q: %v; want an error that names it alone", pattern, err)
		}
	}
	for _, pattern := range []string{"/a/{path...}", "GET /{a}", "host.test/", "/{a}/{b...}", "/a/"} {
		if _, err := nethttp.New(sessions, nethttp.Config{Public: []string{pattern}}); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestNew_RefusesOnePathForLoginAndLogout(t *testing.T) {
	sessions := guardtest.NewWorld(t).Sessions
	for _, cfg := range []nethttp.Config{{LoginPath: "/session", LogoutPath: "/session"}, {LoginPath: "/logout"}, {LogoutPath: "/login"}} {
		g, err := nethttp.New(sessions, cfg)
		if g != nil || err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "Config.LogoutPath is the same as LoginPath") {
			t.Errorf("LoginPath %q, LogoutPath %q: %v", cfg.LoginPath, cfg.LogoutPath, err)
		}
	}
}

func TestNew_NamesEveryFault(t *testing.T) {
	g, err := nethttp.New(nil, nethttp.Config{
		LoginPath:  "/x?y",
		LogoutPath: "logout",
		Public:     []string{"/", "GET /{path...}", "no-path", "/a/{b}", "/{a}/b"},
	})
	if g != nil || err == nil {
		t.Fatal("New accepts a faulty Config")
	}
	for _, part := range []string{"session.Manager", "LoginPath", "LogoutPath", `"/",`, `"GET /{path...}"`, `"no-path"`, `"/{a}/b"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %s:\n%v", part, err)
		}
	}
	if g, err := nethttp.New(nil, nethttp.Config{}); g != nil || err == nil || !strings.Contains(err.Error(), "needs a session.Manager") {
		t.Errorf("without a Manager: %v", err)
	}
}

// The zero Config has the login at /login and the logout at /logout. A configured
// path replaces the default one.
func TestNew_LoginAndLogoutAreWhereConfigSays(t *testing.T) {
	for _, c := range []struct {
		cfg           nethttp.Config
		login, logout string
		others        []string
	}{
		{nethttp.Config{}, "/login", "/logout", []string{"/signin", "/signout"}},
		{nethttp.Config{LoginPath: "/signin"}, "/signin", "/logout", []string{"/login", "/signout"}},
		{nethttp.Config{LogoutPath: "/signout"}, "/login", "/signout", []string{"/signin", "/logout"}},
		{nethttp.Config{LoginPath: "/signin", LogoutPath: "/signout"}, "/signin", "/signout", []string{"/login", "/logout"}},
	} {
		inApp(t, c.cfg, func(a *app) {
			handler := a.guard.Protect(http.HandlerFunc(who))
			page, program := a.client(pageLoad).At(handler), a.client(fetch).At(handler)
			for _, path := range c.others {
				if rec := page.Send("GET", path, ""); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != c.login+"?next=%2F"+path[1:] {
					a.Errorf("%s: %d to %q; want it protected, and the login at %s", path, rec.Code, rec.Header().Get("Location"), c.login)
				}
			}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
				if rec := program.Send(method, c.login, ""); rec.Code != http.StatusOK {
					a.Errorf("%s %s: %d; want it public", method, c.login, rec.Code)
				}
			}
			if rec := program.Send("POST", c.logout, ""); rec.Code != http.StatusOK || len(rec.Header()["Vary"]) != 0 || len(rec.Header()["Cache-Control"]) != 0 {
				a.Errorf("POST %s: %d, headers %v; want no guard before it", c.logout, rec.Code, rec.Header())
			}
		})
	}
}
