package oidc_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func goodConfig() oidc.Config {
	return oidc.Config{
		Issuer: "https://id.test", ClientID: "our-app", ClientSecret: "secret-of-ours", RedirectURL: "https://app.test/callback",
		User: func(context.Context, oidc.Identity) (session.Login, error) { return session.Login{}, nil },
	}
}

// Each fault stops the start, and all are named at once.
func TestNew_NamesEveryFault(t *testing.T) {
	sessions := sessiontest.New(t, session.Config{}, nil).Sessions
	for name, c := range map[string]struct {
		change func(*oidc.Config)
		want   string // of the error; empty: there is none
	}{
		"a good one":                  {func(*oidc.Config) {}, ""},
		"a public client":             {func(c *oidc.Config) { c.ClientSecret = "" }, ""},
		"loopback without TLS":        {func(c *oidc.Config) { c.Issuer, c.RedirectURL = "http://127.0.0.1:9000", "http://[::1]:8080/callback" }, ""},
		"localhost":                   {func(c *oidc.Config) { c.Issuer = "http://localhost:9000/realms/x" }, ""},
		"programs alone":              {func(c *oidc.Config) { c.RedirectURL = "" }, ""},
		"a tolerance of a minute":     {func(c *oidc.Config) { c.ClockTolerance = time.Minute }, ""},
		"no issuer":                   {func(c *oidc.Config) { c.Issuer = "" }, "Config.Issuer"},
		"an issuer without TLS":       {func(c *oidc.Config) { c.Issuer = "http://id.test" }, "Config.Issuer"},
		"an issuer of another scheme": {func(c *oidc.Config) { c.Issuer = "ftp://id.test" }, "Config.Issuer"},
		"a host like loopback":        {func(c *oidc.Config) { c.Issuer = "http://localhost.evil.test" }, "Config.Issuer"},
		"an issuer with a user":       {func(c *oidc.Config) { c.Issuer = "https://a:b@id.test" }, "Config.Issuer"},
		"an issuer with a fragment":   {func(c *oidc.Config) { c.Issuer = "https://id.test/#x" }, "Config.Issuer"},
		"the URL of the description":  {func(c *oidc.Config) { c.Issuer = "https://id.test/.well-known/openid-configuration" }, "leave out"},
		"a home of its own":           {func(c *oidc.Config) { c.HomePath = "/app/" }, ""},
		"a home that is no path":      {func(c *oidc.Config) { c.HomePath = "app" }, "Config.HomePath"},
		"a home on another site":      {func(c *oidc.Config) { c.HomePath = "//evil.test/" }, "Config.HomePath"},
		"a home that browsers turn":   {func(c *oidc.Config) { c.HomePath = `/\evil.test/` }, "Config.HomePath"},
		"no client":                   {func(c *oidc.Config) { c.ClientID = "" }, "Config.ClientID"},
		"a path as the redirect":      {func(c *oidc.Config) { c.RedirectURL = "/callback" }, "Config.RedirectURL"},
		"a redirect without TLS":      {func(c *oidc.Config) { c.RedirectURL = "http://app.test/callback" }, "Config.RedirectURL"},
		"a path as the logout's page": {func(c *oidc.Config) { c.LogoutReturnURL = "/bye" }, "Config.LogoutReturnURL"},
		"no User":                     {func(c *oidc.Config) { c.User = nil }, "Config.User"},
		"a method that is none":       {func(c *oidc.Config) { c.ACR = map[string]string{"two words": "x"} }, "Config.ACR"},
		"no acr":                      {func(c *oidc.Config) { c.ACR = map[string]string{"otp": ""} }, "Config.ACR"},
		"a tolerance below zero":      {func(c *oidc.Config) { c.ClockTolerance = -1 }, "Config.ClockTolerance"},
		"a tolerance beyond a minute": {func(c *oidc.Config) { c.ClockTolerance = time.Minute + 1 }, "Config.ClockTolerance"},
	} {
		cfg := goodConfig()
		c.change(&cfg)
		_, err := oidc.New(sessions, cfg)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), cfg.ClientSecret) && cfg.ClientSecret != "" {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	_, err := oidc.New(nil, oidc.Config{})
	for _, want := range []string{"session.Manager", "Config.Issuer", "Config.ClientID", "Config.User"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %s: %v", want, err)
		}
	}
}

// Without RedirectURL no browser can log in, and a page says so.
func TestBegin_WithoutRedirectURL(t *testing.T) {
	inWorld(t, func(cfg *oidc.Config) { cfg.RedirectURL = "" }, func(w *world) {
		rec := httptest.NewRecorder()
		if err := w.acme.Begin(rec, httptest.NewRequest("GET", "/login/acme", nil)); err == nil || len(rec.Result().Cookies()) != 0 {
			w.Errorf("%v, %v", err, rec.Result())
		}
	})
}

// An Identity may end up in a log.
func TestIdentity_ShowsNoToken(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.session(w.browser())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, w.who); strings.Contains(text, "access-token-of-the-provider") || !strings.Contains(text, "f7a1") {
				w.Errorf("%s: %s", verb, text)
			}
		}
	})
}
