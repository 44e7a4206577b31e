package libraries

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
)

// startProvider is an identity provider that shows its login page, and no more: test/oidc has
// real ones.
func startProvider(t *testing.T) (issuer string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/keys",
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys": []}`) })
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, _ *http.Request) { writePage(w, "", `<h1>The provider</h1>`) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	issuer = server.URL
	return issuer
}

// An app without passwords makes the login with its provider its login page. A person whose
// session has ended comes to the provider, whatever has sent the request. Libraries that show
// pages cannot follow a redirect to another site: Turbo and htmx load the page, and with Unpoly
// the person clicks once more.
func TestProvider_IsReachedFromEachClient(t *testing.T) {
	const provider, goOn = "The provider", "Log in"
	for _, w := range ways {
		switch w.name {
		case "fetch for data", "fetch", "worker-cache":
			continue // a script of the app's own that follows redirects must expect another site
		case "form", "turbo-form", "unpoly-form":
		default:
			if w.login {
				continue // other forms are refused as their links are
			}
		}
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, w)
			acme, err := oidc.New(p.site.sessions, oidc.Config{
				Issuer: startProvider(t), ClientID: "our-app", RedirectURL: p.site.url + "/callback",
				User: func(context.Context, oidc.Identity) (session.Login, error) {
					return session.Login{}, session.ErrUnauthenticated
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			p.Open(p.startPath("/do/account?a=b"))
			p.site.loginPage = acme.Login(p.site.guard).ServeHTTP
			p.site.revoke()
			p.Click("#go")
			p.Until("the person sees the provider, or a link to go on", func() bool {
				got := p.sees()
				return got == provider || got == goOn
			})
			saw := p.sees()
			if saw == goOn {
				p.Click("body p a")
				p.comesToSee(provider)
				saw = "a link to the provider"
			}
			seen.add(w.name, "not logged in, and a provider", saw)
		})
	}
}
