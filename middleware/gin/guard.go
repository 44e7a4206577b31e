// Package gin protects the handlers of an app on gin with sessions.
//
//	guard, err := sessiongin.New(sessions, sessiongin.Config{Public: []string{"/", "/static/*filepath"}})
//	engine.Use(guard.Protect)
//
// It adds gin's signatures and route matching to package nethttp. That package holds
// the rules, and its documentation describes the answers that clients get.
package gin

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Guard decides which requests reach the handlers of a gin app, and identifies the user. It
// is safe for concurrent use. Make one with New.
type Guard struct {
	core   *nethttp.Core
	routes *nethttp.Routes
	engine *gin.Engine                          // Config.Engine
	custom func(*gin.Context, *nethttp.Refusal) // Config.Answer

	timeout sync.Once // of the report of a timeout middleware
}

// New returns a Guard for the sessions of a Manager. If the Config is faulty, the error
// names every fault.
func New(sessions *session.Manager, cfg Config) (*Guard, error) {
	core, err := nethttp.NewCore(sessions, nethttp.CoreConfig{
		LoginPath:     cfg.LoginPath,
		LogoutPath:    cfg.LogoutPath,
		Prefix:        cfg.Prefix,
		CrossOrigin:   cfg.CrossOrigin,
		Credentials:   cfg.Credentials,
		OnLogoutError: cfg.OnLogoutError,
		LogoutURL:     cfg.LogoutURL,
	})
	routes, routesErr := core.Routes(nethttp.RoutesConfig{Public: cfg.Public, Background: cfg.Background})
	if err := errors.Join(err, routesErr); err != nil {
		return nil, err
	}
	if cfg.Engine != nil {
		warnOfEarlier(cfg.Engine)
	}
	return &Guard{core: core, routes: routes, engine: cfg.Engine, custom: cfg.Answer}, nil
}

// warnOfEarlier warns of routes that no middleware of a later Use reaches.
func warnOfEarlier(engine *gin.Engine) {
	var earlier []string
	for _, r := range engine.Routes() {
		earlier = append(earlier, r.Method+" "+r.Path)
	}
	if len(earlier) > 0 {
		slices.Sort(earlier)
		slog.Warn(fmt.Sprintf("gin: these routes were registered before the guard was made, and gin serves them to everybody without it: %q; call Use with guard.Protect before the first route", earlier))
	}
}

// Protect admits only requests with a session. On the login page and the public routes
// it does what Identify does. It admits each request to Config.LogoutPath: Guard.Logout
// makes its own checks.
//
// Mount Protect with Use before the first route and the first group are made: gin gives
// middleware only to those that are made after it, and serves the others to everybody. Mount
// gin.Recovery before the guard, which then hides the cookies from what Recovery logs. Do not
// call HandleContext in middleware before the guard: gin takes the route that it has served
// for that of the request.
//
// Protect sets Cache-Control: no-store on each answer to a request with a session, also on
// public pages. The handler may replace it, unless the answer sets cookies.
func (g *Guard) Protect(c *gin.Context) {
	if g.engine != nil {
		g.routes.ReportUnmatched(g.registered)
	}
	if c.Writer.Written() { // by middleware, which should have ended the chain
		c.Abort()
		return
	}
	if need, guarded := g.routes.Requirement(c.FullPath(), c.Request.Method); guarded {
		g.admit(c, need)
	}
}

// registered yields the routes of the Engine, and their methods.
func (g *Guard) registered() iter.Seq2[string, string] {
	return func(yield func(route, method string) bool) {
		for _, r := range g.engine.Routes() {
			if !yield(r.Path, r.Method) {
				return
			}
		}
	}
}

// Identify admits requests with and without a session. The handler gets the session
// from session.FromContext, with c.Request.Context(). See nethttp.Guard.Identify.
func (g *Guard) Identify(c *gin.Context) { g.admit(c, nethttp.Requirement{Public: true}) }

// RequireRole admits only users who have the role or one of the others. Other users get
// a 403. The roles come from the access cookie, which is up to session.Config.AccessTTL
// old. RequireLive, before or behind it, makes the store decide.
func (g *Guard) RequireRole(role string, or ...string) gin.HandlerFunc {
	return g.require(nethttp.Requirement{Roles: append([]string{role}, or...)})
}

