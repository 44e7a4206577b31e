package oidc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// logoutToken sends a logout token as a provider does: without cookies, and from no browser.
func (w *world) logoutToken(token string) *http.Response {
	return w.postLogout("POST", "application/x-www-form-urlencoded", url.Values{"logout_token": {token}}.Encode())
}

func (w *world) postLogout(method, contentType, body string) *http.Response {
	r := httptest.NewRequest(method, sessiontest.Origin+"/backchannel-logout/acme", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	rec := httptest.NewRecorder()
	w.app.ServeHTTP(rec, r)
	return rec.Result()
}

func TestBackChannelLogout_EndsTheSessionOfTheSid(t *testing.T) {
	for _, typ := range []string{"logout+jwt", "application/logout+jwt", "JWT", "jwt", ""} {
		inWorld(t, nil, func(w *world) {
			laptop, phone, stranger := w.browser(), w.browser(), w.browser()
			w.provider.claims = claims{"sid": "sid-1"}
			w.session(laptop)
			w.provider.claims = claims{"sid": "sid-2"}
			w.session(phone)
			w.provider.claims = claims{"sub": "b2", "sid": "sid-3"}
			w.session(stranger)
			answer := w.logoutToken(w.provider.signTyped(w.provider.logoutClaims(nil), typ))
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Cache-Control") != "no-store" || len(answer.Cookies()) != 0 {
				w.Errorf("type %q: %d, %v; %v", typ, answer.StatusCode, answer.Header, w.errs)
			}
			w.out("the laptop", laptop)
			w.in("the phone", phone)
			w.in("another user", stranger)
		})
	}
}

// A token without sid ends all that the user has begun with this provider, and nothing else.
func TestBackChannelLogout_EndsTheSessionsOfTheSubject(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		laptop, phone, old, stranger := w.browser(), w.browser(), w.browser(), w.browser()
		w.provider.claims = claims{"sid": "sid-1"}
		w.session(laptop)
		w.provider.claims = claims{"sid": strings.Repeat("long", 50)}
		w.session(phone)
		w.provider.claims = claims{}
		w.session(old)
		w.provider.claims = claims{"sub": "b2"}
		w.session(stranger)
		byPassword, byAnother := w.browser(), w.browser()
		byPassword.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1})
		byAnother.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1, ExternalID: "another-provider:sid-1"})

		answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(claims{"sid": nil})))
		if answer.StatusCode != http.StatusOK {
			w.Errorf("%d; %v", answer.StatusCode, w.errs)
		}
		w.out("the laptop", laptop)
		w.out("the phone", phone)
		w.out("a session without sid", old)
		w.in("another user", stranger)
		w.in("a login by password", byPassword)
		w.in("a login by another provider", byAnother)
	})
}

// A provider that tells a sid at the logout only.
func TestBackChannelLogout_EndsSessionsThatHaveNoSid(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		nameless, other, stranger := w.browser(), w.browser(), w.browser()
		w.session(nameless)
		w.provider.claims = claims{"sid": "sid-2"}
		w.session(other)
		w.provider.claims = claims{"sub": "b2"}
		w.session(stranger)
		if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(nil))); answer.StatusCode != http.StatusOK {
			w.Errorf("%d; %v", answer.StatusCode, w.errs)
		}
		w.out("a session without sid", nameless)
		w.in("a session with another sid", other)
		w.in("another user's", stranger)
	})
}

// More sessions than one page of Manager.List.
func TestBackChannelLogout_EndsAnyNumberOfSessions(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.session(w.browser())
		externalID := w.sessionOf(func() *sessiontest.Browser { b := w.browser(); w.session(b); return b }()).ExternalID
		kept := w.browser()
		kept.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1})
		for i := range 260 {
			r := httptest.NewRequest("POST", "/", nil)
			login := session.Login{UserID: "1", Epoch: 1, ExternalID: externalID}
			if i%3 == 0 {
				login.ExternalID = ""
			}
			if _, err := w.Sessions.Issue(r, login); err != nil {
				w.Fatal(err)
			}
		}
		if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(claims{"sid": nil}))); answer.StatusCode != http.StatusOK {
			w.Fatalf("%d; %v", answer.StatusCode, w.errs)
		}
		var after string
		for n := 0; ; {
			page := must(w.Sessions.List(context.Background(), "1", after))
			for _, device := range page {
				n++
				if device.ExternalID != "" {
					w.Errorf("the session %s goes on", device.ID)
				}
			}
			if len(page) < 100 {
				if n != 88 {
					w.Errorf("%d sessions go on; want the 88 that have not begun here", n)
				}
				break
			}
			after = page[len(page)-1].ID
		}
		w.in("the other login", kept)
	})
}

