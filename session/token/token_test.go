package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/token"
)

const tokenTTL = 10 * time.Minute

// world is an app with endpoints. Its clients are cli, which has no secret, partner, whose
// secret is "a+b", and lesser, which may do nothing.
type world struct {
	*testing.T
	users    *store.Memory
	store    *sessiontest.Store
	sessions *session.Manager
	server   *token.Server
	failures []error
}

func verify(_ context.Context, id, secret string) error {
	switch {
	case id == "cli" && secret == "", id == "partner" && secret == "a+b":
		return nil
	case id == "lesser":
		return token.ErrUnauthorizedClient
	case id == "unknowable":
		return errors.New("no directory")
	case id == "gone": // a mistake: that error is for users
		return session.ErrUnauthenticated
	}
	return token.ErrInvalidClient
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(3 * time.Second) // a probe may wait for the store until then
		w := &world{T: t, users: store.NewMemory()}
		w.users.SetUser("ada", store.User{Roles: []string{"staff"}})
		w.store = sessiontest.NewStore(w.users)
		keys, err := session.ParseKeys(session.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		if w.sessions, err = session.New(keys, w.store, session.Config{TokenTTL: tokenTTL}); err != nil {
			t.Fatal(err)
		}
		w.server, err = token.New(w.sessions.Tokens(), token.Config{
			Client:          token.SecretAuth(verify),
			Service:         token.SecretAuth(verify),
			VerificationURI: "https://app.test/device",
			OnError:         func(_ *http.Request, err error) { w.failures = append(w.failures, err) },
		})
		if err != nil {
			t.Fatal(err)
		}
		test(w)
	})
}

// login returns the tokens of a new session of ada's, whose client is cli.
func (w *world) login() session.Grant {
	w.Helper()
	g, err := w.sessions.Tokens().Issue(httptest.NewRequest("POST", "/", nil), session.Login{UserID: "ada", Client: "cli", Methods: []string{"pwd"}})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// answer is what a client receives.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// text returns a member of the body.
func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// post sends a form to an endpoint, of the client cli if the form names none.
func (w *world) post(endpoint http.HandlerFunc, form string, headers ...string) answer {
	w.Helper()
	if !strings.Contains(form, "client_id") && len(headers) == 0 {
		form += "&client_id=cli"
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	endpoint(rec, r)
	a := answer{rec.Code, rec.Header(), nil}
	if rec.Body.Len() > 0 && rec.Header().Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
			w.Fatalf("%s: %v", rec.Body, err)
		}
		if rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("Pragma") != "no-cache" {
			w.Errorf("an answer for caches: %v", rec.Header())
		}
	}
	return a
}

func refreshForm(refresh string) string {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}.Encode()
}

func TestServer_RefreshAnswersAsRFC6749Says(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.login()
		for range 3 {
			time.Sleep(tokenTTL)
			a := w.post(w.server.Token, refreshForm(g.RefreshToken)+"&scope=anything")
			lifetime, _ := a.body["expires_in"].(float64)
			if a.status != 200 || a.text("token_type") != "Bearer" || lifetime < 540 || lifetime > 600 || a.text("refresh_token") == g.RefreshToken {
				t.Fatalf("%+v", a)
			}
			g.AccessToken, g.RefreshToken = a.text("access_token"), a.text("refresh_token")
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+g.AccessToken)
			if _, err := w.sessions.Authenticate(r); err != nil {
				t.Error(err)
			}
		}
		// A young refresh token stays the client's (RFC 6749, section 6).
		if a := w.post(w.server.Token, refreshForm(g.RefreshToken)); a.status != 200 || a.text("access_token") == "" || a.body["refresh_token"] != nil {
			t.Errorf("at once again: %+v; want no refresh token", a)
		}
	})
}

