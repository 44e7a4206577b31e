package nethttp_test

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleSessions returns a Manager whose users are "1", and "2", an admin.
func exampleSessions(cfg session.Config) *session.Manager {
	return exampleSessionsOn(exampleUsers(), cfg)
}

// exampleUsers takes the place of the app's database.
func exampleUsers() *store.Memory {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1, Attrs: map[string]string{"name": "Ada"}})
	users.SetUser("2", store.User{Epoch: 1, Attrs: map[string]string{"name": "Grace"}, Roles: []string{"admin"}})
	return users
}

// exampleSessionsOn returns a Manager on a store. In an app, sqlstore.New makes the store.
func exampleSessionsOn(users store.Store, cfg session.Config) *session.Manager {
	keys, err := session.ParseKeys("b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc=") // in an app: from the environment
	if err != nil {
		panic(err)
	}
	sessions, err := session.New(keys, users, cfg)
	if err != nil {
		panic(err)
	}
	return sessions
}

// show prints the answers to a browser's requests: GET, or POST where a form is given.
func show(b *sessiontest.Browser, path string, form url.Values) {
	var answer *http.Response
	if form == nil {
		answer = b.Get(path)
	} else {
		answer = b.PostForm(path, form)
	}
	defer answer.Body.Close()
	fmt.Print(path, " ", answer.StatusCode)
	if to := answer.Header.Get("Location"); to != "" {
		fmt.Print(" to ", to)
	}
	fmt.Println()
}

// A second factor: the route asks for it, and the handler of the code adds it. The login page,
// to which RequireMethod sends the user, shows the form for the code.
func ExampleGuard_StepUp() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /payments", guard.RequireMethod("otp")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Your payments.")
	})))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1, Methods: []string{"pwd"}}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /code", func(w http.ResponseWriter, r *http.Request) {
		// The code was checked, and the attempts are limited.
		if err := guard.StepUp(w, r, "otp"); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{})
	show(b, "/payments", nil)
	show(b, "/code", url.Values{})
	show(b, "/payments", nil)
	// Output:
	// /login 200
	// /payments 303 to /login?method=otp&next=%2Fpayments&reauth=1
	// /code 200
	// /payments 200
}

// A new password: the app stores it and raises the user's session epoch, in one transaction.
// Then it renews this session, and all others of the user end.
func ExampleGuard_PasswordChanged() {
	users := store.NewMemory() // in an app: sqlstore.New
	users.SetUser("1", store.User{Epoch: 1})
	keys, err := session.ParseKeys("b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc=") // in an app: from the environment
	if err != nil {
		panic(err)
	}
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		panic(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		// The current password was checked.
		users.SetUser("1", store.User{Epoch: 2}) // in an app: UPDATE users SET password_hash = ?, session_epoch = session_epoch + 1
		if err := guard.PasswordChanged(w, r, 2); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	laptop, phone := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	show(laptop, "/login", url.Values{})
	show(phone, "/login", url.Values{})
	show(laptop, "/password", url.Values{})
	show(laptop, "/account", nil)
	show(phone, "/account", nil)
	// Output:
	// /login 200
	// /login 200
	// /password 303 to /account
	// /account 200
	// /account 303 to /login?next=%2Faccount
}

// The session knows the tenant that the user has chosen.
func ExampleGuard_Update() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1, Data: map[string]string{"tenant": "north"}}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /tenant", func(w http.ResponseWriter, r *http.Request) {
		// The app has checked that the user belongs to this tenant.
		if err := guard.Update(w, r, map[string]string{"tenant": r.FormValue("tenant")}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		s, _ := session.FromContext(r.Context())
		fmt.Println("the tenant is", s.Data["tenant"])
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{})
	show(b, "/tenant", url.Values{"tenant": {"south"}})
	// Output:
	// /login 200
	// the tenant is south
	// /tenant 200
}

// An administrator sees the app as a user sees it, and comes back.
func ExampleGuard_StopImpersonating() {
	sessions := exampleSessions(session.Config{
		MayImpersonate: func(_ *http.Request, actor session.Session, userID string) error {
			if actor.HasRole("admin") && userID != "2" {
				return nil
			}
			return session.ErrUserDisabled
		},
	})
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: "2", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /act-as", func(w http.ResponseWriter, r *http.Request) {
		admin, _ := session.FromContext(r.Context())
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Actor: admin.UserID}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.StopImpersonating(w, r); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("GET /", func(_ http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Printf("user %q, actor %q\n", s.UserID, s.Actor)
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	for _, path := range []string{"/login", "/act-as", "/stop"} {
		show(b, path, url.Values{"user": {"1"}})
		b.Get("/")
	}
	// Output:
	// /login 200
	// user "2", actor ""
	// /act-as 200
	// user "1", actor "2"
	// /stop 200
	// user "2", actor ""
}
