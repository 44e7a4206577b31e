// Package middleware puts sessions before the handlers of an echo app.
//
//	guard, err := middleware.New(sessions, middleware.Config{Public: []string{"/"}})
//	e.Use(guard.Protect)
//
// A Guard asks its [session.Manager] who a request belongs to, sets the cookies
// before the handler runs, and answers refusals: a redirect to the login page
// for page loads, HX-Redirect for htmx, 401 for programs, and 503 when the store
// does not answer, which logs nobody out.
//
// Each guard authenticates by itself, once per request, and trusts nothing that
// another middleware left behind: no order of mounting leaves a hole.
package middleware

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware/internal/guard"
	"github.com/sessionkit/sessionkit/session"
)

// Guard stands before handlers. It is immutable and safe for concurrent use.
type Guard struct {
	guard  *guard.Guard
	cfg    Config
	public map[string][]string // route to the methods that it is open to
}

// New returns a Guard for the sessions of a Manager. It refuses a faulty Config,
// naming every fault at once.
func New(sessions *session.Manager, cfg Config) (*Guard, error) {
	cfg = cfg.withDefaults()
	err := cfg.faults()
	if sessions == nil {
		err = errors.Join(errors.New("middleware: New was given no session.Manager"), err)
	}
	if err != nil {
		return nil, err
	}
	return &Guard{
		guard: guard.New(sessions, guard.Config{
			LoginPath:   cfg.LoginPath,
			LogoutPath:  cfg.LogoutPath,
			CrossOrigin: cfg.CrossOrigin,
			Credentials: guard.Credentials(cfg.Credentials),
		}),
		cfg:    cfg,
		public: cfg.public(),
	}, nil
}

// Protect lets only logged-in users through, but everybody to the login page and
// the public routes, where it does what Identify does. The logout it leaves
// alone: that checks all it needs by itself, and must not wait for the store
// twice. Mount Protect with Use, after the router has run, not with Pre.
//
// Its answers are not for caches, unless the handler says otherwise, as
// [http.ServeContent] does where it refuses; and none that sets cookies is.
func (g *Guard) Protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == g.cfg.LogoutPath {
			return next(c)
		}
		methods, ok := g.public[c.Path()]
		public := ok && (methods == nil || slices.Contains(methods, c.Request().Method))
		return g.admit(c, next, guard.Needs{Public: public})
	}
}

// Identify lets everybody through, and says who they are: see
// [session.FromContext]. It refuses only unsafe requests from other sites. A
// session that is over, or a store that does not answer, means nobody.
func (g *Guard) Identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		return g.admit(c, next, guard.Needs{Public: true})
	}
}

// RequireRole lets only users through who have the role, or one of the others
// named, as the store last said; others get a 403.
func (g *Guard) RequireRole(role string, or ...string) echo.MiddlewareFunc {
	return g.require(guard.Needs{Roles: append([]string{role}, or...)})
}

// RequireRecentLogin lets only users through who proved who they are less than d
// ago. Others are sent to the login page, with reauth=1 in its query, and come
// back: logging in again gives them a fresh AuthTime.
func (g *Guard) RequireRecentLogin(d time.Duration) echo.MiddlewareFunc {
	return g.require(guard.Needs{Recent: max(d, 1)})
}

// RequireLive lets only users through whose session is good at this moment: it
// asks the store, for a statement a request. It is for what must not rest on a
// cookie of up to AccessTTL's age: payments, and the like.
func (g *Guard) RequireLive(next echo.HandlerFunc) echo.HandlerFunc {
	return g.require(guard.Needs{Live: true})(next)
}

func (g *Guard) require(needs guard.Needs) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return g.admit(c, next, needs) }
	}
}

