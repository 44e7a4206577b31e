package token_test

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/token"
)

// verifyClient knows one client, a command line, which cannot keep a secret.
func verifyClient(_ context.Context, id, secret string) error {
	if id == "acme-cli" && secret == "" {
		return nil
	}
	return token.ErrInvalidClient
}

// verifyService knows one service of the app's.
func verifyService(_ context.Context, id, secret string) error {
	if id == "billing" && subtle.ConstantTimeCompare([]byte(secret), []byte("billing-secret")) == 1 {
		return nil
	}
	return token.ErrInvalidClient
}

// A command line logs in with a password, calls the app, refreshes, and logs out.
func Example() {
	users := store.NewMemory() // for tests; an app uses sqlstore
	users.SetUser("7", store.User{Roles: []string{"staff"}})
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		panic(err)
	}
	sessions, err := session.New(keys, users, session.Config{TokenTTL: 10 * time.Minute})
	if err != nil {
		panic(err)
	}
	server, err := token.New(sessions.Tokens(), token.Config{
		Client:          token.SecretAuth(verifyClient),
		Service:         token.SecretAuth(verifyService),
		VerificationURI: "https://app.example/device",
		OnError:         func(r *http.Request, err error) { slog.Error("tokens", "path", r.URL.Path, "error", err) },
	})
	if err != nil {
		panic(err)
	}
	guard, err := nethttp.New(sessions, nethttp.Config{Public: []string{"POST /oauth/", "POST /api/login"}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", server.Token)
	mux.HandleFunc("POST /oauth/revoke", server.Revoke)
	mux.HandleFunc("POST /oauth/introspect", server.Introspect)
	mux.HandleFunc("POST /oauth/device", server.Device)
	// The app's own login of a client: it checks the password, and limits the attempts.
	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("password") != "the right one" {
			_ = token.WriteError(w, session.ErrUnauthenticated)
			return
		}
		grant, err := sessions.Tokens().Issue(r, session.Login{UserID: "7", Client: "acme-cli"})
		if err != nil {
			_ = token.WriteError(w, err)
			return
		}
		_ = token.Write(w, grant)
	})
	mux.HandleFunc("GET /api/orders", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintf(w, "orders of user %s, for %s", s.UserID, s.Client)
	})
	app := httptest.NewServer(guard.Protect(mux))
	defer app.Close()

	post := func(path string, form url.Values) (tokens map[string]any) {
		res, err := http.PostForm(app.URL+path, form)
		if err != nil {
			panic(err)
		}
		defer res.Body.Close()
		_ = json.NewDecoder(res.Body).Decode(&tokens) // a revocation has no body
		fmt.Println(path, res.StatusCode, tokens["error"])
		return tokens
	}
	post("/api/login", url.Values{"password": {"a guess"}})
	tokens := post("/api/login", url.Values{"password": {"the right one"}})
	r, _ := http.NewRequest("GET", app.URL+"/api/orders", nil)
	r.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	fmt.Println("/api/orders", res.StatusCode)
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {"acme-cli"}, "refresh_token": {tokens["refresh_token"].(string)}}
	post("/oauth/token", refresh)
	post("/oauth/revoke", url.Values{"client_id": {"acme-cli"}, "token": {tokens["access_token"].(string)}})
	post("/oauth/token", refresh)
	// Output:
	// /api/login 400 invalid_grant
	// /api/login 200 <nil>
	// /api/orders 200
	// /oauth/token 200 <nil>
	// /oauth/revoke 200 <nil>
	// /oauth/token 400 invalid_grant
}
