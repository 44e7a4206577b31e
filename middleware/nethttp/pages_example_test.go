package nethttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// logIn returns a handler that takes the place of the app's own: it logs in the user whom the
// form names, without a password.
func logIn(guard *nethttp.Guard) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
		}
	}
}

// asUser is the form for logIn.
func asUser(id string) url.Values { return url.Values{"user": {id}} }

// Protect stands before the whole app: only users who are logged in reach the handlers. A
// handler reads the session from the context of the request.
func ExampleGuard_Protect() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{Public: []string{"/{$}"}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /orders", func(_ http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Printf("the orders of user %s, %s\n", s.UserID, s.Attrs["name"]) // sqlstore.Config.Attrs lists the attributes
		if s.HasRole("admin") {
			fmt.Println("and a link to all orders")
		}
	})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux) // http.ListenAndServe(addr, app)

	b := sessiontest.NewBrowser(app)
	show(b, "/", nil)
	show(b, "/orders", nil)
	show(b, "/login", asUser("2"))
	show(b, "/orders", nil)
	// Output:
	// / 200
	// /orders 303 to /login?next=%2Forders
	// /login 200
	// the orders of user 2, Grace
	// and a link to all orders
	// /orders 200
}

// A public page greets the user. In an outage of the database nobody knows who the user is:
// then the page asks nobody to log in.
func ExampleGuard_Err() {
	database := sessiontest.NewStore(exampleUsers())
	guard, err := nethttp.New(exampleSessionsOn(database, session.Config{}), nethttp.Config{Public: []string{"/{$}"}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(_ http.ResponseWriter, r *http.Request) {
		s, ok := session.FromContext(r.Context())
		switch {
		case ok:
			fmt.Println("Hello,", s.Attrs["name"])
		case errors.Is(guard.Err(r), session.ErrStoreUnavailable):
			fmt.Println("Hello. We cannot see at the moment whether you are logged in.")
		default:
			fmt.Println("Hello. You may log in.")
		}
	})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	b.Get("/")
	b.PostForm("/login", asUser("1"))
	b.Get("/")
	database.Fail(errors.New("connection refused"))
	b.ExpireAccess()
	b.Get("/")
	// Output:
	// Hello. You may log in.
	// Hello, Ada
	// Hello. We cannot see at the moment whether you are logged in.
}

// An app of mostly public pages: Identify stands before all of them, and nobody is sent to the
// login page. RequireRole and the like protect the others.
func ExampleGuard_Identify() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /articles/{id}", func(_ http.ResponseWriter, r *http.Request) {
		if s, ok := session.FromContext(r.Context()); ok {
			fmt.Println("article", r.PathValue("id"), "and a form for a comment by", s.Attrs["name"])
			return
		}
		fmt.Println("article", r.PathValue("id"))
	})
	mux.Handle("GET /drafts", guard.RequireRole("admin")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.HandleFunc("POST /login", logIn(guard))
	mux.HandleFunc("POST /logout", guard.Logout)
	app := guard.Identify(mux)

	b := sessiontest.NewBrowser(app)
	b.Get("/articles/7")
	show(b, "/drafts", nil)
	b.PostForm("/login", asUser("1"))
	b.Get("/articles/7")
	// Output:
	// article 7
	// /drafts 303 to /login?next=%2Fdrafts
	// article 7 and a form for a comment by Ada
}

// The pages of administrators.
func ExampleGuard_RequireRole() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	admin := http.NewServeMux()
	admin.HandleFunc("GET /admin/users", func(http.ResponseWriter, *http.Request) {})
	admin.HandleFunc("GET /admin/audit", func(http.ResponseWriter, *http.Request) {})

	mux := http.NewServeMux()
	mux.Handle("/admin/", guard.RequireRole("admin", "support")(admin)) // one of the two
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	user, administrator := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	user.PostForm("/login", asUser("1"))
	administrator.PostForm("/login", asUser("2"))
	show(user, "/admin/users", nil)
	show(administrator, "/admin/users", nil)
	// Output:
	// /admin/users 403
	// /admin/users 200
}

// The methods that the user has proved who they are by come from the login. A login with a
// passkey opens the page, and so does a code after the password: see StepUp.
func ExampleGuard_RequireMethod() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /salaries", guard.RequireMethod("hwk", "otp")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		proven := r.FormValue("method") // in an app: what it has checked, the password or the passkey
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1, Methods: []string{proven}}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	app := guard.Protect(mux)

	for _, method := range []string{"pwd", "hwk"} {
		b := sessiontest.NewBrowser(app)
		b.PostForm("/login", url.Values{"method": {method}})
		show(b, "/salaries", nil)
	}
	// Output:
	// /salaries 303 to /login?method=hwk%2Cotp&next=%2Fsalaries&reauth=1
	// /salaries 200
}

// An access cookie counts for two minutes, whatever the database says. A payment asks the
// database in each request: it sees at once that a role was taken away, and that a session
// has ended on another node.
func ExampleGuard_RequireLive() {
	users := exampleUsers()
	guard, err := nethttp.New(exampleSessionsOn(users, session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	page := func(http.ResponseWriter, *http.Request) {}
	buyer := guard.RequireRole("buyer")
	mux := http.NewServeMux()
	mux.Handle("GET /cart", buyer(http.HandlerFunc(page)))
	mux.Handle("POST /pay", buyer(guard.RequireLive(http.HandlerFunc(page))))
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	users.SetUser("1", store.User{Epoch: 1, Roles: []string{"buyer"}})
	b := sessiontest.NewBrowser(app)
	b.PostForm("/login", asUser("1"))
	show(b, "/pay", url.Values{})

	users.SetUser("1", store.User{Epoch: 1}) // by a statement in the database
	show(b, "/cart", nil)
	show(b, "/pay", url.Values{})
	// Output:
	// /pay 200
	// /cart 200
	// /pay 403
}

// Pages for everybody, in the patterns of http.ServeMux. An article is public for reading only,
// and another host is public as a whole.
func ExampleConfig_public() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{
		Public: []string{"/{$}", "/static/", "GET /articles/{id}", "status.example.com/"},
		Hosts:  []string{"app.test"}, // because the app has pages on several hosts
	})
	if err != nil {
		panic(err)
	}
	page := func(http.ResponseWriter, *http.Request) {}
	mux := http.NewServeMux()
	for _, pattern := range []string{"/{$}", "/static/", "/articles/{id}", "/orders", "status.example.com/"} {
		mux.HandleFunc(pattern, page)
	}
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/articles/7", nil)
	show(b, "/articles/7", url.Values{"text": {"new"}})
	show(b, "/orders", nil)
	b.Origin = "https://status.example.com"
	show(b, "/today", nil)
	// Output:
	// /articles/7 200
	// /articles/7 303 to /login
	// /orders 303 to /login?next=%2Forders
	// /today 200
}
