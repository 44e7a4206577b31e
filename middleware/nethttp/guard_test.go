package nethttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestGuard_LoginRefreshAndLogout(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("POST", "/login?next=/account", "user=ada"); rec.Code != 303 || rec.Header().Get("Location") != "/account" {
			a.Errorf("login: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		for _, want := range []string{"", "set"} {
			rec := b.Send("GET", "/account", "")
			if rec.Code != 200 || rec.Body.String() != "ada" || cookiesOf(rec) != want {
				a.Errorf("%d %q, cookies %q; want %q", rec.Code, rec.Body, cookiesOf(rec), want)
			}
			expire()
		}
		if rec := b.Send("POST", "/logout", ""); rec.Code != 303 || len(b.Kept()) != 0 {
			a.Errorf("logout: %d, cookies %v left", rec.Code, b.Kept())
		}
		if rec := b.Send("GET", "/account", ""); rec.Code != 303 {
			a.Errorf("after the logout: %d", rec.Code)
		}
	})
}

// The request that Issue changes carries the new session in its context.
func TestIssue_HandlerSeesTheNewSession(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/in"}}, func(a *app) {
		a.handle("/in", func(w http.ResponseWriter, r *http.Request) {
			if a.issue(w, r, session.Login{UserID: "ada"}) {
				who(w, r)
			}
		})
		if rec := a.client(pageLoad).Send("POST", "/in", ""); rec.Body.String() != "ada" || cookiesOf(rec) != "login" {
			a.Errorf("the handler sees %q, cookies %q", rec.Body, cookiesOf(rec))
		}
	})
}

// The guard is asked about each path as it is: ServeMux would redirect first.
func TestProtect_PublicPatterns(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		handler := a.guard.Protect(http.HandlerFunc(who))
		for _, c := range []struct {
			method, target string
			public         bool
		}{
			{"GET", "/", true},
			{"GET", "/static/app.css", true},
			{"GET", "/static/", true},
			{"GET", "/articles/7", true},
			{"HEAD", "/articles/7", true},
			{"POST", "/articles/7", false},
			{"GET", "/articles/7/edit", false},
			{"GET", "/account", false},
			{"GET", "/admin/../static/x", false},
			{"GET", "/static/../admin", false},
			{"GET", "/static/..", false},
			{"GET", "//", false},
			{"GET", "//static/x", false},
			{"GET", "/static//x", false},
			{"GET", "/./static/x", false},
			{"GET", "/static/%2e%2e/admin", false},
			{"GET", "/static%2Fx", false},
			{"GET", "/static/a%2Fb", false},
			{"GET", "/login", true},
			{"POST", "/login", true},
			{"GET", "/login/", false},
			{"POST", "/logout", true}, // the handler of the logout runs without a guard
		} {
			rec := a.client(fetch).At(handler).Send(c.method, c.target, "")
			if (rec.Code == http.StatusOK) != c.public {
				a.Errorf("%s %s: %d; public: want %v", c.method, c.target, rec.Code, c.public)
			}
		}
		a.handle("status.test/", who)
		other := a.client(fetch)
		other.Origin = "https://status.test"
		if rec := other.Send("GET", "/whatever", ""); rec.Code != 200 {
			a.Errorf("a public host: %d", rec.Code)
		}
	})
}

// Two guards whose Managers have different apps do not share users.
func TestGuard_ManagersDoNotShareUsers(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		keys, err := session.ParseKeys(guardtest.Key)
		if err != nil {
			a.Fatal(err)
		}
		sessions, err := session.New(keys, store.NewMemory(), session.Config{App: "backoffice"})
		if err != nil {
			a.Fatal(err)
		}
		backoffice, err := nethttp.New(sessions, nethttp.Config{})
		if err != nil {
			a.Fatal(err)
		}
		a.handle("GET /backoffice", who, backoffice.Identify)
		if got := a.client(pageLoad).LogIn("ada").Send("GET", "/backoffice", "").Body.String(); got != "no session" {
			a.Errorf("the handler sees %q", got)
		}
	})
}

