package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// twoProviders is a world with a second provider, evil.
func twoProviders(w *world) (evil *fakeProvider, ofEvil *oidc.Provider) {
	evil = newFakeProvider(w.T, "https://evil.test")
	cfg := w.config(evil, "evil")
	ofEvil = must(oidc.New(w.Sessions, cfg))
	mux := http.NewServeMux()
	guard := must(nethttp.New(w.Sessions, nethttp.Config{
		Public: []string{"GET /login/acme", "GET /callback/acme", "GET /login/evil", "GET /callback/evil", "POST /backchannel-logout/evil"},
		LogoutURL: func(r *http.Request) string {
			for _, p := range []*oidc.Provider{w.acme, ofEvil} {
				if to := p.LogoutURL(r); to != "" {
					return to
				}
			}
			return ""
		},
	}))
	mux.Handle("GET /login/acme", w.acme.Login(guard))
	mux.Handle("GET /callback/acme", w.acme.Callback(guard))
	mux.Handle("GET /login/evil", ofEvil.Login(guard))
	mux.Handle("GET /callback/evil", ofEvil.Callback(guard))
	mux.HandleFunc("POST /backchannel-logout/evil", ofEvil.BackChannelLogout)
	mux.HandleFunc("POST /logout", guard.Logout)
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	w.app = guard.Protect(mux)
	return evil, ofEvil
}

func TestProviders_SideBySide(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		evil, _ := twoProviders(w)
		good, other := w.browser(), w.browser()
		toGood, toEvil := w.begin(good, "/login/acme"), w.begin(good, "/login/evil") // two tabs
		if answer := comeBack(good, w.provider.visit(toGood)); answer.StatusCode != http.StatusSeeOther {
			w.Errorf("the first: %d; %v", answer.StatusCode, w.errs)
		}
		if answer := comeBack(good, evil.visit(toEvil)); answer.StatusCode != http.StatusSeeOther {
			w.Errorf("the second: %d; %v", answer.StatusCode, w.errs)
		}
		if got := good.PostForm("/logout", nil).Header.Get("Location"); !strings.HasPrefix(got, "https://evil.test/logout?") {
			w.Errorf("the logout leads to %s", got)
		}
		comeBack(other, w.provider.visit(w.begin(other, "/login/acme")))
		if got := other.PostForm("/logout", nil).Header.Get("Location"); !strings.HasPrefix(got, issuer+"/logout?") {
			w.Errorf("the logout leads to %s", got)
		}
	})
}

// A provider that is evil, or that an attacker rules, must get no code of another one, and its
// own answers open nothing there (RFC 9700, section 4.4).
func TestProviders_CannotBeMixedUp(t *testing.T) {
	at := func(to, path string) string {
		u := must(url.Parse(to))
		return path + "?" + u.RawQuery
	}
	inWorld(t, nil, func(w *world) {
		evil, _ := twoProviders(w)
		for name, test := range map[string]func(b *sessiontest.Browser) *http.Response{
			"an answer of acme at the callback of evil": func(b *sessiontest.Browser) *http.Response {
				before := evil.called("/token")
				answer := comeBack(b, at(w.provider.visit(w.begin(b, "/login/acme")), "/callback/evil"))
				if evil.called("/token") != before {
					w.Error("evil gets the code of acme")
				}
				return answer
			},
			"an answer of evil at the callback of acme": func(b *sessiontest.Browser) *http.Response {
				return comeBack(b, at(evil.visit(w.begin(b, "/login/evil")), "/callback/acme"))
			},
			"a code of acme with the state of evil": func(b *sessiontest.Browser) *http.Response {
				toGood, toEvil := must(url.Parse(w.provider.visit(w.begin(b, "/login/acme")))), must(url.Parse(evil.visit(w.begin(b, "/login/evil"))))
				return comeBack(b, "/callback/evil?"+query("state", toEvil.Query().Get("state"), "code", toGood.Query().Get("code")))
			},
		} {
			b := w.browser()
			answer := test(b)
			if answer.StatusCode != http.StatusBadRequest {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			w.out(name, b)
		}
		// evil claims to be acme.
		evil.claims = claims{"iss": issuer}
		b := w.browser()
		if answer := comeBack(b, evil.visit(w.begin(b, "/login/evil"))); answer.StatusCode != http.StatusBadGateway {
			w.Errorf("another issuer: %d", answer.StatusCode)
		}
	})
}

// An app may be two clients of one provider, for example one for its staff.
func TestProviders_TwoClientsOfOneProvider(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		cfg := w.config(w.provider, "acme")
		cfg.ClientID = "our-app-for-staff"
		staff := must(oidc.New(w.Sessions, cfg))
		b := w.browser()
		to := w.provider.visit(w.begin(b, "/login/acme"))
		if _, err := staff.Finish(&recorder{header: http.Header{}}, b.NewRequest("GET", strings.TrimPrefix(to, sessiontest.Origin), nil)); !errors.Is(err, oidc.ErrNoLogin) {
			w.Errorf("%v", err)
		}
		if n := w.provider.called("/token"); n != 0 {
			w.Errorf("the code was used %d times", n)
		}
		if a, b := staff.ExternalIDOf("sid-1"), w.acme.ExternalIDOf("sid-1"); a == b {
			w.Error("a logout of the one is one of the other")
		}
	})
}

