package middleware_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// However a handler writes, an answer with cookies is not for caches.
func TestCookiesAndCachesAreKeptApartHoweverTheHandlerWrites(t *testing.T) {
	for name, handler := range map[string]echo.HandlerFunc{
		"public, max-age": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public, max-age=3600")
			return c.String(200, "x")
		},
		"flush first": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			c.Response().Flush()
			_, err := c.Response().Write([]byte("x"))
			return err
		},
		"stream": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			return c.Stream(200, "text/event-stream", strings.NewReader("data: x\n\n"))
		},
		"the writer below echo's": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			_, err := c.Response().Writer.Write([]byte("x"))
			return err
		},
		"a controller": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			return http.NewResponseController(c.Response()).Flush()
		},
		"io.Copy": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			_, err := io.Copy(c.Response(), bufio.NewReader(strings.NewReader("x")))
			return err
		},
		"nothing": func(c echo.Context) error { c.Response().Header().Set("Cache-Control", "public"); return nil },
		"not modified": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			return c.NoContent(304)
		},
		"a redirect": func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "public")
			return c.Redirect(303, "/")
		},
		"an error": func(c echo.Context) error { return echo.NewHTTPError(418, "teapot") },
		"a panic":  func(c echo.Context) error { c.Response().Header().Set("Cache-Control", "public"); panic("x") },
		"no Vary": func(c echo.Context) error {
			c.Response().Header().Set("Vary", "Accept-Encoding")
			return c.NoContent(204)
		},
		"no Set-Cookie": func(c echo.Context) error { c.Response().Header().Del("Set-Cookie"); return c.NoContent(204) },
		"its own cookie": func(c echo.Context) error {
			c.SetCookie(&http.Cookie{Name: "theirs", Value: "1"})
			return c.NoContent(204)
		},
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			a.echo.GET("/x", handler)
			b := a.client(pageLoad).login("ada")
			a.expire()
			rec := b.do("GET", "/x", "")
			ours := 0
			for _, c := range rec.Result().Cookies() {
				if strings.HasPrefix(c.Name, "__Host-Http-") {
					ours++
				}
			}
			if ours != 2 {
				a.Errorf("%s: %d cookies of ours; want 2", name, ours)
			}
			checkCaching(a, name, rec.Result().Header, true)
			if name == "its own cookie" && len(rec.Result().Cookies()) != 3 {
				a.Errorf("the handler's cookie is gone: %v", rec.Header()["Set-Cookie"])
			}
		})
	}
}

