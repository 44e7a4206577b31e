package session_test

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleUsers takes the place of the app's database. The users are "1", and "2", an admin.
func exampleUsers() *store.Memory {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	users.SetUser("2", store.User{Epoch: 1, Roles: []string{"admin"}})
	return users
}

// exampleSessions returns a Manager on a store. In an app, sqlstore.New makes the store.
func exampleSessions(users store.Store, cfg session.Config) *session.Manager {
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

// exampleApp is a net/http app behind a guard. It has a page, /account, and a login that
// checks no password: it logs in the user that the form names.
func exampleApp(sessions *session.Manager, public ...string) (*nethttp.Guard, *http.ServeMux) {
	guard, err := nethttp.New(sessions, nethttp.Config{Public: public})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1, ExternalID: r.FormValue("sid")}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	return guard, mux
}

// asUser is the form of that login.
func asUser(id string) url.Values { return url.Values{"user": {id}} }

// show loads a page and prints the answer.
func show(who string, b *sessiontest.Browser, path string) {
	answer := b.Get(path)
	fmt.Print(who, ": ", answer.StatusCode)
	if to := answer.Header.Get("Location"); to != "" {
		fmt.Print(" to ", to)
	}
	fmt.Println()
}
