package nethttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// prefetches holds the headers of the prefetches of browsers and of libraries.
var prefetches = map[string]guardtest.Kind{
	"a link rel=prefetch":        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty", "Sec-Purpose": "prefetch"},
	"a prerender":                {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"},
	"a speculation rule":         {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;anonymous-client-ip"},
	"Turbo's hover":              {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": "text/html", "X-Sec-Purpose": "prefetch"},
	"an old browser":             {"Accept": "text/html", "Purpose": "prefetch"},
	"a start page":               {"Accept": "text/html", "X-Purpose": "preview"},
	"htmx in a prerendered page": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "HX-Request": "true", "HX-Current-URL": "https://app.test/here", "Sec-Purpose": "prefetch;prerender"},
}

// On a protected route, or with the kit's cookies, a prefetch is served only on a good
// access cookie. Otherwise it gets an error that browsers do not keep: no redirect, no
// cookies, no login by credentials, and no statement.
func TestGuard_PrefetchIsServedOnAGoodAccessCookieOnly(t *testing.T) {
	type client = guardtest.Client
	good := func(*app, *client) {}
	none := func(_ *app, b *client) { b.Forget() }
	expired := func(*app, *client) { expire() }
	revoked := func(a *app, _ *client) { a.end() }
	old := func(_ *app, b *client) { refreshFor(b, 3) }
	for _, c := range []struct {
		name    string
		arrange func(a *app, b *client)
		path    string
		status  int
		body    string
	}{
		{"a good access cookie", good, "/account", 200, "ada"},
		{"a good access cookie, a public page", good, "/", 200, "ada"},
		{"a good access cookie, the login page", good, "/login", 200, "ada"},
		{"a good access cookie, store down", func(a *app, _ *client) { a.Store.Fail(errDown) }, "/account", 200, "ada"},
		{"a good access cookie, the wrong role", good, "/admin", 403, ""},
		{"a good access cookie, a login that is too old", old, "/password", 503, ""},
		{"a good access cookie, RequireLive", good, "/live", 503, ""},
		{"no cookies", none, "/account", 503, ""},
		{"no cookies, a path without a route", none, "/nowhere", 503, ""},
		{"no cookies, a public page", none, "/", 200, "no session"},
		{"no cookies, the login page", none, "/login", 200, "no session"},
		{"no cookies, behind a public page", none, "/open/staff", 503, ""},
		{"an expired access cookie", expired, "/account", 503, ""},
		{"an expired access cookie, a public page", expired, "/", 503, ""},
		{"an expired access cookie, the login page", expired, "/login", 503, ""},
		{"an expired access cookie, store down", func(a *app, _ *client) { expire(); a.Store.Fail(errDown) }, "/account", 503, ""},
		{"a revoked session", revoked, "/account", 503, ""},
		{"a revoked session, a public page", revoked, "/", 503, ""},
		{"undecodable cookies", func(_ *app, b *client) { b.Garble() }, "/account", 503, ""},
		{"undecodable cookies, a public page", func(_ *app, b *client) { b.Forget(); b.Plant(refreshName, "x") }, "/", 503, ""},
	} {
		for kind, headers := range prefetches {
			called := 0
			credentials := func(r *http.Request) (session.Login, error) { called++; return adasCredentials(r) }
			inApp(t, nethttp.Config{Credentials: credentials, Public: []string{"/{$}", "/open/"}}, func(a *app) {
				a.handle("GET /live", who, a.guard.RequireLive)
				a.handle("GET /open/staff", who, a.guard.RequireRole("staff"))
				b := a.client(pageLoad).LogIn("ada")
				c.arrange(a, b)
				before := a.Store.Calls()
				rec := b.As(headers).Send("GET", c.path, "")
				if rec.Code != c.status || c.body != "" && rec.Body.String() != c.body {
					a.Errorf("%s, %s: %d %.30q; want %d %q", c.name, kind, rec.Code, rec.Body, c.status, c.body)
				}
				h := rec.Header()
				if rec.Code != 200 && (h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") != "" || h.Get("WWW-Authenticate") != "") {
					a.Errorf("%s, %s: headers %v; want no-store, and nothing else to do", c.name, kind, h)
				}
				if rec.Code != 200 && h.Get("Content-Type") != "application/problem+json" {
					a.Errorf("%s, %s: Content-Type %q; want no HTML, which Turbo would show on the click", c.name, kind, h.Get("Content-Type"))
				}
				if h.Get("Location")+h.Get("HX-Redirect") != "" || len(h["Set-Cookie"]) != 0 {
					a.Errorf("%s, %s: headers %v; want no redirect and no cookies", c.name, kind, h)
				}
				if n := a.Store.Calls() - before; n != 0 || called != 0 {
					a.Errorf("%s, %s: %d statements, Credentials called %d times; want none", c.name, kind, n, called)
				}
			})
		}
	}
}

// The click after a refused prefetch loads the page, and the session goes on.
func TestGuard_ClickAfterAPrefetchLoadsThePage(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		for range 20 {
			expire()
			if rec := b.Send("GET", "/account", "", "Sec-Purpose", "prefetch"); rec.Code != 503 {
				a.Fatalf("the prefetch: %d; want 503", rec.Code)
			}
			if rec := b.Send("GET", "/account", ""); rec.Code != 200 || cookiesOf(rec) != "set" {
				a.Fatalf("the click: %d, cookies %q; want the page and new cookies", rec.Code, cookiesOf(rec))
			}
		}
	})
}

