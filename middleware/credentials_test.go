package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

func TestCredentialsInTheRequestStandInForCookies(t *testing.T) {
	verified := 0
	verify := func(_ context.Context, user, password string) (session.Login, error) {
		verified++
		switch password {
		case "right":
			return session.Login{UserID: user}, nil
		case "unknown":
			return session.Login{}, errors.New("the directory does not answer")
		}
		return session.Login{}, fmt.Errorf("%w: wrong password", session.ErrUnauthenticated)
	}
	inApp(t, middleware.Config{Credentials: middleware.BasicAuth(verify)}, func(a *app) {
		a.users.SetUser("gone", session.User{Disabled: true})
		for _, c := range []struct {
			userinfo, path string
			status         int
			cookies        string
		}{
			{"YWRhOnJpZ2h0", "/account", 200, "set"},   // ada:right
			{"YWRhOndyb25n", "/account", 401, ""},      // ada:wrong
			{"YWRhOnVua25vd24=", "/account", 503, ""},  // ada:unknown
			{"Z29uZTpyaWdodA==", "/account", 403, ""},  // gone:right
			{"YWRhOnJpZ2h0", "/admin", 403, "set"},     // ada, who is no admin
			{"Z3JhY2U6cmlnaHQ=", "/admin", 200, "set"}, // grace:right
			{"YWRhOnJpZ2h0", "/", 200, ""},             // nobody needs to be asked
			{"!", "/account", 401, ""},
		} {
			rec := a.client(fetch).do("GET", c.path, "", "Authorization", "Basic "+c.userinfo)
			if rec.Code != c.status || cookiesOf(rec.Result().Cookies()) != c.cookies {
				a.Errorf("%s on %s: %d, cookies %q; want %d, %q", c.userinfo, c.path, rec.Code, cookiesOf(rec.Result().Cookies()), c.status, c.cookies)
			}
		}
		// A client that keeps cookies is verified once.
		b := a.client(fetch)
		verified = 0
		for range 3 {
			if rec := b.do("GET", "/account", "", "Authorization", "Basic YWRhOnJpZ2h0"); rec.Code != 200 || rec.Body.String() != "ada" {
				a.Errorf("%d %q", rec.Code, rec.Body)
			}
			a.expire()
		}
		if verified != 1 {
			a.Errorf("verified %d times; want 1", verified)
		}
		// Not from another site, for what the browser adds by itself.
		verified = 0
		if rec := a.client(fetch).do("POST", "/account", "", "Authorization", "Basic YWRhOnJpZ2h0", "Sec-Fetch-Site", "cross-site"); rec.Code != 403 || verified != 0 {
			a.Errorf("from another site: %d, verified %d times", rec.Code, verified)
		}
	})
}

func TestRequireLiveAsksTheStoreNow(t *testing.T) {
	inApp(t, middleware.Config{}, func(a *app) {
		a.echo.GET("/pay", who, a.guard.RequireLive)
		b := a.client(fetch).login("ada")
		before := a.store.n.Load()
		if rec := b.do("GET", "/pay", ""); rec.Code != 200 || a.store.n.Load()-before != 1 {
			a.Errorf("%d, %d statements; want 200, 1", rec.Code, a.store.n.Load()-before)
		}
		a.users.SetUser("ada", session.User{Disabled: true})
		if rec := b.do("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("another route: %d; want 200 until the access cookie runs out", rec.Code)
		}
		if rec := b.do("GET", "/pay", ""); rec.Code != 401 {
			a.Errorf("banned: %d; want 401", rec.Code)
		}
		a.store.down.Store(true)
		if rec := b.do("GET", "/pay", ""); rec.Code != 503 {
			a.Errorf("store down: %d; want 503", rec.Code)
		}
	})
}
