package middleware_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
)

// The first request logs the entries of Config.Public that match no route, in one warning.
// Later requests log nothing.
func TestProtect_ReportsPublicEntriesThatMatchNoRoute(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for _, c := range []struct {
		public []string
		unused []string
	}{
		{[]string{}, nil},
		{[]string{"/", "/static*", "GET /articles/:id", "POST /articles/:id", "/any", "OPTIONS /any", "shop.test/", "GET shop.test/items/:id"}, nil},
		{[]string{"/", "/static/*"}, []string{"/static/*"}},
		{[]string{"/articles/:name", "/articles/7", "/articles/:id/", "/Any"}, []string{"/articles/:name", "/articles/7", "/articles/:id/", "/Any"}},
		{[]string{"DELETE /articles/:id", "OPTIONS /articles/:id", "GET /form", "HEAD /form", "GET /head", "POST /head"}, []string{"DELETE /articles/:id", "GET /form", "HEAD /form", "POST /head"}},
		// A route of one host is none of another.
		{[]string{"/items/:id", "shop.test/static*", "other.test/", "SHOP.test/", "shop.test:8443/", "POST shop.test/"}, []string{"/items/:id", "shop.test/static*", "other.test/", "SHOP.test/", "shop.test:8443/", "POST shop.test/"}},
	} {
		log.Reset()
		inApp(t, middleware.Config{Public: c.public}, func(a *app) {
			a.echo.GET("/articles/:id", who)
			a.echo.POST("/articles/:id", who)
			a.echo.Any("/any", who)
			a.echo.POST("/form", who)
			a.echo.HEAD("/head", who)
			shop := a.echo.Host("shop.test")
			shop.GET("/", who)
			shop.GET("/items/:id", who)
			if log.Len() > 0 {
				a.Errorf("%q: before the first request: %s", c.public, log)
			}
			var clients sync.WaitGroup
			for range 3 {
				b := a.client(fetch)
				clients.Go(func() { b.Send("GET", "/account?secret=1", "") })
			}
			clients.Wait()
			lines := strings.Count(log.String(), "\n")
			if want := min(len(c.unused), 1); lines != want || strings.Count(log.String(), "level=WARN") != want {
				a.Errorf("%q: %d lines; want %d: %s", c.public, lines, want, log)
			}
			if c.unused != nil && !strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), fmt.Sprintf("do nothing: %q;", c.unused)) {
				a.Errorf("%q: the warning does not name %q alone: %s", c.public, c.unused, log)
			}
			if strings.Contains(log.String(), "secret") {
				a.Errorf("the warning shows the request: %s", log)
			}
		})
	}
}

// Routes are registered after New and after Use. All that exist when the Echo serves count,
// also those that Static and groups register.
func TestProtect_ReportCountsRoutesOfStaticAndGroups(t *testing.T) {
	log, before := &bytes.Buffer{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	inApp(t, middleware.Config{Public: []string{"/files*", "/icon.svg", "/docs/:page", "assets.test/*"}}, func(a *app) {
		a.echo.Static("/files", a.TempDir())
		a.echo.File("/icon.svg", "icon.svg")
		a.echo.Group("/docs").GET("/:page", who)
		a.echo.Host("assets.test", func(next echo.HandlerFunc) echo.HandlerFunc { return next }).Static("/", a.TempDir())
		if rec := a.client(fetch).Send("GET", "/docs/start", ""); rec.Code != http.StatusOK || log.Len() > 0 {
			a.Errorf("%d, and a warning: %s", rec.Code, log)
		}
	})
}
