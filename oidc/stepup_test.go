package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
)

// RequireRecentLogin sends the user to the login page, and that to the provider, which asks
// for the password again.
func TestStepUp_ByANewLogin(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.provider.authTime = time.Now().Add(-time.Hour)
		b := w.browser()
		before := w.session(b)
		answer := get(b, "/password")
		if to := answer.Header.Get("Location"); to != "/login?next=%2Fpassword&reauth=1" {
			w.Fatalf("with a login of an hour ago: %d to %q", answer.StatusCode, to)
		}
		to := w.begin(b, "/login/acme?next=%2Fpassword&reauth=1")
		if q := must(url.Parse(to)).Query(); q.Get("max_age") != "0" || q.Get("prompt") != "login" {
			w.Errorf("the request for a login is %v", q)
		}
		if answer := comeBack(b, w.provider.visit(to)); answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/password" {
			w.Fatalf("the callback: %d, %v; %v", answer.StatusCode, answer.Header, w.errs)
		}
		if got := get(b, "/password").StatusCode; got != http.StatusOK {
			w.Errorf("after a new login: %d", got)
		}
		if after := w.sessionOf(b); after.ID == before.ID {
			w.Error("the session is the old one: a copy of its refresh cookie is as good as a new login")
		}
	})
}

// The provider may ignore max_age and prompt. Then nobody has proved anything.
func TestStepUp_RefusesAnOldLogin(t *testing.T) {
	for name, c := range map[string]struct {
		authTime any
		ok       bool
	}{
		"no auth_time":                      {nil, false},
		"a login of an hour ago":            {-time.Hour, false},
		"a second beyond the tolerance":     {-11 * time.Second, false},
		"the clocks differ":                 {-10 * time.Second, true},
		"the provider's clock is ahead":     {10 * time.Second, true},
		"a login of the beginning of times": {time.Duration(0) - 1000000*time.Hour, false},
	} {
		inWorld(t, nil, func(w *world) {
			if d, ok := c.authTime.(time.Duration); ok {
				w.provider.claims = claims{"auth_time": time.Now().Add(d).Unix()}
			}
			b := w.browser()
			b.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1, AuthTime: time.Now().Add(-time.Hour)})
			answer := w.login(b, "/login/acme?next=%2Fpassword&reauth=1")
			if c.ok {
				if got := get(b, "/password").StatusCode; got != http.StatusOK {
					w.Errorf("%s: %d", name, got)
				}
				return
			}
			if answer.StatusCode != http.StatusForbidden || !errors.Is(w.errs[0], oidc.ErrNotConfirmed) {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
			if s := w.sessionOf(b); s.LoggedInWithin(5 * time.Minute) {
				w.Errorf("%s: the session has the login of %v", name, s.AuthTime)
			}
		})
	}
}

// Without auth_time nobody knows when the user has proved anything: the provider may have
// remembered them for a month.
func TestLogin_WithoutAuthTimeIsNotRecent(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		b := w.browser()
		if s := w.session(b); !s.AuthTime.Equal(oidc.UnknownAuthTime) {
			w.Errorf("AuthTime is %v", s.AuthTime)
		}
		if got := get(b, "/password").StatusCode; got != http.StatusSeeOther {
			w.Errorf("/password: %d", got)
		}
		w.in("the user", b)
	})
}

func TestStepUp_ByAMethod(t *testing.T) {
	for name, c := range map[string]struct {
		claims claims
		ok     bool
	}{
		"amr":                     {claims{"amr": []string{"pwd", "otp"}}, true},
		"acr":                     {claims{"acr": "urn:mfa"}, true},
		"another acr":             {claims{"acr": "urn:low"}, false},
		"another method":          {claims{"amr": []string{"pwd"}}, false},
		"nothing":                 {claims{}, false},
		"the method after others": {claims{"amr": slices.Repeat([]string{"x"}, 500), "acr": "urn:mfa"}, true},
	} {
		inWorld(t, nil, func(w *world) {
			w.provider.authTime = time.Now()
			b := w.browser()
			b.Login(w.T, w.Sessions, session.Login{UserID: "1", Epoch: 1})
			answer := get(b, "/vault")
			if to := answer.Header.Get("Location"); to != "/login?method=otp&next=%2Fvault&reauth=1" {
				w.Fatalf("without the method: %d to %q", answer.StatusCode, to)
			}
			to := w.begin(b, "/login/acme?method=otp&next=%2Fvault&reauth=1")
			if q := must(url.Parse(to)).Query(); q.Get("acr_values") != "urn:mfa" || q.Get("prompt") != "login" {
				w.Errorf("the request for a login is %v", q)
			}
			w.provider.claims = c.claims
			answer = comeBack(b, w.provider.visit(to))
			if got := get(b, "/vault").StatusCode; (got == http.StatusOK) != c.ok {
				w.Errorf("%s: the vault: %d", name, got)
			}
			if !c.ok && (answer.StatusCode != http.StatusForbidden || !errors.Is(w.errs[0], oidc.ErrNotConfirmed)) {
				w.Errorf("%s: %d; %v", name, answer.StatusCode, w.errs)
			}
		})
	}
}

// A link to Begin may name anything.
func TestBegin_BoundsTheMethods(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		answer := get(w.browser(), "/login/acme?"+query("method", "a,,b c,d\x00,otp,otp,otp,otp,otp,otp,otp,"+string(make([]byte, 5000))))
		if answer.StatusCode != http.StatusSeeOther || len(answer.Header.Get("Location")) > 1000 || len(answer.Cookies()[0].Value) > 1000 {
			w.Errorf("%d, %v", answer.StatusCode, answer.Header)
		}
	})
}

// What does not fit into a session is left out: a login must not fail for it, and no right
// comes from it.
func TestLogin_BoundsTheMethodsAndTheSid(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var amr []string
		for range 100 {
			amr = append(amr, string(append([]byte("method-"), byte('a'+len(amr)%26), byte('a'+len(amr)/26))))
		}
		sid := string(slices.Repeat([]byte("s"), 5000))
		w.provider.claims = claims{"amr": amr, "sid": sid}
		b := w.browser()
		s := w.session(b)
		if n := len(s.Methods); n < 20 || n > 30 || s.Methods[0] != "fed" || s.Methods[1] != "method-aa" {
			w.Errorf("%d methods: %q", n, s.Methods)
		}
		if len(s.ExternalID) > 70 {
			w.Errorf("ExternalID has %d bytes", len(s.ExternalID))
		}
		if answer := w.logoutToken(w.provider.signTyped(w.provider.logoutClaims(claims{"sid": sid}), "logout+jwt")); answer.StatusCode != http.StatusOK {
			w.Errorf("the logout: %d; %v", answer.StatusCode, w.errs)
		}
		w.out("the user", b)
	})
}
