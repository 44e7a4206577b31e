package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestGuard_LoginRefreshAndLogout(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("POST", "/login?next=/password", "user=ada"); rec.Code != 303 || rec.Header().Get("Location") != "/password" {
			a.Errorf("login: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		for _, want := range []string{"", "set"} {
			rec := b.Send("GET", "/account", "")
			if rec.Code != 200 || rec.Body.String() != "ada" || cookiesOf(rec) != want {
				a.Errorf("%d %q, cookies %q; want %q", rec.Code, rec.Body, cookiesOf(rec), want)
			}
			expire()
		}
		if got := b.Send("GET", "/", "").Body.String(); got != "ada" {
			a.Errorf("a public page sees %q", got)
		}
		if rec := b.Send("GET", "/nowhere", ""); rec.Code != http.StatusNotFound {
			a.Errorf("a path without a route: %d", rec.Code)
		}
		if rec := b.Send("POST", "/logout?next=/bye", ""); rec.Code != 303 || rec.Header().Get("Location") != "/bye" || len(b.Kept()) != 0 {
			a.Errorf("logout: %d to %q, cookies %v left", rec.Code, rec.Header().Get("Location"), b.Kept())
		}
		if rec := b.Send("POST", "/logout", ""); rec.Code != 303 || rec.Header().Get("Location") != "/login" {
			a.Errorf("second logout: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		for _, path := range []string{"/account", "/nowhere"} {
			if rec := b.Send("GET", path, ""); rec.Code != 303 {
				a.Errorf("after the logout, %s: %d", path, rec.Code)
			}
		}
	})
}

// Each middleware passes its own requirement to the rules of package nethttp.
func TestGuard_Requirements(t *testing.T) {
	others := append(make([]string, 0, 4), "root", "owner")
	inApp(t, middleware.Config{Public: []string{"/identify"}}, func(a *app) {
		g := a.guard
		roles := g.RequireRole("admin", others...)
		others[0] = "staff"
		if room := others[:3]; room[2] != "" {
			a.Errorf("RequireRole writes %q into the caller's slice", room[2])
		}
		for path, guard := range map[string]echo.MiddlewareFunc{
			"/identify": g.Identify, "/one": g.RequireRole("admin"), "/three": roles, "/minute": g.RequireRecentLogin(time.Minute),
			"/zero": g.RequireRecentLogin(0), "/negative": g.RequireRecentLogin(-time.Hour), "/live": g.RequireLive,
		} {
			a.echo.GET(path, who, guard)
		}
		a.Users.SetUser("user", store.User{Roles: []string{"owner"}})
		a.Users.SetUser("rooted", store.User{Roles: []string{"root"}})
		for _, c := range []struct {
			user    string
			arrange func()
			want    map[string]int
		}{
			{"", func() {}, map[string]int{"/identify": 200, "/one": 401, "/three": 401, "/minute": 401, "/zero": 401, "/live": 401}},
			{"grace", func() {}, map[string]int{"/identify": 200, "/one": 200, "/three": 200, "/minute": 200, "/zero": 401, "/negative": 401, "/live": 200}},
			{"user", func() { time.Sleep(time.Minute) }, map[string]int{"/one": 403, "/three": 200, "/minute": 401, "/zero": 401, "/live": 200}},
			{"rooted", func() {}, map[string]int{"/one": 403, "/three": 200}},
			{"ada", func() { a.Users.SetUser("ada", store.User{Disabled: true}) }, map[string]int{"/identify": 200, "/one": 403, "/three": 403, "/minute": 200, "/live": 401}},
		} {
			b := a.client(fetch)
			if c.user != "" {
				b.LogIn(c.user)
			}
			time.Sleep(time.Millisecond)
			c.arrange()
			for path, want := range c.want {
				if rec := b.Send("GET", path, ""); rec.Code != want {
					a.Errorf("user %q on %s: %d; want %d", c.user, path, rec.Code, want)
				}
			}
		}
	})
}

