package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Echo's error handler answers the error of Issue with its status. Logs get the cause.
// Issue has set the headers.
func TestIssue_ReturnsAnHTTPErrorWithItsCause(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(a *app)
		login   session.Login
		kind    guardtest.Kind
		status  int
		text    string
		cause   error
		says    string
		retry   string
	}{
		{"a disabled user", func(*app) {}, session.Login{UserID: "gone"}, pageLoad, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"an unknown user", func(*app) {}, session.Login{UserID: "unknown"}, pageLoad, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"an older epoch", func(*app) {}, session.Login{UserID: "ada", Epoch: 7}, fetch, 403, "This account cannot log in.", session.ErrUserDisabled, "", ""},
		{"a user who does not fit", func(*app) {}, session.Login{UserID: "big"}, pageLoad, 500, "This account cannot be logged in: please tell us.", session.ErrTooLarge, "", ""},
		{"the store is down", func(a *app) { a.Store.Fail(errDown) }, session.Login{UserID: "ada"}, viaHTMX, 503, "We cannot check logins at the moment: please try again. Nobody is logged out by this.", errDown, "", "2"},
		{"another site", func(*app) {}, session.Login{UserID: "ada"}, guardtest.Kind{"Sec-Fetch-Site": "cross-site"}, 403, "This request came from another site.", nil, "cross-origin", ""},
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			a.Users.SetUser("gone", store.User{Disabled: true})
			a.Users.SetUser("big", store.User{Attrs: map[string]string{"x": strings.Repeat("y", 5000)}})
			c.arrange(a)
			e := echo.New() // no guard runs before the login
			var err error
			e.POST("/login", func(ctx echo.Context) error { err = a.guard.Issue(ctx, c.login); return err })
			rec := a.client(c.kind).At(e).Send("POST", "/login", "")

			refusal, ok := err.(*echo.HTTPError) // echo answers a wrapped one with a 500
			if !ok || refusal.Code != c.status || refusal.Message != c.text {
				a.Fatalf("%s: Issue returns %v; want an *echo.HTTPError with %d %q", c.name, err, c.status, c.text)
			}
			if cause := refusal.Internal; cause == nil || c.cause != nil && !errors.Is(cause, c.cause) || !strings.Contains(cause.Error(), c.says) {
				a.Errorf("%s: the cause is %v; want %v %s", c.name, refusal.Internal, c.cause, c.says)
			}
			if rec.Code != c.status || rec.Header().Get("Retry-After") != c.retry || rec.Header().Get("Cache-Control") != "no-store" || len(rec.Result().Cookies()) != 0 {
				a.Errorf("%s: %d, headers %v; want %d, no-store, no cookies", c.name, rec.Code, rec.Header(), c.status)
			}
		})
	}
}

// A cookie after the first byte is lost. Issue and Logout then do nothing and return an
// error that names the fault.
func TestIssue_AndLogoutAfterTheFirstByteDoNothing(t *testing.T) {
	for name, call := range map[string]func(a *app, c echo.Context) error{
		"Issue":  func(a *app, c echo.Context) error { return a.guard.Issue(c, session.Login{UserID: "grace"}) },
		"Logout": func(a *app, c echo.Context) error { return a.guard.Logout(c) },
	} {
		inApp(t, middleware.Config{}, func(a *app) {
			var err error
			a.echo.POST("/late", func(c echo.Context) error {
				if err := c.String(http.StatusOK, "begun"); err != nil {
					return err
				}
				err = call(a, c)
				return nil
			})
			b := a.client(fetch).LogIn("ada")
			before := a.LiveSessions(a)
			rec := b.Send("POST", "/late", "")
			refusal, ok := err.(*echo.HTTPError)
			if !ok || refusal.Code != http.StatusInternalServerError || refusal.Internal == nil || !strings.Contains(refusal.Internal.Error(), "before writing") {
				a.Errorf("%s returns %v; want an *echo.HTTPError with 500 that says what to do", name, err)
			}
			if rec.Code != http.StatusOK || rec.Body.String() != "begun" || len(rec.Result().Cookies()) != 0 {
				a.Errorf("%s: %d %q, cookies %v; want the answer as it began", name, rec.Code, rec.Body, rec.Result().Cookies())
			}
			for id := range a.LiveSessions(a) {
				if !before[id] {
					a.Errorf("%s begins a session", name)
				}
				delete(before, id)
			}
			if len(before) != 0 {
				a.Errorf("%s ends the session", name)
			}
		})
	}
}

// Behind a guard, the refusal of a login looks like the guard's own, and Config.Answer writes
// it once.
func TestIssue_RefusalLooksLikeTheGuardsOwn(t *testing.T) {
	calls := 0
	custom := func(_ echo.Context, refusal *echo.HTTPError) error { calls++; return refusal }
	for name, c := range map[string]struct {
		answer func(echo.Context, *echo.HTTPError) error
		kind   guardtest.Kind
		typ    string
	}{
		"a page":                           {nil, pageLoad, "text/html; charset=utf-8"},
		"a program":                        {nil, fetch, "application/problem+json"},
		"an Answer that leaves it to echo": {custom, pageLoad, "application/json"},
	} {
		inApp(t, middleware.Config{Answer: c.answer}, func(a *app) {
			a.Users.SetUser("gone", store.User{Disabled: true})
			a.echo.POST("/twice", func(ctx echo.Context) error {
				return fmt.Errorf("the login failed: %w", a.guard.Issue(ctx, session.Login{UserID: "gone"}))
			}, a.guard.Identify)
			for _, path := range []string{"/login", "/twice"} {
				b := a.client(c.kind)
				if path == "/twice" {
					b.LogIn("ada")
				}
				calls = 0
				rec := b.Send("POST", path, "user=gone")
				if rec.Code != http.StatusForbidden || rec.Header().Get("Content-Type") != c.typ || !strings.Contains(rec.Body.String(), "This account cannot log in.") {
					a.Errorf("%s, %s: %d, %s: %s; want 403 as %s", name, path, rec.Code, rec.Header().Get("Content-Type"), rec.Body, c.typ)
				}
				if want := map[bool]int{true: 1, false: 0}[c.answer != nil]; calls != want {
					a.Errorf("%s, %s: Answer was called %d times; want %d", name, path, calls, want)
				}
			}
		})
	}
}

// An app may answer in its own way, with the refusal as the cause.
func TestIssue_AppsOwnAnswerCounts(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		a.Users.SetUser("gone", store.User{Disabled: true})
		a.echo.HTTPErrorHandler = func(err error, c echo.Context) {
			if answer, ok := errors.AsType[*echo.HTTPError](err); ok {
				_ = c.String(answer.Code, fmt.Sprint(answer.Message))
			}
		}
		a.echo.POST("/own", func(c echo.Context) error {
			return echo.NewHTTPError(http.StatusUnauthorized, "wrong name or password").SetInternal(a.guard.Issue(c, session.Login{UserID: "gone"}))
		}, a.guard.Identify)
		if rec := a.client(pageLoad).LogIn("ada").Send("POST", "/own", ""); rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "wrong name or password") {
			a.Errorf("%d %s; want the app's answer", rec.Code, rec.Body)
		}
	})
}