func TestServer_ErrorsAreThoseOfTheRFCs(t *testing.T) {
	inWorld(t, func(w *world) {
		good := w.login().RefreshToken
		gone := w.login()
		if err := w.sessions.Revoke(t.Context(), "ada", gone.Session.ID); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name     string
			endpoint http.HandlerFunc
			form     string
			headers  []string
			status   int
			code     string
		}{
			{"no grant type", w.server.Token, "", nil, 400, "invalid_request"},
			{"an empty one", w.server.Token, "grant_type=", nil, 400, "invalid_request"},
			{"no refresh token", w.server.Token, "grant_type=refresh_token", nil, 400, "invalid_request"},
			{"no device code", w.server.Token, "grant_type=urn:ietf:params:oauth:grant-type:device_code", nil, 400, "invalid_request"},
			{"a parameter twice", w.server.Token, refreshForm(good) + "&grant_type=refresh_token", nil, 400, "invalid_request"},
			{"too much", w.server.Token, strings.Repeat("x", 65<<10), nil, 400, "invalid_request"},
			{"no form", w.server.Token, "%zz", nil, 400, "invalid_request"},
			{"two ways to prove it", w.server.Token, refreshForm(good) + "&client_secret=x", []string{"Authorization", "Basic cGFydG5lcjphJTJCYg=="}, 400, "invalid_request"},
			{"two clients", w.server.Token, refreshForm(good) + "&client_id=cli", []string{"Authorization", "Basic cGFydG5lcjphJTJCYg=="}, 400, "invalid_request"},
			{"an unknown grant type", w.server.Token, "grant_type=password", nil, 400, "unsupported_grant_type"},
			{"an unknown token", w.server.Token, refreshForm("skrt_x"), nil, 400, "invalid_grant"},
			{"an access token", w.server.Token, refreshForm(w.login().AccessToken), nil, 400, "invalid_grant"},
			{"another client's", w.server.Token, refreshForm(good), []string{"Authorization", "Basic cGFydG5lcjphJTJCYg=="}, 400, "invalid_grant"},
			{"of a session that is over", w.server.Token, refreshForm(gone.RefreshToken), nil, 400, "invalid_grant"},
			{"an unknown device code", w.server.Token, "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=skdc_x", nil, 400, "invalid_grant"},
			{"no client", w.server.Token, refreshForm(good) + "&client_id=", nil, 401, "invalid_client"},
			{"an unknown client", w.server.Token, refreshForm(good) + "&client_id=who", nil, 401, "invalid_client"},
			{"a wrong secret", w.server.Token, refreshForm(good), []string{"Authorization", "Basic cGFydG5lcjp4"}, 401, "invalid_client"},
			{"a secret for a client without one", w.server.Token, refreshForm(good) + "&client_id=cli&client_secret=x", nil, 401, "invalid_client"},
			{"a client who may not", w.server.Token, refreshForm(good) + "&client_id=lesser", nil, 400, "unauthorized_client"},
			{"a client of which nobody knows", w.server.Token, refreshForm(good) + "&client_id=unknowable", nil, 503, "temporarily_unavailable"},
			{"an error that is for users", w.server.Token, refreshForm(good) + "&client_id=gone", nil, 503, "temporarily_unavailable"},
			{"to revoke nothing", w.server.Revoke, "", nil, 400, "invalid_request"},
			{"to revoke another client's", w.server.Revoke, "token=" + url.QueryEscape(good), []string{"Authorization", "Basic cGFydG5lcjphJTJCYg=="}, 400, "invalid_grant"},
			{"to revoke as nobody", w.server.Revoke, "token=x&client_id=who", nil, 401, "invalid_client"},
			{"to introspect nothing", w.server.Introspect, "", nil, 400, "invalid_request"},
			{"to introspect as nobody", w.server.Introspect, "token=x&client_id=who", nil, 401, "invalid_client"},
			{"a device of nobody", w.server.Device, "client_id=who", nil, 401, "invalid_client"},
		} {
			a := w.post(c.endpoint, c.form, c.headers...)
			if a.status != c.status || a.text("error") != c.code || a.text("error_description") == "" {
				t.Errorf("%s: %d %v; want %d %q", c.name, a.status, a.body, c.status, c.code)
			}
			if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != (c.status == 401 && len(c.headers) > 0) {
				t.Errorf("%s: WWW-Authenticate is %q", c.name, challenge)
			}
			if retry := a.header.Get("Retry-After"); (retry != "") != (c.status == 503) {
				t.Errorf("%s: Retry-After is %q", c.name, retry)
			}
		}
		if len(w.failures) != 2 || !strings.Contains(w.failures[0].Error(), "no directory") {
			t.Errorf("OnError was told of %v; want the client of which nobody knows", w.failures)
		}
		// Nothing of this has cost the session anything.
		time.Sleep(tokenTTL)
		if a := w.post(w.server.Token, refreshForm(good)); a.status != 200 {
			t.Errorf("afterwards: %+v", a)
		}
	})
}