// Every check of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).
func TestBackChannelLogout_Refuses(t *testing.T) {
	changed := func(c claims) func(*world) string {
		return func(w *world) string { return w.provider.signTyped(w.provider.logoutClaims(c), "logout+jwt") }
	}
	at := func(name string, d time.Duration) func(*world) string {
		return func(w *world) string { return changed(claims{name: time.Now().Add(d).Unix()})(w) }
	}
	event := "http://schemas.openid.net/event/backchannel-logout"
	for name, token := range map[string]func(w *world) string{
		"nothing":     func(*world) string { return "" },
		"no JWT":      func(*world) string { return "x" },
		"unsigned":    func(w *world) string { return unsigned(w.T, w.provider.logoutClaims(nil)) },
		"another key": func(w *world) string { return newFakeProvider(w.T, issuer).sign(w.provider.logoutClaims(nil)) },
		"another key of the name": func(w *world) string {
			other := newFakeProvider(w.T, issuer)
			other.keyID = w.provider.keyID
			return other.sign(w.provider.logoutClaims(nil))
		},
		"the secret as the key": func(w *world) string {
			return signWith(w.T, jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret + secret)}, w.provider.logoutClaims(nil), "logout+jwt")
		},
		"the public key as the secret": func(w *world) string {
			return signWith(w.T, jose.SigningKey{Algorithm: jose.HS256, Key: must(json.Marshal(jose.JSONWebKey{Key: w.provider.key.Public()}))}, w.provider.logoutClaims(nil), "logout+jwt")
		},
		"changed claims": func(w *world) string {
			parts := strings.Split(changed(nil)(w), ".")
			parts[1] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(w.provider.logoutClaims(claims{"sid": "sid-2"}))))
			return strings.Join(parts, ".")
		},
		"a key in the token": func(w *world) string {
			other := newFakeProvider(w.T, issuer)
			signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: other.key}, &jose.SignerOptions{EmbedJWK: true}))
			return must(must(signer.Sign(must(json.Marshal(w.provider.logoutClaims(nil))))).CompactSerialize())
		},
		"another issuer":        changed(claims{"iss": "https://evil.test"}),
		"no issuer":             changed(claims{"iss": nil}),
		"another app's":         changed(claims{"aud": "their-app"}),
		"no audience":           changed(claims{"aud": nil}),
		"no iat":                changed(claims{"iat": nil}),
		"an old iat":            at("iat", -2*time.Minute-11*time.Second),
		"an iat of the future":  at("iat", 11*time.Second),
		"no exp":                changed(claims{"exp": nil}),
		"expired":               at("exp", -11*time.Second),
		"neither sub nor sid":   changed(claims{"sub": nil, "sid": nil}),
		"no events":             changed(claims{"events": nil}),
		"no logout event":       changed(claims{"events": claims{"http://schemas.openid.net/event/other": claims{}}}),
		"an event that is null": changed(claims{"events": claims{event: nil}}),
		"an event that is text": changed(claims{"events": claims{event: "logout"}}),
		"an event in a list":    changed(claims{"events": []any{event}}),
		"a nonce":               changed(claims{"nonce": "n"}),
		"an empty nonce":        changed(claims{"nonce": ""}),
		"no jti":                changed(claims{"jti": nil}),
		"an ID token":           func(w *world) string { return w.provider.sign(w.provider.usual(claims{"sid": "sid-1"})) },
		"an ID token with the event": func(w *world) string {
			return w.provider.sign(w.provider.usual(claims{"sid": "sid-1", "nonce": "n", "jti": "1", "events": claims{event: claims{}}}))
		},
		"an access token":              func(w *world) string { return w.provider.signTyped(w.provider.logoutClaims(nil), "at+jwt") },
		"a security event of the rest": func(w *world) string { return w.provider.signTyped(w.provider.logoutClaims(nil), "secevent+jwt") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				b := w.browser()
				w.provider.claims = claims{"sid": "sid-1"}
				w.session(b)
				w.errs = nil
				answer := w.logoutToken(token(w))
				body := string(must(io.ReadAll(answer.Body)))
				if answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"error":"invalid_request"`) || answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("Cache-Control") != "no-store" {
					w.Errorf("%d, %v, %s", answer.StatusCode, answer.Header, body)
				}
				if len(w.errs) != 1 || strings.Contains(w.errs[0].Error(), "eyJ") {
					w.Errorf("OnError was told %v", w.errs)
				}
				w.in("the user", b)
			})
		})
	}
}

// The edges of the times, with clocks that differ by up to the tolerance.
func TestBackChannelLogout_AcceptsUpToTheEdges(t *testing.T) {
	for name, change := range map[string]claims{
		"iat at its age":      {"iat": -2*time.Minute - 10*time.Second},
		"iat in the future":   {"iat": 10 * time.Second},
		"exp within the edge": {"exp": -9 * time.Second},
	} {
		inWorld(t, nil, func(w *world) {
			b := w.browser()
			w.provider.claims = claims{"sid": "sid-1"}
			w.session(b)
			time.Sleep(3 * time.Minute)
			c := claims{}
			for claim, d := range change {
				c[claim] = time.Now().Add(d.(time.Duration)).Unix()
			}
			if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(c))); answer.StatusCode != http.StatusOK {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			w.out(name, b)
		})
	}
}

// A session may begin and end within the second that iat names.
func TestBackChannelLogout_WithinTheSecondOfTheLogin(t *testing.T) {
	inWorld(t, func(cfg *oidc.Config) { cfg.ClockTolerance = time.Millisecond }, func(w *world) {
		time.Sleep(500 * time.Millisecond)
		b := w.browser()
		w.provider.claims = claims{"sid": "sid-1"}
		w.session(b)
		if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(nil))); answer.StatusCode != http.StatusOK {
			w.Errorf("%d; %v", answer.StatusCode, w.errs)
		}
		w.out("the session", b)
	})
}

// A token that is sent again ends no session that began after it.
func TestBackChannelLogout_AReplayEndsNothingNew(t *testing.T) {
	for name, change := range map[string]claims{"by sid": nil, "by subject": {"sid": nil}} {
		inWorld(t, nil, func(w *world) {
			w.provider.claims = claims{"sid": "sid-1"}
			old, fresh := w.browser(), w.browser()
			w.session(old)
			token := w.provider.sign(w.provider.logoutClaims(change))
			if answer := w.logoutToken(token); answer.StatusCode != http.StatusOK {
				w.Fatalf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			w.out("the old session", old)
			time.Sleep(11 * time.Second)
			w.session(fresh)
			if answer := w.logoutToken(token); answer.StatusCode != http.StatusOK {
				w.Errorf("%s, again: %d; %v", name, answer.StatusCode, w.errs)
			}
			w.in(name+": the new session", fresh)
			time.Sleep(2 * time.Minute)
			if answer := w.logoutToken(token); answer.StatusCode != http.StatusBadRequest {
				w.Errorf("%s, two minutes later: %d", name, answer.StatusCode)
			}
		})
	}
}

func TestBackChannelLogout_TakesAFormOnly(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		w.provider.claims = claims{"sid": "sid-1"}
		w.session(b)
		good := w.provider.sign(w.provider.logoutClaims(nil))
		form := "application/x-www-form-urlencoded"
		for name, c := range map[string]struct {
			method, contentType, body string
			status                    int
		}{
			"two tokens":       {"POST", form, "logout_token=" + good + "&logout_token=" + good, 400},
			"JSON":             {"POST", "application/json", `{"logout_token":"` + good + `"}`, 400},
			"a broken form":    {"POST", form, "logout_token=%zz", 400},
			"a form too large": {"POST", form, "x=" + strings.Repeat("x", 70_000) + "&logout_token=" + good, 400},
			"no body":          {"POST", form, "", 400},
			"PUT":              {"PUT", form, "logout_token=" + good, 405},
		} {
			if answer := w.postLogoutPublic(c.method, c.contentType, c.body); answer.StatusCode != c.status {
				w.Errorf("%s: %d; want %d", name, answer.StatusCode, c.status)
			}
		}
		r := httptest.NewRequest("POST", sessiontest.Origin+"/backchannel-logout/acme?logout_token="+good, nil)
		rec := httptest.NewRecorder()
		w.app.ServeHTTP(rec, r)
		if rec.Code != http.StatusBadRequest {
			w.Errorf("a token in the query: %d", rec.Code)
		}
		w.in("the user", b)
	})
}

// postLogoutPublic goes past the guard, which opens the route for POST alone.
func (w *world) postLogoutPublic(method, contentType, body string) *http.Response {
	r := httptest.NewRequest(method, sessiontest.Origin+"/backchannel-logout/acme", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	rec := httptest.NewRecorder()
	w.acme.BackChannelLogout(rec, r)
	return rec.Result()
}

// An outage is no success. What the sid names, Run ends when the store is back.
func TestBackChannelLogout_InAnOutage(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		run, stop := context.WithCancel(context.Background())
		defer func() { stop(); time.Sleep(time.Minute) }()
		go func() { _ = w.Sessions.Run(run) }()
		b, late := w.browser(), w.browser()
		w.provider.claims = claims{"sid": "sid-1"}
		w.session(b)
		w.Store.Fail(errors.New("connection refused"))
		answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(nil)))
		body := string(must(io.ReadAll(answer.Body)))
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "temporarily_unavailable") || strings.Contains(body, "refused") {
			w.Errorf("%d, %s", answer.StatusCode, body)
		}
		time.Sleep(11 * time.Second)
		w.Store.Fail(nil)
		time.Sleep(10 * time.Second)
		w.session(late)
		time.Sleep(10 * time.Second)
		w.out("the user", b)
		w.in("a later login", late)
	})
}

func TestBackChannelLogout_OfUsersAndTables(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*oidc.Config)
		claims claims
		status int
	}{
		"a subject that has no user":             {nil, claims{"sub": "gone", "sid": nil}, 200},
		"a sid that nobody has":                  {nil, claims{"sub": nil, "sid": "x"}, 200},
		"a table that does not answer":           {nil, claims{"sub": "down", "sid": nil}, 400},
		"no FindUser, and a sid":                 {func(cfg *oidc.Config) { cfg.FindUser = nil }, claims{"sid": "x"}, 200},
		"no FindUser, and no sid":                {func(cfg *oidc.Config) { cfg.FindUser = nil }, claims{"sid": nil}, 400},
		"an empty sid is none":                   {func(cfg *oidc.Config) { cfg.FindUser = nil }, claims{"sid": ""}, 400},
		"one of several audiences":               {nil, claims{"aud": []string{"x", clientID}, "sid": "x"}, 200},
		"a provider that is down from the start": {func(cfg *oidc.Config) { cfg.Client.Transport.(*fakeProvider).down = true }, nil, 400},
	} {
		inWorld(t, c.change, func(w *world) {
			other := w.browser()
			other.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1})
			if answer := w.logoutToken(w.provider.sign(w.provider.logoutClaims(c.claims))); answer.StatusCode != c.status {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			w.in(fmt.Sprintf("%s: a login by password", name), other)
		})
	}
}

func TestLogoutURL(t *testing.T) {
	end := issuer + "/logout?"
	back := sessiontest.Origin + "/bye"
	for name, c := range map[string]struct {
		change func(w *world)
		sid    any
		want   string
	}{
		"a session of the provider":     {nil, "sid-1", end + query("client_id", clientID, "logout_hint", "sid-1", "post_logout_redirect_uri", back)},
		"a session without sid":         {nil, nil, end + query("client_id", clientID, "post_logout_redirect_uri", back)},
		"a long sid, which is not kept": {nil, strings.Repeat("x", 65), end + query("client_id", clientID, "post_logout_redirect_uri", back)},
		"a provider without logout":     {func(w *world) { delete(w.provider.metadata, "end_session_endpoint") }, "sid-1", "/login"},
		"a logout that is no page":      {func(w *world) { w.provider.metadata["end_session_endpoint"] = "javascript:alert(1)" }, "sid-1", "/login"},
		"a logout without HTTPS":        {func(w *world) { w.provider.metadata["end_session_endpoint"] = "http://id.test/" }, "sid-1", "/login"},
		"a logout with a query":         {func(w *world) { w.provider.metadata["end_session_endpoint"] = issuer + "/?p=logout" }, "sid-1", issuer + "/?" + query("client_id", clientID, "logout_hint", "sid-1", "p", "logout", "post_logout_redirect_uri", back)},
	} {
		inWorld(t, nil, func(w *world) {
			if c.change != nil {
				c.change(w)
			}
			w.provider.claims = claims{"sid": c.sid}
			b := w.browser()
			w.session(b)
			b.ExpireAccess()
			answer := b.PostForm("/logout", nil)
			if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != c.want {
				w.Errorf("%s: %d to %s; want %s", name, answer.StatusCode, got, c.want)
			}
			w.out(name, b)
		})
	}

	inWorld(t, nil, func(w *world) {
		b := w.browser()
		b.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1, ExternalID: "another:sid-1"})
		if got := b.PostForm("/logout", nil).Header.Get("Location"); got != "/login" {
			w.Errorf("a session of another provider: %s", got)
		}
		if got := w.browser().PostForm("/logout", nil).Header.Get("Location"); got != "/login" {
			w.Errorf("no session: %s", got)
		}
		w.provider.down = true
		w.session2(b)
	})
}

// session2 gives a browser a session of the provider while that is down.
func (w *world) session2(b *sessiontest.Browser) {
	b.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1, ExternalID: must(oidc.New(w.Sessions, w.config(w.provider, "acme"))).ExternalIDOf("sid-1")})
	if got := b.PostForm("/logout", nil).Header.Get("Location"); got != "/login" {
		w.Errorf("a provider that is down: %s", got)
	}
}
