package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/sessionkit/sessionkit/example/internal/look"
	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// app is what the handlers share.
type app struct {
	opts       options
	db         database
	users      *userTable
	passwords  *passwords
	sessions   *session.Manager
	guard      *sessionmw.Guard
	statements *atomic.Int64 // of all requests, see countingStore
	demoUsers  []demoUser    // whose passwords the login page shows; none on a network
}

// rememberIdle is how long a login with "Keep me logged in" lives without a request.
const rememberIdle = 30 * 24 * time.Hour

// newApp connects the parts. An app of your own needs the same steps.
func newApp(ctx context.Context, keys session.Keys, db database, opts options, demo bool) (*app, error) {
	users := &userTable{db}
	if err := users.prepare(ctx, demo); err != nil {
		return nil, fmt.Errorf("the users table: %w", err)
	}
	passwords, err := newPasswords(users, demo)
	if err != nil {
		return nil, err
	}
	a := &app{opts: opts, db: db, users: users, passwords: passwords, statements: new(atomic.Int64)}
	if demo {
		a.demoUsers = demoUsers
	}

	// The store keeps one row per session, and reads the user's row beside it.
	rows, err := sqlstore.New(db.DB, sqlstore.Config{
		Dialect: db.Dialect,
		Attrs:   map[string]string{"name": "name", "email": "email"},
	})
	if err != nil {
		return nil, err
	}
	if err := rows.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("the sessions table: %w", err)
	}

	// The manager decides who a request belongs to.
	a.sessions, err = session.New(keys, countingStore{rows, a.statements}, session.Config{
		AccessTTL:            opts.accessTTL,
		IdleTimeout:          opts.refreshTTL,
		AbsoluteTimeout:      opts.maxLifetime,
		RememberIdleTimeout:  rememberIdle,
		OnEvent:              session.LogEvents(slog.Default()),
		DangerouslyAllowHTTP: !opts.tls,
	})
	if err != nil {
		return nil, err
	}

	// The guard stands before the handlers.
	a.guard, err = sessionmw.New(a.sessions, sessionmw.Config{
		Public: []string{"/", "/static/*", "/healthz"},
		Answer: answerRefusal,
	})
	return a, err
}

func (a *app) routes() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = handleError
	// The address for the list of devices. Behind a proxy use
	// echo.ExtractIPFromXFFHeader with the proxy's address: otherwise a client can
	// send any address in X-Forwarded-For.
	e.IPExtractor = echo.ExtractIPDirect()

	e.Use(
		middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: logPanic}),
		middleware.SecureWithConfig(middleware.SecureConfig{
			ContentSecurityPolicy: "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			ContentTypeNosniff:    "nosniff",
			// Not no-referrer: a form that is sent after the session has ended leads
			// back, after the login, to the page that it was on.
			ReferrerPolicy: "same-origin",
			// One hour, because it applies to the whole host, which may be localhost.
			HSTSMaxAge: 3600, HSTSExcludeSubdomains: true,
		}),
		middleware.BodyLimit("64K"),
		countStatements,
		a.guard.Protect, // the one line: everything below needs a session, except what is Public
	)

	e.StaticFS("/static/", look.Static)
	e.GET("/", a.home)
	e.GET("/api/session", a.apiSession)
	e.GET("/healthz", a.health)

	e.GET("/login", a.loginPage)
	e.POST("/login", a.login)
	e.POST("/logout", a.guard.Logout)

	// Whoever finds an unlocked computer must not log out its owner elsewhere (OWASP ASVS
	// 7.5.2), nor change the password. The login page asks for the password again.
	recent := a.guard.RequireRecentLogin(5 * time.Minute)
	e.GET("/devices", a.devices)
	e.POST("/devices/revoke", a.revokeDevice, recent)
	e.POST("/devices/revoke-others", a.revokeOtherDevices, recent)
	e.GET("/account", a.account, recent)
	e.POST("/account/password", a.changePassword, recent)

	// Roles in a cookie may be as old as the access cookie. RequireLive makes the store
	// decide about them, for what must not rest on that.
	admin, live := a.guard.RequireRole(roleAdmin), echo.MiddlewareFunc(a.guard.RequireLive)
	e.GET("/admin", a.admin, admin)
	e.POST("/admin/ban", a.forUser(a.ban, "banned"), admin, live)
	e.POST("/admin/unban", a.forUser(a.unban, "unbanned"), admin)
	e.POST("/admin/role", a.forUser(a.changeRole, "role"), admin, live)
	e.POST("/admin/revoke", a.forUser(a.revokeUser, "revoked"), admin)
	e.POST("/admin/revoke-all", a.revokeEverybody, admin, live)
	return e
}

func logPanic(c echo.Context, err error, stack []byte) error {
	slog.Error("panic", "path", c.Path(), "error", err, "stack", string(stack))
	return err
}

// current returns the session of a request. Behind Protect there is always one,
// except on public pages.
func current(c echo.Context) session.Session {
	s, _ := session.FromContext(c.Request().Context())
	return s
}

// redirect answers a form: the browser loads a page, which shows the notice (see
// pages.go). Reloading that page does not send the form again.
func redirect(c echo.Context, page, notice string) error {
	return c.Redirect(http.StatusSeeOther, page+"?done="+notice)
}