// RequireRecentLogin admits only users who logged in less than d ago, and no impersonation.
// Other users are sent to the login page, with reauth=1 in its query, and return after the
// login. If d is zero or negative, it admits nobody.
func (g *Guard) RequireRecentLogin(d time.Duration) gin.HandlerFunc {
	return g.require(nethttp.Requirement{Recent: max(d, 1)})
}

// RequireMethod admits only users who have proved who they are by the method or one of the
// others, and no impersonation: see nethttp.Guard.RequireMethod and StepUp.
func (g *Guard) RequireMethod(method string, or ...string) gin.HandlerFunc {
	return g.require(nethttp.Requirement{Methods: append([]string{method}, or...)})
}

// RequireLive admits only clients that hold a session that is live now: browsers by their
// refresh cookie, programs by a token. It asks the store, with one statement for each
// request: see nethttp.Guard.RequireLive.
func (g *Guard) RequireLive(c *gin.Context) { g.admit(c, nethttp.Requirement{Live: true}) }

func (g *Guard) require(need nethttp.Requirement) gin.HandlerFunc {
	return func(c *gin.Context) { g.admit(c, need) }
}

func (g *Guard) admit(c *gin.Context, need nethttp.Requirement) {
	if g.runsApart(c, false) {
		_ = c.AbortWithError(http.StatusInternalServerError, errTimeout)
		return
	}
	original := c.Request
	_, r, refusal := g.core.Admit(c.Writer, original, need)
	g.use(c, r)
	if refusal != nil {
		g.answer(c, refusal)
		return
	}
	returned := false
	defer func() { g.finish(c, original, returned) }()
	c.Next()
	returned = true
}

// use makes the rest of the chain use a request, and a writer that checks the header. The
// Core's own writer does not have the methods that gin needs.
func (g *Guard) use(c *gin.Context, r *http.Request) {
	if _, ok := c.Writer.(*writer); !ok {
		c.Writer = &writer{c.Writer, g.core, c}
	}
	c.Request = r
}

// finish is called when the handlers have returned or panicked. Gin sends an empty answer
// without a call of c.Writer. After a panic, gin.Recovery logs the headers of c.Request: no
// cookie must be among them.
func (g *Guard) finish(c *gin.Context, original *http.Request, returned bool) {
	if !c.Writer.Written() {
		g.core.Finish(c.Request)
	}
	nethttp.ReturnForm(original, c.Request)
	if !returned && len(c.Request.Header["Cookie"]) > 0 {
		masked := *c.Request
		masked.Header = masked.Header.Clone()
		masked.Header["Cookie"] = []string{"*"}
		c.Request = &masked
	}
}

// errTimeout refuses what runs within a timeout middleware: see nethttp.Core.RunsApart.
var errTimeout = errors.New("gin: a timeout middleware is around this handler. It can give the session of one user to another: use http.TimeoutHandler around the whole Engine, or a context with a deadline")

// runsApart reports whether a request runs within a timeout middleware, and logs the first one
// with slog's default logger.
func (g *Guard) runsApart(c *gin.Context, change bool) bool {
	if !g.core.RunsApart(c.Writer, c.Request, "github.com/gin-gonic/gin.(*Engine).ServeHTTP", change) {
		return false
	}
	g.timeout.Do(func() { slog.Error(errTimeout.Error()) })
	return true
}

// answer sends a refusal, unless the answer has begun, and ends the chain.
func (g *Guard) answer(c *gin.Context, refusal *nethttp.Refusal) {
	c.Abort()
	if c.Writer.Written() {
		_ = c.Error(refusal)
		return
	}
	if g.custom != nil && !refusal.Fixed {
		before := c.Writer.Status()
		if g.custom(c, refusal); c.Writer.Written() || c.Writer.Status() != before {
			return
		}
	}
	if err := refusal.Write(c.Writer); err != nil {
		_ = c.Error(err)
	}
}

// Err returns nil if the request has a session, else why it has none: see nethttp.Core.Err.
// It is for public pages. If the error Is session.ErrStoreUnavailable, the user may be logged
// in.
func (g *Guard) Err(c *gin.Context) error { return g.core.Err(c.Request) }

