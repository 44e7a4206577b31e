package assertions

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/assertion"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

const (
	issuer  = "https://app.test"
	billing = "https://billing.test"
	reports = "https://reports.test"

	jwksPath = "/.well-known/jwks.json"

	failedClaim = "ERR_JWT_CLAIM_VALIDATION_FAILED"
	expired     = "ERR_JWT_EXPIRED"
	unknownKey  = "ERR_JWKS_NO_MATCHING_KEY"
)

func edKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func parse(t *testing.T, text string) assertion.Keys {
	t.Helper()
	keys, err := assertion.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newSigner(t *testing.T, keys, issuer string) *assertion.Signer {
	t.Helper()
	signer, err := assertion.New(parse(t, keys), assertion.Config{Issuer: issuer})
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func sign(t *testing.T, signer *assertion.Signer, of session.Session, audience string) string {
	t.Helper()
	token, err := signer.Sign(of, audience)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// sessionAt is a session of which the store was asked at a time, which an assertion of it
// is dated.
func sessionAt(at time.Time) session.Session {
	return session.Session{ID: "s1", UserID: "7", AuthTime: at.Add(-time.Hour), IssuedAt: at, ExpiresAt: at, EndsAt: at.Add(12 * time.Hour)}
}

// jwksServer serves the keys of a Signer on loopback, and counts how often.
func jwksServer(t *testing.T, signer *assertion.Signer) (url string, fetched *atomic.Int32) {
	t.Helper()
	fetched = new(atomic.Int32)
	handler := signer.JWKS()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + jwksPath, fetched
}

// app is an app behind a guard, whose handler makes an assertion. Node gets the keys from
// the same app.
type app struct {
	*testing.T
	kit     *sessiontest.Kit
	handler http.Handler
	token   string // the last assertion
	node    *verifier
}

func newApp(t *testing.T, key string) *app {
	t.Helper()
	mayImpersonate := func(_ *http.Request, actor session.Session, _ string) error {
		if !actor.HasRole("admin") {
			return errors.New("no admin")
		}
		return nil
	}
	a := &app{T: t, kit: sessiontest.New(t, session.Config{MayImpersonate: mayImpersonate},
		map[string]store.User{"ada": {Roles: []string{"accountant", "user"}}, "grace": {Roles: []string{"admin"}}})}
	guard, err := nethttp.New(a.kit.Sessions, nethttp.Config{Public: []string{jwksPath}})
	if err != nil {
		t.Fatal(err)
	}
	signer := newSigner(t, key, issuer)
	mux := http.NewServeMux()
	mux.Handle(jwksPath, signer.JWKS())
	mux.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		a.token = sign(t, signer, s, billing)
	})
	mux.HandleFunc("POST /impersonate", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Issue(w, r, session.Login{UserID: "ada", Actor: "grace"}); err != nil {
			guard.WriteError(w, r, err)
		}
	})
	a.handler = guard.Protect(mux)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	a.node = startVerifier(t, server.URL+jwksPath, issuer, billing)
	return a
}

// wantClaims fails the test unless Node sees these claims, and besides them iat, exp, jti
// and sid alone.
func (a *app) wantClaims(b *sessiontest.Browser, want map[string]any) {
	a.Helper()
	if answer := b.Get("/call"); answer.StatusCode != http.StatusOK {
		a.Fatal(answer.Status)
	}
	got := a.node.verify(a.token, time.Now())
	for _, claim := range []string{"iat", "exp", "jti", "sid"} {
		if _, ok := got.Claims[claim]; !ok {
			a.Errorf("%s is missing", claim)
		}
		delete(got.Claims, claim)
	}
	if text, wanted := asJSON(a.T, got.Claims), asJSON(a.T, want); text != wanted {
		a.Errorf("Node sees %s; want %s; all: %+v", text, wanted, got)
	}
}

func TestAssertion_TellsNodeWhoIsLoggedIn(t *testing.T) {
	for name, key := range map[string]string{"ES256": assertion.GenerateKey(), "EdDSA": edKey(t)} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, key)
			b := sessiontest.NewBrowser(a.handler)
			of := b.Login(t, a.kit.Sessions, session.Login{UserID: "ada", Methods: []string{"pwd", "otp"}})
			a.wantClaims(b, map[string]any{
				"iss": issuer, "sub": "ada", "aud": billing, "roles": []string{"accountant", "user"},
				"amr": []string{"pwd", "otp"}, "auth_time": of.AuthTime.Unix(),
			})
		})
	}
}

