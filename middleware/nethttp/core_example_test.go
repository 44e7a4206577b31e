package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// page is the handler of another framework: it returns an error, and the framework answers it.
type page func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP takes the place of the framework, which would also have a router.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := p(w, r); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

// pageGuard is a guard for that framework. All its rules are those of the Core.
type pageGuard struct {
	core   *nethttp.Core
	public map[string]bool // by path
}

func newPageGuard(sessions *session.Manager, public ...string) (*pageGuard, error) {
	core, err := nethttp.NewCore(sessions, nethttp.CoreConfig{})
	if err != nil {
		return nil, err
	}
	g := &pageGuard{core, map[string]bool{core.LoginPath(): true}} // the login page is always public
	for _, path := range public {
		g.public[path] = true
	}
	return g, nil
}

// Protect is for all pages. The logout makes its own checks.
func (g *pageGuard) Protect(next page) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == g.core.LogoutPath() {
			return next(w, r)
		}
		return g.admit(w, r, next, nethttp.Requirement{Public: g.public[r.URL.Path]})
	}
}

// RequireRole and RequireRecentLogin are for one page.
func (g *pageGuard) RequireRole(role string, next page) page {
	return g.require(nethttp.Requirement{Roles: []string{role}}, next)
}

func (g *pageGuard) RequireRecentLogin(d time.Duration, next page) page {
	return g.require(nethttp.Requirement{Recent: d}, next)
}

func (g *pageGuard) require(need nethttp.Requirement, next page) page {
	return func(w http.ResponseWriter, r *http.Request) error { return g.admit(w, r, next, need) }
}

func (g *pageGuard) admit(w http.ResponseWriter, original *http.Request, next page, need nethttp.Requirement) error {
	w, r, refusal := g.core.Admit(w, original, need)
	if refusal != nil {
		return refusal.Write(w)
	}
	w = g.core.Watch(w, r)                // because Issue cannot replace the handler's writer
	defer nethttp.ReturnForm(original, r) // so that the server removes the files of uploads
	err := next(w, r)
	g.core.Finish(r)
	// The error of Issue and the like is an answer.
	if refusal, ok := errors.AsType[*nethttp.Refusal](err); ok {
		return refusal.Write(w)
	}
	return err
}

// change lets the handler go on with its own request, in which the new session is.
func change(r *http.Request) func(http.ResponseWriter, *http.Request, *nethttp.Refusal) error {
	return func(_ http.ResponseWriter, changed *http.Request, refusal *nethttp.Refusal) error {
		if refusal != nil {
			return refusal
		}
		*r = *changed
		return nil
	}
}

func (g *pageGuard) Issue(w http.ResponseWriter, r *http.Request, login session.Login) error {
	return change(r)(g.core.Issue(w, r, login))
}

func (g *pageGuard) StepUp(w http.ResponseWriter, r *http.Request, method string) error {
	return change(r)(g.core.StepUp(w, r, method))
}

func (g *pageGuard) PasswordChanged(w http.ResponseWriter, r *http.Request, epoch uint64) error {
	return change(r)(g.core.PasswordChanged(w, r, epoch))
}

func (g *pageGuard) Update(w http.ResponseWriter, r *http.Request, data map[string]string) error {
	return change(r)(g.core.Update(w, r, data))
}

func (g *pageGuard) StopImpersonating(w http.ResponseWriter, r *http.Request) error {
	return change(r)(g.core.StopImpersonating(w, r))
}

// Logout is a page.
func (g *pageGuard) Logout(w http.ResponseWriter, original *http.Request) error {
	w, r, refusal := g.core.Logout(w, original)
	if refusal != nil {
		return refusal.Write(w)
	}
	defer nethttp.ReturnForm(original, r)
	return nethttp.Redirect(w, r, g.core.AfterLogout(r))
}

// WriteError answers with an error of the Manager.
func (g *pageGuard) WriteError(w http.ResponseWriter, r *http.Request, err error) error {
	return g.core.Refuse(w.Header(), r, err).Write(w)
}

func (g *pageGuard) Err(r *http.Request) error { return g.core.Err(r) }

func (g *pageGuard) ReturnTo(r *http.Request, fallback string) string {
	return g.core.ReturnTo(r, fallback)
}

// A guard for a framework whose handlers return an error. It adds the framework's signatures
// and its way to say which pages are public. The methods of Core are used like those of Guard.
func ExampleCore() {
	sessions := exampleSessions(session.Config{})
	guard, err := newPageGuard(sessions, "/")
	if err != nil {
		panic(err)
	}
	routes := map[string]page{
		"/": func(_ http.ResponseWriter, r *http.Request) error {
			fmt.Println("logged in:", guard.Err(r) == nil)
			return nil
		},
		"/login": func(w http.ResponseWriter, r *http.Request) error {
			if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1}); err != nil {
				return err
			}
			http.Redirect(w, r, guard.ReturnTo(r, "/"), http.StatusSeeOther)
			return nil
		},
		"/logout": guard.Logout,
		"/admin":  guard.RequireRole("admin", func(http.ResponseWriter, *http.Request) error { return nil }),
		"/end": func(w http.ResponseWriter, r *http.Request) error {
			s, _ := session.FromContext(r.Context())
			if err := sessions.Revoke(r.Context(), s.UserID, r.FormValue("session")); err != nil {
				return guard.WriteError(w, r, err)
			}
			return nil
		},
		"/tenant": func(w http.ResponseWriter, r *http.Request) error {
			return guard.Update(w, r, map[string]string{"tenant": r.FormValue("tenant")})
		},
	}
	app := guard.Protect(func(w http.ResponseWriter, r *http.Request) error { return routes[r.URL.Path](w, r) })

	b := sessiontest.NewBrowser(app)
	show(b, "/", nil)
	show(b, "/admin", nil)
	show(b, "/login?next=%2Fadmin", asUser("9"))
	show(b, "/login?next=%2Fadmin", asUser("1"))
	show(b, "/admin", nil)
	show(b, "/end", url.Values{"session": {"of somebody else"}})
	show(b, "/tenant", url.Values{"tenant": {"north"}})
	show(b, "/logout", url.Values{})
	// Output:
	// logged in: false
	// / 200
	// /admin 303 to /login?next=%2Fadmin
	// /login?next=%2Fadmin 403
	// /login?next=%2Fadmin 303 to /admin
	// /admin 403
	// /end 404
	// /tenant 200
	// /logout 303 to /login
}
