package skins

import (
	"net/http"

	"github.com/gin-gonic/gin"

	sessiongin "github.com/sessionkit/sessionkit/middleware/gin"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

func newGin(sessions *session.Manager, s setup) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	cfg := sessiongin.Config{
		Public:        []string{"/", "/static/*path", "GET /articles/:id", "/greeting"},
		Background:    []string{"/poll"},
		Engine:        engine,
		Prefix:        s.prefix,
		Credentials:   s.credentials,
		OnLogoutError: s.onLogoutError,
		LogoutURL:     s.logoutURL,
	}
	if s.ownPage {
		cfg.Answer = func(c *gin.Context, refusal *nethttp.Refusal) {
			if refusal.Status != http.StatusSeeOther {
				c.String(refusal.Status, ownPage)
			}
		}
	}
	guard, err := sessiongin.New(sessions, cfg)
	if err != nil {
		return nil, err
	}
	engine.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	if s.bare {
		engine.Use(guard.Identify)
	} else {
		engine.Use(guard.Protect)
	}
	who := func(c *gin.Context) { c.String(http.StatusOK, "%s", describe(c.Request)) }
	then := func(call func(c *gin.Context) error) gin.HandlerFunc {
		return func(c *gin.Context) {
			if err := call(c); err != nil {
				guard.WriteError(c, err)
				return
			}
			who(c)
		}
	}
	writes := func(handler func(c *gin.Context) error) gin.HandlerFunc {
		return func(c *gin.Context) {
			if err := handler(c); err != nil {
				c.AbortWithStatus(http.StatusInternalServerError)
			}
		}
	}
	engine.GET("/", who)
	engine.POST("/", who)
	engine.GET("/static/*path", who)
	engine.GET("/articles/:id", who)
	engine.POST("/articles/:id", who)
	engine.GET("/greeting", func(c *gin.Context) {
		c.String(http.StatusOK, "%s", greeting(c.Request.Context(), guard.Err(c)))
	})
	engine.GET("/login", func(c *gin.Context) { c.String(http.StatusOK, "login page") })
	engine.POST("/login", func(c *gin.Context) {
		if err := guard.Issue(c, loginOf(c.Request)); err != nil {
			guard.WriteError(c, err)
			return
		}
		c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/account"))
	})
	engine.POST("/logout", guard.Logout)
	engine.GET("/logout", guard.Logout)
	engine.GET("/account", who)
	engine.POST("/account", who)
	engine.GET("/poll", who)
	engine.GET("/admin", guard.RequireRole("admin", "root"), who)
	engine.GET("/password", guard.RequireRecentLogin(recent), who)
	engine.POST("/password", then(func(c *gin.Context) error { return guard.PasswordChanged(c, epochOf(c.Request)) }))
	engine.GET("/pay", guard.RequireRole("staff"), guard.RequireLive, who)
	engine.GET("/otp", guard.RequireMethod("otp"), who)
	engine.POST("/code", then(func(c *gin.Context) error { return guard.StepUp(c, "otp") }))
	engine.POST("/tenant", then(func(c *gin.Context) error { return guard.Update(c, tenantOf(c.Request)) }))
	engine.POST("/stop", then(guard.StopImpersonating))
	engine.GET("/error", func(c *gin.Context) { guard.WriteError(c, errorOf(c.Request)) })
	engine.GET("/end", writes(func(c *gin.Context) error { return end(sessions, c.Writer, c.Request) }))
	engine.GET("/stream", writes(func(c *gin.Context) error { return stream(sessions, c.Writer, c.Request) }))
	engine.GET("/hijack", writes(func(c *gin.Context) error { return hijack(c.Writer, c.Request) }))
	engine.POST("/upload", writes(func(c *gin.Context) error { return upload(c.Writer, c.Request) }))
	return engine, nil
}