// RequireLive makes the row decide about the roles that other guards ask for, in every
// order, and the handler sees the roles of the row. It costs one statement.
func TestRequireLive_RolesOfTheRowDecideInEveryOrder(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		roles := func(c echo.Context) error {
			s, _ := session.FromContext(c.Request().Context())
			return c.String(http.StatusOK, strings.Join(s.Roles, " "))
		}
		g, admin := a.guard, a.guard.RequireRole("admin")
		for path, guards := range map[string][]echo.MiddlewareFunc{
			"/role-live": {admin, g.RequireLive}, "/live-role": {g.RequireLive, admin}, "/twice": {g.RequireLive, admin, g.RequireLive}, "/live": {g.RequireLive},
		} {
			a.echo.POST(path, roles, guards...)
		}
		b := a.client(fetch).LogIn("grace")
		for _, c := range []struct {
			roles []string
			want  map[string]int
		}{
			{[]string{"admin", "staff"}, map[string]int{"/role-live": 200, "/live-role": 200, "/twice": 200, "/live": 200}},
			{[]string{"staff"}, map[string]int{"/role-live": 403, "/live-role": 403, "/twice": 403, "/live": 200}},
		} {
			a.Users.SetUser("grace", store.User{Roles: c.roles})
			for path, want := range c.want {
				before := a.Store.Calls()
				rec := b.Send("POST", path, "")
				if n := a.Store.Calls() - before; rec.Code != want || rec.Code == 200 && rec.Body.String() != strings.Join(c.roles, " ") || n != 1 {
					a.Errorf("%s with the roles %q: %d %q, %d statements; want %d, 1", path, c.roles, rec.Code, rec.Body, n, want)
				}
			}
		}
		b.ForgetRefresh()
		if rec := b.Send("POST", "/live", ""); rec.Code != http.StatusUnauthorized {
			a.Errorf("the access cookie alone: %d; want 401", rec.Code)
		}
	})
}

// Two guards before one handler authenticate the request once. A context that another
// middleware has set admits nobody.
func TestGuard_EveryOrderOfMountingIsSafe(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		forged := func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				ctx := session.Session{UserID: "ada", Roles: []string{"admin"}, AuthTime: time.Now()}.NewContext(c.Request().Context())
				c.SetRequest(c.Request().WithContext(ctx))
				return next(c)
			}
		}
		g := a.guard
		for name, chain := range map[string][]echo.MiddlewareFunc{
			"role alone":             {g.RequireRole("admin")},
			"identify, role":         {g.Identify, g.RequireRole("admin")},
			"role, identify":         {g.RequireRole("admin"), g.Identify},
			"protect, role":          {g.Protect, g.RequireRole("admin")},
			"forged context, role":   {forged, g.RequireRole("admin")},
			"identify, forged, role": {g.Identify, forged, g.RequireRole("admin")},
		} {
			e := echo.New()
			e.GET("/admin", who, chain...)
			e.POST("/login", func(c echo.Context) error {
				if err := g.Issue(c, session.Login{UserID: c.FormValue("user")}); err != nil {
					return err
				}
				return c.NoContent(http.StatusSeeOther)
			})
			for user, want := range map[string]int{"": 401, "ada": 403, "grace": 200} {
				b := a.client(fetch).At(e)
				if user != "" {
					b.LogIn(user)
				}
				expire()
				before := a.Store.Calls()
				if rec := b.Send("GET", "/admin", ""); rec.Code != want {
					a.Errorf("%s, user %q: %d; want %d", name, user, rec.Code, want)
				}
				if n := a.Store.Calls() - before; n > 1 {
					a.Errorf("%s, user %q: %d statements", name, user, n)
				}
			}
		}
	})
}

// Issue and Logout change the request of the echo.Context, so that later guards and
// the handler see the new state.
func TestIssue_AndLogoutChangeTheRequestOfTheContext(t *testing.T) {
	inApp(t, middleware.Config{Public: []string{"/switch", "/leave"}}, func(a *app) {
		g := a.guard
		page := g.RequireLive(g.RequireRecentLogin(time.Second)(g.RequireRole("admin")(who)))
		a.echo.POST("/switch", func(c echo.Context) error {
			if err := g.Issue(c, session.Login{UserID: "grace"}); err != nil {
				return err
			}
			return page(c)
		})
		a.echo.POST("/leave", func(c echo.Context) error {
			if err := g.Logout(c); err != nil {
				return err
			}
			if s, ok := session.FromContext(c.Request().Context()); ok {
				a.Errorf("after Logout the handler sees %q", s.UserID)
			}
			return g.RequireLive(func(echo.Context) error {
				a.Error("after Logout, RequireLive admits the request")
				return nil
			})(c)
		})
		for _, before := range []string{"", "ada"} {
			b := a.client(fetch)
			if before != "" {
				b.LogIn(before)
				expire()
			}
			if rec := b.Send("POST", "/switch", ""); rec.Code != http.StatusOK || rec.Body.String() != "grace" || cookiesOf(rec) != "login" {
				a.Errorf("user %q before: %d %q, cookies %q; want grace, logged in", before, rec.Code, rec.Body, cookiesOf(rec))
			}
			if rec := b.Send("POST", "/leave", ""); rec.Code != http.StatusNoContent || cookiesOf(rec) != "clear" {
				a.Errorf("%d, cookies %q; want a logout", rec.Code, cookiesOf(rec))
			}
		}
	})
}

// A test of a handler alone needs no guard.
func TestHandler_SeesTheSessionOfNewContext(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(session.Session{UserID: "ada"}.NewContext(r.Context()))
	rec := httptest.NewRecorder()
	if err := who(echo.New().NewContext(r, rec)); err != nil || rec.Body.String() != "ada" {
		t.Errorf("%v, %q", err, rec.Body)
	}
}
