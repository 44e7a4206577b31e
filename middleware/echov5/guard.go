// Package echov5 protects the handlers of an app on echo v5 with sessions.
//
//	guard, err := echov5.New(sessions, echov5.Config{Public: []string{"/", "/static*"}})
//	e.Use(guard.Protect)
//
// It adds echo's signatures and route matching to package nethttp. That package holds
// the rules, and its documentation describes the answers that clients get.
package echov5

import (
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Guard decides which requests reach the handlers of an echo app, and identifies the
// user. It is safe for concurrent use. Make one with New.
type Guard struct {
	core    *nethttp.Core
	routes  *nethttp.Routes
	custom  func(*echo.Context, *echo.HTTPError) error // Config.Answer
	timeout sync.Once                                  // of the report of a timeout middleware
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
	return &Guard{core: core, routes: routes, custom: cfg.Answer}, nil
}

// Protect admits only requests with a session. On the login page and the public routes
// it does what Identify does. It admits each request to Config.LogoutPath: Guard.Logout
// makes its own checks. Mount Protect with Use, so that it runs after the router, not with
// Pre. The lists of the Config hold for each Echo that uses the guard: behind
// echo.NewVirtualHostHandler, make a guard for each host's Echo.
//
// Protect sets Cache-Control: no-store on each answer to a request with a session, also on
// public pages. The handler may replace it, unless the answer sets cookies.
func (g *Guard) Protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		g.routes.ReportUnmatched(func() iter.Seq2[string, string] { return registered(c.Echo()) })
		need, guarded := g.routes.Requirement(c.Path(), c.Request().Method)
		if !guarded {
			return next(c)
		}
		return g.admit(c, next, need)
	}
}

// registered yields the routes of an Echo, and their methods.
func registered(e *echo.Echo) iter.Seq2[string, string] {
	return func(yield func(route, method string) bool) {
		for _, r := range e.Router().Routes() {
			if r.Method == echo.RouteNotFound { // no route: a group has one for its middleware
				continue
			}
			if r.Method == echo.RouteAny { // for all methods that have no route of their own
				r.Method = ""
			}
			if !yield(r.Path, r.Method) {
				return
			}
		}
	}
}

// Identify admits requests with and without a session. The handler gets the session
// from session.FromContext. See nethttp.Guard.Identify.
func (g *Guard) Identify(next echo.HandlerFunc) echo.HandlerFunc {
	return g.require(nethttp.Requirement{Public: true})(next)
}

// RequireRole admits only users who have the role or one of the others. Other users get
// a 403. The roles come from the access cookie, which is up to session.Config.AccessTTL
// old. RequireLive, before or behind it, makes the store decide.
func (g *Guard) RequireRole(role string, or ...string) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Roles: append([]string{role}, or...)})
}

// RequireRecentLogin admits only users who logged in less than d ago, and no impersonation.
// Other users are sent to the login page, with reauth=1 in its query, and return after the
// login. If d is zero or negative, it admits nobody.
func (g *Guard) RequireRecentLogin(d time.Duration) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Recent: max(d, 1)})
}

// RequireMethod admits only users who have proved who they are by the method or one of the
// others, and no impersonation: see nethttp.Guard.RequireMethod and StepUp.
func (g *Guard) RequireMethod(method string, or ...string) echo.MiddlewareFunc {
	return g.require(nethttp.Requirement{Methods: append([]string{method}, or...)})
}

// RequireLive admits only clients that hold a session that is live now: browsers by their
// refresh cookie, programs by a token. It asks the store, with one statement for each
// request: see nethttp.Guard.RequireLive.
func (g *Guard) RequireLive(next echo.HandlerFunc) echo.HandlerFunc {
	return g.require(nethttp.Requirement{Live: true})(next)
}

func (g *Guard) require(need nethttp.Requirement) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error { return g.admit(c, next, need) }
	}
}

func (g *Guard) admit(c *echo.Context, next echo.HandlerFunc, need nethttp.Requirement) error {
	if err := g.checkTimeout(c, false); err != nil {
		return err
	}
	original := c.Request()
	w, r, refusal := g.core.Admit(writer(c), original, need)
	g.use(c, w, r)
	if refusal != nil {
		return g.answer(c, refusal)
	}
	g.use(c, g.core.Watch(w, r), r) // so that Issue knows whether the answer has begun
	defer g.finish(c, original)
	err := next(c)
	// The app may have put another answer around the refusal: that one counts.
	if answer, ok := errors.AsType[*echo.HTTPError](err); ok && !committed(c) {
		if refused, ok := answer.Unwrap().(unanswered); ok {
			return g.answer(c, refused.Refusal)
		}
	}
	return err
}

// writer returns what echo's Response writes to. The guard's writer stands there, below all
// hooks and all writers of middleware, and so checks the header last.
func writer(c *echo.Context) http.ResponseWriter {
	if response, err := echo.UnwrapResponse(c.Response()); err == nil {
		return response.ResponseWriter
	}
	return c.Response()
}

// use makes the rest of the chain use a writer, which stands in place of that of writer, and a
// request.
func (g *Guard) use(c *echo.Context, w http.ResponseWriter, r *http.Request) {
	if response, err := echo.UnwrapResponse(c.Response()); err == nil {
		response.ResponseWriter = w
	} else {
		c.SetResponse(w)
	}
	c.SetRequest(r)
}

// committed reports whether the answer has begun.
func committed(c *echo.Context) bool {
	response, err := echo.UnwrapResponse(c.Response())
	return err == nil && response.Committed
}

