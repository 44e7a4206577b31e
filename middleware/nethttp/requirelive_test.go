package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// roles answers with the roles that the handler sees.
func roles(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	fmt.Fprint(w, strings.Join(s.Roles, " "))
}

// guards are middleware, the first of which runs first.
type guards = []func(http.Handler) http.Handler

func TestRequireLive_RefusesAStolenAccessCookie(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("POST /pay", who, a.guard.RequireLive)
		victim := a.client(fetch).LogIn("grace")
		thief := victim.Copied()
		thief.ForgetRefresh()
		beside := a.client(fetch).LogIn("ada")
		beside.Plant(accessName, victim.Kept()[accessName])
		for name, b := range map[string]*guardtest.Client{"alone": thief, "beside the refresh cookie of another session": beside} {
			if rec := b.Send("GET", "/account", ""); rec.Code != http.StatusOK || rec.Body.String() != "grace" {
				a.Errorf("%s, on another route: %d %q; want the access cookie accepted", name, rec.Code, rec.Body)
			}
			before := a.Store.Calls()
			if rec := b.Send("POST", "/pay", ""); rec.Code != http.StatusUnauthorized || a.Store.Calls() != before {
				a.Errorf("%s: %d, %d statements; want 401 and none", name, rec.Code, a.Store.Calls()-before)
			}
		}
		if rec := victim.Send("POST", "/pay", ""); rec.Code != http.StatusOK {
			a.Errorf("the victim: %d", rec.Code)
		}
	})
}

// The row says who is an admin. The cookie counts only for a guard that stands before
// RequireLive, and only in addition.
func TestRequireLive_RolesOfTheRowDecideInEveryOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		guards func(g *nethttp.Guard) guards
		// The status for a user whose roles have changed since the login.
		demoted, promoted int
	}{
		{"the role first", func(g *nethttp.Guard) guards { return guards{g.RequireRole("admin"), g.RequireLive} }, 403, 403},
		{"the role last", func(g *nethttp.Guard) guards { return guards{g.RequireLive, g.RequireRole("admin")} }, 403, 200},
		{"others between", func(g *nethttp.Guard) guards {
			return guards{g.RequireRole("admin"), g.Identify, g.RequireRecentLogin(time.Hour), g.RequireRole("staff", "admin"), g.RequireRole("admin", "root"), g.RequireRole("admin", "x"), g.RequireLive}
		}, 403, 403},
		{"only the last of many roles is gone", func(g *nethttp.Guard) guards {
			any := g.RequireRole("admin", "staff")
			return guards{any, any, any, any, any, g.RequireRole("admin"), g.RequireLive}
		}, 403, 403},
		{"only the first of two roles is gone", func(g *nethttp.Guard) guards {
			return guards{g.RequireRole("admin"), g.RequireRole("admin", "staff"), g.RequireLive}
		}, 403, 403},
		{"twice, the role between", func(g *nethttp.Guard) guards {
			return guards{g.RequireLive, g.RequireRole("admin"), g.RequireLive}
		}, 403, 200},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("POST /role", roles, c.guards(a.guard)...)
			demoted, promoted := a.client(fetch).LogIn("grace"), a.client(fetch).LogIn("ada")
			if rec := demoted.As(fetch).Send("POST", "/role", ""); rec.Code != http.StatusOK || rec.Body.String() != "admin" {
				a.Errorf("%s: before: %d %q; want an admin", c.name, rec.Code, rec.Body)
			}
			a.Users.SetUser("grace", store.User{Roles: []string{"staff"}})
			a.Users.SetUser("ada", store.User{Roles: []string{"staff", "admin"}})
			before := a.Store.Calls()
			if rec := demoted.Send("POST", "/role", ""); rec.Code != c.demoted || a.Store.Calls()-before != 1 {
				a.Errorf("%s: demoted: %d, %d statements; want %d, 1", c.name, rec.Code, a.Store.Calls()-before, c.demoted)
			}
			if rec := promoted.Send("POST", "/role", ""); rec.Code != c.promoted || rec.Code == http.StatusOK && rec.Body.String() != "staff admin" {
				a.Errorf("%s: promoted: %d %q; want %d", c.name, rec.Code, rec.Body, c.promoted)
			}
		})
	}
}

