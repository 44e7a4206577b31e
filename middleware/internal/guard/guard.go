// Package guard is the guards' common part, in plain net/http: it asks the
// session Manager who a request is, sets the cookies before the handler runs,
// and decides how a refusal looks. Adapters to frameworks add their signatures.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Guard is immutable and safe for concurrent use.
type Guard struct {
	sessions *session.Manager
	cfg      Config
}

// Config is what the adapters' own configurations come down to.
type Config struct {
	LoginPath, LogoutPath string // checked with SafePath
	CrossOrigin           *http.CrossOriginProtection
	Credentials           Credentials
}

// Credentials finds and verifies what a request says by itself of its user,
// where no cookie does. An error that Is session.ErrUnauthenticated says that
// there is nothing, or that it is wrong; any other, that it could not be found out.
type Credentials func(r *http.Request) (session.Login, error)

// New returns a Guard.
func New(sessions *session.Manager, cfg Config) *Guard {
	if cfg.CrossOrigin == nil {
		cfg.CrossOrigin = http.NewCrossOriginProtection()
	}
	if cfg.Credentials == nil {
		cfg.Credentials = func(*http.Request) (session.Login, error) { return session.Login{}, session.ErrUnauthenticated }
	}
	return &Guard{sessions: sessions, cfg: cfg}
}

// Needs is what a route asks of a request. The zero Needs is a login.
type Needs struct {
	Public bool          // lets everybody through, and says who they are
	Roles  []string      // one of these, if there are any
	Recent time.Duration // a password within this time, if not 0
	Live   bool          // the store's word, now
}

// state is what this guard found out about a request: once, however many
// guards stand before the handler. It is the context in which they and the
// handler find it, and holds the request that has this context: all that a
// request costs that is let through, in one piece.
type state struct {
	context.Context
	request http.Request
	guard   *Guard
	verdict session.Verdict
	err     error
	writer  *response // nil while no cookies are set
}

// stateKey keeps the findings of different guards apart: another Manager's
// session is nobody's here.
type stateKey struct{ g *Guard }

// Value implements context.Context.
func (st *state) Value(key any) any {
	if key == (stateKey{st.guard}) {
		return st
	}
	if found := st.verdict.Value(key); found != nil {
		return found
	}
	return st.Context.Value(key)
}

// Format prints whose request it is, whatever the verb. Without it a handler that
// logs its context would log the request's cookies.
func (st *state) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%v of %v", st.Context, st.verdict)
}

// Admit decides whether the request may go on. The handler must use the writer
// and the request that it returns. If the Refusal is not nil, the handler must
// not run: the Refusal, whose headers are set, is the answer.
func (g *Guard) Admit(w http.ResponseWriter, r *http.Request, needs Needs) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := g.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, g.refuse(w.Header(), r, crossOrigin, err)
	}
	if needs.Public && passive(r) {
		return w, r, nil
	}

	known, _ := r.Context().Value(stateKey{g}).(*state)
	st := known
	if st == nil {
		st = &state{}
		st.verdict, st.err = g.sessions.Authenticate(r)
		varyByCookie(w.Header())
	}
	if !needs.Public && errors.Is(st.err, session.ErrUnauthenticated) {
		st = g.tryCredentials(r, st)
	}
	if st != known {
		r = g.remember(r, st)
		if st.err == nil {
			w = st.setCookies(w)
		}
	}

	why, err := needs.refusal(st)
	if why == admitted && needs.Live {
		why, err = g.live(r, st)
	}
	if why == admitted {
		// What a handler shows to one user is not for a cache that many share.
		// It may say otherwise, unless the answer carries cookies.
		if h := w.Header(); !needs.Public && len(h["Cache-Control"]) == 0 {
			h["Cache-Control"] = noStore
		}
		return w, r, nil
	}
	if clientOf(r) == browser {
		// The cookies of a session that is over. Only here: a refusal is written
		// at once, while a handler's late answer, or a program's, could delete
		// the cookies of a newer login.
		if st.err != nil {
			st.verdict.SetCookies(w)
		}
	}
	return w, r, g.refuse(w.Header(), r, why, err)
}

