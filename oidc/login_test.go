package oidc_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func TestLogin_BeginsTheSessionOfTheProvidersUser(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.authTime = time.Now().Add(-time.Hour)
		w.provider.claims = claims{"sid": "sid-1", "amr": []string{"pwd", "otp", "fed", "two words", ""}, "acr": "urn:low"}
		b := w.browser()
		if answer := get(b, "/account?a=b"); answer.Header.Get("Location") != "/login?next=%2Faccount%3Fa%3Db" {
			w.Fatalf("a stranger gets %d, %v", answer.StatusCode, answer.Header)
		}
		to := w.begin(b, "/login/acme?next=%2Faccount%3Fa%3Db")
		q := must(url.Parse(to)).Query()
		if q.Get("redirect_uri") != sessiontest.Origin+"/callback/acme" || q.Get("scope") != "openid email" || q.Has("max_age") || q.Has("prompt") || q.Has("acr_values") {
			w.Errorf("the request for a login is %v", q)
		}
		answer := comeBack(b, w.provider.visit(to))
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/account?a=b" || answer.Header.Get("Cache-Control") != "no-store" {
			w.Fatalf("the callback: %d, %v; %v", answer.StatusCode, answer.Header, w.errs)
		}
		s := w.sessionOf(b)
		if s.UserID != "1" || !s.AuthTime.Equal(time.Now().Add(-time.Hour)) || !slices.Equal(s.Methods, []string{"fed", "pwd", "otp"}) || !strings.HasSuffix(s.ExternalID, ":sid-1") {
			w.Errorf("the session is %+v", s)
		}
		if w.who.Subject != "f7a1" || w.who.Issuer != issuer || w.who.Token().AccessToken != "access-token-of-the-provider" {
			w.Errorf("the identity is %+v", w.who)
		}
		var more struct{ Sid string }
		if err := w.who.Claims(&more); err != nil || more.Sid != "sid-1" {
			w.Errorf("the claims: %v, %v", more, err)
		}
		w.in("the user", b)
		for _, c := range b.Cookies(must(url.Parse(sessiontest.Origin + "/"))) {
			if strings.Contains(c.Name, "login") {
				w.Errorf("after the login there is the cookie %s", c.Name)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestBegin_TheCookieOfALogin(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		answer := get(b, "/login/acme?next=/account")
		cookies := answer.Cookies()
		if len(cookies) != 1 {
			w.Fatalf("%d cookies", len(cookies))
		}
		c := cookies[0]
		if !strings.HasPrefix(c.Name, "__Host-Http-login-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 600 {
			w.Errorf("the cookie is %v", c)
		}
		if len(c.Value) > 800 || strings.Contains(c.Value, "account") {
			w.Errorf("the value has %d bytes: %s", len(c.Value), c.Value)
		}
		if answer.Header.Get("Cache-Control") != "no-store" {
			w.Errorf("the header is %v", answer.Header)
		}
	})
}

// On loopback, browsers keep no __Host- cookie without HTTPS.
func TestBegin_OnPlainHTTPOfLoopback(t *testing.T) {
	inWorld(t, func(cfg *oidc.Config) { cfg.RedirectURL = "http://localhost:8081/callback/acme" }, func(w *world) {
		c := get(w.browser(), "/login/acme").Cookies()[0]
		if !strings.HasPrefix(c.Name, "login-") || c.Secure || !c.HttpOnly {
			w.Errorf("the cookie is %v", c)
		}
	})
}

// Tabs log in side by side. A browser that begins more logins than it finishes keeps the
// newest five.
func TestBegin_SeveralLoginsAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		var urls []string
		for range 7 {
			urls = append(urls, w.begin(b, "/login/acme"))
			time.Sleep(time.Second)
		}
		for i, to := range urls {
			answer := comeBack(b, w.provider.visit(to))
			want := http.StatusSeeOther
			if i < 2 {
				want = http.StatusBadRequest
			}
			if answer.StatusCode != want {
				w.Errorf("login %d of 7: %d; want %d", i+1, answer.StatusCode, want)
			}
		}
	})
}

// A cookie that no key opens makes way for another.
func TestBegin_DropsWhatNobodyCanUse(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		b.Receive([]*http.Cookie{{Name: "__Host-Http-login-0123456789", Value: "x", Path: "/", Secure: true, HttpOnly: true}})
		w.begin(b, "/login/acme")
		for _, c := range b.Cookies(must(url.Parse(sessiontest.Origin + "/"))) {
			if c.Value == "x" {
				w.Error("it stays")
			}
		}
	})
}

