package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
)

// Each entry of Config.Public opens methods of a route, in any order. A path alone opens
// all methods.
func TestProtect_OpensTheMethodsThatPublicNames(t *testing.T) {
	const all = "GET HEAD POST PUT PATCH DELETE OPTIONS"
	for _, c := range []struct {
		public []string
		open   string
	}{
		{[]string{"/"}, ""},
		{[]string{"/x"}, all},
		{[]string{"GET /x"}, "GET HEAD"},
		{[]string{"HEAD /x"}, "HEAD"},
		{[]string{"POST /x"}, "POST"},
		{[]string{"OPTIONS /x"}, "OPTIONS"},
		{[]string{"GET /x", "POST /x"}, "GET HEAD POST"},
		{[]string{"POST /x", "GET /x"}, "GET HEAD POST"},
		{[]string{"POST /x", "PUT /x", "DELETE /x"}, "POST PUT DELETE"},
		{[]string{"GET /x", "/x"}, all},
		{[]string{"/x", "GET /x"}, all},
		{[]string{"/x", "POST /x"}, all},
		{[]string{"POST /x", "/x", "GET /x"}, all},
		{[]string{"GET /y", "/z", "GET /x/"}, ""},
		{[]string{"/x/:id"}, ""},
		{[]string{"GET /x/:id"}, ""},
	} {
		inApp(t, middleware.Config{Public: c.public}, func(a *app) {
			a.echo.Any("/x", who)
			a.echo.Any("/x/:id", who)
			for method := range strings.FieldsSeq(all) {
				want := http.StatusUnauthorized
				for open := range strings.FieldsSeq(c.open) {
					if open == method {
						want = http.StatusOK
					}
				}
				if rec := a.client(fetch).Send(method, "/x", ""); rec.Code != want {
					a.Errorf("Public %q, %s /x: %d; want %d", c.public, method, rec.Code, want)
				}
			}
		})
	}
}

// Config.Public and Config.LogoutPath name routes, not paths: the request's path may
// match another route.
func TestProtect_MatchesTheRouteNotThePath(t *testing.T) {
	inApp(t, middleware.Config{LogoutPath: "/bye", Public: []string{"GET /articles/:id", "/files*", "/open"}}, func(a *app) {
		a.echo.GET("/:page", who) // matches /bye and /open, which are not routes here
		a.echo.GET("/articles/:id", who)
		a.echo.GET("/articles/drafts", who)
		a.echo.GET("/files*", who)
		a.echo.GET("/files/secret", who)
		for path, want := range map[string]int{
			"/articles/7": 200, "/articles/drafts": 401, "/articles/:id": 200, "/articles": 401,
			"/files": 200, "/files/x": 200, "/files/x/y": 200, "/files/secret": 401,
			"/bye": 401, "/open": 401, "/other": 401, "/:page": 401,
			"/no/such/route": 401,
		} {
			if rec := a.client(fetch).Send("GET", path, ""); rec.Code != want {
				a.Errorf("%s: %d; want %d", path, rec.Code, want)
			}
		}
	})
}

// New copies Public and does not write into the caller's array.
func TestNew_CopiesThePublicSlice(t *testing.T) {
	routes := []string{"/", "/a", "/b"}
	public := routes[:1]
	if _, err := middleware.New(guardtest.NewWorld(t).Sessions, middleware.Config{Public: public}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(routes, " "); got != "/ /a /b" {
		t.Errorf("New changes the caller's routes to %q", got)
	}
	inApp(t, middleware.Config{Public: public}, func(a *app) {
		routes[0] = "/account"
		for path, want := range map[string]int{"/": http.StatusOK, "/account": http.StatusUnauthorized} {
			if rec := a.client(fetch).Send("GET", path, ""); rec.Code != want {
				a.Errorf("%s: %d; want %d", path, rec.Code, want)
			}
		}
	})
}

// A route of Config.Background gets no cookies, and is as protected as any other.
func TestBackground_IsAListOfRoutes(t *testing.T) {
	inApp(t, middleware.Config{Background: []string{"GET /news/:topic", "shop.test/news"}}, func(a *app) {
		a.echo.Any("/news/:topic", who)
		a.echo.Any("/news", who)
		a.echo.Host("shop.test").Any("/news", who)
		for _, c := range []struct{ method, target, cookies string }{
			{"GET", "https://app.test/news/a", ""}, {"HEAD", "https://app.test/news/a", ""}, {"POST", "https://app.test/news/a", "set"},
			{"GET", "https://app.test/news", "set"}, {"GET", "https://app.test/account", "set"},
		} {
			b := a.client(fetch).LogIn("ada")
			expire()
			path, _ := strings.CutPrefix(c.target, "https://app.test")
			if rec := b.Send(c.method, path, ""); rec.Code != 200 || cookiesOf(rec) != c.cookies {
				a.Errorf("%s %s: %d, cookies %q; want %q", c.method, path, rec.Code, cookiesOf(rec), c.cookies)
			}
			if rec := a.client(fetch).Send(c.method, path, ""); rec.Code != 401 {
				a.Errorf("%s %s without a session: %d; want 401", c.method, path, rec.Code)
			}
		}
	})
	for field, cfg := range map[string]middleware.Config{"Public": {Public: []string{"/*"}}, "Background": {Background: []string{"/*"}}} {
		if _, err := middleware.New(guardtest.NewWorld(t).Sessions, cfg); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s with every path: %v; want an error that names the field", field, err)
		}
	}
}