// refusal judges what is known against what is asked for.
func (n Needs) refusal(st *state) (reason, error) {
	switch {
	case n.Public:
		return admitted, nil // a store that does not answer means nobody, too
	case st.err != nil:
		return reasonFor(st.err), st.err
	case len(n.Roles) > 0 && !st.verdict.Session().HasRole(n.Roles[0], n.Roles[1:]...):
		return forbidden, errors.New("the session has none of the roles that the route asks for")
	case n.Recent > 0 && !st.verdict.Session().LoggedInWithin(n.Recent):
		return reauthenticate, errors.New("the login is too old for the route")
	default:
		return admitted, nil
	}
}

// reasonFor says what a failure of the Manager's means for the request.
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

// live asks the store whether the session is still good.
func (g *Guard) live(r *http.Request, st *state) (reason, error) {
	if err := g.sessions.Check(r.Context(), st.verdict.Session()); err != nil {
		return reasonFor(err), err
	}
	return admitted, nil
}

// tryCredentials begins a session for a request that belongs to none, but says
// by itself whose it is. Wrong credentials are none.
func (g *Guard) tryCredentials(r *http.Request, st *state) *state {
	login, err := g.cfg.Credentials(r)
	if err == nil {
		login.Unattended = true
		var v session.Verdict
		if v, err = g.sessions.Issue(r, login); err == nil {
			return &state{verdict: v, writer: st.writer}
		}
	}
	if errors.Is(err, session.ErrUnauthenticated) {
		return st // with the cookies of the session that is over
	}
	return &state{err: err, writer: st.writer}
}

// remember puts the findings where later guards and the handler look.
func (g *Guard) remember(r *http.Request, st *state) *http.Request {
	st.Context, st.guard = r.Context(), g
	st.request = *r.WithContext(st)
	return &st.request
}

// passive says whether a request is for what a page is dressed in. It needs no
// session, and must not be told apart by cookies, or no cache would keep it.
func passive(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "style", "script", "font", "image":
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return false
}

// Issue begins a session in the answer to a login. The handler must go on with
// the writer and the request that it returns. A Refusal says that there is no
// new session; its headers are set.
func (g *Guard) Issue(w http.ResponseWriter, r *http.Request, login session.Login) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := g.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, g.refuse(w.Header(), r, crossOrigin, err)
	}
	v, err := g.sessions.Issue(r, login)
	if err != nil {
		return w, r, g.refuse(w.Header(), r, reasonFor(err), err)
	}
	w, r = g.replace(w, r, v, nil)
	return w, r, nil
}

// Logout ends the request's session and sets the cookies that delete it. If the
// store did not answer, the Manager goes on trying.
func (g *Guard) Logout(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, *Refusal) {
	if err := g.cfg.CrossOrigin.Check(r); err != nil {
		return w, r, g.refuse(w.Header(), r, crossOrigin, err)
	}
	if r.Method != http.MethodPost {
		// A logout that a link or an image could trigger would be anybody's.
		w.Header().Set("Allow", http.MethodPost)
		return w, r, g.refuse(w.Header(), r, notPost, nil)
	}
	v, _ := g.sessions.Logout(r) // the store's trouble is an event, and Run's to mend
	w, r = g.replace(w, r, v, session.ErrUnauthenticated)
	return w, r, nil
}

// replace puts another verdict in the place of what the guard had found, in the
// answer's cookies too.
func (g *Guard) replace(w http.ResponseWriter, r *http.Request, v session.Verdict, err error) (http.ResponseWriter, *http.Request) {
	st := &state{verdict: v, err: err}
	if old, ok := r.Context().Value(stateKey{g}).(*state); ok {
		st.writer = old.writer
	} else {
		varyByCookie(w.Header())
	}
	w = st.setCookies(w)
	return w, g.remember(r, st)
}
