package oidc

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// registration is what a provider knows about an app.
type registration struct {
	id, secret string // without a secret the client is public

	callback    string // redirect_uri
	loggedOut   string // post_logout_redirect_uri
	backChannel string // backchannel_logout_uri; empty: none

	// noSID makes tokens without the claim sid, and noAuthTime ID tokens without auth_time unless
	// the request has max_age. zitadel's have both always.
	noSID, noAuthTime bool
}

// provider is an OpenID provider that runs until the end of the test.
type provider interface {
	// issuer returns the address of the provider.
	issuer() string

	// gate returns what stands in front of the provider.
	gate() *gate

	// rotate makes the provider sign with a new key. With drop it no longer publishes the
	// others.
	rotate(drop bool)

	// endSessions ends the sessions that the user has with the provider, which tells the apps
	// by Back-Channel Logout. It returns how many it has told.
	endSessions(user string) int

	// confirms is the button of the page that asks at a logout, with an ID token as the hint or
	// without one; empty: no page does.
	confirms(hint bool) string
}

// kinds are the providers that the tests run on.
var kinds = map[string]func(*testing.T, ...registration) provider{
	"oidc-provider": startNodeProvider,
	"zitadel":       startZitadel,
}

// onEach runs a test on every provider.
func onEach(t *testing.T, test func(*testing.T, func(*testing.T, ...registration) provider)) {
	t.Parallel()
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// gate is the server in front of a provider. It makes the provider look as if it were down.
type gate struct {
	url      string
	closed   atomic.Bool
	requests atomic.Int64 // to the endpoints that apps call: discovery, keys, token, userinfo
}

// startGate starts a server in front of what setHandler is called with.
func startGate(t *testing.T) (g *gate, setHandler func(http.Handler)) {
	var behind atomic.Pointer[http.Handler]
	g = &gate{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := behind.Load()
		if g.closed.Load() || h == nil {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if r.Header.Get("Sec-Fetch-Mode") == "" {
			g.requests.Add(1)
		}
		(*h).ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	// Another host than the app's, as nearly always: its requests are cross-site.
	g.url = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	return g, func(h http.Handler) { behind.Store(&h) }
}

func TestProviders_AnswerTheDiscoveryOfTheirIssuer(t *testing.T) {
	onEach(t, func(t *testing.T, start func(*testing.T, ...registration) provider) {
		p := start(t, registration{id: "app", secret: "s", callback: "http://127.0.0.1:1/callback", loggedOut: "http://127.0.0.1:1/"})
		body := fetch(t, p.issuer()+"/.well-known/openid-configuration")
		for _, want := range []string{
			`"issuer":"` + p.issuer() + `"`, `"end_session_endpoint":"` + p.issuer() + "/", `"backchannel_logout_supported":true`,
			`"backchannel_logout_session_supported":true`, `"S256"`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s; want %s", body, want)
			}
		}
	})
}

// fetch returns the body of an answer, which must be 200.
func fetch(t *testing.T, address string) string {
	t.Helper()
	body, err := get(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func get(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s, %s", address, answer.Status, body)
	}
	return string(body), err
}
