package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/session"
)

// keySet is what the provider answers to a fetch of its keys.
func (p *provider) keySet() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), Algorithm: string(jose.ES256), Use: "sig"}}}
}

// A token that nobody has signed costs the provider nothing.
func TestVerifier_AnUnknownKeyDoesNotFetchAtWill(t *testing.T) {
	ours, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	var fetches atomic.Int64
	var url string
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": url, "jwks_uri": url + "/old-keys", "authorization_endpoint": url, "token_endpoint": url,
			"id_token_signing_alg_values_supported": []string{oidc.ES256},
		})
	})
	mux.Handle("/old-keys", http.RedirectHandler("/keys", http.StatusFound)) // a redirect is part of the fetch
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		_ = json.NewEncoder(w).Encode(ours.keySet())
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	url = server.URL
	discovered, err := oidc.NewProvider(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	credentials := Bearer(Verifier(t.Context(), discovered, clientID), accounts)
	login := func(token string) error {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := credentials(r)
		return err
	}

	good, err := ours.sign(goodClaims(claims{"iss": url}))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b64 := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(goodClaims(claims{"iss": url}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		header := fmt.Sprintf(`{"alg":"ES256","kid":"nobody's %d"}`, i)
		if err := login(b64([]byte(header)) + "." + b64(body) + "." + b64(make([]byte, 64))); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("token %d: error %v; want session.ErrUnauthenticated", i, err)
		}
		if err := login(good); err != nil {
			t.Errorf("a good token after %d others: %v", i+1, err)
		}
	}
	if most := 1 + int64(time.Since(began)/fetchEvery); fetches.Load() > most {
		t.Errorf("50 tokens with keys of nobody made %d fetches of the provider's keys; want %d at most", fetches.Load(), most)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The provider may change its key while strangers send tokens, and after it was down.
func TestVerifier_ANewKeyIsAcceptedAfterTheNextFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, err := newProvider()
		if err != nil {
			t.Fatal(err)
		}
		after, err := newProvider()
		if err != nil {
			t.Fatal(err)
		}
		fetches, current := 0, before
		down := errors.New("the provider is down")
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			if fetches++; current == nil {
				return nil, down
			}
			text, err := json.Marshal(current.keySet())
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text))}, err
		})
		ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: &keyFetches{base: base}})
		verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, issuer+"/keys"), &oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{oidc.ES256}})
		verify := func(p *provider) error {
			token, err := p.sign(goodClaims(nil))
			if err != nil {
				t.Fatal(err)
			}
			_, err = verifier.Verify(t.Context(), token)
			synctest.Wait() // go-oidc stores the keys in a goroutine of its own
			return err
		}

		for _, step := range []struct {
			what    string
			wait    time.Duration
			current *provider
			signer  *provider
			good    bool
			fetches int
		}{
			{"the first token", 0, before, before, true, 1},
			{"a new key, just after a fetch", 0, after, after, false, 1},
			{"the key before, meanwhile", 0, after, before, true, 1},
			{"a new key, a moment too early", fetchEvery - 1, after, after, false, 1},
			{"a new key, after the time", 1, after, after, true, 2},
			{"the key before, after that", 0, after, before, false, 2},
			{"an unknown key, the provider down", fetchEvery, nil, before, false, 3},
			{"once more", 0, nil, before, false, 3},
			{"a known key, the provider down", 0, nil, after, true, 3},
		} {
			time.Sleep(step.wait)
			current = step.current
			if err := verify(step.signer); (err == nil) != step.good || fetches != step.fetches {
				t.Errorf("%s: error %v, %d fetches so far; want good %t, %d fetches", step.what, err, fetches, step.good, step.fetches)
			}
		}
	})
}
