package nethttp

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// Core holds the rules that all guards share. Guards for other frameworks build on it. An
// app uses a Guard. It is safe for concurrent use. Make one with NewCore.
type Core struct {
	sessions *session.Manager
	tokens   bool // whether there are any: see session.Tokens
	cfg      CoreConfig
	returns  returns
}

// CoreConfig is the part of a guard's configuration that does not depend on a
// framework. Its fields mean what the fields of Config with the same names
// mean.
type CoreConfig struct {
	LoginPath   string
	LogoutPath  string
	Prefix      string
	CrossOrigin *http.CrossOriginProtection
	Credentials func(r *http.Request) (session.Login, error)

	OnLogoutError func(r *http.Request, err error)
	LogoutURL     func(r *http.Request) string
}

// NewCore returns a Core for the sessions of a Manager. If the configuration is faulty,
// the error names every fault.
func NewCore(sessions *session.Manager, cfg CoreConfig) (*Core, error) {
	cfg = cfg.withDefaults()
	faults := cfg.faults()
	if sessions == nil {
		faults = append(faults, errors.New("guard: New needs a session.Manager: make one with session.New"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Core{sessions: sessions, tokens: sessions.Tokens().Enabled(), cfg: cfg, returns: returns{seed: maphash.MakeSeed()}}, nil
}

// LoginPath returns the path of the login page, as the app's router sees it.
func (c *Core) LoginPath() string { return c.cfg.LoginPath }

// LogoutPath returns the path of the logout, as the app's router sees it.
func (c *Core) LogoutPath() string { return c.cfg.LogoutPath }

// state is the result of authenticating a request. This happens once, however many guards
// of a Core run. The state is also the context in which later guards and the handler find
// it, and it holds the request with that context, so that an admitted request costs one
// allocation.
type state struct {
	context.Context
	request http.Request
	core    *Core
	verdict session.Verdict
	err     error      // why there is no session
	logout  *logout    // of this request; nil: none
	live    bool       // the verdict is what the store has said in this request
	proven  bool       // the session rests on credentials that were verified in this request
	met     conditions // of the guards so far, for RequireLive
	writer  *response  // checks the header; nil: not yet needed
	own     response   // storage for writer, to save an allocation
}

// logout is what a Logout leaves for AfterLogout.
type logout struct {
	page    string // where CoreConfig.LogoutURL sends the browser; empty: nowhere
	pending bool   // the store could not be told
}

// stateKey is the context key of a Core's state. Each Core has its own: a session of
// another Manager is not valid here.
type stateKey struct{ c *Core }

// Value implements context.Context.
func (st *state) Value(key any) any {
	if key == (stateKey{st.core}) {
		return st
	}
	if found := st.verdict.Value(key); found != nil {
		return found
	}
	return st.Context.Value(key)
}

// Format prints the session id, whatever the verb. Without it, a handler that logs
// its context would log the request's cookies.
func (st *state) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%v with %v", st.Context, st.verdict)
}

func (c *Core) stateOf(r *http.Request) (*state, bool) {
	st, ok := r.Context().Value(stateKey{c}).(*state)
	return st, ok
}

// Admit decides whether a request may reach the handler. The handler must use the writer
// and the request that Admit returns. If the Refusal is not nil, the handler must not
// run: the headers of the Refusal are set, and its Write sends the answer.
//
// Before a refusal it reads up to 32 MB of the request's body, for up to 30 seconds, so that
// a browser that uploads a file sees the answer. It does not read the body of a request
// from another site.
func (c *Core) Admit(w http.ResponseWriter, r *http.Request, need Requirement) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.checkSite(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	if c.isFramedLogin(r) {
		return w, r, c.refuse(w.Header(), r, framed, nil)
	}
	by := byCookie
	if need.Public && isRead(r) {
		if isSubresource(r) {
			if !varies(w.Header(), "Sec-Fetch-Dest") {
				vary(w.Header(), byDestination)
			}
			return w, r, nil
		}
		by = byCookieAndDestination
	}

	known, ok := c.stateOf(r)
	st := known
	if !ok {
		st = &state{}
		if need.Background {
			st.verdict, st.err = c.sessions.AuthenticateBackground(r)
		} else {
			st.verdict, st.err = c.sessions.Authenticate(r)
		}
		vary(w.Header(), by)
		if c.tokens {
			vary(w.Header(), byCredentials)
		}
	}
	if !need.Public && errors.Is(st.err, session.ErrUnauthenticated) && c.takesCredentials(r) {
		st = c.tryCredentials(r, st)
	}
	if st != known && st.proven && !c.tokens {
		// The answer may have no cookies. A cache that the handler allows to keep it must
		// not give it to a request without credentials.
		vary(w.Header(), byCredentials)
	}
	if st != known {
		r = c.remember(r, st)
		w = st.setCookies(w) // also after a refusal: they spare the store the next requests
	}

	r, st, why, err := c.checkLive(r, st, need)
	if why == admitted {
		why, err = need.refusal(st)
	}
	if why == admitted {
		st.met.add(need)
		// No cache must keep a page of one user, not even the browser's: the back button
		// would show it after a logout. The handler may replace the header, unless the
		// answer sets cookies.
		if h := w.Header(); !errors.Is(st.err, session.ErrUnauthenticated) && len(h["Cache-Control"]) == 0 {
			h["Cache-Control"] = noStore
		}
		return w, r, nil
	}
	discardBody(w, r)
	return w, r, c.refuse(w.Header(), r, why, err)
}

// Err returns nil if a guard of this Core has found a session for the request, else why there
// is none. An error that Is session.ErrStoreUnavailable says that nobody knows: a handler of
// a public page must not greet the user as a stranger. If the error Is
// session.ErrUnauthenticated, the user is logged out, or no guard stands before the handler.
// Any other error says that no guard has read the cookies, because they do not matter for a
// style sheet, script, font or image of a public route.
func (c *Core) Err(r *http.Request) error {
	if st, ok := c.stateOf(r); ok {
		return st.err
	}
	if isRead(r) && isSubresource(r) {
		return errUnread
	}
	return session.ErrUnauthenticated
}

var errUnread = errors.New("guard: the cookies of this request were not read: it loads a style sheet, script, font or image of a public route")

// checkLive asks the store about the session if the requirement says so, at most once
// for a request. It returns a state with what the store says, and judges again what
// earlier guards have judged by the cookie. It leaves the old state as it is: its
// context may be in use.
func (c *Core) checkLive(r *http.Request, st *state, need Requirement) (*http.Request, *state, reason, error) {
	switch {
	case !need.Live || st.live:
		return r, st, admitted, nil
	case st.err != nil:
		return r, st, reasonFor(st.err), st.err
	case session.IsPrefetch(r): // it never causes a statement
		return r, st, unavailable, session.ErrStoreUnavailable
	}
	v, err := c.sessions.RequireLive(r, st.verdict)
	if err != nil {
		return r, st, reasonFor(err), err
	}
	fresh := &state{verdict: v, live: true, proven: st.proven, writer: st.writer}
	why, err := st.met.refusal(fresh)
	return c.remember(r, fresh), fresh, why, err
}

// takesCredentials reports whether the request's credentials may begin a session. A browser
// adds them to the requests of any site by itself, and would log its user in as somebody
// else. So the client must be of a kind that sends them on purpose, and the request must
// come from this site, also one with a safe method.
func (c *Core) takesCredentials(r *http.Request) bool {
	return clientOf(r).credentials && !(c.tokens && session.HasToken(r)) && c.checkOriginAsUnsafe(r) == nil
}

// tryCredentials begins a session for a request that has none but carries credentials.
// Wrong credentials are treated like no credentials.
func (c *Core) tryCredentials(r *http.Request, st *state) *state {
	login, err := c.cfg.Credentials(r)
	if err == nil {
		login.NonInteractive = true
		var v session.Verdict
		if v, err = c.sessions.Issue(r, login); err == nil {
			return &state{verdict: v, proven: true, writer: st.writer}
		}
	} else if reasonFor(err) == broken {
		err = fmt.Errorf("%w: %w", errUnchecked, err)
	}
	if errors.Is(err, session.ErrUnauthenticated) {
		return st // its Verdict may have cookies
	}
	return &state{err: err, writer: st.writer}
}

// remember returns the request with the state as its context, for later guards and the
// handler.
func (c *Core) remember(r *http.Request, st *state) *http.Request {
	st.Context, st.core = r.Context(), c
	st.request = *r.WithContext(st)
	return &st.request
}

// isRead reports whether a shared cache may keep the answer to a request (RFC 9110,
// section 9.2.3).
func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// isSubresource reports whether a browser loads a style sheet, script, font or image for a
// page. On a public route such a request is read without its cookies: with Vary: Cookie no
// cache would keep the answer. Any client can claim to load one, so each answer that a
// cache may keep varies by Sec-Fetch-Dest. A cache would give the answer for an image to
// a user who opens the page.
func isSubresource(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "style", "script", "font", "image":
		return true
	}
	return false
}

// Issue begins a session in the answer to a login, before its first byte. The
// handler must use the writer and the request that Issue returns. If the Refusal is
// not nil, there is no new session, and the headers of the Refusal are set.
func (c *Core) Issue(w http.ResponseWriter, r *http.Request, login session.Login) (http.ResponseWriter, *http.Request, *Refusal) {
	if c.checkOrigin(r) == nil && !c.sessions.BrowserKeepsCookies(r) {
		return w, r, c.refuse(w.Header(), r, withoutHTTPS, errWithoutHTTPS)
	}
	return c.begin(w, r, func() (session.Verdict, error) { return c.sessions.Issue(r, login) })
}

// StepUp begins a new session for the request's user, who has proved who they are by one
// more method: see session.Manager.StepUp. It is used like Issue.
func (c *Core) StepUp(w http.ResponseWriter, r *http.Request, method string) (http.ResponseWriter, *http.Request, *Refusal) {
	return c.change(w, r, func() (session.Verdict, error) { return c.sessions.StepUp(r, method) })
}

// PasswordChanged renews the request's session after the user's password has changed: see
// session.Manager.PasswordChanged. It is used like Issue.
func (c *Core) PasswordChanged(w http.ResponseWriter, r *http.Request, epoch uint64) (http.ResponseWriter, *http.Request, *Refusal) {
	return c.change(w, r, func() (session.Verdict, error) { return c.sessions.PasswordChanged(r, epoch) })
}

// Update replaces the Data of the request's session: see session.Manager.Update. It is used
// like Issue.
func (c *Core) Update(w http.ResponseWriter, r *http.Request, data map[string]string) (http.ResponseWriter, *http.Request, *Refusal) {
	return c.change(w, r, func() (session.Verdict, error) { return c.sessions.Update(r, data) })
}

// StopImpersonating puts the actor's own session in place of the request's impersonation: see
// session.Manager.StopImpersonating. It is used like Issue.
func (c *Core) StopImpersonating(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *Refusal) {
	return c.change(w, r, func() (session.Verdict, error) { return c.sessions.StopImpersonating(r) })
}

// errTooLate refuses a change of the session after the first byte of the answer, when its
// cookies would be lost.
var errTooLate = errors.New("guard: the answer has begun and can carry no cookies: call Issue, Logout and the like before writing")

func tooLate() *Refusal {
	return &Refusal{Status: refusals[broken].status, Text: refusals[broken].text, Err: errTooLate}
}

// hasBegun reports whether the answer of a request has begun, as far as the Core's writer has
// seen it.
func (c *Core) hasBegun(r *http.Request) bool {
	st, ok := c.stateOf(r)
	if !ok || st.writer == nil {
		return false
	}
	st.writer.mu.Lock()
	defer st.writer.mu.Unlock()
	return st.writer.begun
}

// change is begin for what only browsers can do. A 401 would make a program with a good token
// refresh, and try again.
func (c *Core) change(w http.ResponseWriter, r *http.Request, call func() (session.Verdict, error)) (http.ResponseWriter, *http.Request, *Refusal) {
	if c.tokens && session.HasToken(r) {
		return w, r, c.refuse(w.Header(), r, forbidden, errForBrowsers)
	}
	return c.begin(w, r, call)
}

// begin puts the session that a call of the Manager returns in place of the request's.
func (c *Core) begin(w http.ResponseWriter, r *http.Request, call func() (session.Verdict, error)) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.checkOrigin(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	if c.hasBegun(r) {
		return w, r, tooLate()
	}
	v, err := call()
	if err != nil {
		return w, r, c.Refuse(w.Header(), r, err)
	}
	w, r = c.replace(w, r, &state{verdict: v})
	return w, r, nil
}

// Logout ends the request's session and deletes its cookies. If the store does not answer,
// it calls OnLogoutError and ends the session all the same: see Config.OnLogoutError. Only
// POST is allowed. The handler must use the writer and the request that Logout returns, and
// send the client to AfterLogout. If the Refusal is not nil, the session is unchanged, and
// the headers of the Refusal are set.
func (c *Core) Logout(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.checkSite(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	if r.Method != http.MethodPost {
		// A link or an image on another site could trigger a GET.
		w.Header().Set("Allow", http.MethodPost)
		return w, r, c.refuse(w.Header(), r, notPost, nil)
	}
	if c.hasBegun(r) {
		return w, r, tooLate()
	}
	out := &logout{page: c.logoutURL(r)} // while there is a session
	v, err := c.sessions.Logout(r)
	if errors.Is(err, session.ErrUnauthenticated) { // by a token: nothing has ended
		return w, r, c.Refuse(w.Header(), r, err)
	}
	if err != nil {
		c.cfg.OnLogoutError(r, err)
	}
	out.pending = err != nil
	w, r = c.replace(w, r, &state{verdict: v, err: session.ErrUnauthenticated, logout: out})
	return w, r, nil
}

// logoutURL returns where CoreConfig.LogoutURL sends the browser. The route of the logout has no
// guard before it, so the session has yet to be found: without a refresh, because it ends.
func (c *Core) logoutURL(r *http.Request) string {
	if c.cfg.LogoutURL == nil {
		return ""
	}
	if _, ok := c.stateOf(r); !ok {
		if v, err := c.sessions.AuthenticateBackground(r); err == nil {
			r = r.WithContext(v.Session().NewContext(r.Context()))
		}
	}
	return c.cfg.LogoutURL(r)
}

// AfterLogout returns the page to show after a Logout of the request: what
// CoreConfig.LogoutURL has returned, else the form or query value "next" if ReturnTo accepts
// it, else the login page. If the store could not be told, the query of a page of the app has
// logout=pending.
func (c *Core) AfterLogout(r *http.Request) string {
	var out logout
	if st, ok := c.stateOf(r); ok && st.logout != nil {
		out = *st.logout
	}
	if out.page != "" {
		return out.page
	}
	page := c.ReturnTo(r, c.cfg.Prefix+c.cfg.LoginPath)
	if !out.pending {
		return page
	}
	page, fragment, hasFragment := strings.Cut(page, "#")
	if strings.Contains(page, "?") {
		page += "&logout=pending"
	} else {
		page += "?logout=pending"
	}
	if hasFragment {
		page += "#" + fragment
	}
	return page
}

// pagesInAdvance names what a browser has loaded in advance for the user of a moment ago:
// its caches of prefetched and prerendered pages (W3C Clear Site Data). It names neither
// the cookies nor the HTTP cache.
const pagesInAdvance = `"prefetchCache", "prerenderCache"`

// replace puts a state in place of the request's, also in the cookies of the answer.
func (c *Core) replace(w http.ResponseWriter, r *http.Request, st *state) (http.ResponseWriter, *http.Request) {
	st.core = c
	if h := w.Header(); !slices.Contains(h["Clear-Site-Data"], pagesInAdvance) {
		h.Add("Clear-Site-Data", pagesInAdvance)
	}
	if old, ok := c.stateOf(r); ok {
		st.writer = old.writer
	} else {
		vary(w.Header(), byCookie)
	}
	w = st.setCookies(w)
	return w, c.remember(r, st)
}

// ReturnForm copies the multipart form that a handler has parsed from its request to the
// server's request, unless that one has a form. The server removes the temporary files of
// uploads only if it finds the form in its own request. Call ReturnForm after the handler,
// also after a panic.
func ReturnForm(to, from *http.Request) {
	if to.MultipartForm == nil {
		to.MultipartForm = from.MultipartForm
	}
}
