package nethttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// One row for each state of a request, with the answer for each kind of client.
func TestProtect_AnswersByStateAndClient(t *testing.T) {
	type want struct {
		status int
		header string // "Name: value"
	}
	ok := want{200, ""}
	for _, c := range []struct {
		state           string
		arrange         func(a *app, b *guardtest.Client)
		path            string
		page, htmx, api want
		cookies         string // of the answer: see cookiesOf
		statements      int
	}{
		{"access valid", func(*app, *guardtest.Client) {}, "/account", ok, ok, ok, "", 0},
		{"access expired, refresh valid", func(*app, *guardtest.Client) { expire() }, "/account", ok, ok, ok, "set", 1},
		{"no cookies", func(_ *app, b *guardtest.Client) { b.Forget() }, "/account?a=b&c=d",
			want{303, "Location: /login?next=%2Faccount%3Fa%3Db%26c%3Dd"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1"}, want{401, "WWW-Authenticate: Cookie"}, "", 0},
		{"undecodable", func(_ *app, b *guardtest.Client) { b.Garble() }, "/account",
			want{303, "Location: /login?next=%2Faccount"}, want{401, ""}, want{401, ""}, "", 0},
		{"revoked before the access cookie expired", func(a *app, _ *guardtest.Client) { a.end() }, "/account",
			want{303, "Location: /login?next=%2Faccount"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1"}, want{401, ""}, "access", 1},
		{"revoked when the request may have been on its way", func(a *app, _ *guardtest.Client) { expire(); a.revoke("ada") }, "/account",
			want{303, "Location: /login?next=%2Faccount"}, want{401, ""}, want{401, ""}, "access", 1},
		{"store down", func(a *app, _ *guardtest.Client) { expire(); a.Store.Fail(errDown) }, "/account",
			want{503, "Retry-After: 2"}, want{503, "Retry-After: 2"}, want{503, "Retry-After: 2"}, "", 3},
		{"store down, access valid", func(a *app, _ *guardtest.Client) { a.Store.Fail(errDown) }, "/account", ok, ok, ok, "", 0},
		{"store down, public page", func(a *app, _ *guardtest.Client) { expire(); a.Store.Fail(errDown) }, "/", ok, ok, ok, "", 3},
		{"wrong role", func(*app, *guardtest.Client) {}, "/admin", want{403, ""}, want{403, ""}, want{403, ""}, "", 0},
		{"login too old", func(_ *app, b *guardtest.Client) { refreshFor(b, 3) }, "/password",
			want{303, "Location: /login?next=%2Fpassword&reauth=1"}, want{401, "HX-Redirect: /login?next=%2Fhere%3Fp%3D1&reauth=1"}, want{401, ""}, "", 0},
		{"login recent", func(*app, *guardtest.Client) {}, "/password", ok, ok, ok, "", 0},
		{"unknown path", func(_ *app, b *guardtest.Client) { b.Forget() }, "/nowhere", want{303, ""}, want{401, ""}, want{401, ""}, "", 0},
		{"unknown path, logged in", func(*app, *guardtest.Client) {}, "/nowhere", want{404, ""}, want{404, ""}, want{404, ""}, "", 0},
		{"public", func(_ *app, b *guardtest.Client) { b.Forget() }, "/", ok, ok, ok, "", 0},
		{"login page", func(_ *app, b *guardtest.Client) { b.Forget() }, "/login", ok, ok, ok, "", 0},
	} {
		for kind, expected := range map[string]want{"page": c.page, "htmx": c.htmx, "program": c.api} {
			inApp(t, nethttp.Config{}, func(a *app) {
				b := a.client(pageLoad).LogIn("ada")
				c.arrange(a, b)
				before := a.Store.Calls()
				rec := b.As(kinds[kind]).Send("GET", c.path, "")
				if rec.Code != expected.status {
					a.Errorf("%s, %s: %d; want %d: %s", c.state, kind, rec.Code, expected.status, rec.Body)
				}
				if name, value, ok := strings.Cut(expected.header, ": "); ok && rec.Header().Get(name) != value {
					a.Errorf("%s, %s: %s is %q; want %q", c.state, kind, name, rec.Header().Get(name), value)
				}
				if got := a.Store.Calls() - before; got != c.statements {
					a.Errorf("%s, %s: %d statements; want %d", c.state, kind, got, c.statements)
				}
				if got := cookiesOf(rec); got != c.cookies {
					a.Errorf("%s, %s: cookies %q; want %q", c.state, kind, got, c.cookies)
				}
				checkCaching(a, c.state+", "+kind, rec.Header(), c.path != "/" && c.path != "/login")
				if kind == "program" && rec.Code >= 400 && rec.Code != 404 {
					var problem struct{ Status int }
					if rec.Header().Get("Content-Type") != "application/problem+json" || json.Unmarshal(rec.Body.Bytes(), &problem) != nil || problem.Status != rec.Code {
						a.Errorf("%s: %q: %s", c.state, rec.Header().Get("Content-Type"), rec.Body)
					}
				}
			})
		}
	}
}

// refreshFor keeps a session in use for n access lifetimes.
func refreshFor(b *guardtest.Client, n int) {
	for range n {
		expire()
		b.Send("GET", "/account", "")
	}
}

func checkCaching(a *app, when string, h http.Header, private bool) {
	a.Helper()
	if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Cookie") {
		a.Errorf("%s: no Vary: Cookie", when)
	}
	if (private || len(h["Set-Cookie"]) > 0) && h.Get("Cache-Control") != "no-store" {
		a.Errorf("%s: Cache-Control is %q", when, h.Get("Cache-Control"))
	}
}

// After an outage the same session goes on.
func TestProtect_StoreErrorIsNeverALogout(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		id := a.SessionOf(b)
		expire()
		a.Store.Fail(errDown)
		for range 3 {
			if rec := b.Send("GET", "/account", ""); rec.Code != 503 || cookiesOf(rec) != "" {
				a.Errorf("store down: %d, cookies %q", rec.Code, cookiesOf(rec))
			}
		}
		if got := b.Send("GET", "/", "").Body.String(); got != "no session" {
			a.Errorf("store down: a public page sees %q", got)
		}
		a.Store.Fail(nil)
		expire()
		if rec := b.Send("GET", "/account", ""); rec.Code != 200 || a.SessionOf(b) != id {
			a.Errorf("store up again: %d, session %q; want %q", rec.Code, a.SessionOf(b), id)
		}
	})
}

func TestProtect_UnsafeRequestKeepsItsBodyThroughARefresh(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("POST /form", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.FormValue("text"))) })
		b := a.client(pageLoad).LogIn("ada")
		expire()
		if rec := b.Send("POST", "/form", "text=hello"); rec.Code != 200 || rec.Body.String() != "hello" || cookiesOf(rec) != "set" {
			a.Errorf("%d %q, cookies %q", rec.Code, rec.Body, cookiesOf(rec))
		}
	})
}

// A public page identifies the user, and refreshes the session.
func TestProtect_PublicPagesIdentifyTheUser(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		for _, want := range []string{"", "set"} {
			rec := b.Send("GET", "/", "")
			if rec.Body.String() != "ada" || cookiesOf(rec) != want {
				a.Errorf("the handler sees %q, cookies %q; want ada, %q", rec.Body, cookiesOf(rec), want)
			}
			expire()
		}
	})
}