// Other middleware replaces the writer too, and may put its own back, or write
// to one that the guard has not made.
func TestCookiesAndCachesAreKeptApartWhateverElseIsMounted(t *testing.T) {
	plain := echo.WrapMiddleware(func(h http.Handler) http.Handler { return h })
	dump := echomw.BodyDump(func(echo.Context, []byte, []byte) {})
	fails := func(echo.Context) error { return echo.NewHTTPError(http.StatusNotFound) }
	empty := func(echo.Context) error { return nil }
	writes := func(c echo.Context) error { return c.String(http.StatusOK, strings.Repeat("x", 2000)) }
	for _, c := range []struct {
		name         string
		outer, inner echo.MiddlewareFunc // nil: none
		handler      echo.HandlerFunc
		onError      echo.HTTPErrorHandler // nil: echo's own
	}{
		{"gzip outside, an answer", echomw.Gzip(), nil, writes, nil},
		{"gzip outside, an error", echomw.Gzip(), nil, fails, nil},
		{"gzip outside, nothing", echomw.Gzip(), nil, empty, nil},
		{"gzip inside, an answer", nil, echomw.Gzip(), writes, nil},
		{"gzip inside, an error", nil, echomw.Gzip(), fails, nil},
		{"gzip inside, nothing", nil, echomw.Gzip(), empty, nil},
		{"a dump inside, nothing", nil, dump, empty, nil},
		{"a dump outside, an error", dump, nil, fails, nil},
		{"net/http inside, nothing", nil, plain, empty, nil},
		{"an error that nobody answers", nil, nil, fails, func(error, echo.Context) {}},
		{"an error answer that would be cached", echomw.Gzip(), nil, fails, func(_ error, c echo.Context) {
			c.Response().Header().Set("Cache-Control", "public")
			_ = c.String(http.StatusNotFound, "gone")
		}},
	} {
		for _, late := range []bool{false, true} {
			inApp(t, middleware.Config{}, func(a *app) {
				e := echo.New()
				if c.onError != nil {
					e.HTTPErrorHandler = c.onError
				}
				for _, m := range []echo.MiddlewareFunc{c.outer, a.guard.Protect, c.inner} {
					if m != nil {
						e.Use(m)
					}
				}
				e.GET("/page", func(ctx echo.Context) error {
					ctx.Response().Header().Set("Cache-Control", "public, max-age=3600")
					if late {
						if err := a.sessions.RevokeUser(a.Context(), "ada"); err != nil {
							a.Error(err)
						}
					}
					return c.handler(ctx)
				})
				b := a.client(pageLoad).login("ada")
				a.expire()
				a.echo = e
				rec := b.do("GET", "/page", "", "Accept-Encoding", "gzip")
				cookies := len(rec.Result().Cookies())
				switch {
				case late && cookies != 0:
					a.Errorf("%s: a session that was revoked meanwhile gets %d cookies", c.name, cookies)
				case !late && (cookies != 2 || rec.Header().Get("Cache-Control") != "no-store"):
					a.Errorf("%s: %d, %d cookies, Cache-Control %q", c.name, rec.Code, cookies, rec.Header().Get("Cache-Control"))
				}
			})
		}
	}
}

// Cookies of a login that the guard knows nothing of are not taken for its own.
func TestALateAnswerLeavesAnothersCookies(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		other, err := middleware.New(a.sessions, middleware.Config{})
		if err != nil {
			a.Fatal(err)
		}
		a.echo.POST("/by-hand", func(c echo.Context) error {
			v, err := a.sessions.Issue(c.Request(), session.Login{UserID: "ada"})
			if err != nil {
				return err
			}
			v.SetCookies(c.Response())
			return c.NoContent(http.StatusNoContent)
		})
		a.echo.POST("/by-another", func(c echo.Context) error {
			if err := other.Issue(c, session.Login{UserID: "ada"}); err != nil {
				return err
			}
			return c.NoContent(http.StatusNoContent)
		})
		a.echo.POST("/out", other.Logout)
		b := a.client(pageLoad)
		for _, c := range []struct{ path, want string }{{"/by-hand", "set"}, {"/by-another", "set"}, {"/out", "clear"}} {
			b.login("ada")
			a.expire()
			if got := cookiesOf(b.do("POST", c.path, "").Result().Cookies()); got != c.want {
				a.Errorf("%s: cookies %q; want %q", c.path, got, c.want)
			}
			if rec := b.do("GET", "/account", ""); (rec.Code == http.StatusOK) != (c.want == "set") {
				a.Errorf("after %s: %d", c.path, rec.Code)
			}
		}
	})
}

// A request that was sent before a logout and a new login, and arrives after
// them, takes nothing from the new session.
func TestALateRequestDeletesNoNewLogin(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		b := a.client(pageLoad).login("ada")
		slow := b.as(pageLoad)
		time.Sleep(2 * time.Second)
		b.do("POST", "/logout", "")
		b.login("ada")
		time.Sleep(8 * time.Second)
		rec := slow.do("POST", "/account", "")
		if got := cookiesOf(rec.Result().Cookies()); rec.Code != http.StatusSeeOther || got != "clear access" {
			a.Errorf("%d, cookies %q", rec.Code, got)
		}
		for _, c := range rec.Result().Cookies() {
			delete(b.jar, c.Name)
		}
		if rec := b.do("GET", "/account", ""); rec.Code != http.StatusOK || cookiesOf(rec.Result().Cookies()) != "access" {
			a.Errorf("the new session: %d, cookies %v", rec.Code, rec.Result().Cookies())
		}
	})
}