// A thief has copied a refresh cookie that its owner has not presented yet, and sends each
// request as a prefetch. A prefetch that were served and left the row as it is would let
// the thief in for ever, without a trace.
func TestGuard_ThiefGainsNothingByPrefetching(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		victim := a.client(pageLoad).LogIn("ada")
		refreshFor(victim, 3)
		expire()
		thief, before, served := victim.Copied(), a.Store.Calls(), 0
		for range 1000 {
			if thief.Send("GET", "/account", "", "Sec-Purpose", "prefetch").Code == 200 {
				served++
			}
			time.Sleep(time.Second)
		}
		if n := a.Store.Calls() - before; served != 0 || n != 0 {
			a.Errorf("%d of 1000 prefetches are served, with %d statements; want none", served, n)
		}
		if rec := victim.Send("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("the victim: %d", rec.Code)
		}
	})
}

// htmx's preload extension requests a page while the pointer is over a link. It is an
// ordinary request, but its answer must not navigate.
func TestGuard_HTMXPreloadNeverNavigates(t *testing.T) {
	for _, c := range []struct {
		name    string
		arrange func(a *app, b *guardtest.Client)
		path    string
		status  int
		cookies string
	}{
		{"a good access cookie", func(*app, *guardtest.Client) {}, "/account", 200, ""},
		{"an expired access cookie", func(*app, *guardtest.Client) { expire() }, "/account", 200, "set"},
		{"no cookies", func(_ *app, b *guardtest.Client) { b.Forget() }, "/account", 401, ""},
		{"a revoked session", func(a *app, _ *guardtest.Client) { a.end() }, "/account", 401, "access"},
		{"a login that is too old", func(_ *app, b *guardtest.Client) { refreshFor(b, 3) }, "/password", 401, ""},
		{"store down", func(a *app, _ *guardtest.Client) { expire(); a.Store.Fail(errDown) }, "/account", 503, ""},
	} {
		for _, kind := range []guardtest.Kind{viaHTMX, pageLoad, fetch} {
			inApp(t, nethttp.Config{}, func(a *app) {
				b := a.client(pageLoad).LogIn("ada")
				c.arrange(a, b)
				rec := b.As(kind).Send("GET", c.path, "", "HX-Preloaded", "true")
				h := rec.Header()
				if rec.Code != c.status || cookiesOf(rec) != c.cookies || h.Get("HX-Redirect")+h.Get("Location") != "" {
					a.Errorf("%s: %d, cookies %q, headers %v; want %d, %q, and no redirect", c.name, rec.Code, cookiesOf(rec), h, c.status, c.cookies)
				}
				if rec.Code == 401 && h.Get("WWW-Authenticate") != "Cookie" {
					a.Errorf("%s: the 401 names no scheme", c.name)
				}
			})
		}
	}
}
