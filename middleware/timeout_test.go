package middleware_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// Echo's Timeout lets a handler go on with the Context of the next request: a login that
// ends late would log in a stranger. It is found at the first request, whether the guard
// stands within it or around it. What looks like it and is harmless goes on.
func TestGuard_RefusesEchosTimeout(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	//lint:ignore SA1019 the test is about it
	timeout := echomw.TimeoutWithConfig(echomw.TimeoutConfig{Timeout: time.Minute})
	plain := echo.WrapMiddleware(func(h http.Handler) http.Handler { return h })
	for name, c := range map[string]struct {
		outer, inner echo.MiddlewareFunc // of Protect
		server       func(http.Handler) http.Handler
		page, login  int
	}{
		"the guard within it":               {timeout, nil, nil, 500, 500},
		"the guard within it, gzip between": {func(next echo.HandlerFunc) echo.HandlerFunc { return timeout(echomw.Gzip()(next)) }, nil, nil, 500, 500},
		"the guard around it":               {nil, timeout, nil, 200, 500},
		"ContextTimeout":                    {echomw.ContextTimeout(time.Minute), echomw.ContextTimeout(time.Minute), nil, 200, 303},
		"http.TimeoutHandler":               {nil, nil, func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, 200, 303},
		"other middleware":                  {plain, echomw.Gzip(), nil, 200, 303},
	} {
		t.Run(name, func(t *testing.T) {
			inApp(t, middleware.Config{}, func(a *app) {
				log.Reset()
				e := echo.New()
				for _, m := range []echo.MiddlewareFunc{c.outer, a.guard.Protect, c.inner} {
					if m != nil {
						e.Use(m)
					}
				}
				e.GET("/account", who)
				e.POST("/login", func(c echo.Context) error {
					if err := a.guard.Issue(c, session.Login{UserID: "ada"}); err != nil {
						return err
					}
					return c.Redirect(http.StatusSeeOther, "/account")
				})
				var app http.Handler = e
				if c.server != nil {
					app = c.server(e)
				}
				b := a.client(pageLoad).LogIn("ada").At(app)
				if rec := b.Send("GET", "/account", "", "Accept-Encoding", "gzip"); rec.Code != c.page {
					a.Errorf("a page: %d; want %d", rec.Code, c.page)
				}
				for range 2 {
					if rec := b.Send("POST", "/login", ""); rec.Code != c.login || c.login == 500 && len(rec.Result().Cookies()) != 0 {
						a.Errorf("a login: %d, %d cookies; want %d", rec.Code, len(rec.Result().Cookies()), c.login)
					}
				}
				want := 0
				if c.login == 500 {
					want = 1
				}
				if n := strings.Count(log.String(), "use echo's ContextTimeout"); n != want {
					a.Errorf("%d log lines say what to do; want %d: %s", n, want, log)
				}
			})
		})
	}
}
