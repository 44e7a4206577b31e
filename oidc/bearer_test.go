package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func TestBearer_OnlyAGoodTokenLogsIn(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		sign := func(changes claims) string { return w.provider.sign(w.provider.usual(changes)) }
		good := sign(nil)
		head, rest, _ := strings.Cut(good, ".")
		_, signature, _ := strings.Cut(rest, ".")
		b64 := base64.RawURLEncoding.EncodeToString
		changed := b64(must(json.Marshal(w.provider.usual(claims{"sub": "b2"}))))
		for name, c := range map[string]struct {
			header string
			want   error // nil: user 1
		}{
			"a good token":                  {"Bearer " + good, nil},
			"the scheme in small letters":   {"bearer " + good, nil},
			"one of many audiences":         {"Bearer " + sign(claims{"aud": []string{"x", clientID}, "azp": clientID}), nil},
			"the clocks differ":             {"Bearer " + sign(claims{"exp": time.Now().Add(-10 * time.Second).Unix()}), nil},
			"nothing":                       {"", session.ErrUnauthenticated},
			"another scheme":                {"Basic " + good, session.ErrUnauthenticated},
			"no token":                      {"Bearer ", session.ErrUnauthenticated},
			"no token at all":               {"Bearer", session.ErrUnauthenticated},
			"garbage":                       {"Bearer a.b.c", session.ErrUnauthenticated},
			"another provider's key":        {"Bearer " + newFakeProvider(w.T, issuer).sign(w.provider.usual(nil)), session.ErrUnauthenticated},
			"another issuer":                {"Bearer " + sign(claims{"iss": "https://evil.test"}), session.ErrUnauthenticated},
			"another app's token":           {"Bearer " + sign(claims{"aud": "their-app"}), session.ErrUnauthenticated},
			"issued to another app":         {"Bearer " + sign(claims{"azp": "their-app"}), session.ErrUnauthenticated},
			"many audiences and no azp":     {"Bearer " + sign(claims{"aud": []string{"x", clientID}}), session.ErrUnauthenticated},
			"no audience":                   {"Bearer " + sign(claims{"aud": nil}), session.ErrUnauthenticated},
			"an expired token":              {"Bearer " + sign(claims{"exp": time.Now().Add(-11 * time.Second).Unix()}), session.ErrUnauthenticated},
			"a token without expiry":        {"Bearer " + sign(claims{"exp": nil}), session.ErrUnauthenticated},
			"a token that is not valid yet": {"Bearer " + sign(claims{"nbf": time.Now().Add(time.Hour).Unix()}), session.ErrUnauthenticated},
			"a token from the future":       {"Bearer " + sign(claims{"iat": time.Now().Add(time.Minute).Unix()}), session.ErrUnauthenticated},
			"no subject":                    {"Bearer " + sign(claims{"sub": ""}), session.ErrUnauthenticated},
			"a type of its own":             {"Bearer " + w.provider.signTyped(w.provider.usual(nil), "id_token+jwt"), nil},
			"no type":                       {"Bearer " + w.provider.signTyped(w.provider.usual(nil), ""), nil},
			"a logout token":                {"Bearer " + w.provider.signTyped(w.provider.logoutClaims(nil), "logout+jwt"), session.ErrUnauthenticated},
			"a logout token without type":   {"Bearer " + w.provider.sign(w.provider.logoutClaims(nil)), session.ErrUnauthenticated},
			"an access token":               {"Bearer " + w.provider.signTyped(w.provider.usual(nil), "at+jwt"), session.ErrUnauthenticated},
			"an access token's long name":   {"Bearer " + w.provider.signTyped(w.provider.usual(nil), "application/at+jwt"), session.ErrUnauthenticated},
			"a subject that nobody has":     {"Bearer " + sign(claims{"sub": "nobody"}), session.ErrUnauthenticated},
			"a table that does not answer":  {"Bearer " + sign(claims{"sub": "down"}), session.ErrStoreUnavailable},
			"claims that were changed":      {"Bearer " + head + "." + changed + "." + signature, session.ErrUnauthenticated},
			"no signature":                  {"Bearer " + unsigned(w.T, w.provider.usual(nil)), session.ErrUnauthenticated},
			"a signature with a shared key": {"Bearer " + signWith(w.T, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret + secret)}, w.provider.usual(nil), "JWT"), session.ErrUnauthenticated},
		} {
			r := httptest.NewRequest("GET", "/", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			login, err := w.acme.Bearer(r)
			if !errors.Is(err, c.want) || c.want == nil && login.UserID != "1" || c.want != nil && login.UserID != "" {
				t.Errorf("%s: user %q, error %v; want %v", name, login.UserID, err, c.want)
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
			if _, err := w.acme.Bearer(r); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("%s: error %v; want it ignored", name, err)
			}
		}
		twice := httptest.NewRequest("GET", "/", nil)
		twice.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
		if _, err := w.acme.Bearer(twice); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("two headers: error %v", err)
		}
	})
}

// The session has what the token says, and ends with the provider's.
func TestBearer_BeginsASession(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ask := func(b *sessiontest.Browser, token string) *http.Response {
			r := b.NewRequest("GET", "/account", nil)
			r.Header = http.Header{"Cookie": r.Header["Cookie"]}
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return b.Do(r)
		}
		program := w.browser()
		token := w.provider.sign(w.provider.usual(claims{"sid": "sid-1", "auth_time": time.Now().Add(-time.Hour).Unix(), "amr": []string{"pwd"}}))
		if answer := ask(program, token); answer.StatusCode != http.StatusOK || len(answer.Cookies()) != 3 {
			w.Fatalf("%d with %d cookies; want 200 with those of a login", answer.StatusCode, len(answer.Cookies()))
		}
		if answer := ask(program, ""); answer.StatusCode != http.StatusOK || len(answer.Cookies()) != 0 {
			w.Errorf("with the cookies and no token: %d with %d cookies; want 200 with none", answer.StatusCode, len(answer.Cookies()))
		}
		s := w.sessionOf(program)
		if s.UserID != "1" || !s.AuthTime.Equal(time.Now().Add(-time.Hour)) || s.LoggedInWithin(5*time.Minute) || !s.HasMethod("pwd") {
			w.Errorf("the session is %+v", s)
		}
		for subject, want := range map[string]int{"nobody": 401, "down": 503} {
			if answer := ask(w.browser(), w.provider.sign(w.provider.usual(claims{"sub": subject}))); answer.StatusCode != want || len(answer.Cookies()) != 0 {
				w.Errorf("subject %q: %d with %d cookies; want %d with none", subject, answer.StatusCode, len(answer.Cookies()), want)
			}
		}
		if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(nil))); answer.StatusCode != http.StatusOK {
			w.Errorf("the logout: %d; %v", answer.StatusCode, w.errs)
		}
		if answer := ask(program, ""); answer.StatusCode != http.StatusUnauthorized {
			w.Errorf("after the provider's logout: %d", answer.StatusCode)
		}
	})
}

func TestBearer_WithoutTheProvider(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.down = true
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+w.provider.sign(w.provider.usual(nil)))
		if _, err := w.acme.Bearer(r); !errors.Is(err, oidc.ErrUnavailable) || errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("%v", err)
		}
	})
}

// bearer returns what Bearer says of a token.
func (w *world) bearer(token string) error {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	_, err := w.acme.Bearer(r)
	return err
}
