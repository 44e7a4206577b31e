// Package middleware protects the handlers of an app on echo v4 with sessions.
//
//	guard, err := middleware.New(sessions, middleware.Config{Public: []string{"/", "/static*"}})
//	e.Use(guard.Protect)
//
// It adds echo's signatures and route matching to package nethttp. That package holds
// the rules, and its documentation describes the answers that clients get.
package middleware

import (
	"errors"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Guard decides which requests reach the handlers of an echo app, and identifies the
// user. It is safe for concurrent use. Make one with New.
type Guard struct {
	core    *nethttp.Core
	routes  *nethttp.Routes
	custom  func(echo.Context, *echo.HTTPError) error // Config.Answer
	timeout sync.Once                                 // of the report of a timeout middleware
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
	routes, routesErr := core.Routes(nethttp.RoutesConfig{Public: cfg.Public, Background: cfg.Background, Hosts: true})
	if err := errors.Join(err, routesErr); err != nil {
		return nil, err
	}
	return &Guard{core: core, routes: routes, custom: cfg.Answer}, nil
}

// Protect admits only requests with a session. On the login page and the public routes
// it does what Identify does. It admits each request to Config.LogoutPath: Guard.Logout
// makes its own checks. Mount Protect with Use, so that it runs after the router, not
// with Pre, and before middleware that changes Request.Host: the guard finds the virtual
// host by it, as the router has.
//
// Protect sets Cache-Control: no-store on each answer to a request with a session, also on
// public pages. The handler may replace it, as http.ServeContent does on an error, unless the
// answer sets cookies.
func (g *Guard) Protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		g.routes.ReportUnmatched(func() iter.Seq2[string, string] { return registered(c.Echo()) })
		need, guarded := g.routes.Requirement(routeOf(c), c.Request().Method)
		if !guarded {
			return next(c)
		}
		return g.admit(c, next, need)
	}
}

// registered yields the routes of an Echo, and their methods. Those of a virtual host begin
// with its name.
func registered(e *echo.Echo) iter.Seq2[string, string] {
	return func(yield func(route, method string) bool) {
		for _, r := range e.Routes() {
			if !yield(r.Path, r.Method) {
				return
			}
		}
		for host, router := range e.Routers() {
			for _, r := range router.Routes() {
				if !yield(host+r.Path, r.Method) {
					return
				}
			}
		}
	}
}

// routeOf returns the route that echo has chosen for a request, after the name of its virtual
// host. Echo compares the Host header with that name byte by byte. So the header
// "SHOP.example.com" is the default host, and so are the routes that it reaches.
func routeOf(c echo.Context) string {
	if host := c.Request().Host; c.Echo().Routers()[host] != nil {
		return host + c.Path()
	}
	return c.Path()
}

// Identify admits requests with and without a session. The handler gets the session
// from session.FromContext. If the session has ended, or the store does not answer, the
// handler sees no session. Identify refuses only unsafe requests and WebSockets from
// other sites, and prefetches that have one of the Manager's cookies, but no good access
// cookie.
func (g *Guard) Identify(next echo.HandlerFunc) echo.HandlerFunc {
	return g.require(nethttp.Requirement{Public: true})(next)
}

// RequireRole admits only users who have the role or one of the others. Other users get
// a 403. The roles come from the access cookie, which is up to session.Config.AccessTTL
// old. RequireLive, before or behind it, makes the store decide.
func (g *Guard) RequireRole(role string, or ...string) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Roles: append([]string{role}, or...)})
}

// RequireRecentLogin admits only users who logged in less than d ago. Other users are
// sent to the login page, with reauth=1 in its query, and return after the login. An
// impersonation gets a 403: see session.Login.Actor. If d is zero or negative, it admits
// nobody.
func (g *Guard) RequireRecentLogin(d time.Duration) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Recent: max(d, 1)})
}

