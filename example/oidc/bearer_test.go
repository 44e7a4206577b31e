package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

const (
	issuer   = "https://id.example.com"
	clientID = "our-app"
)

// provider signs tokens as an identity provider does, without a network.
type provider struct {
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

func newProvider() (*provider, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	return &provider{key, signer}, err
}

type claims map[string]any

// goodClaims are the claims of a good token, with some changes.
func goodClaims(changes claims) claims {
	c := claims{"iss": issuer, "aud": clientID, "sub": "f7a1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range changes {
		c[name] = value
	}
	return c
}

func (p *provider) sign(c claims) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(text)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// verifier accepts tokens of the provider. In an app it comes from oidc.NewProvider, which
// fetches the provider's keys.
func (p *provider) verifier() *oidc.IDTokenVerifier {
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{p.key.Public()}}
	return oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{oidc.ES256}})
}

var errTableDown = errors.New("the table does not answer")

// accounts maps the provider's subjects to users of the app.
func accounts(_ context.Context, subject string) (session.Login, error) {
	switch subject {
	case "f7a1":
		return session.Login{UserID: "1", Epoch: 1}, nil
	case "down":
		return session.Login{}, errTableDown
	}
	return session.Login{}, fmt.Errorf("%w: no account for this subject", session.ErrUnauthenticated)
}

func TestOnlyAGoodTokenOpens(t *testing.T) {
	ours, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(p *provider, c claims) string {
		t.Helper()
		token, err := p.sign(c)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := sign(ours, goodClaims(nil))
	head, rest, _ := strings.Cut(good, ".")
	_, signature, _ := strings.Cut(rest, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	changed, err := json.Marshal(goodClaims(claims{"sub": "someone else"}))
	if err != nil {
		t.Fatal(err)
	}

	credentials := Bearer(ours.verifier(), accounts)
	for name, c := range map[string]struct {
		header string
		want   error // nil: user 1
	}{
		"a good token":                  {"Bearer " + good, nil},
		"the scheme in small letters":   {"bearer " + good, nil},
		"one of many audiences":         {"Bearer " + sign(ours, goodClaims(claims{"aud": []string{"x", clientID}})), nil},
		"nothing":                       {"", session.ErrUnauthenticated},
		"another scheme":                {"Basic " + good, session.ErrUnauthenticated},
		"no token":                      {"Bearer ", session.ErrUnauthenticated},
		"no token at all":               {"Bearer", session.ErrUnauthenticated},
		"garbage":                       {"Bearer a.b.c", session.ErrUnauthenticated},
		"another provider's key":        {"Bearer " + sign(other, goodClaims(nil)), session.ErrUnauthenticated},
		"another issuer":                {"Bearer " + sign(ours, goodClaims(claims{"iss": "https://evil.example.com"})), session.ErrUnauthenticated},
		"another app's token":           {"Bearer " + sign(ours, goodClaims(claims{"aud": "their-app"})), session.ErrUnauthenticated},
		"no audience":                   {"Bearer " + sign(ours, goodClaims(claims{"aud": nil})), session.ErrUnauthenticated},
		"an expired token":              {"Bearer " + sign(ours, goodClaims(claims{"exp": time.Now().Add(-time.Minute).Unix()})), session.ErrUnauthenticated},
		"a token without expiry":        {"Bearer " + sign(ours, goodClaims(claims{"exp": nil})), session.ErrUnauthenticated},
		"a token that is not valid yet": {"Bearer " + sign(ours, goodClaims(claims{"nbf": time.Now().Add(time.Hour).Unix()})), session.ErrUnauthenticated},
		"no subject":                    {"Bearer " + sign(ours, goodClaims(claims{"sub": ""})), session.ErrUnauthenticated},
		"a subject that nobody has":     {"Bearer " + sign(ours, goodClaims(claims{"sub": "0"})), session.ErrUnauthenticated},
		"a table that does not answer":  {"Bearer " + sign(ours, goodClaims(claims{"sub": "down"})), errTableDown},
		"claims that were changed":      {"Bearer " + head + "." + b64(changed) + "." + signature, session.ErrUnauthenticated},
		"no signature":                  {"Bearer " + b64([]byte(`{"alg":"none"}`)) + "." + b64(changed) + ".", session.ErrUnauthenticated},
		"a signature with a shared key": {"Bearer " + b64([]byte(`{"alg":"HS256"}`)) + "." + b64(changed) + "." + signature, session.ErrUnauthenticated},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		login, err := credentials(r)
		if !errors.Is(err, c.want) || c.want == nil && login.UserID != "1" || c.want != nil && login.UserID != "" {
			t.Errorf("%s: user %q, error %v; want %v", name, login.UserID, err, c.want)
		}
		if errors.Is(err, session.ErrUnauthenticated) && c.want == errTableDown {
			t.Errorf("%s: a table that is down was taken for a wrong token", name)
		}
		if err != nil && strings.Contains(err.Error(), good) {
			t.Errorf("%s: the error shows the token", name)
		}
	}

	for name, r := range map[string]*http.Request{
		"in the query": httptest.NewRequest("GET", "/?access_token="+good, nil),
		"in a form":    httptest.NewRequest("POST", "/", strings.NewReader("access_token="+good)),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if _, err := credentials(r); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("%s: error %v; want it ignored", name, err)
		}
	}
	twice := httptest.NewRequest("GET", "/", nil)
	twice.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	if _, err := credentials(twice); !errors.Is(err, session.ErrUnauthenticated) {
		t.Errorf("two headers: error %v", err)
	}
}

// testApp is an app behind a guard with Bearer.
func testApp(p *provider) (*echo.Echo, error) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		return nil, err
	}
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		return nil, err
	}
	guard, err := sessionmw.New(sessions, sessionmw.Config{Credentials: Bearer(p.verifier(), accounts)})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(guard.Protect)
	e.GET("/api/me", func(c echo.Context) error {
		s, _ := session.FromContext(c.Request().Context())
		return c.String(http.StatusOK, "user "+s.UserID)
	})
	return e, nil
}

func TestATokenBeginsASession(t *testing.T) {
	p, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	e, err := testApp(p)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(subject string, cookies ...*http.Cookie) *http.Response {
		t.Helper()
		r := httptest.NewRequest("GET", "/api/me", nil)
		if subject != "" {
			token, err := p.sign(goodClaims(claims{"sub": subject}))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, r)
		return answer.Result()
	}
	for subject, want := range map[string]int{"": 401, "nobody": 401, "down": 503} {
		if got := ask(subject); got.StatusCode != want || len(got.Cookies()) != 0 {
			t.Errorf("subject %q: %d with %d cookies; want %d with none", subject, got.StatusCode, len(got.Cookies()), want)
		}
	}
	first := ask("f7a1")
	if first.StatusCode != 200 || len(first.Cookies()) != 3 {
		t.Fatalf("%d with %d cookies; want 200 with those of a login", first.StatusCode, len(first.Cookies()))
	}
	if again := ask("", first.Cookies()[:2]...); again.StatusCode != 200 || len(again.Cookies()) != 0 {
		t.Errorf("with the cookies and no token: %d with %d cookies; want 200 with none", again.StatusCode, len(again.Cookies()))
	}
}
