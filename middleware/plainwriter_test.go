package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
)

// If the guard sets no cookies, the handler gets the writer that the guard got, so
// that nothing which that writer can do is lost. No header is changed after the
// handler.
func TestGuard_PassesTheWriterThroughWhenItSetsNoCookies(t *testing.T) {
	for _, path := range []string{"/page", "/public", "/twice", "/login"} {
		inApp(t, middleware.Config{Public: []string{"/public"}}, func(a *app) {
			rec := httptest.NewRecorder()
			page := func(c echo.Context) error {
				if w := c.Response().Writer; w != http.ResponseWriter(rec) {
					a.Errorf("%s: the handler writes to a %T", path, w)
				}
				c.Response().Header().Del("Vary")
				c.Response().Header().Del("Cache-Control")
				return c.NoContent(http.StatusNoContent)
			}
			a.echo.GET("/page", page)
			a.echo.GET("/public", page)
			a.echo.GET("/twice", page, a.guard.RequireRole("staff"), a.guard.RequireLive)
			a.echo.GET("/login", page)
			r := httptest.NewRequest("GET", "https://app.test"+path, nil)
			for name, value := range a.client(fetch).LogIn("ada").Kept() {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			a.echo.ServeHTTP(rec, r)
			if rec.Code != http.StatusNoContent || len(rec.Header()) != 0 {
				a.Errorf("%s: %d, headers %v; want what the handler left", path, rec.Code, rec.Header())
			}
		})
	}
}
