package assertion

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestJWKS_AnswersGETAndHEADOnly(t *testing.T) {
	handler := newSigner(t, Config{}).JWKS()
	lengths := map[string]bool{}
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 405, "get": 405} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, "/jwks.json", nil))
		h := w.Result().Header
		if w.Code != want {
			t.Errorf("%s: %d; want %d", method, w.Code, want)
		}
		if want == 405 {
			if h.Get("Allow") != "GET, HEAD" || h.Get("Cache-Control") != "" {
				t.Errorf("%s: the header is %v", method, h)
			}
			continue
		}
		lengths[h.Get("Content-Length")] = true
		if h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != "public, max-age=300" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the header is %v", method, h)
		}
		if length := strconv.Itoa(w.Body.Len()); (method == "HEAD") != (length == "0") || method == "GET" && !lengths[length] {
			t.Errorf("%s: a body of %s bytes, Content-Length %s", method, length, h.Get("Content-Length"))
		}
	}
	if len(lengths) != 1 {
		t.Errorf("GET and HEAD have the lengths %v", lengths)
	}
}

// The members of each key are listed: another one might be private.
func TestJWKS_HasThePublicKeysOnly(t *testing.T) {
	server := httptest.NewServer(newSigner(t, Config{}, GenerateKey(), edKey(t)).JWKS())
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var set struct{ Keys []map[string]string }
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	wants := []map[string]string{
		{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "", "x": "", "y": ""},
		{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "", "x": ""},
	}
	if len(set.Keys) != len(wants) {
		t.Fatalf("%d keys; want %d", len(set.Keys), len(wants))
	}
	for i, want := range wants {
		got := set.Keys[i]
		for name, value := range got {
			expected, ok := want[name]
			if !ok || expected != "" && value != expected || value == "" {
				t.Errorf("key %d has %s: %q; want %v", i, name, value, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("key %d is %v; want all of %v", i, got, want)
		}
	}
}

// Behind a guard a service without a session gets the keys, caches may keep them, and a
// browser that gets cookies in the same answer keeps neither for anybody else.
func TestJWKS_BehindAGuard(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"7": {}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{Public: []string{"/.well-known/jwks.json"}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/jwks.json", newSigner(t, Config{}).JWKS())
	app := guard.Protect(mux)
	for name, c := range map[string]struct {
		method string
		login  func(*sessiontest.Browser)
		code   int
		cached bool
	}{
		"a service": {"GET", func(*sessiontest.Browser) {}, 200, true},
		"a browser": {"GET", func(b *sessiontest.Browser) { b.Login(t, kit.Sessions, session.Login{UserID: "7"}) }, 200, true},
		"a browser that gets cookies": {"GET", func(b *sessiontest.Browser) {
			b.Login(t, kit.Sessions, session.Login{UserID: "7"})
			b.ExpireAccess()
		}, 200, false},
		"a service that posts": {"POST", func(*sessiontest.Browser) {}, 405, false},
	} {
		b := sessiontest.NewBrowser(app)
		c.login(b)
		answer := b.Do(b.NewRequest(c.method, "/.well-known/jwks.json", nil))
		cached := strings.Contains(answer.Header.Get("Cache-Control"), "public")
		if answer.StatusCode != c.code || cached != c.cached || cached && len(answer.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d, %v", name, answer.StatusCode, answer.Header)
		}
	}
}

// Neither as a cookie nor as a bearer token does an assertion begin a session, or stand
// for one.
func TestAssertion_IsNoCredentialOfTheAppItself(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"7": {}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	app := guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b := sessiontest.NewBrowser(app)
	of := b.Login(t, kit.Sessions, session.Login{UserID: "7"})
	s := newSigner(t, Config{})
	token, err := s.Sign(of, "https://app.test")
	if err != nil {
		t.Fatal(err)
	}
	for name, add := range map[string]func(*http.Request){
		"nothing":      func(*http.Request) {},
		"bearer token": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"access cookie": func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: token})
		},
		"refresh cookie": func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "__Host-Http-refresh-0", Value: token})
		},
	} {
		r := httptest.NewRequest("GET", "https://app.test/", nil)
		add(r)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("an assertion as %s: %d; want 401", name, w.Code)
		}
	}
	if answer := b.Get("/"); answer.StatusCode != 200 {
		t.Errorf("the session itself: %d", answer.StatusCode)
	}
}