func TestBegin_RefusesAPrefetch(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		for _, page := range []string{"/login/acme", "/callback/acme?state=x&code=y"} {
			r := w.browser().NewRequest("GET", page, nil)
			r.Header.Set("Sec-Purpose", "prefetch")
			answer := w.browser().Do(r)
			if answer.StatusCode != http.StatusServiceUnavailable || len(answer.Cookies()) != 0 || answer.Header.Get("Location") != "" {
				w.Errorf("%s: %d, %v", page, answer.StatusCode, answer.Header)
			}
		}
	})
}

// The page to return to comes from a link that anybody can write. It is judged on use.
func TestCallback_JudgesThePageToReturnTo(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		for next, want := range map[string]string{
			"":                                "/",
			"/account?x=1":                    "/account?x=1",
			"https://evil.test/":              "/",
			"//evil.test/":                    "/",
			"/login":                          "/",
			"/" + strings.Repeat("x", 1023):   "/" + strings.Repeat("x", 1023),
			"/" + strings.Repeat("x", 1024):   "/",
			"/a\r\nSet-Cookie:%20a=b":         "/",
			`/\evil.test`:                     "/",
			"/account?next=https://evil.test": "/account?next=https://evil.test",
		} {
			b := w.browser()
			answer := comeBack(b, w.provider.visit(w.begin(b, "/login/acme?"+query("next", next)))+"&next=https://evil.test/")
			if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != want {
				w.Errorf("next %.40q: %d to %.40q; want %.40q", next, answer.StatusCode, got, want)
			}
		}
	})
}

// refusal is a login that must not succeed.
type refusal struct {
	name   string
	change func(w *world)                         // before the login
	url    func(w *world, to string) string       // what becomes of the answer of the provider; nil: nothing
	before func(w *world, b *sessiontest.Browser) // between the login at the provider and the callback
	is     error
	status int
}

