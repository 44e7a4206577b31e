package skins

import (
	"net/http"

	"github.com/labstack/echo/v4"
	echomw "github.com/labstack/echo/v4/middleware"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

func newEchoV4(sessions *session.Manager, s setup) (http.Handler, error) {
	cfg := sessionmw.Config{
		Public:        []string{"/", "/static/*", "GET /articles/:id", "/greeting"},
		Background:    []string{"/poll"},
		Prefix:        s.prefix,
		Credentials:   s.credentials,
		OnLogoutError: s.onLogoutError,
		LogoutURL:     s.logoutURL,
	}
	if s.ownPage {
		cfg.Answer = func(c echo.Context, refusal *echo.HTTPError) error {
			if refusal.Code == http.StatusSeeOther {
				return nil
			}
			return c.String(refusal.Code, ownPage)
		}
	}
	guard, err := sessionmw.New(sessions, cfg)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(echomw.RecoverWithConfig(echomw.RecoverConfig{DisablePrintStack: true, LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err }}))
	if s.bare {
		e.Use(guard.Identify)
	} else {
		e.Use(guard.Protect)
	}
	who := func(c echo.Context) error { return c.String(http.StatusOK, describe(c.Request())) }
	then := func(call func(c echo.Context) error) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := call(c); err != nil {
				return err
			}
			return who(c)
		}
	}
	e.GET("/", who)
	e.POST("/", who)
	e.GET("/static/*", who)
	e.GET("/articles/:id", who)
	e.POST("/articles/:id", who)
	e.GET("/greeting", func(c echo.Context) error {
		return c.String(http.StatusOK, greeting(c.Request().Context(), guard.Err(c)))
	})
	e.GET("/login", func(c echo.Context) error { return c.String(http.StatusOK, "login page") })
	e.POST("/login", func(c echo.Context) error {
		if err := guard.Issue(c, loginOf(c.Request())); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/account"))
	})
	e.POST("/logout", guard.Logout)
	e.GET("/logout", guard.Logout)
	e.GET("/account", who)
	e.POST("/account", who)
	e.GET("/poll", who)
	e.GET("/admin", who, guard.RequireRole("admin", "root"))
	e.GET("/password", who, guard.RequireRecentLogin(recent))
	e.POST("/password", then(func(c echo.Context) error { return guard.PasswordChanged(c, epochOf(c.Request())) }))
	e.GET("/pay", who, guard.RequireRole("staff"), guard.RequireLive)
	e.GET("/otp", who, guard.RequireMethod("otp"))
	e.POST("/code", then(func(c echo.Context) error { return guard.StepUp(c, "otp") }))
	e.POST("/tenant", then(func(c echo.Context) error { return guard.Update(c, tenantOf(c.Request())) }))
	e.POST("/stop", then(guard.StopImpersonating))
	e.GET("/error", func(c echo.Context) error { return guard.WriteError(c, errorOf(c.Request())) })
	e.GET("/end", func(c echo.Context) error { return end(sessions, c.Response(), c.Request()) })
	e.GET("/stream", func(c echo.Context) error { return stream(sessions, c.Response(), c.Request()) })
	e.GET("/hijack", func(c echo.Context) error { return hijack(c.Response(), c.Request()) })
	e.POST("/upload", func(c echo.Context) error { return upload(c.Response(), c.Request()) })
	return e, nil
}
