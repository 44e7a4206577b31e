package middleware_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

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
