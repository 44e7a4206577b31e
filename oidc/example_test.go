package oidc_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleT is what the test of an app gets.
type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

// accounts takes the place of a table with the columns issuer, subject, user_id, and a unique
// index on the first two.
var accounts = map[[2]string]string{{"https://id.example.com", "f7a1"}: "1"}

// findOrCreate returns the app's user for who has logged in at the provider.
func findOrCreate(ctx context.Context, who oidc.Identity) (session.Login, error) {
	id, ok := accounts[[2]string{who.Issuer, who.Subject}]
	if !ok {
		// Create the user here, or refuse them:
		return session.Login{}, fmt.Errorf("%w: nobody has invited %v", session.ErrUnauthenticated, who)
	}
	return session.Login{UserID: id, Epoch: 1}, nil // the epoch of the user's row
}

// findUser returns the app's user for a subject, or "".
func findUser(ctx context.Context, subject string) (string, error) {
	return accounts[[2]string{"https://id.example.com", subject}], nil
}

// An app whose users log in with a provider, named acme here. The page /login of the app has
// a link to /login/acme.
func Example() {
	provider := newFakeProvider(exampleT{}, "https://id.example.com")
	client := &http.Client{Transport: provider} // in an app: leave it out
	kit := sessiontest.New(exampleT{}, session.Config{}, map[string]store.User{"1": {Epoch: 1}})
	sessions, clientSecret := kit.Sessions, secret

	acme, err := oidc.New(sessions, oidc.Config{
		Issuer:          "https://id.example.com",
		ClientID:        "our-app",
		ClientSecret:    clientSecret, // from where your secrets are
		RedirectURL:     "https://app.test/callback/acme",
		Scopes:          []string{"email", "profile"},
		User:            findOrCreate,
		FindUser:        findUser,
		LogoutReturnURL: "https://app.test/",
		OnError:         func(r *http.Request, err error) { log.Println(r.URL.Path, err) },
		Client:          client,
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{
		Public:    []string{"/{$}", "GET /login/acme", "GET /callback/acme", "POST /backchannel-logout/acme"},
		LogoutURL: acme.LogoutURL,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /login/acme", acme.Login(guard))
	mux.Handle("GET /callback/acme", acme.Callback(guard))
	mux.HandleFunc("POST /backchannel-logout/acme", acme.BackChannelLogout)
	mux.HandleFunc("POST /logout", guard.Logout)

	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Println("the account of user", s.UserID)
	})
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	begun := b.Get("/login/acme?next=/account")
	to, _, _ := strings.Cut(begun.Header.Get("Location"), "?")
	fmt.Println("the login:", begun.StatusCode, "to", to)
	back, _ := url.Parse(provider.visit(begun.Header.Get("Location"))) // the user enters the password there
	finished := b.Get(back.RequestURI())
	fmt.Println("the callback:", finished.StatusCode, "to", finished.Header.Get("Location"))
	b.Get("/account")
	to, _, _ = strings.Cut(b.PostForm("/logout", nil).Header.Get("Location"), "?")
	fmt.Println("the logout leads to", to)
	// Output:
	// the login: 303 to https://id.example.com/authorize
	// the callback: 303 to /account
	// the account of user 1
	// the logout leads to https://id.example.com/logout
}

// The provider's session has ended: in another app, or because an administrator has ended it.
func ExampleProvider_BackChannelLogout() {
	provider := newFakeProvider(exampleT{}, "https://id.example.com")
	kit := sessiontest.New(exampleT{}, session.Config{}, map[string]store.User{"1": {Epoch: 1}})
	acme, err := oidc.New(kit.Sessions, oidc.Config{
		Issuer: "https://id.example.com", ClientID: "our-app", ClientSecret: secret, RedirectURL: "https://app.test/callback/acme",
		User: findOrCreate, Client: &http.Client{Transport: provider},
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{Public: []string{"GET /login", "GET /callback/acme", "POST /backchannel-logout/acme"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /login", acme.Login(guard)) // the app has no passwords: this is its login page
	mux.Handle("GET /callback/acme", acme.Callback(guard))
	mux.HandleFunc("POST /backchannel-logout/acme", acme.BackChannelLogout)
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	app := guard.Protect(mux)

	provider.claims = claims{"sid": "08a5019c"}
	b := sessiontest.NewBrowser(app)
	back, _ := url.Parse(provider.visit(b.Get("/login").Header.Get("Location")))
	b.Get(back.RequestURI())
	fmt.Println("logged in:", b.Get("/account").StatusCode)

	token := provider.signTyped(provider.logoutClaims(claims{"sid": "08a5019c"}), "logout+jwt")
	answer := sessiontest.NewBrowser(app).PostForm("/backchannel-logout/acme", url.Values{"logout_token": {token}})
	fmt.Println("the logout token:", answer.StatusCode)
	fmt.Println("then:", b.Get("/account").StatusCode)
	// Output:
	// logged in: 200
	// the logout token: 200
	// then: 303
}

// Programs send an ID token of the provider, and keep the cookies.
func ExampleProvider_Bearer() {
	provider := newFakeProvider(exampleT{}, "https://id.example.com")
	kit := sessiontest.New(exampleT{}, session.Config{}, map[string]store.User{"1": {Epoch: 1}})
	acme, err := oidc.New(kit.Sessions, oidc.Config{
		Issuer: "https://id.example.com", ClientID: "our-app", User: findOrCreate, Client: &http.Client{Transport: provider},
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{Credentials: acme.Bearer})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Println("user", s.UserID)
	})
	app := guard.Protect(mux)

	program := sessiontest.NewBrowser(app)
	r := program.NewRequest("GET", "/api/me", nil)
	r.Header = http.Header{"Authorization": {"Bearer " + provider.sign(provider.usual(claims{"exp": time.Now().Add(time.Hour).Unix()}))}}
	fmt.Println(program.Do(r).StatusCode)

	r = program.NewRequest("GET", "/api/me", nil) // the cookies are enough now
	fmt.Println(program.Do(r).StatusCode)
	// Output:
	// user 1
	// 200
	// user 1
	// 200
}
