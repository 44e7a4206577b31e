package nethttp_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

var withTokens = session.Config{TokenTTL: 10 * time.Minute}

// token returns the Authorization header of a new session of a user's program.
func (a *app) token(user string) string {
	a.Helper()
	g, err := a.Sessions.Tokens().Issue(a.client(program).NewRequest("POST", "/", nil), session.Login{UserID: user, Client: "acme-cli"})
	if err != nil {
		a.Fatal(err)
	}
	return "Bearer " + g.AccessToken
}

// A program with a token gets a status and a WWW-Authenticate, and never a redirect or a
// cookie, whatever else its headers say (RFC 6750, section 3).
func TestAdmit_AnswersATokenAsRFC6750Says(t *testing.T) {
	inAppWith(t, withTokens, nethttp.Config{}, func(a *app) {
		good := a.token("ada")
		a.handle("GET /live", who, a.guard.RequireLive)
		const challenge = `Bearer realm="app", error=`
		for _, c := range []struct {
			name, path, authorization string
			kind                      guardtest.Kind
			status                    int
			challenge                 string
		}{
			{"good", "/account", good, program, 200, ""},
			{"good, from a script", "/account", good, fetch, 200, ""},
			{"good, and the store's word", "/live", good, program, 200, ""},
			{"good, on a public page", "/", good, program, 200, ""},
			{"forged", "/account", "Bearer skat_x", program, 401, challenge + `"invalid_token"`},
			{"forged, of a page load", "/account", "Bearer skat_x", pageLoad, 401, challenge + `"invalid_token"`},
			{"forged, of htmx", "/account", "Bearer skat_x", viaHTMX, 401, challenge + `"invalid_token"`},
			{"somebody else's", "/account", "Bearer eyJhbGciOi", guardtest.Kind{"Accept": "text/html"}, 401, challenge + `"invalid_token"`},
			{"none", "/account", "", program, 401, `Cookie|Bearer realm="app"`},
			{"without the role", "/admin", good, program, 403, challenge + `"insufficient_scope"`},
		} {
			var more []string
			if c.authorization != "" {
				more = []string{"Authorization", c.authorization}
			}
			rec := a.client(c.kind).Send("GET", c.path, "", more...)
			h := rec.Header()
			if got := strings.Join(h["Www-Authenticate"], "|"); rec.Code != c.status || !strings.HasPrefix(got, c.challenge) || (got == "") != (c.challenge == "") {
				a.Errorf("%s: %d, %q; want %d, %q", c.name, rec.Code, got, c.status, c.challenge)
			}
			if h.Get("Location")+h.Get("HX-Redirect") != "" || len(h["Set-Cookie"]) > 0 {
				a.Errorf("%s: the answer redirects or sets cookies: %v", c.name, h)
			}
			if !slices.Contains(h["Vary"], "Authorization") {
				a.Errorf("%s: Vary is %q; want Authorization in it", c.name, h["Vary"])
			}
			if c.status == 200 && rec.Body.String() != "ada" {
				a.Errorf("%s: the user is %q", c.name, rec.Body)
			}
		}
		time.Sleep(6 * time.Minute)
		rec := a.client(program).Send("GET", "/password", "", "Authorization", good)
		if got := rec.Header().Get("WWW-Authenticate"); rec.Code != 401 || !strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.Contains(got, `max_age="300"`) {
			a.Errorf("an old login: %d, %q; want 401 and what RFC 9470 says", rec.Code, got)
		}
	})
}

// Which of a token and cookies counts is not known, so neither does.
func TestAdmit_RefusesATokenBesideCookies(t *testing.T) {
	asked := 0
	credentials := func(*http.Request) (session.Login, error) { asked++; return session.Login{UserID: "grace"}, nil }
	inAppWith(t, withTokens, nethttp.Config{Credentials: credentials}, func(a *app) {
		b := a.client(fetch)
		b.Send("POST", "/login", "user=ada")
		rec := b.Send("GET", "/account", "", "Authorization", a.token("ada"))
		if got := rec.Header().Get("WWW-Authenticate"); rec.Code != 400 || !strings.Contains(got, `error="invalid_request"`) || asked != 0 {
			a.Errorf("%d, %q, credentials asked %d times; want 400, invalid_request, 0", rec.Code, got, asked)
		}
		if rec := b.Send("GET", "/", "", "Authorization", a.token("ada")); rec.Code != 200 || rec.Body.String() != "no session" {
			a.Errorf("a public page: %d %q; want no session", rec.Code, rec.Body)
		}
		if rec := b.Send("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("the cookies alone: %d; want 200", rec.Code)
		}
	})
}

