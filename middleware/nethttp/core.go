package nethttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Core holds the rules that all guards share. Guards for other frameworks build on it. An
// app uses a Guard. It is immutable and safe for concurrent use. Make one with NewCore.
type Core struct {
	sessions *session.Manager
	cfg      CoreConfig
}

// CoreConfig is the part of a guard's configuration that does not depend on a
// framework. Its fields mean what the fields of Config with the same names
// mean.
type CoreConfig struct {
	LoginPath   string
	LogoutPath  string
	CrossOrigin *http.CrossOriginProtection
	Credentials func(r *http.Request) (session.Login, error)
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
	return &Core{sessions: sessions, cfg: cfg}, nil
}

// LoginPath returns the path of the login page.
func (c *Core) LoginPath() string { return c.cfg.LoginPath }

// LogoutPath returns the path of the logout.
func (c *Core) LogoutPath() string { return c.cfg.LogoutPath }

// Requirement is what a route requires of a request. The zero Requirement is a
// session. With Live, Roles and Recent are judged by what the store says, and so are
// those of the guards that ran before in the same request.
type Requirement struct {
	Public bool          // no session is required, and Roles and Recent are ignored
	Roles  []string      // the session must have one of these; empty: any session
	Recent time.Duration // the login must be younger; 0: any age
	Live   bool          // the store must say that the session is live now, and the client must hold its refresh cookie
}

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
	live    bool       // the verdict is what the store has said in this request
	met     conditions // of the guards so far, for RequireLive
	writer  *response  // checks the header; nil: not yet needed
	own     response   // storage for writer, to save an allocation
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
func (c *Core) Admit(w http.ResponseWriter, r *http.Request, need Requirement) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	if need.Public && isSubresource(r) {
		return w, r, nil
	}

	known, ok := c.stateOf(r)
	st := known
	if !ok {
		st = &state{}
		st.verdict, st.err = c.sessions.Authenticate(r)
		varyByCookie(w.Header())
	}
	if !need.Public && errors.Is(st.err, session.ErrUnauthenticated) {
		st = c.tryCredentials(r, st)
	}
	if st != known {
		r = c.remember(r, st)
		if st.err == nil {
			w = st.setCookies(w)
		}
	}

	r, st, why, err := c.checkLive(r, st, need)
	if why == admitted {
		why, err = need.refusal(st)
	}
	if why == admitted {
		st.met.add(need)
		// A shared cache must not keep a page of one user. The handler may replace the
		// header, unless the answer sets cookies.
		if h := w.Header(); !need.Public && len(h["Cache-Control"]) == 0 {
			h["Cache-Control"] = noStore
		}
		return w, r, nil
	}
	if st.err != nil && clientOf(r) == browser {
		// Delete the cookies of a session that has ended. This happens only in the refusal
		// of a page load, which is sent at once: a late answer could delete the cookies of
		// a newer login.
		st.verdict.SetCookies(w)
	}
	return w, r, c.refuse(w.Header(), r, why, err)
}

// refusal returns the reason to refuse a request that does not meet the requirement.
func (n Requirement) refusal(st *state) (reason, error) {
	switch {
	case n.Public:
		return admitted, nil // also if the store does not answer
	case st.err != nil:
		return reasonFor(st.err), st.err
	case len(n.Roles) > 0 && !st.verdict.Session().HasRole(n.Roles[0], n.Roles[1:]...):
		return forbidden, errors.New("the session has none of the roles that the route requires")
	case n.Recent > 0 && !st.verdict.Session().LoggedInWithin(n.Recent):
		return reauthenticate, errors.New("the login is too old for the route")
	default:
		return admitted, nil
	}
}

// conditions are what the guards of a request have required of its session. RequireLive
// judges them again. A handler may run guards for parts of a request in parallel, so it
// is safe for concurrent use. The zero value has none.
type conditions struct {
	mu     sync.Mutex    // guards what follows
	recent time.Duration // the shortest; 0: none
	roles  [][]string    // of each list the session must have a role
	room   [3][]string   // backs roles, to save allocations
}

