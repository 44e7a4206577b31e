package nethttp_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// The form has no action: the browser sends it to the URL of the page, and so keeps next, the
// page to return to. With an action it needs a hidden field next.
var loginPage = template.Must(template.New("login").Parse(`<!doctype html>
<title>Log in</title>
{{with .}}<p role="alert">{{.}}</p>{{end}}
<form method="post">
	<input name="email" type="email" autocomplete="username" required>
	<input name="password" type="password" autocomplete="current-password" required>
	<button>Log in</button>
</form>
`))

// The login page and the handler of its form. The guard sends strangers to the page, with the
// page that they wanted to see as next.
func ExampleGuard_Issue() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		// With reauth, a user who is logged in is to log in again: show the form.
		if _, ok := session.FromContext(r.Context()); ok && r.FormValue("reauth") == "" {
			http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
			return
		}
		_ = loginPage.Execute(w, "")
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user, ok := checkPassword(r.FormValue("email"), r.FormValue("password"))
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			_ = loginPage.Execute(w, "Wrong email or password.")
			return
		}
		if err := guard.Issue(w, r, session.Login{UserID: user.ID, Epoch: user.Epoch}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/account", nil)
	show(b, "/login?next=%2Faccount", nil)
	show(b, "/login?next=%2Faccount", url.Values{"email": {"ada@example.com"}, "password": {"guess"}})
	show(b, "/login?next=%2Faccount", url.Values{"email": {"ada@example.com"}, "password": {"secret"}})
	show(b, "/account", nil)
	show(b, "/login", nil)
	show(b, "/login?reauth=1", nil)
	// Output:
	// /account 303 to /login?next=%2Faccount
	// /login?next=%2Faccount 200
	// /login?next=%2Faccount 401
	// /login?next=%2Faccount 303 to /account
	// /account 200
	// /login 303 to /account
	// /login?reauth=1 200
}

// The form has a box "Stay logged in on this device". How long that is, session.Config says.
func ExampleGuard_Issue_remember() {
	guard, err := nethttp.New(exampleSessions(session.Config{RememberIdleTimeout: 14 * 24 * time.Hour}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		login := session.Login{UserID: "1", Epoch: 1, Remember: r.FormValue("remember") != ""}
		if err := guard.Issue(w, r, login); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	app := guard.Protect(mux)

	for _, form := range []url.Values{{}, {"remember": {"on"}}} {
		for _, c := range sessiontest.NewBrowser(app).PostForm("/login", form).Cookies() {
			if c.Name == "__Host-Http-refresh-0" {
				fmt.Printf("remember %q: without a visit, the login lasts %v\n", form.Get("remember"), time.Duration(c.MaxAge)*time.Second)
			}
		}
	}
	// Output:
	// remember "": without a visit, the login lasts 30m0s
	// remember "on": without a visit, the login lasts 336h0m0s
}

// An administrator gets a shorter session than the users.
func ExampleGuard_Issue_shorterSession() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		login := session.Login{UserID: r.FormValue("user"), Epoch: 1}
		if login.UserID == "2" { // in an app: the user's row says that they are an administrator
			login.IdleTimeout, login.AbsoluteTimeout = 10*time.Minute, 2*time.Hour
		}
		if err := guard.Issue(w, r, login); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		s, _ := session.FromContext(r.Context()) // Issue has put the new session into the request
		fmt.Printf("user %s must log in again after %v\n", s.UserID, s.EndsAt.Sub(s.AuthTime))
	})
	app := guard.Protect(mux)

	sessiontest.NewBrowser(app).PostForm("/login", url.Values{"user": {"1"}})
	sessiontest.NewBrowser(app).PostForm("/login", url.Values{"user": {"2"}})
	// Output:
	// user 1 must log in again after 12h0m0s
	// user 2 must log in again after 2h0m0s
}

