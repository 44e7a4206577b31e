package nethttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// An app on http.ServeMux. The same guard protects chi's router, or any other
// http.Handler.
func Example() {
	keys, err := session.ParseKeys(os.Getenv("SESSION_KEYS"))
	if err != nil {
		log.Fatal(err)
	}
	users := store.NewMemory() // in an app: sqlstore.New
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{Public: []string{"/{$}", "/static/"}})
	if err != nil {
		log.Fatal(err)
	}
	go sessions.Run(context.Background())

	page := func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintf(w, "Hello, user %s.", s.UserID)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/account", page)
	mux.Handle("/admin", guard.RequireRole("admin")(http.HandlerFunc(page)))
	mux.Handle("/password", guard.RequireRecentLogin(5*time.Minute)(http.HandlerFunc(page)))
	mux.HandleFunc("POST /logout", guard.Logout)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user, ok := checkPassword(r.FormValue("email"), r.FormValue("password"))
		if !ok {
			http.Error(w, "Wrong email or password.", http.StatusUnauthorized)
			return
		}
		if err := guard.Issue(w, r, session.Login{UserID: user.ID, Epoch: user.Epoch}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/account"), http.StatusSeeOther)
	})
	log.Fatal(http.ListenAndServeTLS(":443", "cert.pem", "key.pem", guard.Protect(mux)))
}

type user struct {
	ID    string
	Epoch uint64
}

// checkPassword takes the place of the app's own code, which compares the password with the
// hash in the user's row, and returns the epoch of the same row.
func checkPassword(email, password string) (user, bool) {
	return user{ID: "1", Epoch: 1}, email == "ada@example.com" && password == "secret"
}