func (met *conditions) add(n Requirement) {
	if n.Public {
		return
	}
	met.mu.Lock()
	defer met.mu.Unlock()
	if n.Recent > 0 && (met.recent == 0 || n.Recent < met.recent) {
		met.recent = n.Recent
	}
	if len(n.Roles) > 0 {
		if met.roles == nil {
			met.roles = met.room[:0]
		}
		met.roles = append(met.roles, n.Roles)
	}
}

// refusal returns the reason to refuse a request whose state does not meet them all.
func (met *conditions) refusal(st *state) (reason, error) {
	met.mu.Lock()
	defer met.mu.Unlock()
	for _, roles := range met.roles {
		if why, err := (Requirement{Roles: roles}).refusal(st); why != admitted {
			return why, err
		}
	}
	return Requirement{Recent: met.recent}.refusal(st)
}

// reasonFor returns the reason for a refusal after an error of the Manager or of
// Credentials. An unknown error is handled like a store that does not answer: the request
// is not admitted, and the user stays logged in.
func reasonFor(err error) reason {
	switch {
	case errors.Is(err, session.ErrUnauthenticated):
		return unauthenticated
	case errors.Is(err, session.ErrUserDisabled):
		return disabled
	case errors.Is(err, session.ErrTooLarge):
		return tooLarge
	default:
		return unavailable
	}
}

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
	}
	v, err := c.sessions.RequireLive(r, st.verdict)
	if err != nil {
		return r, st, reasonFor(err), err
	}
	fresh := &state{verdict: v, live: true, writer: st.writer}
	why, err := st.met.refusal(fresh)
	return c.remember(r, fresh), fresh, why, err
}

// tryCredentials begins a session for a request that has none but carries credentials.
// Wrong credentials are treated like no credentials.
func (c *Core) tryCredentials(r *http.Request, st *state) *state {
	login, err := c.cfg.Credentials(r)
	if err == nil {
		login.NonInteractive = true
		var v session.Verdict
		if v, err = c.sessions.Issue(r, login); err == nil {
			return &state{verdict: v, writer: st.writer}
		}
	}
	if errors.Is(err, session.ErrUnauthenticated) {
		return st // its Verdict deletes the cookies of a session that has ended
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

// isSubresource reports whether a browser loads a style sheet, script, font or image for a
// page. Such a request is not authenticated on a public route: with Vary: Cookie no cache
// would keep the answer.
func isSubresource(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "style", "script", "font", "image":
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return false
}

// Issue begins a session in the answer to a login, before its first byte. The
// handler must use the writer and the request that Issue returns. If the Refusal is
// not nil, there is no new session, and the headers of the Refusal are set.
func (c *Core) Issue(w http.ResponseWriter, r *http.Request, login session.Login) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	v, err := c.sessions.Issue(r, login)
	if err != nil {
		return w, r, c.refuse(w.Header(), r, reasonFor(err), err)
	}
	w, r = c.replace(w, r, v, nil)
	return w, r, nil
}

// Logout ends the request's session and deletes its cookies. If the store does not
// answer, the Manager repeats the revocation. Only POST is allowed. The handler must use
// the writer and the request that Logout returns. If the Refusal is not nil, the session
// is unchanged, and the headers of the Refusal are set.
func (c *Core) Logout(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := c.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, c.refuse(w.Header(), r, crossOrigin, err)
	}
	if r.Method != http.MethodPost {
		// A link or an image on another site could trigger a GET.
		w.Header().Set("Allow", http.MethodPost)
		return w, r, c.refuse(w.Header(), r, notPost, nil)
	}
	v, _ := c.sessions.Logout(r) // an event reports a store that does not answer
	w, r = c.replace(w, r, v, session.ErrUnauthenticated)
	return w, r, nil
}

// replace puts a new Verdict in place of the one in the request's state, also in the
// cookies of the answer.
func (c *Core) replace(w http.ResponseWriter, r *http.Request, v session.Verdict, err error) (http.ResponseWriter, *http.Request) {
	st := &state{core: c, verdict: v, err: err}
	if old, ok := c.stateOf(r); ok {
		st.writer = old.writer
	} else {
		varyByCookie(w.Header())
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
