package sessiontest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newApp is the app under test: it takes the Manager from outside.
func newApp(sessions *session.Manager) http.Handler {
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		panic(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintf(w, "user %s of tenant %s", s.UserID, s.Data["tenant"])
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", page)
	mux.Handle("GET /admin", guard.RequireRole("admin")(page))
	mux.Handle("GET /payments", guard.RequireMethod("otp")(page))
	mux.Handle("GET /password", guard.RequireRecentLogin(5*time.Minute)(page))
	return guard.Protect(mux)
}

// A test of handlers with roles, a second factor, an aged login, and a user who is banned.
func ExampleNew() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{
		"ada":   {},
		"grace": {Roles: []string{"admin"}},
	})
	app := newApp(kit.Sessions)

	get := func(b *sessiontest.Browser, path string) { fmt.Println(path, b.Get(path).StatusCode) }
	ada, grace := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	s := ada.Login(t, kit.Sessions, session.Login{UserID: "ada", Methods: []string{"pwd"}})
	grace.Login(t, kit.Sessions, session.Login{UserID: "grace", Methods: []string{"pwd", "otp"}})

	get(ada, "/admin")
	get(grace, "/admin")
	get(ada, "/payments")
	get(grace, "/payments")

	get(ada, "/password")
	kit.Store.AgeLogin(s.ID, time.Hour)
	ada.ExpireAccess()
	get(ada, "/password")

	kit.Users.SetUser("grace", store.User{Disabled: true})
	grace.ExpireAccess()
	get(grace, "/orders")
	// Output:
	// /admin 403
	// /admin 200
	// /payments 303
	// /payments 200
	// /password 200
	// /password 303
	// /orders 303
}

// Login puts a session with its facts into one request.
func ExampleLogin() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	app := newApp(kit.Sessions)

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	sessiontest.Login(t, kit.Sessions, r, session.Login{UserID: "ada", Data: map[string]string{"tenant": "north"}})
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)

	fmt.Println(answer.Code, answer.Body)
	// Output: 200 user ada of tenant north
}

// A real server needs TLS: browsers keep the cookies only with HTTPS.
func ExampleNewServerBrowser() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	server := httptest.NewTLSServer(newApp(kit.Sessions))
	defer server.Close()

	b := sessiontest.NewServerBrowser(server)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	body, err := io.ReadAll(b.Get("/orders").Body)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", body)
	// Output: user ada of tenant
}