// A requirement with Live and Roles is judged by the row alone.
func TestCore_RequirementWithLiveIsJudgedByTheRow(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		core, err := nethttp.NewCore(a.Sessions, nethttp.CoreConfig{})
		if err != nil {
			a.Fatal(err)
		}
		admit := func(need nethttp.Requirement) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w, r, refusal := core.Admit(w, r, need)
				if refusal != nil {
					_ = refusal.Write(w)
					return
				}
				who(w, r)
			})
		}
		promoted, nobody := a.client(fetch).LogIn("ada"), a.client(fetch)
		a.Users.SetUser("ada", store.User{Roles: []string{"admin"}})
		if rec := promoted.At(admit(nethttp.Requirement{Live: true, Roles: []string{"admin"}})).Send("GET", "/", ""); rec.Code != http.StatusOK {
			a.Errorf("promoted: %d; want 200", rec.Code)
		}
		if rec := nobody.At(admit(nethttp.Requirement{Live: true, Public: true})).Send("GET", "/", ""); rec.Code != http.StatusUnauthorized {
			a.Errorf("Live and Public, without a session: %d; want 401", rec.Code)
		}
	})
}

// The recent login that earlier guards have required is judged again, the shortest of
// several.
func TestRequireLive_JudgesTheAgeOfTheLoginAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		recent []time.Duration
		want   int
	}{
		{"none", nil, http.StatusOK},
		{"long enough", []time.Duration{time.Hour}, http.StatusOK},
		{"too short", []time.Duration{time.Minute}, http.StatusUnauthorized},
		{"too short, then longer", []time.Duration{time.Minute, time.Hour}, http.StatusUnauthorized},
		{"longer, then too short", []time.Duration{time.Hour, time.Minute}, http.StatusUnauthorized},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			var chain guards
			for _, d := range c.recent {
				chain = append(chain, a.guard.RequireRecentLogin(d))
			}
			chain = append(chain, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(2 * time.Second)
					next.ServeHTTP(w, r)
				})
			}, a.guard.RequireLive)
			a.handle("GET /route", who, chain...)
			b := a.client(fetch).LogIn("ada")
			time.Sleep(59 * time.Second)
			if rec := b.Send("GET", "/route", ""); rec.Code != c.want {
				a.Errorf("%s: %d; want %d", c.name, rec.Code, c.want)
			}
		})
	}
}

// The handler, its later guards and Done see the session as the store has just
// described it.
func TestRequireLive_HandlerSeesWhatTheRowSays(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		var outer, inner []string
		var done <-chan struct{}
		see := func(seen *[]string) func(http.Handler) http.Handler {
			return func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(w, r)
					s, _ := session.FromContext(r.Context())
					*seen = s.Roles
				})
			}
		}
		a.handle("GET /route", func(w http.ResponseWriter, r *http.Request) {
			done = a.Sessions.Done(r.Context())
			roles(w, r)
		}, see(&outer), a.guard.RequireLive, a.guard.RequireLive, see(&inner), a.guard.RequireRole("root"))
		b := a.client(fetch).LogIn("ada")
		a.Users.SetUser("ada", store.User{Roles: []string{"root"}, Attrs: map[string]string{"name": "Ada"}})
		before := a.Store.Calls()
		if rec := b.Send("GET", "/route", ""); rec.Code != http.StatusOK || rec.Body.String() != "root" || a.Store.Calls()-before != 1 {
			a.Errorf("%d %q, %d statements; want the roles of the row and one statement", rec.Code, rec.Body, a.Store.Calls()-before)
		}
		if !slices.Equal(outer, []string{"staff"}) || !slices.Equal(inner, []string{"root"}) {
			a.Errorf("before RequireLive %q, behind it %q; want staff, root", outer, inner)
		}
		if err := a.Sessions.RevokeUser(a.Context(), "ada"); err != nil {
			a.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(time.Second):
			a.Error("Done is open after a revocation")
		}
	})
}