// A logout token of one provider ends no session of another, although both use the same sid
// and the same subject.
func TestProviders_EndOnlyTheirOwnSessions(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		evil, ofEvil := twoProviders(w)
		w.provider.claims = claims{"sid": "sid-1"}
		b := w.browser()
		comeBack(b, w.provider.visit(w.begin(b, "/login/acme")))
		for name, token := range map[string]string{
			"by sid":     evil.sign(evil.logoutClaims(nil)),
			"by subject": evil.sign(evil.logoutClaims(claims{"sid": nil})),
			"as acme":    evil.sign(evil.logoutClaims(claims{"iss": issuer})),
		} {
			r := must(http.NewRequest("POST", "/", strings.NewReader("logout_token="+token)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := &recorder{header: http.Header{}}
			ofEvil.BackChannelLogout(rec, r)
			if (rec.status == http.StatusOK) != (name != "as acme") {
				w.Errorf("%s: %d; %v", name, rec.status, w.errs)
			}
			w.in(name, b)
		}
	})
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

// Whoever has copied the answer of the provider, with the cookies of the browser, comes too
// late: the code has been used. Without the cookies it is nothing.
func TestCallback_ReplayIsRefused(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		to := w.provider.visit(w.begin(b, "/login/acme"))
		thief := b.CloneIgnoringExpiry()
		if answer := comeBack(b, to); answer.StatusCode != http.StatusSeeOther {
			w.Fatalf("the login: %d", answer.StatusCode)
		}
		for name, again := range map[string]*sessiontest.Browser{"the same browser": b, "another one": w.browser(), "with the cookies of the first": thief} {
			before := again.Clone()
			if answer := comeBack(again, to); answer.StatusCode != http.StatusBadRequest {
				w.Errorf("%s: %d", name, answer.StatusCode)
			}
			if name != "the same browser" {
				w.out(name, before)
			}
		}
		w.in("the user", b)
	})
}

// An attacker lets a victim finish his own login, to see what they do there.
func TestCallback_OfAnotherBrowserIsRefused(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		attacker, victim := w.browser(), w.browser()
		victim.Login(w.T, w.Sessions, session.Login{UserID: "2", Epoch: 1})
		to := w.provider.visit(w.begin(attacker, "/login/acme"))
		get(victim, "/login/acme") // the victim may have begun a login, too
		if answer := comeBack(victim, to); answer.StatusCode != http.StatusBadRequest {
			w.Errorf("%d", answer.StatusCode)
		}
		if s := w.sessionOf(victim); s.UserID != "2" {
			w.Errorf("the victim is %s", s.UserID)
		}
	})
}
