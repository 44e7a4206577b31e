package assertion_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sessionkit/sessionkit/assertion"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// must ends the program if the app cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// t is what the test of an app gets.
var t exampleT

type exampleT struct{ testing.TB }

func (exampleT) Helper()                           {}
func (exampleT) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

// The app asks another service, billing, on behalf of the user who is logged in. The other
// service fetches the app's public keys, and needs no call for each request.
func Example() {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {Roles: []string{"accountant"}}})
	guard := must(nethttp.New(kit.Sessions, nethttp.Config{Public: []string{"/.well-known/jwks.json"}}))

	text := assertion.GenerateKey() // once; in an app it comes from where its secrets are
	signer := must(assertion.New(must(assertion.ParseKeys(text)), assertion.Config{Issuer: "https://app.example.com"}))

	mux := http.NewServeMux()
	app := guard.Protect(mux)
	server := httptest.NewServer(app)
	defer server.Close()
	billing := httptest.NewServer(newBilling(server.URL + "/.well-known/jwks.json"))
	defer billing.Close()

	mux.Handle("/.well-known/jwks.json", signer.JWKS())
	mux.HandleFunc("GET /invoices", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		token, err := signer.Sign(s, "https://billing.example.com") // a new one for each request
		if err != nil {
			guard.WriteError(w, r, err)
			return
		}
		call, err := http.NewRequestWithContext(r.Context(), "GET", billing.URL+"/invoices", nil)
		if err != nil {
			guard.WriteError(w, r, err)
			return
		}
		call.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(call)
		if err != nil {
			http.Error(w, "billing does not answer", http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		io.Copy(w, answer.Body)
	})

	b := sessiontest.NewBrowser(app)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	answer := b.Get("/invoices")
	fmt.Println(answer.Status)
	fmt.Println(string(must(io.ReadAll(answer.Body))))
	// Output:
	// 200 OK
	// invoices for ada, who is [accountant]
}

// newBilling is the other service, here in Go: each language has a JOSE library that does
// what verify does.
func newBilling(jwksURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := must(fetchKeys(jwksURL)) // kept for as long as Cache-Control says
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := verify(token, keys)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "invoices for %s, who is %v", claims.Subject, claims.Roles)
	})
}

type claims struct {
	jwt.Claims
	Roles []string `json:"roles"`
}

// verify checks all that the documentation of package assertion lists.
func verify(token string, keys *jose.JSONWebKeySet) (c claims, err error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		return claims{}, err
	}
	if parsed.Headers[0].ExtraHeaders[jose.HeaderType] != assertion.Type {
		return claims{}, errors.New("a JWT of another type")
	}
	if err := parsed.Claims(keys, &c); err != nil { // with the key of the kid
		return claims{}, err
	}
	if c.Expiry == nil {
		return claims{}, errors.New("a JWT without exp")
	}
	err = c.ValidateWithLeeway(jwt.Expected{Issuer: "https://app.example.com", AnyAudience: []string{"https://billing.example.com"}, Time: time.Now()}, 10*time.Second)
	return c, err
}

func fetchKeys(url string) (*jose.JSONWebKeySet, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	keys := new(jose.JSONWebKeySet)
	return keys, json.NewDecoder(answer.Body).Decode(keys)
}

// A key is PEM, as `openssl genpkey` writes it. Keep it where the other secrets of the app
// are.
func ExampleParseKeys() {
	keys, err := assertion.ParseKeys(assertion.GenerateKey())
	fmt.Println(keys, err)

	_, err = assertion.ParseKeys("secret")
	fmt.Println(err != nil) // the error says what to do
	// Output:
	// [redacted] <nil>
	// true
}

// A new key, without a restart of the app or of the other services. With several nodes, each
// step is taken on all of them before the next one, JWKSMaxAge and Config.TTL later.
func ExampleSigner_SetKeys() {
	old, fresh := assertion.GenerateKey(), assertion.GenerateKey()
	signer := must(assertion.New(must(assertion.ParseKeys(old)), assertion.Config{Issuer: "https://app.example.com"}))
	change := func(text string) {
		keys, err := assertion.ParseKeys(text)
		if err == nil {
			err = signer.SetKeys(keys)
		}
		fmt.Println(err) // if it is not nil, the keys stay as they were
	}
	change(old + fresh) // 1. the new key is published
	change(fresh + old) // 2. the new key signs
	change(fresh)       // 3. the old key verifies no longer
	// Output:
	// <nil>
	// <nil>
	// <nil>
}

// The public keys at the path where many look for them. Name it in the Config.Public of the
// guard.
func ExampleSigner_JWKS() {
	keys := must(assertion.ParseKeys(assertion.GenerateKey()))
	signer := must(assertion.New(keys, assertion.Config{Issuer: "https://app.example.com"}))
	mux := http.NewServeMux()
	mux.Handle("/.well-known/jwks.json", signer.JWKS())

	answer := sessiontest.NewBrowser(mux).Get("/.well-known/jwks.json")
	fmt.Println(answer.StatusCode, answer.Header.Get("Content-Type"), answer.Header.Get("Cache-Control"))
	// Output:
	// 200 application/jwk-set+json public, max-age=300
}
