package middleware_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
)

// What clients see: design, section 8, a row per state.
func TestEveryStateHasItsAnswerForEachKindOfClient(t *testing.T) {
	type want struct {
		status int
		header string // "Name: value"
	}
	ctx := t.Context()
	for _, c := range []struct {
		state           string
		arrange         func(a *app, c *client)
		path            string
		page, htmx, api want
		cookies         string // what a page load gets: "", "set", "access", "clear", "clear access"
		statements      int64
	}{
		{"access valid", func(*app, *client) {}, "/account", want{200, ""}, want{200, ""}, want{200, ""}, "", 0},
		{"access gone, refresh good", func(a *app, c *client) { a.expire() }, "/account", want{200, ""}, want{200, ""}, want{200, ""}, "set", 1},
		{"neither present", func(_ *app, c *client) { clear(c.jar) }, "/account?a=b&c=d",
			want{303, "Location: /login?next=%2Faccount%3Fa%3Db%26c%3Dd"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1"}, want{401, "WWW-Authenticate: Cookie"}, "", 0},
		{"undecodable", func(_ *app, c *client) {
			for name := range c.jar {
				c.jar[name] = "x"
			}
		}, "/account", want{303, "Location: /login?next=%2Faccount"}, want{401, ""}, want{401, ""}, "", 0},
		{"ended", func(a *app, _ *client) { _ = a.users.RevokeUser(ctx, "ada", nil, "revoked"); a.expire() }, "/account",
			want{303, "Location: /login?next=%2Faccount"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1"}, want{401, ""}, "clear", 1},
		{"ended since the request may have been sent", func(a *app, _ *client) { a.expire(); _ = a.users.RevokeUser(ctx, "ada", nil, "revoked") }, "/account",
			want{303, "Location: /login?next=%2Faccount"}, want{401, ""}, want{401, ""}, "clear access", 1},
		{"store down", func(a *app, _ *client) { a.expire(); a.store.down.Store(true) }, "/account",
			want{503, "Retry-After: 2"}, want{503, "Retry-After: 2"}, want{503, "Retry-After: 2"}, "", 3},
		{"store down, access valid", func(a *app, _ *client) { a.store.down.Store(true) }, "/account", want{200, ""}, want{200, ""}, want{200, ""}, "", 0},
		{"store down, public page", func(a *app, _ *client) { a.expire(); a.store.down.Store(true) }, "/", want{200, ""}, want{200, ""}, want{200, ""}, "", 3},
		{"wrong role", func(*app, *client) {}, "/admin", want{403, ""}, want{403, ""}, want{403, ""}, "", 0},
		{"login too old", func(a *app, c *client) {
			for range 3 {
				a.expire()
				c.do("GET", "/account", "")
			}
		}, "/password", want{303, "Location: /login?next=%2Fpassword&reauth=1"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1&reauth=1"}, want{401, ""}, "", 0},
		{"recent login", func(*app, *client) {}, "/password", want{200, ""}, want{200, ""}, want{200, ""}, "", 0},
		{"unknown path", func(_ *app, c *client) { clear(c.jar) }, "/nowhere", want{303, ""}, want{401, ""}, want{401, ""}, "", 0},
		{"unknown path, logged in", func(*app, *client) {}, "/nowhere", want{404, ""}, want{404, ""}, want{404, ""}, "", 0},
		{"public", func(_ *app, c *client) { clear(c.jar) }, "/", want{200, ""}, want{200, ""}, want{200, ""}, "", 0},
		{"login page", func(_ *app, c *client) { clear(c.jar) }, "/login", want{200, ""}, want{200, ""}, want{200, ""}, "", 0},
	} {
		for kind, k := range map[string]struct {
			headers map[string]string
			want    want
		}{"page": {pageLoad, c.page}, "htmx": {viaHTMX, c.htmx}, "api": {fetch, c.api}} {
			inApp(t, middleware.Config{}, func(a *app) {
				b := a.client(pageLoad).login("ada")
				c.arrange(a, b)
				before := a.store.n.Load()
				rec := b.as(k.headers).do("GET", c.path, "")
				if rec.Code != k.want.status {
					a.Errorf("%s, %s: %d; want %d: %s", c.state, kind, rec.Code, k.want.status, rec.Body)
				}
				if name, value, ok := strings.Cut(k.want.header, ": "); ok && rec.Header().Get(name) != value {
					a.Errorf("%s, %s: %s is %q; want %q", c.state, kind, name, rec.Header().Get(name), value)
				}
				if got := a.store.n.Load() - before; got != c.statements {
					a.Errorf("%s, %s: %d statements; want %d", c.state, kind, got, c.statements)
				}
				want := c.cookies
				if strings.HasPrefix(want, "clear") && kind != "page" {
					want = ""
				}
				if got := cookiesOf(rec.Result().Cookies()); got != want {
					a.Errorf("%s, %s: cookies %q; want %q", c.state, kind, got, want)
				}
				checkCaching(a, c.state+", "+kind, rec.Header(), c.path != "/" && c.path != "/login")
				if kind == "api" && rec.Code >= 400 && rec.Code != 404 {
					var problem struct{ Status int }
					if rec.Header().Get("Content-Type") != "application/problem+json" || json.Unmarshal(rec.Body.Bytes(), &problem) != nil || problem.Status != rec.Code {
						a.Errorf("%s: %q: %s", c.state, rec.Header().Get("Content-Type"), rec.Body)
					}
				}
			})
		}
	}
}

func cookiesOf(cookies []*http.Cookie) string {
	switch {
	case len(cookies) == 0:
		return ""
	case len(cookies) == 1 && cookies[0].Value == "":
		return "clear access"
	case cookies[0].Value == "" && cookies[1].MaxAge < 0:
		return "clear"
	case len(cookies) == 1:
		return "access"
	}
	return "set"
}

func checkCaching(a *app, when string, h http.Header, private bool) {
	a.Helper()
	if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Cookie") {
		a.Errorf("%s: no Vary: Cookie", when)
	}
	if (private || len(h["Set-Cookie"]) > 0) && h.Get("Cache-Control") != "no-store" {
		a.Errorf("%s: Cache-Control is %q", when, h.Get("Cache-Control"))
	}
}

func TestAFormWhoseSessionIsOverComesBackToItsPage(t *testing.T) {
	for referer, want := range map[string]string{
		"https://app.test/form?x=1":  "/login?next=%2Fform%3Fx%3D1",
		"https://evil.test/form":     "/login",
		"https://app.test//evil.com": "/login",
		"https://app.test/login":     "/login",
		"https://app.test/":          "/login",
		"":                           "/login",
		"%":                          "/login",
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			rec := a.client(pageLoad).do("POST", "/account", "field=1", "Referer", referer)
			if got := rec.Header().Get("Location"); rec.Code != http.StatusSeeOther || got != want {
				a.Errorf("from %q: %d to %q; want 303 to %q", referer, rec.Code, got, want)
			}
		})
	}
}

func TestAnUnsafeRequestKeepsItsBodyWhenTheRefreshIsGood(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		a.echo.POST("/form", func(c echo.Context) error { return c.String(200, c.FormValue("text")) })
		b := a.client(pageLoad).login("ada")
		a.expire()
		if rec := b.do("POST", "/form", "text=hello"); rec.Code != 200 || rec.Body.String() != "hello" || cookiesOf(rec.Result().Cookies()) != "set" {
			a.Errorf("%d %q", rec.Code, rec.Body)
		}
	})
}

func TestBrowsersThatDoNotSayWhatARequestIsForAreJudgedByAccept(t *testing.T) {
	for accept, want := range map[string]int{"text/html,application/xhtml+xml": 303, "application/json": 401, "*/*": 401, "": 401} {
		inApp(t, middleware.Config{}, func(a *app) {
			if rec := a.client(nil).do("GET", "/account", "", "Accept", accept); rec.Code != want {
				a.Errorf("Accept %q: %d; want %d", accept, rec.Code, want)
			}
		})
	}
}

func TestAnAppAnswersInItsOwnWordsButCannotAdmit(t *testing.T) {
	reached := false
	handler := func(c echo.Context) error { reached = true; return nil }
	for _, c := range []struct {
		name   string
		answer func(c echo.Context, refusal *echo.HTTPError) error
		want   int
		body   string
	}{
		{"its own", func(c echo.Context, f *echo.HTTPError) error { return c.String(f.Code, "ours") }, 303, "ours"},
		{"nothing", func(echo.Context, *echo.HTTPError) error { return nil }, 303, "log in"},
		{"an error", func(_ echo.Context, f *echo.HTTPError) error { f.Code = 418; return f }, 418, "log in"},
	} {
		inApp(t, middleware.Config{Answer: c.answer}, func(a *app) {
			a.echo.GET("/secret", handler)
			rec := a.client(pageLoad).do("GET", "/secret", "")
			if rec.Code != c.want || !strings.Contains(rec.Body.String(), c.body) || rec.Header().Get("Location") != "/login?next=%2Fsecret" {
				a.Errorf("%s: %d %q to %q", c.name, rec.Code, rec.Body, rec.Header().Get("Location"))
			}
		})
	}
	if reached {
		t.Error("the handler ran")
	}
}
