package middleware_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

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
		if rec := a.client(pageLoad).do("GET", "/signin", ""); rec.Code != http.StatusUnauthorized || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), "with Use, not with Pre") {
			a.Errorf("%d to %q: %s", rec.Code, rec.Header().Get("Location"), rec.Body)
		}
	})
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
		{"htmx", viaHTMX, "POST", false, 204, "/bye", "clear"},
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
			to := rec.Header().Get("Location") + rec.Header().Get("HX-Redirect")
			if rec.Code != c.status || to != c.location || cookiesOf(rec.Result().Cookies()) != c.cookies {
				a.Errorf("%s: %d to %q, cookies %q", c.name, rec.Code, to, cookiesOf(rec.Result().Cookies()))
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
	g, err := middleware.New(nil, middleware.Config{LoginPath: "login", LogoutPath: "//evil.test", Public: []string{"static", "/*", "/x?y=1"}})
	if g != nil || err == nil {
		t.Fatal("a faulty configuration was taken")
	}
	for _, want := range []string{"Manager", "LoginPath", "LogoutPath", `"static"`, `"/*"`, `"/x?y=1"`} {
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