// The store's trouble is a 503, after which the client tries again with the same token.
func TestServer_StoreErrorIsNeverALogout(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.login()
		time.Sleep(tokenTTL)
		w.store.Fail(errors.New("connection refused"))
		for name, a := range map[string]answer{
			"Token":      w.post(w.server.Token, refreshForm(g.RefreshToken)),
			"Revoke":     w.post(w.server.Revoke, "token="+url.QueryEscape(g.RefreshToken)),
			"Introspect": w.post(w.server.Introspect, "token="+url.QueryEscape(g.RefreshToken)),
		} {
			if a.status != 503 || a.text("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: %+v; want 503 with Retry-After", name, a)
			}
		}
		if len(w.failures) != 3 {
			t.Errorf("OnError was told of %d failures; want 3", len(w.failures))
		}
	})
}

func TestServer_OnlyPOSTIsAllowed(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, endpoint := range []http.HandlerFunc{w.server.Token, w.server.Revoke, w.server.Introspect, w.server.Device} {
			rec := httptest.NewRecorder()
			endpoint(rec, httptest.NewRequest("GET", "/?grant_type=refresh_token&client_id=cli", nil))
			if rec.Code != 405 || rec.Header().Get("Allow") != "POST" {
				t.Errorf("%d, Allow %q; want 405 and POST", rec.Code, rec.Header().Get("Allow"))
			}
		}
	})
}

// Either token ends the session, and a token that is unknown is no error (RFC 7009, section
// 2.2).
func TestServer_RevocationAnswersAsRFC7009Says(t *testing.T) {
	inWorld(t, func(w *world) {
		for name, of := range map[string]func(g session.Grant) string{
			"access":  func(g session.Grant) string { return g.AccessToken },
			"refresh": func(g session.Grant) string { return g.RefreshToken },
			"unknown": func(session.Grant) string { return "skrt_x" },
		} {
			g := w.login()
			for range 2 {
				if a := w.post(w.server.Revoke, "token_type_hint=access_token&token="+url.QueryEscape(of(g))); a.status != 200 || len(a.body) > 0 {
					t.Errorf("%s: %+v; want 200 and no body", name, a)
				}
			}
			time.Sleep(tokenTTL)
			want := map[bool]int{true: 200, false: 400}[name == "unknown"]
			if a := w.post(w.server.Token, refreshForm(g.RefreshToken)); a.status != want {
				t.Errorf("%s: a refresh afterwards: %+v; want %d", name, a, want)
			}
		}
	})
}

func TestServer_IntrospectionAnswersAsRFC7662Says(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.login()
		form := "client_id=partner&client_secret=a%2Bb&token="
		for _, value := range []string{g.AccessToken, g.RefreshToken} {
			a := w.post(w.server.Introspect, form+url.QueryEscape(value))
			roles, _ := a.body["roles"].([]any)
			if a.status != 200 || a.body["active"] != true || a.text("sub") != "ada" || a.text("client_id") != "cli" || a.text("sid") != g.Session.ID || !slices.Equal(roles, []any{"staff"}) {
				t.Errorf("%+v; want what the row says", a)
			}
		}
		if err := w.sessions.RevokeUser(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{g.AccessToken, g.RefreshToken, "x"} {
			if a := w.post(w.server.Introspect, form+url.QueryEscape(value)); a.status != 200 || len(a.body) != 1 || a.body["active"] != false {
				t.Errorf("%+v; want active: false and no more", a)
			}
		}
	})
}

// Without Config.Service nobody may introspect.
func TestServer_IntrospectionNeedsAService(t *testing.T) {
	inWorld(t, func(w *world) {
		server, err := token.New(w.sessions.Tokens(), token.Config{Client: token.SecretAuth(verify)})
		if err != nil {
			t.Fatal(err)
		}
		if a := w.post(server.Introspect, "token="+url.QueryEscape(w.login().AccessToken)); a.status != 401 {
			t.Errorf("%+v; want 401", a)
		}
	})
}

func TestNew_NamesEveryFault(t *testing.T) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(keys, store.NewMemory(), session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.New(sessions.Tokens(), token.Config{VerificationURI: "/device"}); err == nil || !strings.Contains(err.Error(), "TokenTTL") || !strings.Contains(err.Error(), "Config.Client") || !strings.Contains(err.Error(), "whole URL") {
		t.Errorf("%v; want TokenTTL, Config.Client and VerificationURI", err)
	}
	if _, err := token.New(session.Tokens{}, token.Config{}); err == nil || !strings.Contains(err.Error(), "Manager.Tokens") {
		t.Errorf("%v; want Manager.Tokens", err)
	}
}

