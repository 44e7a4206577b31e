package nethttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// An admin acts as another user, and comes back. No route that asks the user for proof lets
// the admin in, nor sends them to the login page, which could not help.
func TestGuard_ImpersonationOpensNoRouteThatAsksForProof(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("POST /act-as", func(w http.ResponseWriter, r *http.Request) {
			s, _ := session.FromContext(r.Context())
			if a.issue(w, r, session.Login{UserID: r.FormValue("user"), Actor: s.UserID, Methods: []string{"otp"}}) {
				who(w, r)
			}
		})
		a.handle("POST /stop", func(w http.ResponseWriter, r *http.Request) {
			if err := a.guard.StopImpersonating(w, r); err != nil {
				a.guard.WriteError(w, r, err)
				return
			}
			who(w, r)
		})
		a.handle("GET /vault", who, a.guard.RequireMethod("otp"))
		a.handle("GET /either", who, a.guard.RequireLive)
		b := a.client(pageLoad)
		want := func(method, path, body string, status int, user string) {
			a.Helper()
			rec := b.Send(method, path, body)
			if rec.Code != status || status == 200 && rec.Body.String() != user {
				a.Errorf("%s %s: %d %q; want %d %q", method, path, rec.Code, rec.Body, status, user)
			}
		}
		want("POST", "/stop", "", 303, "")
		b.LogIn("ada")
		want("POST", "/act-as", "user=grace", 403, "")
		b.LogIn("grace")
		want("GET", "/password", "", 200, "grace")
		want("POST", "/act-as", "user=ada", 200, "ada")
		for range 2 {
			want("GET", "/account", "", 200, "ada")
			want("GET", "/admin", "", 403, "")
			want("GET", "/password", "", 403, "")
			want("GET", "/vault", "", 403, "")
			want("GET", "/either", "", 200, "ada")
			time.Sleep(3 * time.Minute)
		}
		want("POST", "/act-as", "user=grace", 403, "")
		want("POST", "/stop", "", 200, "grace")
		want("GET", "/admin", "", 200, "grace")
		want("GET", "/vault", "", 303, "")
		time.Sleep(3 * time.Minute)
		want("GET", "/admin", "", 200, "grace")
	})
}

// The answer says in its session who acts.
func TestGuard_ImpersonationNamesTheActor(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		actor := func(w http.ResponseWriter, r *http.Request) {
			s, _ := session.FromContext(r.Context())
			fmt.Fprint(w, s.UserID, " by ", s.Actor)
		}
		a.handle("GET /actor", actor)
		a.handle("POST /act-as", func(w http.ResponseWriter, r *http.Request) {
			if a.issue(w, r, session.Login{UserID: "ada", Actor: "grace"}) {
				actor(w, r)
			}
		})
		b := a.client(pageLoad).LogIn("grace")
		for _, c := range []struct{ method, path string }{{"POST", "/act-as"}, {"GET", "/actor"}} {
			if rec := b.Send(c.method, c.path, ""); rec.Body.String() != "ada by grace" {
				a.Errorf("%s: %d %q", c.path, rec.Code, rec.Body)
			}
		}
	})
}