// Whoever is known to one guard's Manager is nobody to another's.
func TestTwoManagersDoNotMixTheirUsers(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		keys, err := session.ParseKeys(testKey)
		if err != nil {
			a.Fatal(err)
		}
		sessions, err := session.New(keys, session.NewMemoryStore(), session.Config{App: "backoffice"})
		if err != nil {
			a.Fatal(err)
		}
		backoffice, err := middleware.New(sessions, middleware.Config{})
		if err != nil {
			a.Fatal(err)
		}
		a.echo.GET("/backoffice", who, backoffice.Identify)
		if got := a.client(pageLoad).login("ada").do("GET", "/backoffice", "").Body.String(); got != "nobody" {
			a.Errorf("the handler sees %q", got)
		}
	})
}

func TestPublicRoutesMayBeForOneMethod(t *testing.T) {
	inApp(t, middleware.Config{Public: []string{"GET /articles/:id", "/comments"}}, func(a *app) {
		a.echo.Any("/articles/:id", who)
		a.echo.Any("/comments", who)
		for request, want := range map[string]int{
			"GET /articles/7": 200, "HEAD /articles/7": 200, "DELETE /articles/7": 401, "POST /articles/7": 401,
			"GET /comments": 200, "POST /comments": 200,
		} {
			method, path, _ := strings.Cut(request, " ")
			if rec := a.client(fetch).do(method, path, ""); rec.Code != want {
				a.Errorf("%s: %d; want %d", request, rec.Code, want)
			}
		}
	})
}

func TestALoginPageThatIsNotThereIsNoCircle(t *testing.T) {
	inApp(t, middleware.Config{LoginPath: "/signin"}, func(a *app) {
		a.echo.Pre(a.guard.Protect)
		if rec := a.client(pageLoad).do("GET", "/signin", ""); rec.Code != http.StatusUnauthorized || rec.Header().Get("Location") != "" {
			a.Errorf("%d to %q", rec.Code, rec.Header().Get("Location"))
		}
	})
}

func TestAHandlerMayLetAProtectedAnswerBeCachedWhenItSetsNoCookies(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		a.echo.GET("/x", func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "private, max-age=60")
			return c.NoContent(204)
		})
		if got := a.client(pageLoad).login("ada").do("GET", "/x", "").Header().Get("Cache-Control"); got != "private, max-age=60" {
			a.Errorf("Cache-Control is %q", got)
		}
	})
}

func TestALateAnswerBringsNothingBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		during func(a *app)
		want   string
	}{
		{"at once", func(*app) {}, "set"},
		{"after 30 s", func(*app) { time.Sleep(30 * time.Second) }, "set"},
		{"after more than 30 s", func(*app) { time.Sleep(31 * time.Second) }, "access"},
		{"after a revocation", func(a *app) { _ = a.sessions.RevokeUser(a.Context(), "ada") }, ""},
		{"after everybody's logout", func(a *app) { _ = a.sessions.RevokeAll(a.Context()) }, ""},
	} {
		for how, write := range map[string]func(echo.Context) error{
			"written": func(e echo.Context) error { return e.String(200, "x") },
			"flushed": func(e echo.Context) error { e.Response().Flush(); return nil },
			"empty":   func(echo.Context) error { return nil },
		} {
			inApp(t, middleware.Config{}, func(a *app) {
				a.echo.GET("/slow", func(e echo.Context) error { c.during(a); return write(e) })
				b := a.client(pageLoad).login("ada")
				a.expire()
				if got := cookiesOf(b.do("GET", "/slow", "").Result().Cookies()); got != c.want {
					a.Errorf("%s, %s: cookies %q; want %q", c.name, how, got, c.want)
				}
			})
		}
	}
}

