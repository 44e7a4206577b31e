package recipes

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// addProvider adds the login with a provider to an app with echo.
func addProvider(e *echo.Echo, guard *sessionmw.Guard, acme *oidc.Provider) {
	e.GET("/login/acme", func(c echo.Context) error {
		if err := acme.Begin(c.Response(), c.Request()); err != nil {
			return guard.WriteError(c, err)
		}
		return nil
	})
	e.GET("/callback/acme", func(c echo.Context) error {
		login, err := acme.Finish(c.Response(), c.Request())
		if err == nil {
			err = guard.Issue(c, login)
		}
		if err != nil {
			return guard.WriteError(c, err)
		}
		return c.Redirect(http.StatusSeeOther, guard.ReturnTo(c, "/"))
	})
	e.POST("/backchannel-logout/acme", echo.WrapHandler(http.HandlerFunc(acme.BackChannelLogout)))
}

// The provider of this test does not answer: what echo makes of the errors is at stake. test/oidc
// logs in with real ones.
func TestOIDC_WithEcho(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"1": {}})
	down := httptest.NewServer(nil)
	down.Close()
	acme, err := oidc.New(kit.Sessions, oidc.Config{
		Issuer: down.URL, ClientID: "our-app", RedirectURL: "https://app.test/callback/acme", User: nobody,
	})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := sessionmw.New(kit.Sessions, sessionmw.Config{Public: []string{"/login/acme", "/callback/acme", "/backchannel-logout/acme"}, LogoutURL: acme.LogoutURL})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.Use(guard.Protect)
	addProvider(e, guard, acme)
	b := sessiontest.NewBrowser(e)
	for page, want := range map[string]int{"/login/acme": 503, "/callback/acme?state=x&code=y": 400} {
		answer := b.Get(page)
		if answer.StatusCode != want || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d, %v; want %d and a page", page, answer.StatusCode, answer.Header, want)
		}
	}
	if answer := b.PostForm("/backchannel-logout/acme", nil); answer.StatusCode != 400 {
		t.Errorf("the logout: %d", answer.StatusCode)
	}
}

func nobody(context.Context, oidc.Identity) (session.Login, error) {
	return session.Login{}, session.ErrUnauthenticated
}
