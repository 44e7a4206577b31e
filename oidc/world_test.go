package oidc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// world is an app whose users log in with a provider, on one node.
type world struct {
	*testing.T
	*sessiontest.Kit
	provider *fakeProvider
	acme     *oidc.Provider
	guard    *nethttp.Guard
	app      http.Handler
	errs     []error // what Config.OnError was told
	who      oidc.Identity
}

// inWorld runs a test in a world with a clock of its own. change, if not nil, changes the
// Config of the provider.
func inWorld(t *testing.T, change func(*oidc.Config), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, provider: newFakeProvider(t, issuer)}
		w.Kit = sessiontest.New(t, session.Config{MaxSessions: -1, OnEvent: func(session.Event) {}}, map[string]store.User{"1": {Epoch: 1, Roles: []string{"staff"}}, "2": {Epoch: 1}, "banned": {Epoch: 1, Disabled: true}})
		w.build(change)
		test(w)
	})
}

var errTableDown = fmt.Errorf("%w: the table does not answer", session.ErrStoreUnavailable)

// users maps the provider's subjects to users of the app.
func users(_ context.Context, subject string) (string, error) {
	switch subject {
	case "f7a1":
		return "1", nil
	case "b2":
		return "2", nil
	case "gone":
		return "", nil
	case "banned":
		return "banned", nil
	case "down":
		return "", errTableDown
	}
	return "", session.ErrNotFound
}

func (w *world) config(p *fakeProvider, name string) oidc.Config {
	return oidc.Config{
		Issuer: p.issuer, ClientID: clientID, ClientSecret: secret, RedirectURL: sessiontest.Origin + "/callback/" + name,
		Scopes: []string{"email"}, LogoutReturnURL: sessiontest.Origin + "/bye",
		ACR:    map[string]string{"otp": "urn:mfa"},
		Client: &http.Client{Transport: p},
		User: func(ctx context.Context, who oidc.Identity) (session.Login, error) {
			w.who = who
			id, err := users(ctx, who.Subject)
			if err == session.ErrNotFound {
				err = session.ErrUnauthenticated
			}
			return session.Login{UserID: id, Epoch: 1, Methods: []string{"fed"}}, err
		},
		FindUser: users,
		OnError:  func(_ *http.Request, err error) { w.errs = append(w.errs, err) },
	}
}

func (w *world) build(change func(*oidc.Config)) {
	cfg := w.config(w.provider, "acme")
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.acme, err = oidc.New(w.Sessions, cfg); err != nil {
		w.Fatal(err)
	}
	mux := http.NewServeMux()
	w.guard, err = nethttp.New(w.Sessions, nethttp.Config{
		Public:      []string{"GET /login/acme", "GET /callback/acme", "POST /backchannel-logout/acme", "GET /bye"},
		LogoutURL:   w.acme.LogoutURL,
		Credentials: w.acme.Bearer,
	})
	if err != nil {
		w.Fatal(err)
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "/login/acme?"+r.URL.RawQuery) })
	mux.HandleFunc("GET /bye", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /login/acme", w.acme.Login(w.guard))
	mux.Handle("GET /callback/acme", w.acme.Callback(w.guard))
	mux.HandleFunc("/backchannel-logout/acme", w.acme.BackChannelLogout)
	mux.HandleFunc("POST /logout", w.guard.Logout)
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprint(w, s.UserID)
	})
	mux.Handle("GET /account", show)
	mux.Handle("GET /password", w.guard.RequireRecentLogin(5*time.Minute)(show))
	mux.Handle("GET /vault", w.guard.RequireMethod("otp")(show))
	w.app = w.guard.Protect(mux)
}

func (w *world) browser() *sessiontest.Browser { return sessiontest.NewBrowser(w.app) }

// get is a page load.
func get(b *sessiontest.Browser, to string) *http.Response {
	r := b.NewRequest("GET", strings.TrimPrefix(to, sessiontest.Origin), nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.Do(r)
}

// comeBack is the page load to which the provider sends the browser.
func comeBack(b *sessiontest.Browser, to string) *http.Response {
	r := b.NewRequest("GET", strings.TrimPrefix(to, sessiontest.Origin), nil)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return b.Do(r)
}

// begin opens a page of the app that begins a login, and returns the URL at the provider.
func (w *world) begin(b *sessiontest.Browser, page string) string {
	w.Helper()
	answer := get(b, page)
	if answer.StatusCode != http.StatusSeeOther {
		w.Fatalf("%s: %d", page, answer.StatusCode)
	}
	return answer.Header.Get("Location")
}

// login logs a browser in, and returns the answer of the callback.
func (w *world) login(b *sessiontest.Browser, page string) *http.Response {
	w.Helper()
	return comeBack(b, w.provider.visit(w.begin(b, page)))
}

// session logs a browser in, and returns its session.
func (w *world) session(b *sessiontest.Browser) session.Session {
	w.Helper()
	if answer := w.login(b, "/login/acme"); answer.StatusCode != http.StatusSeeOther {
		w.Fatalf("the login: %d; %v", answer.StatusCode, w.errs)
	}
	return w.sessionOf(b)
}

func (w *world) sessionOf(b *sessiontest.Browser) session.Session {
	w.Helper()
	v, err := w.Sessions.Authenticate(b.NewRequest("GET", "/", nil))
	if err != nil {
		w.Fatal(err)
	}
	return v.Session()
}

// in and out check whether a browser has a session that the store accepts.
func (w *world) in(what string, b *sessiontest.Browser) {
	w.Helper()
	b.ExpireAccess()
	if got := get(b, "/account").StatusCode; got != http.StatusOK {
		w.Errorf("%s: %d; want to be logged in", what, got)
	}
}

func (w *world) out(what string, b *sessiontest.Browser) {
	w.Helper()
	if got := get(b, "/account").StatusCode; got != http.StatusSeeOther {
		w.Errorf("%s: %d; want to be logged out", what, got)
	}
}

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}