// Each guard decides by itself, whatever the order, and the request is authenticated
// once.
func TestGuard_EveryOrderOfMountingIsSafe(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		other, err := nethttp.New(a.Sessions, nethttp.Config{})
		if err != nil {
			a.Fatal(err)
		}
		forged := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx := session.Session{UserID: "ada", Roles: []string{"admin"}, AuthTime: time.Now()}.NewContext(r.Context())
				next.ServeHTTP(w, r.WithContext(ctx))
			})
		}
		g := a.guard
		for name, chain := range map[string][]func(http.Handler) http.Handler{
			"role alone":               {g.RequireRole("admin")},
			"identify, role":           {g.Identify, g.RequireRole("admin")},
			"role, identify":           {g.RequireRole("admin"), g.Identify},
			"protect, role":            {g.Protect, g.RequireRole("admin")},
			"recent, role":             {g.RequireRecentLogin(time.Hour), g.RequireRole("admin")},
			"another guard, role":      {other.Identify, other.Protect, g.RequireRole("admin")},
			"forged context, role":     {forged, g.RequireRole("admin")},
			"identify, forged, role":   {g.Identify, forged, g.RequireRole("admin")},
			"forged, identify, a role": {forged, g.Identify, g.RequireRole("admin")},
		} {
			mux := http.NewServeMux()
			mux.Handle("GET /admin", behind(who, chain...))
			mux.HandleFunc("POST /login", a.postLogin)
			for user, want := range map[string]int{"": 401, "ada": 403, "grace": 200} {
				b := a.client(fetch).At(mux)
				if user != "" {
					b.LogIn(user)
				}
				expire()
				before := a.Store.Calls()
				if rec := b.Send("GET", "/admin", ""); rec.Code != want {
					a.Errorf("%s, user %q: %d; want %d", name, user, rec.Code, want)
				}
				limit := 1
				if strings.HasPrefix(name, "another guard") {
					limit = 2 // each guard authenticates for itself
				}
				if n := a.Store.Calls() - before; n > limit {
					a.Errorf("%s, user %q: %d statements", name, user, n)
				}
			}
		}
	})
}

// A session of another login is not put back by a handler of the same request.
func TestIssue_ReplacesTheCookiesThatTheGuardHadSet(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		expire() // so that the guard before POST /login refreshes the old session
		rec := b.Send("POST", "/login", "user=grace")
		names := map[string]int{}
		for _, c := range rec.Result().Cookies() {
			names[c.Name]++
		}
		if len(names) != 3 || names[accessName] != 1 || names[refreshName] != 1 || names[oddRefreshName] != 1 || cookiesOf(rec) != "login" {
			a.Errorf("cookies %v, %q; want those of the login, each once", names, cookiesOf(rec))
		}
		if got := b.Send("GET", "/account", "").Body.String(); got != "grace" {
			a.Errorf("logged in as %q", got)
		}
		if list, _ := a.Sessions.List(a.Context(), "ada", ""); len(list) != 0 {
			a.Errorf("ada's session is still live: %v", list)
		}
	})
}

// A handler that logs its context, or a value derived from it, logs no cookie.
func TestGuard_ContextPrintsTheSessionIDAndNoCookie(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		printed := map[string]string{}
		a.handle("GET /print", func(_ http.ResponseWriter, r *http.Request) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				printed[verb] = fmt.Sprintf(verb, r.Context())
			}
		})
		b := a.client(pageLoad).LogIn("ada")
		b.Send("GET", "/print", "")
		if len(printed) != 7 {
			a.Fatal("the handler did not run")
		}
		for verb, text := range printed {
			if !strings.Contains(text, a.SessionOf(b)) {
				a.Errorf("%s does not show the session id: %s", verb, text)
			}
			for name, value := range b.Kept() {
				if strings.Contains(text, value) || strings.Contains(text, fmt.Sprintf("%x", value)) {
					a.Errorf("%s shows the value of %s", verb, name)
				}
			}
		}
	})
}

func TestWriteError_HidesUnknownErrors(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("/static/broken", func(w http.ResponseWriter, r *http.Request) {
			a.guard.WriteError(w, r, fmt.Errorf("secret detail"))
		})
		for kind, headers := range kinds {
			rec := a.client(headers).Send("GET", "/static/broken", "")
			if rec.Code != 500 || strings.Contains(rec.Body.String(), "secret detail") || !strings.Contains(rec.Body.String(), "Something went wrong: please tell us.") {
				a.Errorf("%s: %d %s; want a 500 that does not show the error", kind, rec.Code, rec.Body)
			}
		}
	})
}
