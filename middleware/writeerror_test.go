package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// WriteError answers with the status of the error, also for an error of Issue, and through
// Config.Answer if it is set.
func TestWriteError_AnswersWithTheStatusOfTheError(t *testing.T) {
	secret := errors.New("secret of the database")
	refusedIssue := func(a *app, c echo.Context) error {
		c.Request().Header.Set("Sec-Fetch-Site", "cross-site")
		return a.guard.Issue(c, session.Login{UserID: "ada"})
	}
	always := func(err error) func(*app, echo.Context) error {
		return func(*app, echo.Context) error { return err }
	}
	for _, c := range []struct {
		name   string
		err    func(a *app, c echo.Context) error
		status int
		text   string
	}{
		{"no such session", func(a *app, c echo.Context) error { return a.Sessions.Revoke(a.Context(), "ada", "nonsense") }, 404, "There is no such session."},
		{"the store is down", func(a *app, c echo.Context) error {
			a.Store.Fail(errDown)
			_, err := a.Sessions.List(a.Context(), "ada", "")
			return err
		}, 503, "We cannot check logins at the moment: please try again. Nobody is logged out by this."},
		{"no session", always(session.ErrUnauthenticated), 401, "Please log in."},
		{"a login of another site", refusedIssue, 403, "This request came from another site."},
		{"a login of a user who is unknown", func(a *app, c echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "unknown"}) }, 403, "This account cannot log in."},
		{"anything else", always(secret), 500, "Something went wrong: please tell us."},
		{"anything else, wrapped by echo", always(echo.ErrForbidden.WithInternal(secret)), 500, "Something went wrong: please tell us."},
	} {
		for _, custom := range []bool{false, true} {
			cfg := middleware.Config{Public: []string{"/x"}}
			if custom {
				cfg.Answer = func(ctx echo.Context, refusal *echo.HTTPError) error {
					return ctx.String(refusal.Code, fmt.Sprint("custom: ", refusal.Message))
				}
			}
			inApp(t, cfg, func(a *app) {
				a.echo.POST("/x", func(ctx echo.Context) error { return a.guard.WriteError(ctx, c.err(a, ctx)) })
				rec := a.client(fetch).Send("POST", "/x", "")
				if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.text) || strings.HasPrefix(rec.Body.String(), "custom: ") != custom || strings.Contains(rec.Body.String(), "secret") {
					a.Errorf("%s: %d %s; want %d %q, custom: %v", c.name, rec.Code, rec.Body, c.status, c.text, custom)
				}
				if rec.Header().Get("Cache-Control") != "no-store" {
					a.Errorf("%s: Cache-Control %q", c.name, rec.Header().Get("Cache-Control"))
				}
			})
		}
	}
}

// The app sees a logout that the store could not be told of, and so does the page.
func TestLogout_InAnOutageIsToldToTheApp(t *testing.T) {
	var told []error
	cfg := middleware.Config{OnLogoutError: func(r *http.Request, err error) {
		if r.URL.Path == "/logout" {
			told = append(told, err)
		}
	}}
	inApp(t, cfg, func(a *app) {
		for _, c := range []struct {
			to   string
			down bool
		}{{"/login", false}, {"/login?logout=pending", true}} {
			b := a.client(pageLoad).LogIn("ada")
			if c.down {
				a.Store.Fail(errDown)
			}
			rec := b.Send("POST", "/logout", "")
			if rec.Code != 303 || rec.Header().Get("Location") != c.to || len(b.Kept()) != 0 {
				a.Errorf("store down: %v: %d to %q, cookies %v left; want %q", c.down, rec.Code, rec.Header().Get("Location"), b.Kept(), c.to)
			}
			if got := len(told) == 1 && errors.Is(told[0], session.ErrStoreUnavailable); got != c.down {
				a.Errorf("store down: %v: OnLogoutError got %v", c.down, told)
			}
		}
	})
}

// Protect finds the route of a prefetch and of a WebSocket as of any request.
func TestProtect_TellsPrefetchesAndWebSocketsApart(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		type request struct {
			path string
			more []string
		}
		prefetch := []string{"Sec-Purpose", "prefetch"}
		socket := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Fetch-Mode", "websocket", "Sec-Fetch-Site"}
		b := a.client(pageLoad).LogIn("ada")
		check := func(when string, want int, r request) {
			a.Helper()
			before := a.Store.Calls()
			rec := b.Send("GET", r.path, "", r.more...)
			if rec.Code != want || rec.Header().Get("Location") != "" || a.Store.Calls() != before && want >= 400 {
				a.Errorf("%s, %s with %q: %d to %q, %d statements; want %d", when, r.path, r.more, rec.Code, rec.Header().Get("Location"), a.Store.Calls()-before, want)
			}
		}
		for _, path := range []string{"/", "/account"} {
			check("a good access cookie", 200, request{path, prefetch})
			check("a good access cookie", 200, request{path, append(socket, "same-origin")})
			check("a good access cookie", 403, request{path, append(socket, "same-site")})
			check("a good access cookie", 403, request{path, append(socket, "cross-site")})
		}
		expire()
		check("an expired access cookie", 503, request{"/", prefetch})
		check("an expired access cookie", 503, request{"/account", prefetch})
		b.Forget()
		check("no cookies", 200, request{"/", prefetch})
		check("no cookies", 503, request{"/account", prefetch})
		check("no cookies", 503, request{"/nowhere", prefetch})
	})
}