// No browser sends a token by itself. So a good one alone exempts a request from the check of
// its origin; one beside cookies does not, and a bad one does not.
func TestAdmit_TokenExemptsFromTheOriginCheckAlone(t *testing.T) {
	for _, tokens := range []bool{true, false} {
		cfg := withTokens
		if !tokens {
			cfg.TokenTTL = 0
		}
		inAppWith(t, cfg, nethttp.Config{}, func(a *app) {
			good := "Bearer skat_x"
			if tokens {
				good = a.token("ada")
			}
			b := a.client(fetch)
			b.Send("POST", "/login", "user=ada")
			crossSite := guardtest.Kind{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
			// Nor does the check ask the store for another site.
			expire()
			before := a.Store.Calls()
			b.As(crossSite).Send("POST", "/account", "", "Authorization", "Bearer skat_x")
			if calls := a.Store.Calls() - before; calls != 0 {
				a.Errorf("tokens %v: %d calls of the store for a request from another site; want none", tokens, calls)
			}
			for _, c := range []struct {
				name, authorization string
				client              *guardtest.Client
				path                string
				want                map[bool]int // by whether there are tokens
			}{
				{"a good token", good, a.client(crossSite), "/account", map[bool]int{true: 200, false: 403}},
				{"a bad token", "Bearer skat_x", a.client(crossSite), "/account", map[bool]int{true: 403, false: 403}},
				{"somebody else's token", "Bearer x", a.client(crossSite), "/account", map[bool]int{true: 403, false: 403}},
				{"a good token beside cookies", good, b.As(crossSite), "/account", map[bool]int{true: 403, false: 403}},
				{"a good token beside cookies, to log out", good, b.As(crossSite), "/logout", map[bool]int{true: 403, false: 403}},
				{"a bad token to a public route", "Bearer skat_x", a.client(crossSite), "/", map[bool]int{true: 403, false: 403}},
				{"a good token to the login", good, a.client(crossSite), "/login", map[bool]int{true: 403, false: 403}},
			} {
				rec := c.client.Send("POST", c.path, "user=ada", "Authorization", c.authorization)
				if rec.Code != c.want[tokens] {
					a.Errorf("tokens %v, %s: %d; want %d", tokens, c.name, rec.Code, c.want[tokens])
				}
			}
		})
	}
}

// What needs the refresh cookie of a browser is refused, and not by a 401: a program would refresh,
// and try again.
func TestUpdate_IsNotForTokens(t *testing.T) {
	inAppWith(t, withTokens, nethttp.Config{}, func(a *app) {
		a.handle("POST /tenant", func(w http.ResponseWriter, r *http.Request) {
			if err := a.guard.Update(w, r, map[string]string{"tenant": "7"}); err != nil {
				a.guard.WriteError(w, r, err)
			}
		})
		if rec := a.client(program).Send("POST", "/tenant", "", "Authorization", a.token("ada")); rec.Code != 403 {
			a.Errorf("%d; want 403", rec.Code)
		}
	})
}

// Credentials are not asked about the kit's own tokens.
func TestCredentials_AreNotAskedAboutTokens(t *testing.T) {
	credentials := func(*http.Request) (session.Login, error) { return session.Login{UserID: "grace"}, nil }
	inAppWith(t, withTokens, nethttp.Config{Credentials: credentials}, func(a *app) {
		if rec := a.client(program).Send("GET", "/account", "", "Authorization", "Bearer skat_x"); rec.Code != 401 || len(rec.Header()["Set-Cookie"]) > 0 {
			a.Errorf("%d, cookies %q; want 401 and none", rec.Code, rec.Header()["Set-Cookie"])
		}
		if rec := a.client(program).Send("GET", "/account", "", "Authorization", "Bearer x"); rec.Code != 200 {
			a.Errorf("somebody else's token: %d; want 200", rec.Code)
		}
	})
}

func TestLogout_OfATokenIsNeverConfirmedInVain(t *testing.T) {
	inAppWith(t, withTokens, nethttp.Config{}, func(a *app) {
		b := a.client(fetch)
		b.Send("POST", "/login", "user=ada")
		if rec := b.Send("POST", "/logout", "", "Authorization", a.token("ada")); rec.Code != 400 || len(rec.Header()["Set-Cookie"]) > 0 {
			a.Errorf("beside cookies: %d, cookies %q; want 400 and none", rec.Code, rec.Header()["Set-Cookie"])
		}
		if rec := a.client(program).Send("POST", "/logout", "", "Authorization", "Bearer skat_x"); rec.Code != 401 {
			a.Errorf("a forged token: %d; want 401", rec.Code)
		}
		if rec := b.Send("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("the cookies afterwards: %d; want 200", rec.Code)
		}
	})
}

// A handler that finds a device by a code answers with its errors.
func TestWriteError_OfTooManyTries(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("/device", func(w http.ResponseWriter, r *http.Request) { a.guard.WriteError(w, r, session.ErrSlowDown) })
		b := a.client(fetch)
		b.Send("POST", "/login", "user=ada")
		if rec := b.Send("GET", "/device", ""); rec.Code != 429 {
			a.Errorf("%d; want 429", rec.Code)
		}
	})
}

func TestLogout_EndsTheSessionOfAToken(t *testing.T) {
	inAppWith(t, withTokens, nethttp.Config{}, func(a *app) {
		good := a.token("ada")
		if rec := a.client(program).Send("POST", "/logout", "", "Authorization", good); rec.Code != 204 || len(rec.Header()["Set-Cookie"]) > 0 {
			a.Errorf("%d, cookies %q; want 204 and none", rec.Code, rec.Header()["Set-Cookie"])
		}
		if rec := a.client(program).Send("GET", "/account", "", "Authorization", good); rec.Code != 401 {
			a.Errorf("afterwards: %d; want 401", rec.Code)
		}
	})
}