// RequireMethod admits only users who have proved who they are by the method or one of the
// others: see session.Login.Methods and StepUp. Other users are sent to the login page, with
// reauth=1 and the methods in its query. If that page asks for one of them, and calls StepUp,
// they return from there. An impersonation gets a 403: see session.Login.Actor.
func (g *Guard) RequireMethod(method string, or ...string) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Methods: append([]string{method}, or...)})
}

// RequireLive admits only clients that hold a session that is live now. It asks the
// store, with one statement for each request. A browser must send the refresh cookie of its
// session, and a program a token that its session has issued: see session.Manager.RequireLive. Use it where an access cookie
// is not enough, such as for payments: that may be up to session.Config.AccessTTL old,
// copied, or forged with a leaked key.
//
// Later guards and the handler see the session with the roles, attributes and times that
// the store says now. What earlier guards of the request have required is judged again:
// roles, methods and a recent login. If the store does not answer, the request gets a 503.
// A refusal deletes no cookie.
func (g *Guard) RequireLive(next echo.HandlerFunc) echo.HandlerFunc {
	return g.require(nethttp.Requirement{Live: true})(next)
}

func (g *Guard) require(need nethttp.Requirement) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return g.admit(c, next, need) }
	}
}

func (g *Guard) admit(c echo.Context, next echo.HandlerFunc, need nethttp.Requirement) error {
	if err := g.checkTimeout(c, false); err != nil {
		return err
	}
	original := c.Request()
	w, r, refusal := g.core.Admit(c.Response().Writer, original, need)
	g.use(c, w, r)
	if refusal != nil {
		return g.answer(c, refusal)
	}
	defer g.finish(c, original)
	err := next(c)
	// The app may have put another answer around the refusal: that one counts.
	if answer, ok := errors.AsType[*echo.HTTPError](err); ok && !c.Response().Committed {
		if refused, ok := answer.Internal.(unanswered); ok {
			return g.answer(c, refused.Refusal)
		}
	}
	return err
}

// use makes the rest of the chain use a writer and a request. Gzip outside the guard
// restores its own writer when a handler returns an error, so the answer to the error
// bypasses the guard's writer. The Before hook checks that answer, too.
func (g *Guard) use(c echo.Context, w http.ResponseWriter, r *http.Request) {
	if w != c.Response().Writer {
		c.Response().Writer = w
		c.Response().Before(func() { g.core.Finish(c.Request()) })
	}
	c.SetRequest(r)
}

// finish is called when the handler has returned or panicked.
func (g *Guard) finish(c echo.Context, original *http.Request) {
	g.core.Finish(c.Request())
	nethttp.ReturnForm(original, c.Request())
}

func (g *Guard) answer(c echo.Context, refusal *nethttp.Refusal) error {
	if g.custom != nil && !refusal.Fixed {
		if err := g.custom(c, httpError(refusal)); err != nil || c.Response().Committed {
			return err
		}
	}
	return refusal.Write(c.Response())
}

// Err returns nil if the request has a session, else why it has none: see nethttp.Core.Err.
// It is for public pages. If the error Is session.ErrStoreUnavailable, the user may be logged
// in.
func (g *Guard) Err(c echo.Context) error { return g.core.Err(c.Request()) }

// WriteError answers with an error of Issue or of the session.Manager, in the form that
// suits the client: see nethttp.Core.Refuse for the status. The answer to any other error
// is a 500 that does not show the error. Nothing is logged: log such an error first.
// Config.Answer writes the answer, if it is set. WriteError returns the error of the writer,
// or that of Answer.
func (g *Guard) WriteError(c echo.Context, err error) error {
	return g.answer(c, g.core.Refuse(c.Response().Header(), c.Request(), err))
}

// httpError returns an *echo.HTTPError that is not wrapped: echo's error handler answers
// a wrapped one with a 500.
func httpError(refusal *nethttp.Refusal) *echo.HTTPError {
	return &echo.HTTPError{Code: refusal.Status, Message: refusal.Text, Internal: refusal}
}

// unanswered is the refusal of a login. The handler returns it, and the guard around the
// handler answers it as it answers its own.
type unanswered struct{ *nethttp.Refusal }

// Unwrap shows the Refusal to errors.As.
func (u unanswered) Unwrap() error { return u.Refusal }

