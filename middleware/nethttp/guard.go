package nethttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Guard decides which requests reach an http.Handler, and identifies the user. It is
// immutable and safe for concurrent use. Make one with New.
type Guard struct {
	core       *Core
	public     *http.ServeMux
	background *http.ServeMux
	hosts      []string                                           // Config.Hosts
	entries    map[string][]string                                // Config.Public and Config.Background, by the name of the field
	custom     func(http.ResponseWriter, *http.Request, *Refusal) // Config.Answer
}

// New returns a Guard for the sessions of a Manager. If the Config is faulty, the error
// names every fault.
func New(sessions *session.Manager, cfg Config) (*Guard, error) {
	core, coreErr := NewCore(sessions, CoreConfig{
		LoginPath:     cfg.LoginPath,
		LogoutPath:    cfg.LogoutPath,
		Prefix:        cfg.Prefix,
		CrossOrigin:   cfg.CrossOrigin,
		Credentials:   cfg.Credentials,
		OnLogoutError: cfg.OnLogoutError,
		LogoutURL:     cfg.LogoutURL,
	})
	public, publicErr := listed("Public", cfg.Public)
	background, backgroundErr := listed("Background", cfg.Background)
	if err := errors.Join(coreErr, errors.Join(cfg.hostFaults()...), publicErr, backgroundErr); err != nil {
		return nil, err
	}
	return &Guard{core: core, public: public, background: background, hosts: slices.Clone(cfg.Hosts), custom: cfg.Answer, entries: map[string][]string{"Public": slices.Clone(cfg.Public), "Background": slices.Clone(cfg.Background)}}, nil
}

// Protect admits only requests with a session. On the login page and the public pages it
// does what Identify does. It admits each request to Config.LogoutPath: Guard.Logout makes
// its own checks. Mount Protect around the whole router, and if that is an *http.ServeMux,
// directly: see Config.Hosts.
//
// Protect sets Cache-Control: no-store on each answer to a request with a session, also on
// public pages. The handler may replace it, unless the answer sets cookies.
func (g *Guard) Protect(next http.Handler) http.Handler {
	var reporting sync.Once // of the patterns that match no route
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reporting.Do(func() { g.reportUnmatched(next) })
		if g.isAt(g.core.LogoutPath(), r, next) {
			next.ServeHTTP(w, r)
			return
		}
		public := g.isAt(g.core.LoginPath(), r, next) || g.isListed(g.public, r, next)
		g.admit(w, r, next, Requirement{Public: public, Background: g.isListed(g.background, r, next)})
	})
}

// reportUnmatched warns of the patterns of Config that match no route of a ServeMux. It has
// all its routes when it serves, and may have none of them when Protect runs.
func (g *Guard) reportUnmatched(next http.Handler) {
	mux, ok := next.(*http.ServeMux)
	if !ok {
		return
	}
	for field, patterns := range g.entries {
		if unmatched := unmatched(patterns, mux); len(unmatched) > 0 {
			slog.Warn(fmt.Sprintf("nethttp: Config.%s has patterns that match no route, and do nothing: %q", field, unmatched))
		}
	}
}

// isListed reports whether one of the patterns holds for a request. ServeMux cleans paths
// before it matches them, and other routers do not. Only a clean path can be public:
// otherwise "/admin/../static/x" would match "/static/" here, and an admin page in the router.
func (g *Guard) isListed(patterns *http.ServeMux, r *http.Request, next http.Handler) bool {
	if !isClean(r.URL.Path) || r.URL.RawPath != "" {
		return false
	}
	h, pattern := patterns.Handler(r)
	_, matches := h.(listedRoute)
	return matches && (namesHost(pattern) || g.onDefaultHost(r, next))
}

// isAt reports whether a request is for the login or the logout path. Spelled with
// escapes, as "/log%69n", a path may be another route's.
func (g *Guard) isAt(path string, r *http.Request, next http.Handler) bool {
	return r.URL.Path == path && r.URL.RawPath == "" && g.onDefaultHost(r, next)
}

// onDefaultHost reports whether what Config says without a host holds for a request. It
// compares the Host header byte by byte. A router may take "EXAMPLE.com", "example.com." or
// "example.com:1" for another host than example.com, and any client can send them: they
// are protected. A ServeMux says itself which route it chooses.
func (g *Guard) onDefaultHost(r *http.Request, next http.Handler) bool {
	if len(g.hosts) > 0 && !slices.Contains(g.hosts, r.Host) {
		return false
	}
	mux, ok := next.(*http.ServeMux)
	if !ok {
		return true
	}
	_, pattern := mux.Handler(r)
	return !namesHost(pattern)
}

func isClean(p string) bool {
	clean := path.Clean(p)
	return p == clean || p == clean+"/" && clean != "/"
}

// Identify admits requests with and without a session. The handler gets the session
// from session.FromContext. If the session has ended, or the store does not answer, the
// handler sees no session. Identify refuses only unsafe requests and WebSockets from
// other sites, and prefetches that have one of the Manager's cookies, but no good access
// cookie.
func (g *Guard) Identify(next http.Handler) http.Handler {
	return g.require(Requirement{Public: true})(next)
}

// RequireRole admits only users who have the role or one of the others. Other users get
// a 403. The roles come from the access cookie, which is up to session.Config.AccessTTL
// old. RequireLive, before or behind it, makes the store decide.
func (g *Guard) RequireRole(role string, or ...string) func(http.Handler) http.Handler {
	return g.require(Requirement{Roles: append([]string{role}, or...)})
}

