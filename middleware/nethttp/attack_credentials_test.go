package nethttp_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

func rightPassword(_ context.Context, user, password string) (session.Login, error) {
	if password != "right" {
		return session.Login{}, fmt.Errorf("%w: wrong password", session.ErrUnauthenticated)
	}
	return session.Login{UserID: user}, nil
}

const adaBasic = "Basic YWRhOnJpZ2h0"

// A handler may let shared caches keep an answer. The cache must not give it to a
// request without credentials: that the answer has no cookies is no reason.
func TestCredentials_CachedAnswerVariesByAuthorization(t *testing.T) {
	inApp(t, nethttp.Config{Credentials: nethttp.BasicAuth(rightPassword)}, func(a *app) {
		a.handle("GET /report", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			who(w, r)
		})
		for i := range 2 {
			h := a.client(fetch).Send("GET", "/report", "", "Authorization", adaBasic).Header()
			kept := !strings.Contains(h.Get("Cache-Control"), "no-store")
			if vary := strings.Join(h["Vary"], ","); kept && !strings.Contains(vary, "Authorization") {
				t.Errorf("request %d: Cache-Control %q, Vary %q: a shared cache gives ada's page to anybody without cookies", i+1, h.Get("Cache-Control"), vary)
			}
		}
	})
}

// The credentials of each request are verified, so the login is never too old.
func TestCredentials_AlwaysCountAsARecentLogin(t *testing.T) {
	inApp(t, nethttp.Config{Credentials: nethttp.BasicAuth(rightPassword)}, func(a *app) {
		a.handle("GET /key", who, a.guard.RequireRecentLogin(30*time.Second))
		refused := 0
		for range 24 {
			if rec := a.client(fetch).Send("GET", "/key", "", "Authorization", adaBasic); rec.Code != 200 {
				refused++
			}
			time.Sleep(10 * time.Second)
		}
		if refused > 0 {
			t.Errorf("%d of 24 requests with right credentials were refused as an old login", refused)
		}
	})
}

// Tricks with the header must not let one user be answered with another's session.
func TestCredentials_HeaderTricksMixNoUsers(t *testing.T) {
	inApp(t, nethttp.Config{Credentials: nethttp.BasicAuth(rightPassword)}, func(a *app) {
		grace := "Basic Z3JhY2U6cmlnaHQ="
		tried := 0
		for range 3 {
			for _, c := range []struct {
				lines []string
				want  string
			}{
				{[]string{adaBasic}, "ada"}, {[]string{grace}, "grace"},
				{[]string{adaBasic, grace}, "ada"}, {[]string{grace, adaBasic}, "grace"},
				{[]string{"basic YWRhOnJpZ2h0"}, "ada"}, {[]string{"BASIC Z3JhY2U6cmlnaHQ="}, "grace"},
				{[]string{" " + adaBasic}, ""}, {[]string{adaBasic + " "}, ""}, {[]string{adaBasic + ", " + grace}, ""},
				{[]string{"", adaBasic}, ""}, {[]string{"Bearer x", adaBasic}, ""},
				{[]string{"Basic YWRhOndyb25n", adaBasic}, ""},
			} {
				req, _ := http.NewRequest("GET", "https://app.test/account", nil)
				req.Header["Authorization"] = c.lines
				req.Header.Set("Sec-Fetch-Mode", "cors")
				rec := serve(a.handler, req)
				tried++
				if got := rec.Body.String(); (c.want != "" && got != c.want) || (c.want == "" && rec.Code == 200) {
					t.Errorf("%q: %d %q; want %q", c.lines, rec.Code, got, c.want)
				}
			}
		}
		t.Logf("%d requests", tried)
	})
}
