package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	issuer   = "https://id.test"
	clientID = "our-app"
	secret   = "the-secret-of-our-app"
)

type claims map[string]any

// fakeProvider is an identity provider without a network: a http.RoundTripper. What a test
// wants to be wrong, it changes.
type fakeProvider struct {
	testing.TB
	issuer string

	mu       sync.Mutex // guards what follows
	key      *ecdsa.PrivateKey
	keyID    string
	metadata claims                  // of the description
	codes    map[string]*authRequest // that have not been used
	down     bool
	keysDown bool
	calls    map[string]int // by path

	claims    claims                                   // of the next ID tokens, beside the usual ones
	tokens    claims                                   // of the next answers of the token endpoint
	status    int                                      // of the next answers of the token endpoint; 0: 200
	signIDAs  func(c claims) string                    // signs ID tokens in another way
	authTime  time.Time                                // of the user at the provider; zero: not said
	answerURL func(a *authRequest, answer *url.Values) // changes the answer to the browser
}

// authRequest is what the browser brings to the provider.
type authRequest struct {
	clientID, redirectURI, state, nonce, challenge, maxAge, prompt, acr, scope string
}

func newFakeProvider(t testing.TB, issuer string) *fakeProvider {
	p := &fakeProvider{TB: t, issuer: issuer, codes: map[string]*authRequest{}, calls: map[string]int{}, claims: claims{}, tokens: claims{}}
	p.rotate("key-1")
	p.metadata = claims{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		"end_session_endpoint": issuer + "/logout", "id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}
	return p
}

func (p *fakeProvider) rotate(id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.keyID = key, id
}

func (p *fakeProvider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *fakeProvider) called(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

var errRefusedConnection = errors.New("connection refused")

// RoundTrip answers a request of the app.
func (p *fakeProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[r.URL.Path]++
	if p.down {
		return nil, errRefusedConnection
	}
	w := httptest.NewRecorder()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, p.metadata)
	case "/keys":
		if p.keysDown {
			http.Error(w, "down", http.StatusInternalServerError)
			break
		}
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.keyID, Algorithm: "ES256", Use: "sig"}}})
	case "/token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (p *fakeProvider) token(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(claims{"error": code, "error_description": "secret detail"})
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
		return
	}
	id, password, ok := r.BasicAuth()
	if !ok || id != clientID || password != secret {
		fail("invalid_client")
		return
	}
	code := r.PostFormValue("code")
	request := p.codes[code]
	delete(p.codes, code) // a code can be used once
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if request == nil || request.redirectURI != r.PostFormValue("redirect_uri") || request.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		fail("invalid_grant")
		return
	}
	c := p.usual(claims{"nonce": request.nonce})
	if !p.authTime.IsZero() {
		c["auth_time"] = p.authTime.Unix()
	}
	maps.Copy(c, p.claims)
	sign := p.sign
	if p.signIDAs != nil {
		sign = p.signIDAs
	}
	answer := claims{"access_token": "access-token-of-the-provider", "token_type": "Bearer", "expires_in": 60, "id_token": sign(c)}
	maps.Copy(answer, p.tokens)
	writeJSON(w, answer)
}

// usual are the claims of a good ID token, with some changes. A nil removes a claim.
func (p *fakeProvider) usual(changes claims) claims {
	now := time.Now()
	c := claims{"iss": p.issuer, "aud": clientID, "sub": "f7a1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	return with(c, changes)
}

func with(c, changes claims) claims {
	c = maps.Clone(c)
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

// logoutClaims are those of a good logout token.
func (p *fakeProvider) logoutClaims(changes claims) claims {
	now := time.Now()
	return with(claims{
		"iss": p.issuer, "aud": clientID, "sub": "f7a1", "sid": "sid-1", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": claims{"http://schemas.openid.net/event/backchannel-logout": claims{}},
	}, changes)
}

// sign returns a JWT of the provider's key.
func (p *fakeProvider) sign(c claims) string { return p.signTyped(c, "JWT") }

func (p *fakeProvider) signTyped(c claims, typ string) string {
	return signWith(p.TB, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: p.keyID}}, c, typ)
}

func signWith(t testing.TB, key jose.SigningKey, c claims, typ string) string {
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// unsigned returns a JWT with alg none.
func unsigned(t testing.TB, c claims) string {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64(text) + "."
}

// visit is what the browser does at the provider, whose user logs in. It returns the URL to
// which the provider sends the browser.
func (p *fakeProvider) visit(location string) string {
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.issuer+"/authorize?") {
		p.Fatalf("the browser is not sent to the provider, but to %q", location)
	}
	q := u.Query()
	a := &authRequest{q.Get("client_id"), q.Get("redirect_uri"), q.Get("state"), q.Get("nonce"), q.Get("code_challenge"), q.Get("max_age"), q.Get("prompt"), q.Get("acr_values"), q.Get("scope")}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || a.clientID != clientID || a.state == "" || a.nonce == "" || a.challenge == "" {
		p.Fatalf("the request for a login is %v", q)
	}
	code := rand.Text()
	answer := url.Values{"state": {a.state}, "code": {code}}
	p.mu.Lock()
	p.codes[code] = a
	if a.prompt == "login" && !p.authTime.IsZero() {
		p.authTime = time.Now()
	}
	change := p.answerURL
	p.mu.Unlock()
	if change != nil {
		change(a, &answer)
	}
	return fmt.Sprintf("%s?%s", a.redirectURI, answer.Encode())
}