// RequireRecentLogin admits only users who logged in less than d ago. Other users are
// sent to the login page, with reauth=1 in its query, and return after the login. An
// impersonation gets a 403: see session.Login.Actor. If d is zero or negative, it admits
// nobody.
func (g *Guard) RequireRecentLogin(d time.Duration) func(http.Handler) http.Handler {
	return g.require(Requirement{Recent: max(d, 1)})
}

// RequireMethod admits only users who have proved who they are by the method or one of the
// others: see session.Login.Methods and StepUp. Other users are sent to the login page, with
// reauth=1 and the methods in its query. If that page asks for one of them, and calls StepUp,
// they return from there. An impersonation gets a 403: see session.Login.Actor.
func (g *Guard) RequireMethod(method string, or ...string) func(http.Handler) http.Handler {
	return g.require(Requirement{Methods: append([]string{method}, or...)})
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
func (g *Guard) RequireLive(next http.Handler) http.Handler {
	return g.require(Requirement{Live: true})(next)
}

func (g *Guard) require(need Requirement) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.admit(w, r, next, need) })
	}
}

func (g *Guard) admit(w http.ResponseWriter, original *http.Request, next http.Handler, need Requirement) {
	w, r, refusal := g.core.Admit(w, original, need)
	if refusal != nil {
		g.answer(w, r, refusal)
		return
	}
	w = g.core.Watch(w, r) // so that Issue can still set cookies of its own
	defer ReturnForm(original, r)
	defer g.core.Finish(r) // also after a panic, for the answer of who recovers
	next.ServeHTTP(w, r)
}

func (g *Guard) answer(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	if g.custom != nil && !refusal.Fixed {
		once := &wroteWriter{ResponseWriter: w}
		g.custom(once, r, refusal)
		if once.wrote {
			return
		}
	}
	_ = refusal.Write(w)
}

// wroteWriter remembers whether something was written.
type wroteWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *wroteWriter) WriteHeader(code int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(code)
}

func (w *wroteWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *wroteWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Issue begins a session for a user whose credentials the app has verified, and sets its
// cookies in the answer. It ends the session that the browser had. Call it before the
// first byte of the answer. It changes *r: session.FromContext(r.Context()) then returns
// the new session.
//
// The error, if any, is a *Refusal. Pass it to WriteError. Its status is 403 if the user
// may not log in or the request came from another site, 503 if the store does not answer,
// and 500 if the user does not fit into a cookie or, behind a guard, the answer has begun.
func (g *Guard) Issue(w http.ResponseWriter, r *http.Request, login session.Login) error {
	return continued(r)(g.core.Issue(w, r, login))
}

// StepUp begins a new session for the request's user, who has just proved who they are by
// one more method, such as a second factor, which the app has verified. The old session
// ends: see session.Manager.StepUp. It is used like Issue, and its errors are the same.
func (g *Guard) StepUp(w http.ResponseWriter, r *http.Request, method string) error {
	return continued(r)(g.core.StepUp(w, r, method))
}

// PasswordChanged renews the request's session, and ends all others of the user, after the app
// has stored a new password and raised the user's session epoch: see
// session.Manager.PasswordChanged. It is used like Issue.
func (g *Guard) PasswordChanged(w http.ResponseWriter, r *http.Request, epoch uint64) error {
	return continued(r)(g.core.PasswordChanged(w, r, epoch))
}

// Update replaces the Data of the request's session: see session.Manager.Update. It is used
// like Issue.
func (g *Guard) Update(w http.ResponseWriter, r *http.Request, data map[string]string) error {
	return continued(r)(g.core.Update(w, r, data))
}

// StopImpersonating puts the actor's own session in place of the request's impersonation: see
// session.Login.Actor and session.Manager.StopImpersonating. It is used like Issue.
func (g *Guard) StopImpersonating(w http.ResponseWriter, r *http.Request) error {
	return continued(r)(g.core.StopImpersonating(w, r))
}

// continued lets the handler go on with its own request r, changed.
func continued(r *http.Request) func(w http.ResponseWriter, changed *http.Request, refusal *Refusal) error {
	return func(_ http.ResponseWriter, changed *http.Request, refusal *Refusal) error {
		if refusal != nil {
			return refusal
		}
		*r = *changed
		return nil
	}
}

// Err returns nil if the request has a session, else why it has none: see Core.Err. It is for
// public pages. If the error Is session.ErrStoreUnavailable, the user may be logged in.
func (g *Guard) Err(r *http.Request) error { return g.core.Err(r) }

// WriteError answers with an error of Issue or of the session.Manager, in the form that
// suits the client: see Core.Refuse for the status. The answer to any other error is a 500
// that does not show the error. WriteError logs nothing: log such an error first.
func (g *Guard) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	g.answer(w, r, g.core.Refuse(w.Header(), r, err))
}

// Logout is a handler that ends the request's session and deletes its cookies. Browsers
// get a 303 to ReturnTo(r, LoginPath), programs a 204, and front-end libraries what
// Redirect says. A method other than POST gets a 405. If the store does not answer, the answer is the same,
// except that the page's query has logout=pending: see Config.OnLogoutError for what then
// holds.
func (g *Guard) Logout(w http.ResponseWriter, r *http.Request) {
	original := r
	w, r, refusal := g.core.Logout(w, r)
	if refusal != nil {
		g.answer(w, r, refusal)
		return
	}
	defer ReturnForm(original, r)
	// AfterLogout reads the form. This is safe now: a request of another site was refused.
	_ = Redirect(w, r, g.core.AfterLogout(r))
}

// ReturnTo returns the page to show after a login: the form or query value "next" if it
// is a path of this app and neither the login nor the logout, else fallback, as it is: with
// Config.Prefix, write "/app/".
func (g *Guard) ReturnTo(r *http.Request, fallback string) string {
	return g.core.ReturnTo(r, fallback)
}