// In whatever order guards are mounted, each judges by itself, and the request
// is authenticated once.
func TestNoOrderOfMountingLeavesAHole(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		other, err := middleware.New(a.sessions, middleware.Config{})
		if err != nil {
			a.Fatal(err)
		}
		forged := func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				ctx := session.NewContext(c.Request().Context(), session.Session{UserID: "ada", Roles: []string{"admin"}, AuthTime: time.Now()})
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}
		g := a.guard
		for name, chain := range map[string][]echo.MiddlewareFunc{
			"role alone":           {g.RequireRole("admin")},
			"identify, role":       {g.Identify, g.RequireRole("admin")},
			"role, identify":       {g.RequireRole("admin"), g.Identify},
			"protect, role":        {g.Protect, g.RequireRole("admin")},
			"recent, role":         {g.RequireRecentLogin(time.Hour), g.RequireRole("admin")},
			"another guard's":      {other.Identify, other.Protect, g.RequireRole("admin")},
			"a forged context":     {forged, g.RequireRole("admin")},
			"forged in the middle": {g.Identify, forged, g.RequireRole("admin")},
		} {
			e := echo.New()
			e.GET("/admin", who, chain...)
			e.POST("/login", func(c echo.Context) error { return g.Issue(c, session.Login{UserID: c.FormValue("user")}) })
			bare := *a
			bare.echo = e
			for user, want := range map[string]int{"": 401, "ada": 403, "grace": 200} {
				c := bare.client(fetch)
				if user != "" {
					c.do("POST", "/login", "user="+user)
				}
				time.Sleep(2 * time.Minute)
				before := a.store.n.Load()
				if rec := c.do("GET", "/admin", ""); rec.Code != want {
					a.Errorf("%s, %q: %d; want %d", name, user, rec.Code, want)
				}
				guards := int64(1)
				if name == "another guard's" {
					guards = 2 // Their managers being one, the second shares the first's statement.
				}
				if n := a.store.n.Load() - before; n > guards {
					a.Errorf("%s, %q: %d statements", name, user, n)
				}
			}
		}
	})
}

func TestLoginAndLogoutReplaceWhatTheGuardHadSet(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		b := a.client(pageLoad).login("ada")
		a.expire() // so that the guard before POST /login refreshes the old session
		rec := b.do("POST", "/login", "user=grace")
		names := map[string]int{}
		for _, c := range rec.Result().Cookies() {
			names[c.Name]++
		}
		if len(names) != 2 || names["__Host-Http-session"] != 1 || names["__Host-Http-refresh"] != 1 {
			a.Errorf("cookies %v; want each once", names)
		}
		if got := b.do("GET", "/account", "").Body.String(); got != "grace" {
			a.Errorf("logged in as %q", got)
		}
		if list, _ := a.sessions.List(a.Context(), "ada"); len(list) != 0 {
			a.Errorf("ada's session goes on: %v", list)
		}
	})
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name     string
		headers  map[string]string
		method   string
		down     bool
		status   int
		location string
		cookies  string
	}{
		{"page", pageLoad, "POST", false, 303, "/bye", "clear"},
		{"program", fetch, "POST", false, 204, "", "clear"},
		{"htmx", viaHTMX, "POST", false, 204, "", "clear"},
		{"page, store down", pageLoad, "POST", true, 303, "/bye", "clear"},
		{"program, store down", fetch, "POST", true, 204, "", "clear"},
		{"a link", pageLoad, "GET", false, 405, "", ""},
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			b := a.client(pageLoad).login("ada")
			kept := b.as(pageLoad)
			a.expire()
			a.store.down.Store(c.down)
			rec := b.as(c.headers).do(c.method, "/logout?next=/bye", "")
			if rec.Code != c.status || rec.Header().Get("Location") != c.location || cookiesOf(rec.Result().Cookies()) != c.cookies {
				a.Errorf("%s: %d to %q, cookies %q", c.name, rec.Code, rec.Header().Get("Location"), cookiesOf(rec.Result().Cookies()))
			}
			a.store.down.Store(false)
			wantCode := 303
			switch {
			case c.method == "GET":
				wantCode = 200
			case c.down:
				wantCode = 503 // nothing is granted against this node's own knowledge; Run tells the store
			}
			if rec := kept.do("GET", "/account", ""); rec.Code != wantCode {
				a.Errorf("%s: restored cookies get %d; want %d", c.name, rec.Code, wantCode)
			}
		})
	}
}

