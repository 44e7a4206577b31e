package nethttp_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// must ends the program if the app cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// The handlers of the app read the session from the request's context.
var admin, account, passwordForm, newPassword http.HandlerFunc = hello, hello, hello, hello

func hello(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	fmt.Fprintf(w, "Hello, user %s.", s.UserID)
}

// This is all that an app on http.ServeMux adds. Its users table needs the columns
// session_epoch, disabled and roles, or others that sqlstore.Config names. The same guard
// protects chi's router, or any other http.Handler.
func Example() {
	ctx := context.Background()
	mux := http.NewServeMux()
	db := must(sql.Open("mysql", os.Getenv("DSN")))

	keys := must(session.ParseKeys(os.Getenv("SESSION_KEYS")))
	store := must(sqlstore.New(db, sqlstore.Config{})) // MySQL or MariaDB; else name the Dialect
	if err := store.Migrate(ctx); err != nil {         // creates the kit's three tables, checks yours
		log.Fatal(err)
	}
	sessions := must(session.New(keys, store, session.Config{OnEvent: session.LogEvents(slog.Default())}))
	guard := must(nethttp.New(sessions, nethttp.Config{Public: []string{"/{$}", "/static/"}}))
	go sessions.Run(ctx) // learns of revocations on other nodes, removes dead rows

	recent := guard.RequireRecentLogin(5 * time.Minute)
	mux.HandleFunc("GET /account", account)
	mux.Handle("GET /admin", guard.RequireRole("admin")(admin))
	mux.Handle("GET /password", recent(passwordForm))
	mux.Handle("POST /password", recent(newPassword))
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
	server := &http.Server{Addr: ":443", Handler: guard.Protect(mux), MaxHeaderBytes: 32 << 10}
	log.Fatal(server.ListenAndServeTLS("cert.pem", "key.pem"))
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