// What Issue returns is the answer to the client. WriteError writes it: 403 for a user who may
// not log in, 503 if the store does not answer. The app may show its own page for one of them.
func ExampleGuard_WriteError() {
	users := exampleUsers()
	users.SetUser("3", store.User{Epoch: 1, Disabled: true})
	database := sessiontest.NewStore(users)
	guard, err := nethttp.New(exampleSessionsOn(database, session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1})
		switch {
		case errors.Is(err, session.ErrUserDisabled):
			w.WriteHeader(http.StatusForbidden)
			_ = loginPage.Execute(w, "This account is disabled. Please write to us.")
		case err != nil:
			guard.WriteError(w, r, err)
		default:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{"user": {"3"}})
	database.Fail(errors.New("connection refused"))
	show(b, "/login", url.Values{"user": {"1"}})
	// Output:
	// /login 403
	// /login 503
}

// A new user is logged in at once. The pages of the sign-up are public, and lead back like the
// login page: link them with its next.
func ExampleGuard_Issue_signUp() {
	users := exampleUsers()
	guard, err := nethttp.New(exampleSessionsOn(users, session.Config{}), nethttp.Config{Public: []string{"/signup"}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /signup", func(w http.ResponseWriter, _ *http.Request) { _ = loginPage.Execute(w, "") })
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		// The form was checked.
		id := "3"
		users.SetUser(id, store.User{Epoch: 1}) // in an app: an INSERT, which is committed before Issue
		if err := guard.Issue(w, r, session.Login{UserID: id, Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/signup", nil)
	show(b, "/signup", url.Values{"email": {"new@example.com"}, "password": {"a long password"}})
	show(b, "/account", nil)
	// Output:
	// /signup 200
	// /signup 303 to /account
	// /account 200
}

// A link by mail for a user who has forgotten the password. Whoever has had the account until
// now is logged out, and the link works once: the new password raises the session epoch. The
// app keeps a digest of a random token. What Manager.Seal makes is not enough here: whoever
// reads the key could then set passwords.
func Example_forgottenPassword() {
	type link struct {
		userID  string
		epoch   uint64
		expires time.Time
	}
	links := map[[sha256.Size]byte]link{} // in an app: a table
	epochs := map[string]uint64{"1": 1}   // in an app: users.session_epoch
	users := exampleUsers()
	sessions := exampleSessionsOn(users, session.Config{})
	guard, err := nethttp.New(sessions, nethttp.Config{Public: []string{"/forgotten", "/new-password"}})
	if err != nil {
		panic(err)
	}
	var mailed string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /forgotten", func(w http.ResponseWriter, r *http.Request) {
		// The attempts are limited. For an unknown address the answer is the same.
		if r.FormValue("email") == "ada@example.com" { // in an app: SELECT id, session_epoch ... WHERE email = ?
			token := rand.Text()
			links[sha256.Sum256([]byte(token))] = link{"1", epochs["1"], time.Now().Add(time.Hour)}
			mailed = "/new-password?token=" + token // in an app: a mail, with the origin from its configuration
		}
		fmt.Fprintln(w, "If we know this address, we have sent you a link.")
	})
	mux.HandleFunc("POST /new-password", func(w http.ResponseWriter, r *http.Request) {
		asked, ok := links[sha256.Sum256([]byte(r.FormValue("token")))]
		if !ok || time.Now().After(asked.expires) || asked.epoch != epochs[asked.userID] {
			http.Error(w, "The link is too old, or was used.", http.StatusForbidden)
			return
		}
		// In an app: UPDATE users SET password_hash = ?, session_epoch = session_epoch + 1
		// WHERE id = ? AND session_epoch = ?, with the epoch of the link. No row: it was used.
		epochs[asked.userID]++
		users.SetUser(asked.userID, store.User{Epoch: epochs[asked.userID]})
		if err := sessions.RevokeUser(r.Context(), asked.userID); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	thief, user := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	show(thief, "/login", asUser("1"))
	show(user, "/forgotten", url.Values{"email": {"ada@example.com"}})
	for range 2 {
		answer := user.PostForm(mailed, url.Values{"password": {"another long password"}})
		fmt.Println("the link:", answer.StatusCode)
	}
	show(thief, "/account", nil)
	// Output:
	// /login 200
	// /forgotten 200
	// the link: 303
	// the link: 403
	// /account 303 to /login?next=%2Faccount
}

// Anybody can make a link to the login page. ReturnTo accepts paths of this app alone.
func ExampleGuard_ReturnTo() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	for _, next := range []string{"/orders?page=2", "https://evil.example", "//evil.example", `/\evil.example`, "/\t/evil.example", "/logout"} {
		r := sessiontest.NewBrowser(nil).NewRequest("GET", "/login?next="+url.QueryEscape(next), nil)
		fmt.Printf("%q: %s\n", next, guard.ReturnTo(r, "/"))
	}
	// Output:
	// "/orders?page=2": /orders?page=2
	// "https://evil.example": /
	// "//evil.example": /
	// "/\\evil.example": /
	// "/\t/evil.example": /
	// "/logout": /
}

// The page that changes the password asks for a login that is at most five minutes old. The
// guard sends other users to the login page, with reauth=1, and from there they come back.
func ExampleGuard_RequireRecentLogin() {
	database := sessiontest.NewStore(exampleUsers())
	guard, err := nethttp.New(exampleSessionsOn(database, session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	recent := guard.RequireRecentLogin(5 * time.Minute)
	var current session.Session
	mux := http.NewServeMux()
	mux.Handle("GET /password", recent(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		current, _ = session.FromContext(r.Context())
		http.Redirect(w, r, guard.ReturnTo(r, "/password"), http.StatusSeeOther)
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{})
	show(b, "/password", nil)

	database.AgeLogin(current.ID, time.Hour) // in the example an hour passes at once
	b.ExpireAccess()
	show(b, "/password", nil)
	show(b, "/login?next=%2Fpassword&reauth=1", url.Values{})
	show(b, "/password", nil)
	// Output:
	// /login 303 to /password
	// /password 200
	// /password 303 to /login?next=%2Fpassword&reauth=1
	// /login?next=%2Fpassword&reauth=1 303 to /password
	// /password 200
}

// A page asks for the logout with a form: <form method="post" action="/logout">. If the
// database cannot be told, the user is logged out in this browser, and the next page says that
// the rest will follow.
func ExampleGuard_Logout() {
	database := sessiontest.NewStore(exampleUsers())
	guard, err := nethttp.New(exampleSessionsOn(database, session.Config{}), nethttp.Config{
		OnLogoutError: func(_ *http.Request, err error) { fmt.Println("to be logged:", err) },
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /logout", guard.Logout)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("logout") == "pending" {
			_ = loginPage.Execute(w, "We will finish logging you out.")
			return
		}
		_ = loginPage.Execute(w, "")
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{})
	show(b, "/logout", url.Values{})
	show(b, "/account", nil)

	show(b, "/login", url.Values{})
	database.Fail(errors.New("connection refused"))
	show(b, "/logout", url.Values{})
	show(b, "/account", nil)
	// Output:
	// /login 200
	// /logout 303 to /login
	// /account 303 to /login?next=%2Faccount
	// /login 200
	// to be logged: session: the store is unavailable: connection refused
	// /logout 303 to /login?logout=pending
	// /account 303 to /login?next=%2Faccount
}

// A login form that htmx sends: Redirect answers it in the way that htmx follows, and a
// browser's own form with a 303.
func ExampleRedirect() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		_ = nethttp.Redirect(w, r, guard.ReturnTo(r, "/account"))
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/login", url.Values{})

	byHTMX := b.NewRequest("POST", "/login", strings.NewReader(""))
	byHTMX.Header.Set("HX-Request", "true")
	byHTMX.Header.Set("Sec-Fetch-Mode", "cors")
	answer := b.Do(byHTMX)
	fmt.Println("htmx:", answer.StatusCode, "HX-Redirect:", answer.Header.Get("HX-Redirect"))
	// Output:
	// /login 303 to /account
	// htmx: 204 HX-Redirect: /account
}