func TestAssertion_TellsNodeWhoActs(t *testing.T) {
	a := newApp(t, assertion.GenerateKey())
	b := sessiontest.NewBrowser(a.handler)
	b.Login(t, a.kit.Sessions, session.Login{UserID: "grace", Methods: []string{"pwd", "otp"}})
	if answer := b.PostForm("/impersonate", nil); answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	a.wantClaims(b, map[string]any{
		"iss": issuer, "sub": "ada", "aud": billing, "roles": []string{"accountant", "user"},
		"act": map[string]string{"sub": "grace"},
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAssertion_IsRefusedByNodeForAnythingElse(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	key := assertion.GenerateKey()
	signer := newSigner(t, key, issuer)
	url, _ := jwksServer(t, signer)
	node := startVerifier(t, url, issuer, billing)

	good := sign(t, signer, sessionAt(now), billing)
	node.wantAccepted("a good one", good, now)
	node.wantAccepted("in its last second", good, now.Add(59*time.Second))
	node.wantRefused("when it has expired", good, now.Add(60*time.Second), expired, "exp")

	ends := sessionAt(now)
	ends.EndsAt = now.Add(10 * time.Second)
	last := sign(t, signer, ends, billing)
	node.wantAccepted("the last seconds of a session", last, now.Add(9*time.Second))
	node.wantRefused("after the session", last, now.Add(10*time.Second), expired, "exp")

	node.wantRefused("for another service", sign(t, signer, sessionAt(now), reports), now, failedClaim, "aud")
	node.wantRefused("of another app", sign(t, newSigner(t, key, "https://other.test"), sessionAt(now), billing), now, failedClaim, "iss")
	node.wantRefused("of another key", sign(t, newSigner(t, assertion.GenerateKey(), issuer), sessionAt(now), billing), now, unknownKey, "")
	node.wantRefused("of another type", retyped(t, key, good), now, failedClaim, "typ")

	parts := strings.Split(good, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decoded(t, parts[1]), `"sub":"7"`, `"sub":"1"`, 1)))
	node.wantRefused("for another user", parts[0]+"."+forged+"."+parts[2], now, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "")
}

func decoded(t *testing.T, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// retyped signs the claims of an assertion again, as a JWT that says nothing of its type.
func retyped(t *testing.T, key, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	var header struct{ Kid string }
	if err := json.Unmarshal([]byte(decoded(t, parts[0])), &header); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(key))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: header.Kid}}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(decoded(t, parts[1])))
	if err != nil {
		t.Fatal(err)
	}
	again, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// The three steps of Signer.SetKeys, with jose as it is by default: it keeps the keys for ten
// minutes. Neither process starts again, and no good assertion is refused.
func TestSetKeys_NodeFollowsAChangeOfTheKey(t *testing.T) {
	const step = 11 * time.Minute // what jose keeps, and the TTL
	old, fresh := assertion.GenerateKey(), edKey(t)
	byOld := newSigner(t, old, issuer)
	signer := newSigner(t, old, issuer)
	url, fetched := jwksServer(t, signer)
	node := startVerifier(t, url, issuer, billing)
	now := time.Now().Truncate(time.Second)
	set := func(text string) {
		t.Helper()
		if err := signer.SetKeys(parse(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, fetches int32) {
		t.Helper()
		node.wantAccepted(what, sign(t, signer, sessionAt(now), billing), now)
		if got := fetched.Swap(0); got != fetches {
			t.Errorf("%s: Node fetched the keys %d times; want %d", what, got, fetches)
		}
	}
	check("the old key", 1)
	set(old + fresh)
	check("step 1, with the keys that Node keeps", 0)
	now = now.Add(step)
	check("step 1", 1)
	set(fresh + old)
	check("step 2: Node knows the new key", 0)
	node.wantAccepted("step 2: a node of the app that is a moment late", sign(t, byOld, sessionAt(now), billing), now)
	now = now.Add(step)
	set(fresh)
	check("step 3", 1)
	node.wantRefused("step 3: the old key", sign(t, byOld, sessionAt(now), billing), now, unknownKey, "")
}

// A key that has leaked is replaced in one step. jose looks for a key that it does not
// know, at most every 30 seconds, and then knows the old one no longer.
func TestSetKeys_NodeFollowsAKeyThatIsReplacedAtOnce(t *testing.T) {
	old := assertion.GenerateKey()
	byOld := newSigner(t, old, issuer)
	signer := newSigner(t, old, issuer)
	url, _ := jwksServer(t, signer)
	node := startVerifier(t, url, issuer, billing)
	now := time.Now().Truncate(time.Second)
	node.wantAccepted("the old key", sign(t, signer, sessionAt(now), billing), now)

	if err := signer.SetKeys(parse(t, assertion.GenerateKey())); err != nil {
		t.Fatal(err)
	}
	node.wantAccepted("the old key, which Node keeps", sign(t, byOld, sessionAt(now), billing), now)
	now = now.Add(time.Minute)
	node.wantAccepted("the new key", sign(t, signer, sessionAt(now), billing), now)
	node.wantRefused("the old key", sign(t, byOld, sessionAt(now), billing), now, unknownKey, "")
}
