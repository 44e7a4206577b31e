package nethttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

const accessName, refreshName, oddRefreshName = guardtest.AccessName, guardtest.RefreshName, guardtest.OddRefreshName

var (
	pageLoad = guardtest.PageLoad
	fetch    = guardtest.Fetch
	viaHTMX  = guardtest.HTMX
	kinds    = guardtest.Kinds

	cookiesOf = guardtest.CookiesOf
	errDown   = guardtest.ErrDown
)

// app is a net/http app behind a guard.
type app struct {
	*testing.T
	*guardtest.World
	mux     *http.ServeMux
	guard   *nethttp.Guard
	handler http.Handler // the guard around the mux
}

// inApp runs a test of an app in a synctest bubble. Routes that a test adds are
// protected like all others.
func inApp(t *testing.T, cfg nethttp.Config, test func(a *app)) {
	t.Helper()
	inAppWith(t, session.Config{}, cfg, test)
}

// inAppWith is inApp with another configuration of the Manager.
func inAppWith(t *testing.T, sessions session.Config, cfg nethttp.Config, test func(a *app)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // the Manager may still be probing the store
		a := &app{T: t, World: guardtest.NewWorldWith(t, sessions), mux: http.NewServeMux()}
		if cfg.Public == nil {
			cfg.Public = []string{"/{$}", "/static/", "GET /articles/{id}", "status.test/"}
		}
		var err error
		if a.guard, err = nethttp.New(a.Sessions, cfg); err != nil {
			t.Fatal(err)
		}
		a.handler = a.guard.Protect(a.mux)
		a.handle("/{$}", who)
		a.handle("/static/", who)
		a.handle("/account", who)
		a.handle("GET /login", who)
		a.handle("POST /login", a.postLogin)
		a.handle("/logout", a.guard.Logout)
		a.handle("GET /admin", who, a.guard.RequireRole("admin", "root"))
		a.handle("GET /password", who, a.guard.RequireRecentLogin(5*time.Minute))
		test(a)
	})
}

// handle registers a handler behind guards, the first of which runs first.
func (a *app) handle(pattern string, handler http.HandlerFunc, guards ...func(http.Handler) http.Handler) {
	a.mux.Handle(pattern, behind(handler, guards...))
}

func behind(handler http.HandlerFunc, guards ...func(http.Handler) http.Handler) http.Handler {
	h := http.Handler(handler)
	for i := len(guards) - 1; i >= 0; i-- {
		h = guards[i](h)
	}
	return h
}

func (a *app) postLogin(w http.ResponseWriter, r *http.Request) {
	if !a.issue(w, r, session.Login{UserID: r.FormValue("user")}) {
		return
	}
	http.Redirect(w, r, a.guard.ReturnTo(r, "/account"), http.StatusSeeOther)
}

// issue begins a session, or writes the refusal and returns false.
func (a *app) issue(w http.ResponseWriter, r *http.Request, login session.Login) bool {
	err := a.guard.Issue(w, r, login)
	if err != nil {
		a.guard.WriteError(w, r, err)
	}
	return err == nil
}

// client returns a client of the app without cookies.
func (a *app) client(kind guardtest.Kind) *guardtest.Client {
	return guardtest.NewClient(a.T, a.handler, kind)
}

// revoke ends all sessions of a user in the store, without the Manager knowing.
func (a *app) revoke(user string) {
	a.Helper()
	if _, err := a.Users.RevokeUser(a.Context(), store.UserRevocation{UserID: user, Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
		a.Fatal(err)
	}
}

// end ends ada's session in the store, and waits until the access cookie has expired.
func (a *app) end() {
	a.Helper()
	a.revoke("ada")
	expire()
}

// expire waits for longer than an access cookie lives.
func expire() { time.Sleep(2 * time.Minute) }

// who answers with the user that the handler sees.
func who(w http.ResponseWriter, r *http.Request) {
	s, ok := session.FromContext(r.Context())
	if !ok {
		s.UserID = "no session"
	}
	fmt.Fprint(w, s.UserID)
}