func TestIssueTellsWhyNot(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		a.users.SetUser("big", session.User{Attrs: map[string]string{"x": strings.Repeat("y", 5000)}})
		a.users.SetUser("gone", session.User{Disabled: true})
		a.echo.POST("/late", func(c echo.Context) error {
			if err := c.String(200, "begun"); err != nil {
				return err
			}
			if err := a.guard.Issue(c, session.Login{UserID: "ada"}); err == nil {
				a.Error("Issue after the first byte returned no error: its cookies are lost")
			}
			return nil
		})
		b := a.client(pageLoad)
		for user, want := range map[string]int{"gone": 403, "unknown": 403, "big": 500} {
			if rec := b.do("POST", "/login", "user="+user); rec.Code != want || len(rec.Result().Cookies()) != 0 {
				a.Errorf("%s: %d, cookies %v; want %d, none", user, rec.Code, rec.Result().Cookies(), want)
			}
		}
		unguarded := *a
		unguarded.echo = echo.New()
		unguarded.echo.POST("/login", func(c echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "ada"}) })
		if rec := unguarded.client(pageLoad).do("POST", "/login", "", "Sec-Fetch-Site", "cross-site"); rec.Code != 403 || len(rec.Result().Cookies()) != 0 {
			a.Errorf("a login from another site, where no guard stands before it: %d, cookies %v", rec.Code, rec.Result().Cookies())
		}
		a.store.down.Store(true)
		if rec := b.do("POST", "/login", "user=ada"); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
			a.Errorf("store down: %d", rec.Code)
		}
		a.store.down.Store(false)
		b.login("grace").do("POST", "/late", "")
	})
}

func TestWhatAPageIsDressedInIsLeftAlone(t *testing.T) {
	inApp(t, middleware.Config{Public: []string{"/static/*"}}, func(a *app) {
		b := a.client(pageLoad).login("ada")
		a.expire()
		before := a.store.n.Load()
		for _, dest := range []string{"style", "script", "font", "image"} {
			rec := b.do("GET", "/static/x", "", "Sec-Fetch-Dest", dest, "Sec-Fetch-Mode", "no-cors")
			if rec.Code != 200 || rec.Header().Get("Vary") != "" || len(rec.Result().Cookies()) != 0 || a.store.n.Load() != before {
				a.Errorf("%s: %d, headers %v", dest, rec.Code, rec.Header())
			}
		}
		if rec := a.client(pageLoad).do("GET", "/account", "", "Sec-Fetch-Dest", "image"); rec.Code == 200 {
			a.Error("a protected page was given as an image")
		}
	})
}

func TestNewNamesEveryFaultAtOnce(t *testing.T) {
	g, err := middleware.New(nil, middleware.Config{LoginPath: "login", LogoutPath: "//evil.test", Public: []string{"static", "/*"}})
	if g != nil || err == nil {
		t.Fatal("a faulty configuration was taken")
	}
	for _, want := range []string{"Manager", "LoginPath", "LogoutPath", `"static"`, `"/*"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in:\n%v", want, err)
		}
	}
}

// A handler's own test needs no guard.
func TestHandlersAreTestedWithNewContext(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(session.NewContext(r.Context(), session.Session{UserID: "ada"}))
	rec := httptest.NewRecorder()
	if err := who(echo.New().NewContext(r, rec)); err != nil || !bytes.Equal(rec.Body.Bytes(), []byte("ada")) {
		t.Errorf("%v, %q", err, rec.Body)
	}
}
