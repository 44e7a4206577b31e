package nethttp_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// facts answers with the methods and the data of the session.
func facts(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	fmt.Fprint(w, s.Methods, s.Data)
}

// inFactsApp runs a test of an app with a second factor and tenants.
func inFactsApp(t *testing.T, test func(a *app)) {
	t.Helper()
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /facts", facts)
		a.handle("GET /vault", facts, a.guard.RequireMethod("otp", "hwk"))
		a.handle("POST /pwd", func(w http.ResponseWriter, r *http.Request) {
			if a.issue(w, r, session.Login{UserID: "ada", Methods: []string{"pwd"}, Data: map[string]string{"tenant": "1"}}) {
				facts(w, r)
			}
		})
		a.handle("POST /second", func(w http.ResponseWriter, r *http.Request) {
			if err := a.guard.StepUp(w, r, r.FormValue("method")); err != nil {
				a.guard.WriteError(w, r, err)
				return
			}
			facts(w, r)
		})
		a.handle("POST /tenant", func(w http.ResponseWriter, r *http.Request) {
			if err := a.guard.Update(w, r, map[string]string{"tenant": r.FormValue("id")}); err != nil {
				a.guard.WriteError(w, r, err)
				return
			}
			facts(w, r)
		})
		test(a)
	})
}

// logInByPassword logs ada in by her password.
func (a *app) logInByPassword(b *guardtest.Client) {
	a.Helper()
	b.LogIn("ada")
	if rec := b.Send("POST", "/pwd", ""); rec.Code != 200 || rec.Body.String() != "[pwd] map[tenant:1]" {
		a.Fatalf("the login: %d %q", rec.Code, rec.Body)
	}
}

func TestRequireMethod_AsksForTheMethodUntilTheSessionHasIt(t *testing.T) {
	inFactsApp(t, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("GET", "/vault", ""); rec.Code != 303 || rec.Header().Get("Location") != "/login?next=%2Fvault" {
			a.Errorf("without a session: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		a.logInByPassword(b)
		if rec := b.Send("GET", "/vault", ""); rec.Code != 303 || rec.Header().Get("Location") != "/login?method=otp%2Chwk&next=%2Fvault&reauth=1" {
			a.Errorf("without the method: %d to %q", rec.Code, rec.Header().Get("Location"))
		}
		copied := b.Copied()
		if rec := b.Send("POST", "/second", "method=otp"); rec.Code != 200 || rec.Body.String() != "[pwd otp] map[tenant:1]" {
			a.Errorf("the second factor: %d %q", rec.Code, rec.Body)
		}
		for _, pause := range []time.Duration{0, 3 * time.Minute} {
			time.Sleep(pause)
			if rec := b.Send("GET", "/vault", ""); rec.Code != 200 || rec.Body.String() != "[pwd otp] map[tenant:1]" {
				a.Errorf("with the method: %d %q", rec.Code, rec.Body)
			}
		}
		if rec := copied.Send("GET", "/vault", ""); rec.Code == 200 {
			a.Error("a cookie from before the second factor opens the page")
		}
		other := a.client(pageLoad)
		a.logInByPassword(other)
		other.Send("POST", "/second", "method=hwk")
		if rec := other.Send("GET", "/vault", ""); rec.Code != 200 {
			a.Errorf("with the other method: %d", rec.Code)
		}
	})
}

// The method is judged by the row, too, if a route asks for the store's word.
func TestRequireLive_JudgesTheMethodsOfEarlierGuardsAgain(t *testing.T) {
	inFactsApp(t, func(a *app) {
		a.handle("GET /pay", facts, a.guard.RequireMethod("otp"), a.guard.RequireLive)
		a.handle("GET /pay2", facts, a.guard.RequireLive, a.guard.RequireMethod("otp"))
		b := a.client(pageLoad)
		a.logInByPassword(b)
		b.Send("POST", "/second", "method=otp")
		for _, path := range []string{"/pay", "/pay2"} {
			if rec := b.Send("GET", path, ""); rec.Code != 200 {
				a.Errorf("%s: %d", path, rec.Code)
			}
		}
		a.forgetMethods()
		for _, path := range []string{"/pay", "/pay2"} {
			if rec := b.Send("GET", path, ""); rec.Code != 303 {
				a.Errorf("%s, with a row that does not have the method: %d; want 303", path, rec.Code)
			}
		}
	})
}

// forgetMethods replaces the rows of ada's sessions by rows without methods, as if their
// access cookies were forged.
func (a *app) forgetMethods() {
	a.Helper()
	rows, err := a.Users.List(a.Context(), "ada", store.ID{}, 100)
	if err != nil {
		a.Fatal(err)
	}
	others := store.NewMemory()
	others.SetUser("ada", store.User{Epoch: rows[0].UserEpoch})
	for _, row := range rows {
		n := store.NewSession{ID: row.ID, UserID: "ada", Confirmed: row.Confirmed, Lifetime: time.Hour, RetainFor: time.Hour}
		if err := others.Create(a.Context(), n); err != nil {
			a.Fatal(err)
		}
	}
	a.Users.Restore(others)
}

func TestGuard_UpdateSwitchesTheTenantInTheSameAnswer(t *testing.T) {
	inFactsApp(t, func(a *app) {
		b := a.client(pageLoad)
		if rec := b.Send("POST", "/tenant", "id=2"); rec.Code != 303 {
			a.Errorf("without a session: %d", rec.Code)
		}
		a.logInByPassword(b)
		for _, pause := range []time.Duration{0, 3 * time.Minute} { // once with an expired access cookie, which the guard refreshes first
			time.Sleep(pause)
			id := fmt.Sprint(2 + pause)
			want := "[pwd] map[tenant:" + id + "]"
			if rec := b.Send("POST", "/tenant", "id="+id); rec.Code != 200 || rec.Body.String() != want {
				a.Errorf("the switch: %d %q; want %q", rec.Code, rec.Body, want)
			}
			if rec := b.Send("GET", "/facts", ""); rec.Body.String() != want {
				a.Errorf("the next page: %q; want %q", rec.Body, want)
			}
		}
		time.Sleep(3 * time.Minute)
		if rec := b.Send("GET", "/facts", ""); rec.Code != 200 {
			a.Errorf("later: %d", rec.Code)
		}
	})
}

// A form of another site steps nobody up, and switches no tenant.
func TestGuard_OtherSitesChangeNoSession(t *testing.T) {
	inFactsApp(t, func(a *app) {
		b := a.client(pageLoad)
		a.logInByPassword(b)
		for _, path := range []string{"/second", "/tenant"} {
			if rec := b.Send("POST", path, "method=otp&id=2", "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
				a.Errorf("%s: %d; want 403", path, rec.Code)
			}
		}
		if rec := b.Send("GET", "/facts", ""); rec.Body.String() != "[pwd] map[tenant:1]" {
			a.Errorf("the session is now %q", rec.Body)
		}
	})
}