func (g *Guard) admit(c echo.Context, next echo.HandlerFunc, needs guard.Needs) error {
	came := c.Request()
	w, r, refusal := g.guard.Admit(c.Response().Writer, came, needs)
	g.use(c, w, r)
	if refusal != nil {
		return g.answer(c, refusal)
	}
	defer handBack(c, came)
	err := next(c)
	g.guard.Finish(c.Request())
	return err
}

// use goes on with a writer and a request. A writer that looks after cookies is
// not the only one that does: echo's own first byte is watched as well, because
// Gzip, say, mounted before the guard, puts its writer back when a handler
// returns an error, and the error is written past the guard's.
func (g *Guard) use(c echo.Context, w http.ResponseWriter, r *http.Request) {
	if w != c.Response().Writer {
		c.Response().Writer = w
		c.Response().Before(func() { g.guard.Finish(c.Request()) })
	}
	c.SetRequest(r)
}

// handBack gives the form that was parsed of the request to the one that came. The
// server removes the temporary files of uploads when it is done, but knows only of
// the request that it made.
func handBack(c echo.Context, came *http.Request) {
	if came.MultipartForm == nil {
		came.MultipartForm = c.Request().MultipartForm
	}
}

func (g *Guard) answer(c echo.Context, refusal *guard.Refusal) error {
	if g.cfg.Answer != nil {
		if err := g.cfg.Answer(c, httpError(refusal)); err != nil || c.Response().Committed {
			return err
		}
	}
	return refusal.Write(c.Response())
}

// httpError returns a fresh error, unwrapped, as echo's error handler wants it:
// it takes a wrapped one for a 500.
func httpError(refusal *guard.Refusal) *echo.HTTPError {
	return &echo.HTTPError{Code: refusal.Status, Message: refusal.Text, Internal: refusal.Err}
}

// late is the answer to a fault in a handler: a cookie after the first byte is lost.
func late() *echo.HTTPError {
	return echo.ErrInternalServerError.WithInternal(errors.New("middleware: the answer has begun, and can carry no cookies: call Issue and Logout before writing"))
}

// Issue begins a session for the user who has proved who they are, and sets its
// cookies in the answer; the browser's old session ends. Call it before the
// answer's first byte. The error, if any, is an *echo.HTTPError to return as it
// is: 403 for a user who may not log in, or for a request from another site; 503
// if the store did not answer; 500 if the identity does not fit into a cookie, or
// the answer has begun.
//
// With Echo.IPExtractor set, the list of devices shows c.RealIP().
func (g *Guard) Issue(c echo.Context, login session.Login) error {
	if c.Response().Committed {
		return late()
	}
	if login.IP == "" && c.Echo().IPExtractor != nil {
		login.IP = c.RealIP()
	}
	w, r, refusal := g.guard.Issue(c.Response().Writer, c.Request(), login)
	if refusal != nil {
		return httpError(refusal)
	}
	g.use(c, w, r)
	return nil
}

// Logout is a handler that ends the request's session and deletes its cookies.
// It answers 303 to ReturnTo(c, LoginPath), htmx with HX-Redirect to the same,
// programs with 204, and 405 to any method but POST. It does so also if the store
// does not answer: this node believes the session no more, and
// [session.Manager.Run] repeats the revocation until the store has it.
func (g *Guard) Logout(c echo.Context) error {
	if c.Response().Committed {
		return late()
	}
	came := c.Request()
	w, r, refusal := g.guard.Logout(c.Response().Writer, came)
	if refusal != nil {
		return g.answer(c, refusal)
	}
	g.use(c, w, r)
	defer handBack(c, came)
	// Only now is the form read: another site's is not.
	return c.NoContent(guard.Onward(c.Response().Header(), r, g.ReturnTo(c, g.cfg.LoginPath)))
}

// ReturnTo returns the page that the user had asked for before the login, from
// the form or query value "next", if it is a path of this app; else fallback.
func (g *Guard) ReturnTo(c echo.Context, fallback string) string {
	return g.guard.ReturnTo(c.Request(), fallback)
}
