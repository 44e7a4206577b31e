package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// app is what the handlers share.
type app struct {
	users       *userTable
	credentials *credentials
	sessions    *session.Manager
	guard       *sessionmw.Guard
	db          *databases
	costs       *costLog
	refreshTTL  time.Duration
	maxLifetime time.Duration
	tls         bool
	showDemo    bool // the demo users' passwords on the login page
	started     time.Time
	stopping    <-chan struct{} // closed when the server stops: streams end then
}

// recentLogin is how long after a login the account page opens without asking
// for the password again.
const recentLogin = 5 * time.Minute

// rememberIdle is how long a login with "keep me logged in" lives without a request.
const rememberIdle = 30 * 24 * time.Hour

// clientIP is the client's address. Not echo's default, which believes what
// anybody writes in X-Forwarded-For: behind a proxy of your own use
// echo.ExtractIPFromXFFHeader and name it.
var clientIP = echo.ExtractIPDirect()

// routes says what is where. All is protected by one line, but for the login
// page and what sessionmw.Config calls public.
func (a *app) routes() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = handleError
	e.IPExtractor = clientIP

	e.Use(
		middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: logPanic}),
		a.secureHeaders,
		middleware.BodyLimit("64K"),
		a.measure,
		a.guard.Protect, // the one line
	)

	e.GET("/", a.home)
	e.GET("/static/:file", static)
	e.GET("/healthz", a.health)
	e.GET("/api/session", a.apiSession)
	e.GET(livePath, a.live)

	e.GET("/login", a.loginPage)
	e.POST("/login", a.login)
	e.POST("/logout", a.guard.Logout)

	e.GET("/devices", a.devices)
	e.POST("/devices/revoke", a.revokeDevice)
	e.POST("/devices/revoke-others", a.revokeOtherDevices)

	recent := a.guard.RequireRecentLogin(recentLogin)
	e.GET("/account", a.account, recent)
	e.POST("/account/password", a.changePassword, recent)

	// What takes or gives the most must not rest on a cookie that may be two
	// minutes old: there the store is asked whether the session is good now.
	admin, live := a.guard.RequireRole("admin"), echo.MiddlewareFunc(a.guard.RequireLive)
	e.GET("/admin", a.admin, admin)
	e.POST("/admin/ban", a.ban, admin, live)
	e.POST("/admin/unban", a.unban, admin)
	e.POST("/admin/revoke", a.revokeUser, admin)
	e.POST("/admin/role", a.changeRole, admin, live)
	e.POST("/admin/revoke-all", a.revokeEverybody, admin, live)
	return e
}

func logPanic(c echo.Context, err error, stack []byte) error {
	slog.Error("panic", "path", c.Path(), "error", err, "stack", string(stack))
	return err
}

// secureHeaders says on every answer what a browser may do with it: nothing but
// show it with this server's own styles, scripts and images.
func (a *app) secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		// same-origin, not no-referrer: a form that was sent too late leads back,
		// after the login, to the page that it stood on.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if a.tls {
			// An hour, because it speaks for the whole host name, and that may be
			// localhost. An app with a name of its own says two years.
			h.Set("Strict-Transport-Security", "max-age=3600")
		}
		return next(c)
	}
}

// current is whose request it is. Behind Protect there is always one.
func current(c echo.Context) session.Session {
	s, _ := session.FromContext(c.Request().Context())
	return s
}