// WriteError answers with an error of Issue or of the session.Manager, in the form that
// suits the client, and ends the chain: see nethttp.Core.Refuse for the status. The answer to
// any other error is a 500 that does not show the error. Nothing is logged: log such an error
// first. Config.Answer writes the answer, if it is set.
func (g *Guard) WriteError(c *gin.Context, err error) {
	g.answer(c, g.core.Refuse(c.Writer.Header(), c.Request, err))
}

// Issue begins a session for a user whose credentials the app has verified, and sets its
// cookies in the answer. It ends the session that the browser had. Call it before the
// first byte of the answer. If there is an error, pass it to WriteError. It is a
// *nethttp.Refusal, whose status is 403 if the user may not log in or the request came from
// another site, 503 if the store does not answer, and 500 if the user does not fit into a
// cookie; or it says that the answer has begun.
//
// The list of devices shows the address that session.Config.ClientIP returns. It does not use
// c.ClientIP(), which believes every client unless Engine.SetTrustedProxies says otherwise.
func (g *Guard) Issue(c *gin.Context, login session.Login) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.Issue(w, r, login)
	})
}

// StepUp begins a new session for the request's user, who has just proved who they are by
// one more method, such as a second factor, which the app has verified. The old session
// ends: see session.Manager.StepUp. It is used like Issue, and its errors are the same.
func (g *Guard) StepUp(c *gin.Context, method string) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.StepUp(w, r, method)
	})
}

// PasswordChanged renews the request's session, and ends all others of the user, after the app
// has stored a new password and raised the user's session epoch: see
// session.Manager.PasswordChanged. It is used like Issue.
func (g *Guard) PasswordChanged(c *gin.Context, epoch uint64) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.PasswordChanged(w, r, epoch)
	})
}

// Update replaces the Data of the request's session: see session.Manager.Update. It is used
// like Issue.
func (g *Guard) Update(c *gin.Context, data map[string]string) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.Update(w, r, data)
	})
}

// StopImpersonating puts the actor's own session in place of the request's impersonation: see
// session.Login.Actor and session.Manager.StopImpersonating. It is used like Issue.
func (g *Guard) StopImpersonating(c *gin.Context) error {
	return g.begin(c, g.core.StopImpersonating)
}

// begin lets the handler go on with the session that a call of the Core begins.
func (g *Guard) begin(c *gin.Context, call func(http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal)) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	_, r, refusal := call(c.Writer, c.Request)
	if refusal != nil {
		return refusal
	}
	g.use(c, r)
	return nil
}

// mayBegin returns an error if the answer to a request cannot carry cookies safely.
func (g *Guard) mayBegin(c *gin.Context) error {
	switch {
	case g.runsApart(c, true):
		return errTimeout
	case c.Writer.Written():
		return errTooLate
	}
	return nil
}

// errTooLate is the error of Issue after the first byte of the answer, when the cookies would
// be lost.
var errTooLate = errors.New("gin: the answer has begun and can carry no cookies: call Issue and Logout before writing")

// Logout is a handler that ends the request's session and deletes its cookies. Browsers
// get a 303 to ReturnTo(c, LoginPath), programs a 204: see nethttp.Guard.Logout. A method
// other than POST gets a 405. If the answer has begun, or a timeout middleware runs the handler, the
// session stays, and c.Errors says so.
func (g *Guard) Logout(c *gin.Context) {
	if err := g.mayBegin(c); err != nil {
		_ = c.Error(err)
		c.Abort()
		return
	}
	original := c.Request
	_, r, refusal := g.core.Logout(c.Writer, original)
	if refusal != nil {
		g.answer(c, refusal)
		return
	}
	g.use(c, r)
	defer g.finish(c, original, true)
	// AfterLogout reads the form. This is safe now: a request of another site was refused.
	if err := nethttp.Redirect(c.Writer, r, g.core.AfterLogout(r)); err != nil {
		_ = c.Error(err)
	}
}

// ReturnTo returns the page to show after a login: the form or query value "next" if it
// is a path of this app and neither the login nor the logout, else fallback, as it is: with
// Config.Prefix, write "/app/".
func (g *Guard) ReturnTo(c *gin.Context, fallback string) string {
	return g.core.ReturnTo(c.Request, fallback)
}
