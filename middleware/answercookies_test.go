package middleware_test

import (
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
)

// Answer finds the session in the request's context. If its answer sets cookies, the
// answer is not cacheable. If the session ends before the first byte, the cookies are
// removed.
func TestAnswer_SeesTheSessionAndKeepsCookiesOutOfCaches(t *testing.T) {
	refreshed := func(*app, *guardtest.Client) { expire() }
	for _, c := range []struct {
		name    string
		arrange func(a *app, b *guardtest.Client)
		revoke  bool // Answer revokes the session
		user    string
		cookies string
	}{
		{"nobody", func(_ *app, b *guardtest.Client) { b.Forget() }, false, "no session", ""},
		{"the wrong role", func(*app, *guardtest.Client) {}, false, "ada", ""},
		{"refreshed, the wrong role", refreshed, false, "ada", "set"},
		{"refreshed, and revoked meanwhile", refreshed, true, "ada", ""},
	} {
		for _, mounted := range []string{"alone", "behind Protect"} {
			var running *app
			answer := func(e echo.Context, _ *echo.HTTPError) error {
				e.Response().Header().Set("Cache-Control", "public, max-age=3600")
				e.Response().Header().Del("Vary")
				if c.revoke {
					if err := running.Sessions.RevokeUser(running.Context(), "ada"); err != nil {
						return err
					}
				}
				return who(e)
			}
			inApp(t, middleware.Config{Answer: answer}, func(a *app) {
				running = a
				b := a.client(fetch).LogIn("ada")
				c.arrange(a, b)
				if mounted == "alone" {
					a.echo = echo.New()
					a.echo.GET("/admin", who, a.guard.RequireRole("admin"))
				}
				rec := b.At(a.echo).Send("GET", "/admin", "")
				if got := cookiesOf(rec); rec.Body.String() != c.user || got != c.cookies {
					a.Errorf("%s, %s: Answer sees %q, cookies %q; want %q, %q", c.name, mounted, rec.Body, got, c.user, c.cookies)
				}
				if h := rec.Header(); c.cookies != "" && (h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Cookie") {
					a.Errorf("%s, %s: cookies with Cache-Control %q, Vary %q", c.name, mounted, h.Get("Cache-Control"), h.Get("Vary"))
				}
			})
		}
	}
}