// A refresh and RequireLive in one request: the cookies of the refresh are set, unless
// they have become stale.
func TestRequireLive_KeepsTheCookiesOfARefresh(t *testing.T) {
	for _, c := range []struct {
		name   string
		handle func(a *app)
		want   string
	}{
		{"in time", func(*app) {}, "set"},
		{"late", func(*app) { time.Sleep(time.Minute) }, "access"},
		{"after a revocation", func(a *app) { _ = a.Sessions.RevokeUser(a.Context(), "ada") }, ""},
	} {
		inApp(t, nethttp.Config{}, func(a *app) {
			a.handle("GET /pay", func(w http.ResponseWriter, r *http.Request) { c.handle(a); who(w, r) }, a.guard.RequireLive)
			b := a.client(fetch).LogIn("ada")
			expire()
			before := a.Store.Calls("Find")
			rec := b.Send("GET", "/pay", "")
			if n := a.Store.Calls("Find") - before; n != 2 || rec.Code != http.StatusOK || cookiesOf(rec) != c.want || len(rec.Result().Cookies()) > 2 {
				a.Errorf("%s: %d, %d statements, cookies %q; want 200, 2 and %q", c.name, rec.Code, n, cookiesOf(rec), c.want)
			}
		})
	}
}

// A program without cookies sends its credentials with the request. It passes, and the
// store is not asked again.
func TestRequireLive_PassesASessionBegunByCredentials(t *testing.T) {
	inApp(t, nethttp.Config{Credentials: adasCredentials}, func(a *app) {
		a.handle("GET /pay", who, a.guard.RequireRole("staff"), a.guard.RequireLive)
		statements := map[string]int{}
		for _, path := range []string{"/account", "/pay"} {
			before := a.Store.Calls()
			if rec := a.client(fetch).Send("GET", path, ""); rec.Code != http.StatusOK || rec.Body.String() != "ada" || cookiesOf(rec) != "login" {
				a.Errorf("%s: %d %q, cookies %q; want ada and the cookies of a login", path, rec.Code, rec.Body, cookiesOf(rec))
			}
			statements[path] = a.Store.Calls() - before
		}
		if statements["/pay"] != statements["/account"] {
			a.Errorf("statements: %v; want as many with RequireLive", statements)
		}
	})
}

// A handler may answer the parts of a request in parallel, each behind guards, with
// requests that share the context.
func TestRequireLive_GuardsOfOneRequestRunInParallel(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		parts := []http.Handler{
			behind(who, a.guard.RequireRole("staff")),
			behind(who, a.guard.RequireRole("staff", "admin"), a.guard.RequireRecentLogin(time.Hour), a.guard.RequireLive),
			behind(who, a.guard.RequireLive, a.guard.RequireRole("staff")),
		}
		a.handle("GET /batch", func(w http.ResponseWriter, r *http.Request) {
			answers := make([]*httptest.ResponseRecorder, 3*len(parts))
			var all sync.WaitGroup
			for i := range answers {
				answers[i] = httptest.NewRecorder()
				part := r.Clone(r.Context())
				all.Go(func() { parts[i%len(parts)].ServeHTTP(answers[i], part) })
			}
			all.Wait()
			for _, rec := range answers {
				if rec.Code != http.StatusOK || rec.Body.String() != "ada" {
					a.Errorf("%d %q; want ada", rec.Code, rec.Body)
				}
			}
		})
		if rec := a.client(fetch).LogIn("ada").Send("GET", "/batch", ""); rec.Code != http.StatusOK {
			a.Errorf("%d", rec.Code)
		}
	})
}

// The app's Answer, and its log, learn why, also where an earlier guard has let the request
// pass without a session.
func TestRequireLive_OnAPublicRouteSaysWhyItRefuses(t *testing.T) {
	var got []error
	answer := func(w http.ResponseWriter, _ *http.Request, refusal *nethttp.Refusal) {
		got = append(got, refusal)
	}
	inApp(t, nethttp.Config{Answer: answer}, func(a *app) {
		a.handle("/static/live", who, a.guard.RequireLive)
		b := a.client(pageLoad)
		b.Send("GET", "/static/live", "")
		b.LogIn("ada")
		expire()
		a.Store.Fail(errors.New("no answer"))
		b.Send("GET", "/static/live", "")
		if len(got) != 2 || !errors.Is(got[0], session.ErrUnauthenticated) || !errors.Is(got[1], session.ErrStoreUnavailable) {
			a.Errorf("the refusals are %v; want ErrUnauthenticated, and ErrStoreUnavailable", got)
		}
	})
}