// tooLate is the error of Issue and Logout after the first byte of the answer, when the
// cookies would be lost.
func tooLate() *echo.HTTPError {
	return echo.ErrInternalServerError.WithInternal(errors.New("middleware: the answer has begun and can carry no cookies: call Issue and Logout before writing"))
}

// Issue begins a session for a user whose credentials the app has verified, and sets its
// cookies in the answer. It ends the session that the browser had. Call it before the
// first byte of the answer. The error, if any, is an *echo.HTTPError. Return it unchanged:
// behind Protect, the client gets a page like that of the guard's own refusals.
// Its status is 403 if the user may not log in or the request came from another site, 503
// if the store does not answer, and 500 if the user does not fit into a cookie or the
// answer has begun.
//
// If Echo.IPExtractor is set and Login.IP is empty, the list of devices shows
// c.RealIP().
func (g *Guard) Issue(c echo.Context, login session.Login) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	if login.IP == "" && c.Echo().IPExtractor != nil {
		login.IP = c.RealIP()
	}
	return g.continued(c)(g.core.Issue(c.Response().Writer, c.Request(), login))
}

// StepUp begins a new session for the request's user, who has just proved who they are by
// one more method, such as a second factor, which the app has verified. The old session
// ends: see session.Manager.StepUp. It is used like Issue, and its errors are the same.
func (g *Guard) StepUp(c echo.Context, method string) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	return g.continued(c)(g.core.StepUp(c.Response().Writer, c.Request(), method))
}

// PasswordChanged renews the request's session, and ends all others of the user, after the app
// has stored a new password and raised the user's session epoch: see
// session.Manager.PasswordChanged. It is used like Issue.
func (g *Guard) PasswordChanged(c echo.Context, epoch uint64) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	return g.continued(c)(g.core.PasswordChanged(c.Response().Writer, c.Request(), epoch))
}

// Update replaces the Data of the request's session: see session.Manager.Update. It is used
// like Issue.
func (g *Guard) Update(c echo.Context, data map[string]string) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	return g.continued(c)(g.core.Update(c.Response().Writer, c.Request(), data))
}

// StopImpersonating puts the actor's own session in place of the request's impersonation: see
// session.Login.Actor and session.Manager.StopImpersonating. It is used like Issue.
func (g *Guard) StopImpersonating(c echo.Context) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	return g.continued(c)(g.core.StopImpersonating(c.Response().Writer, c.Request()))
}

// continued lets the handler go on with the writer and the request that a call of the Core
// returns.
func (g *Guard) continued(c echo.Context) func(http.ResponseWriter, *http.Request, *nethttp.Refusal) error {
	return func(w http.ResponseWriter, r *http.Request, refusal *nethttp.Refusal) error {
		if refusal != nil {
			return httpError(refusal).WithInternal(unanswered{refusal})
		}
		g.use(c, w, r)
		return nil
	}
}

// Logout is a handler that ends the request's session and deletes its cookies. Browsers
// get a 303 to ReturnTo(c, LoginPath), programs a 204, and front-end libraries what
// nethttp.Redirect says. A method other than POST gets a 405. If the store does not answer, the answer is the same,
// except that the page's query has logout=pending: see Config.OnLogoutError for what then
// holds.
func (g *Guard) Logout(c echo.Context) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	original := c.Request()
	w, r, refusal := g.core.Logout(c.Response().Writer, original)
	if refusal != nil {
		return g.answer(c, refusal)
	}
	g.use(c, w, r)
	defer g.finish(c, original)
	// AfterLogout reads the form. This is safe now: a request of another site was refused.
	return nethttp.Redirect(c.Response(), r, g.core.AfterLogout(r))
}

// ReturnTo returns the page to show after a login: the form or query value "next" if it
// is a path of this app and neither the login nor the logout, else fallback, as it is: with
// Config.Prefix, write "/app/".
func (g *Guard) ReturnTo(c echo.Context, fallback string) string {
	return g.core.ReturnTo(c.Request(), fallback)
}
