package oidc

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"
)

// relyingParty is an app without this library, which shows what the providers do.
type relyingParty struct {
	*testing.T
	provider provider
	server   *httptest.Server
	cfg      oauth2.Config

	mu           sync.Mutex // guards what follows
	logoutTokens []string
}

func startRelyingParty(t *testing.T, secret string, start func(*testing.T, ...registration) provider) *relyingParty {
	rp := &relyingParty{T: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /bye", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /logout-token", func(_ http.ResponseWriter, r *http.Request) {
		rp.mu.Lock()
		defer rp.mu.Unlock()
		rp.logoutTokens = append(rp.logoutTokens, r.PostFormValue("logout_token"))
	})
	rp.server = httptest.NewServer(mux)
	t.Cleanup(rp.server.Close)
	a := registration{id: "app", secret: secret, callback: rp.server.URL + "/callback", loggedOut: rp.server.URL + "/bye", backChannel: rp.server.URL + "/logout-token"}
	rp.provider = start(t, a)
	var found struct {
		Auth  string `json:"authorization_endpoint"`
		Token string `json:"token_endpoint"`
	}
	if err := json.Unmarshal([]byte(fetch(t, rp.provider.issuer()+"/.well-known/openid-configuration")), &found); err != nil {
		t.Fatal(err)
	}
	rp.cfg = oauth2.Config{
		ClientID: a.id, ClientSecret: secret, RedirectURL: a.callback, Scopes: []string{"openid", "email", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: found.Auth, TokenURL: found.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
	if secret == "" {
		rp.cfg.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return rp
}

// claims are those of ID tokens and logout tokens which matter here.
type claims struct {
	Issuer   string `json:"iss"`
	Audience any    `json:"aud"`
	Subject  string `json:"sub"`
	SID      string
	Nonce    string
	AuthTime int64 `json:"auth_time"`
	ACR      string
	AMR      []string
	JTI      string
	Events   map[string]any

	raw string
}

// logIn logs the person in, and returns the claims of the ID token. The parameters of the request
// are names and values in turn.
func (rp *relyingParty) logIn(p *person, params ...string) claims {
	p.Helper()
	verifier := oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "n-1")}
	for pair := range slices.Chunk(params, 2) {
		options = append(options, oauth2.SetAuthURLParam(pair[0], pair[1]))
	}
	at := p.logIn(rp.cfg.AuthCodeURL("s-1", options...))
	q := at.url.Query()
	if q.Get("state") != "s-1" || q.Get("code") == "" {
		p.Fatalf("%s: %d %s; want a code", at.url, at.status, at.body)
	}
	token, err := rp.cfg.Exchange(p.Context(), q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		p.Fatal(err)
	}
	if _, err := rp.cfg.Exchange(p.Context(), q.Get("code"), oauth2.VerifierOption(verifier)); err == nil {
		p.Error("the code gets tokens twice")
	}
	raw, _ := token.Extra("id_token").(string)
	return claimsOf(p.T, raw)
}

func claimsOf(t *testing.T, raw string) claims {
	t.Helper()
	c := claims{raw: raw}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", raw)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What the tests of the library rest on.
func TestProviders_LogSomebodyIn(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		for _, secret := range []string{"a secret", ""} {
			rp := startRelyingParty(t, secret, start)
			p := newPerson(t, "ada")
			first := rp.logIn(p)
			if first.Issuer != rp.provider.issuer() || first.Subject != "ada" || first.Nonce != "n-1" || first.SID == "" ||
				first.AuthTime == 0 || first.ACR == "" || !slices.Equal(first.AMR, []string{"pwd"}) {
				t.Errorf("%+v; want the claims of ada", first)
			}
			if again := rp.logIn(p); p.asked != 1 || again.AuthTime != first.AuthTime || again.SID != first.SID {
				t.Errorf("asked %d times, %+v; want once, and the same login as %+v", p.asked, again, first)
			}
			if again := rp.logIn(p, "prompt", "login", "max_age", "0"); p.asked != 2 || again.AuthTime < first.AuthTime || again.SID != first.SID {
				t.Errorf("asked %d times, %+v; want twice, and the session of %+v", p.asked, again, first)
			}
		}
	})
}