// errTimeout refuses what runs within a timeout middleware: see nethttp.Core.RunsApart.
var errTimeout = errors.New("echov5: a timeout middleware is around this handler. It can give the session of one user to another: use echo's ContextTimeout, or http.TimeoutHandler around the whole Echo")

// checkTimeout returns an error within a timeout middleware, and logs the first one with slog's
// default logger.
func (g *Guard) checkTimeout(c *echo.Context, change bool) error {
	if !g.core.RunsApart(c.Response(), c.Request(), "github.com/labstack/echo/v5.(*Echo).ServeHTTP", change) {
		return nil
	}
	g.timeout.Do(func() { slog.Error(errTimeout.Error()) })
	return echo.ErrInternalServerError.Wrap(errTimeout)
}

// finish is called when the handler has returned or panicked.
func (g *Guard) finish(c *echo.Context, original *http.Request) {
	g.core.Finish(c.Request())
	nethttp.ReturnForm(original, c.Request())
}

func (g *Guard) answer(c *echo.Context, refusal *nethttp.Refusal) error {
	if g.custom != nil && !refusal.Fixed {
		if err := g.custom(c, httpError(refusal, refusal)); err != nil || committed(c) {
			return err
		}
	}
	return refusal.Write(c.Response())
}

// httpError returns the refusal as echo's error, which wraps the cause.
func httpError(refusal *nethttp.Refusal, cause error) *echo.HTTPError {
	err, _ := errors.AsType[*echo.HTTPError](echo.NewHTTPError(refusal.Status, refusal.Text).Wrap(cause))
	return err
}

// unanswered is the refusal of a login. The handler returns it, and the guard around the
// handler answers it as it answers its own.
type unanswered struct{ *nethttp.Refusal }

// Unwrap shows the Refusal to errors.As.
func (u unanswered) Unwrap() error { return u.Refusal }

// Err returns nil if the request has a session, else why it has none: see nethttp.Core.Err.
// It is for public pages. If the error Is session.ErrStoreUnavailable, the user may be logged
// in.
func (g *Guard) Err(c *echo.Context) error { return g.core.Err(c.Request()) }

// WriteError answers with an error of Issue or of the session.Manager, in the form that
// suits the client: see nethttp.Core.Refuse for the status. The answer to any other error
// is a 500 that does not show the error. Nothing is logged: log such an error first.
// Config.Answer writes the answer, if it is set. WriteError returns the error of the writer,
// or that of Answer.
func (g *Guard) WriteError(c *echo.Context, err error) error {
	return g.answer(c, g.core.Refuse(c.Response().Header(), c.Request(), err))
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
func (g *Guard) Issue(c *echo.Context, login session.Login) error {
	if login.IP == "" && c.Echo().IPExtractor != nil {
		login.IP = c.RealIP()
	}
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.Issue(w, r, login)
	})
}

// StepUp begins a new session for the request's user, who has just proved who they are by
// one more method, such as a second factor, which the app has verified. The old session
// ends: see session.Manager.StepUp. It is used like Issue, and its errors are the same.
func (g *Guard) StepUp(c *echo.Context, method string) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.StepUp(w, r, method)
	})
}

// PasswordChanged renews the request's session, and ends all others of the user, after the app
// has stored a new password and raised the user's session epoch: see
// session.Manager.PasswordChanged. It is used like Issue.
func (g *Guard) PasswordChanged(c *echo.Context, epoch uint64) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.PasswordChanged(w, r, epoch)
	})
}

// Update replaces the Data of the request's session: see session.Manager.Update. It is used
// like Issue.
func (g *Guard) Update(c *echo.Context, data map[string]string) error {
	return g.begin(c, func(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal) {
		return g.core.Update(w, r, data)
	})
}

// StopImpersonating puts the actor's own session in place of the request's impersonation: see
// session.Login.Actor and session.Manager.StopImpersonating. It is used like Issue.
func (g *Guard) StopImpersonating(c *echo.Context) error {
	return g.begin(c, g.core.StopImpersonating)
}

// begin lets the handler go on with the session that a call of the Core begins.
func (g *Guard) begin(c *echo.Context, call func(http.ResponseWriter, *http.Request) (http.ResponseWriter, *http.Request, *nethttp.Refusal)) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	w, r, refusal := call(writer(c), c.Request())
	if refusal != nil {
		return httpError(refusal, unanswered{refusal})
	}
	g.use(c, w, r)
	return nil
}

// mayBegin returns an error if the answer to a request cannot carry cookies safely.
func (g *Guard) mayBegin(c *echo.Context) error {
	if err := g.checkTimeout(c, true); err != nil {
		return err
	}
	if committed(c) {
		return tooLate()
	}
	return nil
}

// tooLate is the error of Issue and Logout after the first byte of the answer, when the
// cookies would be lost.
func tooLate() error {
	return echo.ErrInternalServerError.Wrap(errors.New("echov5: the answer has begun and can carry no cookies: call Issue and Logout before writing"))
}

// Logout is a handler that ends the request's session and deletes its cookies. Browsers
// get a 303 to ReturnTo(c, LoginPath), programs a 204: see nethttp.Guard.Logout. A method
// other than POST gets a 405.
func (g *Guard) Logout(c *echo.Context) error {
	if err := g.mayBegin(c); err != nil {
		return err
	}
	original := c.Request()
	w, r, refusal := g.core.Logout(writer(c), original)
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
func (g *Guard) ReturnTo(c *echo.Context, fallback string) string {
	return g.core.ReturnTo(c.Request(), fallback)
}
