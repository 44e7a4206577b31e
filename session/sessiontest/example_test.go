package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleT replaces *testing.T, which an example does not have.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Context() context.Context          { return context.Background() }
func (exampleT) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

var t exampleT

// shop is the app under test: a Manager on a store, and a handler.
func shop(store store.Store) (*session.Manager, http.Handler) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := session.New(keys, store, session.Config{})
	if err != nil {
		log.Fatal(err)
	}

	app := http.NewServeMux()
	app.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		v, err := sessions.Issue(r, session.Login{UserID: r.FormValue("user"), Epoch: 1})
		if err != nil {
			http.Error(w, "wrong user", http.StatusUnauthorized)
			return
		}
		v.SetCookies(w)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	app.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		v, err := sessions.Authenticate(r)
		v.SetCookies(w)
		switch {
		case errors.Is(err, session.ErrUnauthenticated):
			http.Error(w, "log in first", http.StatusUnauthorized)
		case err != nil:
			http.Error(w, "try again", http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, "user %s, admin: %v", v.Session().UserID, v.Session().HasRole("admin"))
		}
	})
	return sessions, app
}

// A test of a handler needs no login page: LoginAs puts the cookies of a session
// into the request.
func ExampleLoginAs() {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
	sessions, app := shop(users)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	sessiontest.LoginAs(t, sessions, r, "1")
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)

	fmt.Println(answer.Code, answer.Body)
	// Output: 200 user 1, admin: true
}

// A browser keeps the cookies of a login over many requests. ExpireAccess simulates two
// minutes without a request: the next request is refreshed.
func ExampleBrowser() {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	_, app := shop(users)

	b := sessiontest.NewBrowser(app)
	fmt.Println("before the login:", b.Get("/").StatusCode)

	answer := b.PostForm("/login", url.Values{"user": {"1"}})
	fmt.Println("the login:", answer.StatusCode, "to", answer.Header.Get("Location"))
	fmt.Println("with an access cookie:", b.Get("/").StatusCode)

	b.ExpireAccess()
	answer = b.Get("/")
	fmt.Println("without one:", answer.StatusCode, "and", len(answer.Cookies()), "new cookie")

	thief := b.Clone()
	b.Delete(func(string) bool { return true })
	fmt.Println("a browser that lost its cookies:", b.Get("/").StatusCode)
	fmt.Println("a copy of them:", thief.Get("/").StatusCode)
	// Output:
	// before the login: 401
	// the login: 303 to /
	// with an access cookie: 200
	// without one: 200 and 1 new cookie
	// a browser that lost its cookies: 401
	// a copy of them: 200
}

// While the store is down, access cookies are accepted. A request without one gets a
// 503 and keeps its refresh cookie: nobody is logged out.
func ExampleStore() {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	store := sessiontest.NewStore(users)
	sessions, app := shop(store)

	b := sessiontest.NewBrowser(app)
	b.Login(t, sessions, session.Login{UserID: "1", Epoch: 1})

	store.Fail(errors.New("connection refused"))
	before := store.Calls()
	fmt.Println("with an access cookie:", b.Get("/").StatusCode, "after", store.Calls()-before, "calls")

	b.ExpireAccess()
	answer := b.Get("/")
	fmt.Println("without one:", answer.StatusCode, "and", len(answer.Cookies()), "cookies set or deleted")
	for _, c := range b.NewRequest(http.MethodGet, "/", nil).Cookies() {
		fmt.Println("the browser still has", c.Name)
	}
	// Output:
	// with an access cookie: 200 after 0 calls
	// without one: 503 and 0 cookies set or deleted
	// the browser still has __Host-Http-refresh-0
	// the browser still has __Host-Http-refresh-1
}