func TestProviders_LogSomebodyOut(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		rp := startRelyingParty(t, "a secret", start)
		p := newPerson(t, "ada")
		end := rp.provider.issuer() + endSession(t, rp.provider)
		for name, hint := range map[string]bool{"with a hint": true, "with the client's id": false} {
			id := rp.logIn(p)
			q := url.Values{"post_logout_redirect_uri": {rp.server.URL + "/bye"}, "state": {"s-2"}, "client_id": {"app"}}
			if hint {
				q.Set("id_token_hint", id.raw)
			}
			at := p.open(end + "?" + q.Encode())
			if button := rp.provider.confirms(hint); button != "" {
				at = p.submit(at, button, nil)
			}
			if at.url.String() != rp.server.URL+"/bye?state=s-2" {
				t.Errorf("%s: %s: %d %s; want the app's page", name, at.url, at.status, at.body)
			}
			rp.told(id)
		}

		id := rp.logIn(newPerson(t, "grace"))
		if n := rp.provider.endSessions("grace"); n != 1 {
			t.Errorf("%d apps were told that grace has logged out; want 1", n)
		}
		rp.told(id)
	})
}

// endSession returns the path of the endpoint for logouts.
func endSession(t *testing.T, p provider) string {
	t.Helper()
	var found struct {
		End string `json:"end_session_endpoint"`
	}
	if err := json.Unmarshal([]byte(fetch(t, p.issuer()+"/.well-known/openid-configuration")), &found); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(found.End, p.issuer())
}

// told fails the test unless the app has got one logout token since the last call, which is for
// this login.
func (rp *relyingParty) told(id claims) {
	rp.Helper()
	rp.mu.Lock()
	defer rp.mu.Unlock()
	if len(rp.logoutTokens) != 1 {
		rp.Errorf("the app has got %d logout tokens; want 1", len(rp.logoutTokens))
	} else if got := claimsOf(rp.T, rp.logoutTokens[0]); got.Issuer != id.Issuer || got.SID != id.SID || got.Subject != id.Subject ||
		got.JTI == "" || got.Nonce != "" || len(got.Events) != 1 {
		rp.Errorf("%+v; want a logout token for %+v", got, id)
	}
	rp.logoutTokens = nil
}

func TestProviders_RotateTheirKeys(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		rp := startRelyingParty(t, "a secret", start)
		p := newPerson(t, "ada")
		var found struct {
			JWKS string `json:"jwks_uri"`
		}
		if err := json.Unmarshal([]byte(fetch(t, rp.provider.issuer()+"/.well-known/openid-configuration")), &found); err != nil {
			t.Fatal(err)
		}
		published := func() (ids []string) {
			var set struct{ Keys []struct{ Kid string } }
			if err := json.Unmarshal([]byte(fetch(t, found.JWKS)), &set); err != nil {
				t.Fatal(err)
			}
			for _, k := range set.Keys {
				ids = append(ids, k.Kid)
			}
			return ids
		}
		signer := func() string {
			header, err := base64.RawURLEncoding.DecodeString(strings.Split(rp.logIn(p).raw, ".")[0])
			var h struct{ Kid string }
			if err == nil {
				err = json.Unmarshal(header, &h)
			}
			if err != nil {
				t.Fatal(err)
			}
			return h.Kid
		}
		first := signer()
		rp.provider.rotate(false)
		if second, keys := signer(), published(); second == first || !slices.Contains(keys, first) || !slices.Contains(keys, second) {
			t.Errorf("after %q, %q signs, and %q are published", first, second, keys)
		}
		rp.provider.rotate(true)
		if third, keys := signer(), published(); !slices.Equal(keys, []string{third}) {
			t.Errorf("%q signs, and %q are published; want this key alone", third, keys)
		}
		if p.asked != 1 {
			t.Errorf("asked %d times; want once", p.asked)
		}
	})
}
