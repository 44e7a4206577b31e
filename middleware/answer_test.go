package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// If Answer writes, its answer is the only one. If it returns an error, echo's error
// handler answers. Otherwise the guard answers. The headers are the same in each case,
// and the handler does not run.
func TestAnswer_ReplacesTheGuardsAnswer(t *testing.T) {
	const own = `{"title":"Unauthorized","status":401,"detail":"Please log in."}` + "\n"
	errCustom := errors.New("custom")
	for _, c := range []struct {
		name   string
		answer func(c echo.Context, refusal *echo.HTTPError) error
		status int
		body   string
		err    error // that the middleware outside the guard gets
	}{
		{"not configured", nil, 401, own, nil},
		{"a text", func(c echo.Context, f *echo.HTTPError) error { return c.String(f.Code, "custom") }, 401, "custom", nil},
		{"an empty answer", func(c echo.Context, f *echo.HTTPError) error { return c.NoContent(f.Code) }, 401, "", nil},
		{"another status", func(c echo.Context, _ *echo.HTTPError) error { return c.String(418, "custom") }, 418, "custom", nil},
		{"nothing", func(echo.Context, *echo.HTTPError) error { return nil }, 401, own, nil},
		{"a changed refusal", func(_ echo.Context, f *echo.HTTPError) error { f.Code, f.Message = 200, "custom"; return nil }, 401, own, nil},
		{"an error", func(echo.Context, *echo.HTTPError) error { return errCustom }, 500, `{"message":"Internal Server Error"}` + "\n", errCustom},
		{"the refusal as an error", func(_ echo.Context, f *echo.HTTPError) error { f.Code = 418; return f }, 418, `{"message":"Please log in."}` + "\n", nil},
		{"a text and an error", func(c echo.Context, f *echo.HTTPError) error { _ = c.String(f.Code, "custom"); return errCustom }, 401, "custom", errCustom},
	} {
		inApp(t, middleware.Config{Answer: c.answer}, func(a *app) {
			reached := 0
			a.echo.GET("/secret", func(echo.Context) error { reached++; return nil })
			var err error
			a.echo.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
				return func(ctx echo.Context) error { err = next(ctx); return err }
			})
			rec := a.client(fetch).Send("GET", "/secret", "")
			if rec.Code != c.status || rec.Body.String() != c.body || !errors.Is(err, c.err) && c.err != nil || reached != 0 {
				a.Errorf("%s: %d %q, error %v, the handler ran %d times; want %d %q, error %v", c.name, rec.Code, rec.Body, err, reached, c.status, c.body, c.err)
			}
			if h := rec.Header(); h.Get("WWW-Authenticate") != "Cookie" || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Cookie" {
				a.Errorf("%s: headers %v", c.name, h)
			}
			if to := a.client(pageLoad).Send("GET", "/secret", "").Header().Get("Location"); to != "/login?next=%2Fsecret" || reached != 0 {
				a.Errorf("%s: a page load is sent to %q, the handler ran %d times", c.name, to, reached)
			}
		})
	}
}

// Turbo keeps the answer to a prefetch, and shows it on the click if it is HTML.
func TestAnswer_IsNotAskedAboutAPrefetch(t *testing.T) {
	asked := 0
	answer := func(c echo.Context, refusal *echo.HTTPError) error { asked++; return c.HTML(refusal.Code, "custom") }
	inApp(t, middleware.Config{Answer: answer}, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("GET", "/account", "", "X-Sec-Purpose", "prefetch"); rec.Code != 503 || asked != 0 || rec.Header().Get("Content-Type") != "application/problem+json" {
			a.Errorf("%d, headers %v, Answer is called %d times; want the guard's own 503", rec.Code, rec.Header(), asked)
		}
		if b.Send("GET", "/account", ""); asked != 1 {
			a.Errorf("for the click, Answer is called %d times; want once", asked)
		}
	})
}

// Answer also writes the refusals of Logout.
func TestAnswer_WritesTheRefusalsOfLogout(t *testing.T) {
	answer := func(c echo.Context, refusal *echo.HTTPError) error { return c.String(refusal.Code, "custom") }
	inApp(t, middleware.Config{Answer: answer}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		for _, c := range []struct {
			method string
			more   []string
			status int
		}{{"GET", nil, http.StatusMethodNotAllowed}, {"POST", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden}} {
			if rec := b.Send(c.method, "/logout", "", c.more...); rec.Code != c.status || rec.Body.String() != "custom" {
				a.Errorf("%s: %d %q; want %d and the custom answer", c.method, rec.Code, rec.Body, c.status)
			}
		}
		if rec := b.Send("POST", "/logout", ""); rec.Code != http.StatusSeeOther || strings.Contains(rec.Body.String(), "custom") || len(b.Kept()) != 0 {
			a.Errorf("POST: %d %q, cookies %v left", rec.Code, rec.Body, b.Kept())
		}
	})
}

// Answer gets the status, the text for the client, and the cause for logs. The cause
// of a refusal of the login page says how to mount the guard: Pre runs before the
// router, so the route is not known.
func TestAnswer_GetsStatusTextAndCause(t *testing.T) {
	var last *echo.HTTPError
	answer := func(_ echo.Context, refusal *echo.HTTPError) error { last = refusal; return nil }
	inApp(t, middleware.Config{LoginPath: "/signin", Answer: answer}, func(a *app) {
		a.client(fetch).Send("GET", "/account", "")
		if last == nil || last.Code != 401 || last.Message != "Please log in." || !errors.Is(last.Internal, session.ErrUnauthenticated) {
			a.Errorf("Answer gets %v; want 401, the text, and ErrUnauthenticated", last)
		}
		a.echo.Pre(a.guard.Protect)
		rec := a.client(pageLoad).Send("GET", "/signin", "")
		if rec.Code != http.StatusUnauthorized || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), "so that it runs after the router") {
			a.Errorf("%d to %q: %s; want how to correct it, and no redirect", rec.Code, rec.Header().Get("Location"), rec.Body)
		}
		if cause := last.Internal; cause == nil || !strings.Contains(cause.Error(), "Use and not Pre") {
			a.Errorf("the cause is %v; want one that says how to mount the guard", cause)
		}
	})
}
