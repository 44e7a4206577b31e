package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const providerClient, providerSecret = "tour", "the-secret-of-the-tour"

// startProvider starts an identity provider with one user. Whoever brings it a nonce as the code gets an ID token: only
// the provider's name of the session matters here. It returns the issuer.
func startProvider(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	encoded := func(value any) string {
		part, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		return text(part)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // the tour is gone
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": server.URL, "authorization_endpoint": server.URL + "/authorize", "token_endpoint": server.URL + "/token", "jwks_uri": server.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []map[string]string{{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": text(point[1:33]), "y": text(point[33:])}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		signed := encoded(map[string]string{"alg": "ES256", "kid": "1", "typ": "JWT"}) + "." + encoded(map[string]any{
			"iss": server.URL, "aud": providerClient, "sub": "f7a1", "sid": "sid-1", "name": "Mary Somerville", "nonce": r.PostFormValue("code"),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		})
		digest := sha256.Sum256([]byte(signed))
		x, y, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Error(err)
			return
		}
		signature := append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": signed + "." + text(signature)})
	})
	return server.URL
}