func TestCallback_Refuses(t *testing.T) {
	id := func(c claims) func(*world) { return func(w *world) { w.provider.claims = c } }
	replace := func(name, value string) func(*world, string) string {
		return func(_ *world, to string) string {
			u := must(url.Parse(to))
			q := u.Query()
			q.Set(name, value)
			u.RawQuery = q.Encode()
			return u.String()
		}
	}
	plus := func(text string) func(*world, string) string {
		return func(_ *world, to string) string { return to + text }
	}
	for _, c := range []refusal{
		{name: "another state", url: replace("state", "0123456789ABCDEF"), is: oidc.ErrNoLogin, status: 400},
		{name: "a short state", url: replace("state", "0"), is: oidc.ErrNoLogin, status: 400},
		{name: "a state that only begins as ours", url: func(w *world, to string) string {
			state := must(url.Parse(to)).Query().Get("state")
			return replace("state", state[:len(state)-1]+"_")(w, to)
		}, is: oidc.ErrNoLogin, status: 400},
		{name: "no state", url: replace("state", ""), is: oidc.ErrNoLogin, status: 400},
		{name: "two states", url: plus("&state=x"), is: oidc.ErrInvalid, status: 502},
		{name: "another browser", before: func(_ *world, b *sessiontest.Browser) { b.Delete(func(string) bool { return true }) }, is: oidc.ErrNoLogin, status: 400},
		{name: "more than ten minutes", before: func(*world, *sessiontest.Browser) { time.Sleep(10*time.Minute + time.Second) }, is: oidc.ErrNoLogin, status: 400},
		{name: "more than ten minutes, and a browser that keeps the cookie", before: func(_ *world, b *sessiontest.Browser) {
			kept := b.CloneIgnoringExpiry()
			time.Sleep(10*time.Minute + time.Second)
			*b = *kept
		}, is: oidc.ErrNoLogin, status: 400},
		{name: "a changed cookie", before: func(w *world, b *sessiontest.Browser) {
			for _, c := range b.Cookies(must(url.Parse(sessiontest.Origin + "/"))) {
				if !strings.HasPrefix(c.Name, "__Host-Http-login-") {
					continue
				}
				value := []byte(c.Value)
				value[40] ^= 1
				b.Receive([]*http.Cookie{{Name: c.Name, Value: string(value), Path: "/", Secure: true, HttpOnly: true}})
			}
		}, is: oidc.ErrNoLogin, status: 400},
		{name: "no code", url: replace("code", ""), is: oidc.ErrInvalid, status: 502},
		{name: "two codes", url: plus("&code=x"), is: oidc.ErrInvalid, status: 502},
		{name: "a code of nobody", url: replace("code", "x"), is: oidc.ErrNoLogin, status: 400},
		{name: "the user has refused", url: replace("error", "access_denied"), is: oidc.ErrDenied, status: 403},
		{name: "two errors", url: plus("&error=a&error=b"), is: oidc.ErrInvalid, status: 502},
		{name: "another issuer in the answer", url: replace("iss", "https://evil.test"), is: oidc.ErrNoLogin, status: 400},
		{name: "two issuers in the answer", url: plus("&iss=" + url.QueryEscape(issuer) + "&iss=" + url.QueryEscape(issuer)), is: oidc.ErrInvalid, status: 502},
		{name: "no issuer, although the provider names it", change: func(w *world) {
			w.provider.metadata["authorization_response_iss_parameter_supported"] = true
		}, is: oidc.ErrNoLogin, status: 400},
		{name: "the code of another login", before: func(w *world, b *sessiontest.Browser) {
			for code, a := range w.provider.codes { // bound to another verifier
				a.challenge = "another"
				w.provider.codes[code] = a
			}
		}, is: oidc.ErrNoLogin, status: 400},

		{name: "the provider is down", before: func(w *world, _ *sessiontest.Browser) { w.provider.down = true }, is: oidc.ErrUnavailable, status: 503},
		{name: "the token endpoint is broken", change: func(w *world) { w.provider.status = 502 }, is: oidc.ErrUnavailable, status: 503},
		{name: "the token endpoint is overloaded", change: func(w *world) { w.provider.status = 429 }, is: oidc.ErrUnavailable, status: 503},
		{name: "the token endpoint wants nothing of it", change: func(w *world) { w.provider.status = 404 }, is: oidc.ErrInvalid, status: 502},
		{name: "no ID token", change: func(w *world) { w.provider.tokens = claims{"id_token": nil} }, is: oidc.ErrInvalid, status: 502},
		{name: "an ID token that is a number", change: func(w *world) { w.provider.tokens = claims{"id_token": 7} }, is: oidc.ErrInvalid, status: 502},
		{name: "a token answer without end", change: func(w *world) { w.provider.tokens = claims{"x": strings.Repeat("x", 2<<20)} }, is: oidc.ErrInvalid, status: 502},

		{name: "another issuer", change: id(claims{"iss": "https://evil.test"}), is: oidc.ErrInvalid, status: 502},
		{name: "another app's ID token", change: id(claims{"aud": "their-app"}), is: oidc.ErrInvalid, status: 502},
		{name: "no audience", change: id(claims{"aud": nil}), is: oidc.ErrInvalid, status: 502},
		{name: "two audiences and no azp", change: id(claims{"aud": []string{clientID, "x"}}), is: oidc.ErrInvalid, status: 502},
		{name: "issued to another app", change: id(claims{"aud": []string{clientID, "x"}, "azp": "x"}), is: oidc.ErrInvalid, status: 502},
		{name: "an expired ID token", change: id(claims{"exp": time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-11 * time.Second).Unix()}), is: oidc.ErrInvalid, status: 502},
		{name: "an ID token without an end", change: id(claims{"exp": nil}), is: oidc.ErrInvalid, status: 502},
		{name: "an ID token from the future", change: id(claims{"iat": time.Date(2000, 1, 1, 0, 0, 12, 0, time.UTC).Unix()}), is: oidc.ErrInvalid, status: 502},
		{name: "no subject", change: id(claims{"sub": nil}), is: oidc.ErrInvalid, status: 502},
		{name: "a long subject", change: id(claims{"sub": strings.Repeat("x", 1025)}), is: oidc.ErrInvalid, status: 502},
		{name: "a subject that forges lines of a log", change: id(claims{"sub": "f7a1\nroot has logged in"}), is: oidc.ErrInvalid, status: 502},
		{name: "no nonce", change: id(claims{"nonce": nil}), is: oidc.ErrInvalid, status: 502},
		{name: "the nonce of another login", change: id(claims{"nonce": "x"}), is: oidc.ErrInvalid, status: 502},
		{name: "another access token", change: id(claims{"at_hash": "x"}), is: oidc.ErrInvalid, status: 502},
		{name: "an azp of another type", change: id(claims{"azp": []string{clientID}}), is: oidc.ErrInvalid, status: 502},
		{name: "unsigned", change: func(w *world) { w.provider.signIDAs = func(c claims) string { return unsigned(w.T, c) } }, is: oidc.ErrInvalid, status: 502},
		{name: "another key", change: func(w *world) {
			other := newFakeProvider(w.T, issuer)
			w.provider.signIDAs = other.sign
		}, is: oidc.ErrInvalid, status: 502},
		{name: "an algorithm that the provider does not name", change: func(w *world) {
			w.provider.metadata["id_token_signing_alg_values_supported"] = []string{"RS256"}
		}, is: oidc.ErrInvalid, status: 502},
		{name: "the client's secret as the key", change: func(w *world) {
			w.provider.metadata["id_token_signing_alg_values_supported"] = []string{"ES256", "HS256"}
			w.provider.signIDAs = func(c claims) string {
				return signWith(w.T, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret + secret)}, c, "JWT")
			}
		}, is: oidc.ErrInvalid, status: 502},

		{name: "a user who has no account", change: id(claims{"sub": "nobody"}), is: session.ErrUnauthenticated, status: 403},
		{name: "a banned user", change: id(claims{"sub": "banned"}), status: 403},
		{name: "a table that does not answer", change: id(claims{"sub": "down"}), is: session.ErrStoreUnavailable, status: 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				b := w.browser()
				b.Login(w.T, w.Sessions, session.Login{UserID: "2", Epoch: 1}) // goes on
				if c.change != nil {
					c.change(w)
				}
				to := w.provider.visit(w.begin(b, "/login/acme"))
				if c.url != nil {
					to = c.url(w, to)
				}
				if c.before != nil {
					c.before(w, b)
				}
				w.errs = nil
				answer := comeBack(b, to)
				body := string(must(io.ReadAll(answer.Body)))
				if answer.StatusCode != c.status || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") || answer.Header.Get("Cache-Control") != "no-store" {
					w.Errorf("%d, %v, %s; want %d", answer.StatusCode, answer.Header, body, c.status)
				}
				if c.is != nil && (len(w.errs) != 1 || !errors.Is(w.errs[0], c.is)) {
					w.Errorf("the errors are %v; want %v", w.errs, c.is)
				}
				for _, secretText := range []string{secret, "access-token-of-the-provider", "secret detail", "eyJ"} {
					if strings.Contains(body, secretText) || len(w.errs) > 0 && strings.Contains(w.errs[0].Error(), secretText) {
						w.Errorf("%q is shown: %s; %v", secretText, body, w.errs)
					}
				}
				if c.name == "another browser" {
					w.out("the browser", b)
				} else if s := w.sessionOf(b); s.UserID != "2" {
					w.Errorf("the session is that of %s", s.UserID)
				}
			})
		})
	}
}

