package middleware_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/session"
)

const accessName, refreshName, oddRefreshName = guardtest.AccessName, guardtest.RefreshName, guardtest.OddRefreshName

var (
	pageLoad = guardtest.PageLoad
	fetch    = guardtest.Fetch
	viaHTMX  = guardtest.HTMX

	cookiesOf = guardtest.CookiesOf
	errDown   = guardtest.ErrDown
)

// app is an echo app behind a guard.
type app struct {
	*testing.T
	*guardtest.World
	echo  *echo.Echo
	guard *middleware.Guard
}

// inApp runs a test of an app in a synctest bubble. Routes that a test adds are
// protected like all others.
func inApp(t *testing.T, cfg middleware.Config, test func(a *app)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // the Manager may still be probing the store
		a := &app{T: t, World: guardtest.NewWorld(t), echo: echo.New()}
		if cfg.Public == nil {
			cfg.Public = []string{"/", "/static*"}
		}
		var err error
		if a.guard, err = middleware.New(a.Sessions, cfg); err != nil {
			t.Fatal(err)
		}
		e := a.echo
		e.Use(echomw.Recover(), a.guard.Protect)
		e.GET("/login", who)
		e.POST("/login", func(c echo.Context) error {
			if err := a.guard.Issue(c, session.Login{UserID: c.FormValue("user")}); err != nil {
				return err
			}
			return c.Redirect(http.StatusSeeOther, a.guard.ReturnTo(c, "/account"))
		})
		e.Any("/logout", a.guard.Logout)
		e.GET("/", who)
		e.GET("/static/*", who)
		e.Any("/account", who)
		e.GET("/admin", who, a.guard.RequireRole("admin", "root"))
		e.GET("/password", who, a.guard.RequireRecentLogin(5*time.Minute))
		test(a)
	})
}

// client returns a client of the app without cookies.
func (a *app) client(kind guardtest.Kind) *guardtest.Client {
	return guardtest.NewClient(a.T, a.echo, kind)
}

// expire waits for longer than an access cookie lives.
func expire() { time.Sleep(2 * time.Minute) }

// who answers with the user that the handler sees.
func who(c echo.Context) error {
	s, ok := session.FromContext(c.Request().Context())
	if !ok {
		return c.String(http.StatusOK, "no session")
	}
	return c.String(http.StatusOK, s.UserID)
}