// Clients such as golang.org/x/oauth2 take 0 for a token that never expires.
func TestWrite_NeverSaysThatATokenLivesForNoTime(t *testing.T) {
	for life, want := range map[time.Duration]string{0: "1}", time.Millisecond: "1}", 1999 * time.Millisecond: "1}", 2 * time.Second: "2}"} {
		rec := httptest.NewRecorder()
		if err := token.Write(rec, session.Grant{ExpiresIn: life}); err != nil || !strings.Contains(rec.Body.String(), `"expires_in":`+want) {
			t.Errorf("%v: %s, %v", life, rec.Body, err)
		}
	}
}

// An error of the app's own login of a client.
func TestWriteError_HidesTheCause(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{session.ErrUserDisabled, 400, "invalid_grant"},
		{session.ErrTooLarge, 500, "server_error"},
		{errors.New("a secret"), 500, "server_error"},
		{session.ErrStoreUnavailable, 503, "temporarily_unavailable"},
	} {
		rec := httptest.NewRecorder()
		if err := token.WriteError(rec, c.err); err != nil {
			t.Fatal(err)
		}
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.code) || strings.Contains(rec.Body.String(), "a secret") {
			t.Errorf("%v: %d %s; want %d %s", c.err, rec.Code, rec.Body, c.status, c.code)
		}
	}
}

// A device logs in as RFC 8628 says: pending, slow down, approved, denied, expired.
func TestServer_DeviceLogsIn(t *testing.T) {
	inWorld(t, func(w *world) {
		begin := func() (code, userCode string) {
			a := w.post(w.server.Device, "scope=anything")
			code, userCode = a.text("device_code"), a.text("user_code")
			if a.status != 200 || code == "" || a.text("verification_uri") != "https://app.test/device" || a.body["expires_in"] != 600.0 || a.body["interval"] != 5.0 {
				t.Fatalf("%+v", a)
			}
			if want := "https://app.test/device?user_code=" + userCode; a.text("verification_uri_complete") != want {
				t.Errorf("verification_uri_complete is %q; want %q", a.text("verification_uri_complete"), want)
			}
			return code, userCode
		}
		poll := func(code string, after time.Duration) answer {
			time.Sleep(after)
			return w.post(w.server.Token, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}}.Encode())
		}
		want := func(what string, a answer, status int, code string) {
			t.Helper()
			if a.status != status || a.text("error") != code {
				t.Errorf("%s: %+v; want %d %q", what, a, status, code)
			}
		}
		b := sessiontest.NewBrowser(nil)
		b.Login(t, w.sessions, session.Login{UserID: "ada"})
		user := func() *http.Request { return b.NewRequest("POST", "/device", nil) }

		code, userCode := begin()
		want("at first", poll(code, 5*time.Second), 400, "authorization_pending")
		want("too soon", poll(code, 2*time.Second), 400, "slow_down")
		if err := w.sessions.Tokens().ApproveDevice(user(), userCode, session.Login{UserID: "ada"}); err != nil {
			t.Fatal(err)
		}
		a := poll(code, 10*time.Second)
		want("approved", a, 200, "")
		if a.text("access_token") == "" || a.text("refresh_token") == "" {
			t.Errorf("the tokens are %v", a.body)
		}

		code, userCode = begin()
		if err := w.sessions.Tokens().DenyDevice(user(), userCode); err != nil {
			t.Fatal(err)
		}
		want("denied", poll(code, 5*time.Second), 400, "access_denied")

		code, _ = begin()
		want("expired", poll(code, 10*time.Minute), 400, "expired_token")

		for range 50 {
			w.post(w.server.Device, "")
		}
		full := w.post(w.server.Device, "")
		if want("too many of one network", full, 429, "temporarily_unavailable"); full.header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	})
}

func TestServer_DeviceNeedsAPage(t *testing.T) {
	inWorld(t, func(w *world) {
		for uri, want := range map[string]string{"": "", "https://app.test/?p=device": "https://app.test/?p=device&user_code="} {
			server, err := token.New(w.sessions.Tokens(), token.Config{Client: token.SecretAuth(verify), VerificationURI: uri})
			if err != nil {
				t.Fatal(err)
			}
			if a := w.post(server.Device, ""); (a.status == 200) != (uri != "") || !strings.HasPrefix(a.text("verification_uri_complete"), want) {
				t.Errorf("VerificationURI %q: %+v", uri, a)
			}
		}
	})
}