// The scripts of these libraries load pages, and cannot follow a redirect to another site.
func TestBegin_ForLibraries(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		ask := func(header, value string) *http.Response {
			b := w.browser()
			r := b.NewRequest("GET", "/login/acme?next=/account", nil)
			r.Header.Set("Sec-Fetch-Mode", "cors")
			r.Header.Set(header, value)
			return b.Do(r)
		}
		for _, header := range []string{"X-Turbo-Request-Id", "X-Up-Version"} {
			answer := ask(header, "1")
			body := string(must(io.ReadAll(answer.Body)))
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Location") != "" || len(answer.Cookies()) != 0 || answer.Header.Get("Cache-Control") != "no-store" ||
				!strings.Contains(body, `<meta name="turbo-visit-control" content="reload">`) || !strings.Contains(body, `<a href=""`) {
				w.Errorf("%s: %d, %v, %s", header, answer.StatusCode, answer.Header, body)
			}
		}
		answer := ask("HX-Request", "true")
		if answer.StatusCode != http.StatusNoContent || !strings.HasPrefix(answer.Header.Get("HX-Redirect"), issuer+"/authorize?") || len(answer.Cookies()) != 1 {
			w.Errorf("htmx: %d, %v", answer.StatusCode, answer.Header)
		}
		if answer := ask("X-Of-A-Service-Worker", "1"); answer.StatusCode != http.StatusSeeOther {
			w.Errorf("another script: %d", answer.StatusCode)
		}
	})
}

// The app hears of a user who may not log in, as of any other reason.
func TestCallback_TellsOfIssue(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.claims = claims{"sub": "banned"}
		w.login(w.browser(), "/login/acme")
		if len(w.errs) != 1 || !errors.Is(w.errs[0], session.ErrUserDisabled) {
			w.Errorf("OnError was told %v", w.errs)
		}
	})
}

// Without a page to return to, the user comes to the app's home, which need not be that of the
// host.
func TestCallback_LeadsHome(t *testing.T) {
	inWorld(t, func(cfg *oidc.Config) { cfg.HomePath = "/app/" }, func(w *world) {
		for page, want := range map[string]string{"/login/acme": "/app/", "/login/acme?next=https://evil.test": "/app/", "/login/acme?next=/account": "/account"} {
			if got := w.login(w.browser(), page).Header.Get("Location"); got != want {
				w.Errorf("%s: %s; want %s", page, got, want)
			}
		}
	})
}
