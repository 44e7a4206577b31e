package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
)

// Other middleware replaces the writer too. It may put its own writer back, or write to
// a writer that is not the guard's.
func TestProtect_AnswersWithCookiesAreNeverCachedBehindOtherMiddleware(t *testing.T) {
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
		{"an error that is not answered", nil, nil, fails, func(error, echo.Context) {}},
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
						if err := a.Sessions.RevokeUser(a.Context(), "ada"); err != nil {
							a.Error(err)
						}
					}
					return c.handler(ctx)
				})
				b := a.client(pageLoad).LogIn("ada")
				expire()
				rec := b.At(e).Send("GET", "/page", "", "Accept-Encoding", "gzip")
				cookies := len(rec.Result().Cookies())
				switch {
				case late && cookies != 0:
					a.Errorf("%s: the answer to a revoked session sets %d cookies", c.name, cookies)
				case !late && (cookies != 2 || rec.Header().Get("Cache-Control") != "no-store"):
					a.Errorf("%s: %d, %d cookies, Cache-Control %q", c.name, rec.Code, cookies, rec.Header().Get("Cache-Control"))
				}
			})
		}
	}
}
