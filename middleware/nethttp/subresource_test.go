package nethttp_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Style sheets, scripts, fonts and images of a public route are served without
// reading cookies, so that caches can keep them. Other requests to the route are
// identified.
func TestProtect_IgnoresTheCookiesOfPublicSubresources(t *testing.T) {
	type request struct{ method, dest string }
	for _, c := range []struct {
		requests []request
		ignored  bool
	}{
		{[]request{{"GET", "style"}, {"GET", "script"}, {"GET", "font"}, {"GET", "image"}}, true},
		{[]request{{"HEAD", "style"}, {"HEAD", "script"}, {"HEAD", "font"}, {"HEAD", "image"}}, true},
		{[]request{{"POST", "style"}, {"POST", "script"}, {"POST", "font"}, {"POST", "image"}}, false},
		{[]request{{"PUT", "image"}, {"DELETE", "image"}, {"PATCH", "image"}, {"OPTIONS", "image"}}, false},
		{[]request{{"GET", "document"}, {"GET", "iframe"}, {"GET", "empty"}, {"GET", ""}, {"GET", "audio"}, {"GET", "video"}, {"GET", "object"}, {"GET", "worker"}, {"GET", "images"}}, false},
	} {
		for _, r := range c.requests {
			inApp(t, nethttp.Config{Public: []string{"/open"}}, func(a *app) {
				a.handle("/open", who)
				b := a.client(fetch).LogIn("ada")
				expire()
				before := a.Store.Calls()
				rec := b.Send(r.method, "/open", "", "Sec-Fetch-Dest", r.dest)
				user, cookies, statements, varies := "ada", "set", 1, "Cookie"
				if r.method == "GET" {
					varies = "Cookie, Sec-Fetch-Dest"
				}
				if c.ignored {
					user, cookies, statements, varies = "no session", "", 0, "Sec-Fetch-Dest"
				}
				if rec.Code != http.StatusOK || rec.Body.String() != user || cookiesOf(rec) != cookies || a.Store.Calls()-before != statements || rec.Header().Get("Vary") != varies {
					a.Errorf("%s with Sec-Fetch-Dest %q: %d, the handler sees %q, cookies %q, %d statements, Vary %q; want %q, %q, %d, %q",
						r.method, r.dest, rec.Code, rec.Body, cookiesOf(rec), a.Store.Calls()-before, rec.Header().Get("Vary"), user, cookies, statements, varies)
				}
			})
		}
	}
}

// A stranger asks a shared cache for a public page as for an image. The cache must not give
// the stranger's page to a user, nor the user's page to anybody else (RFC 9111, section
// 4.1).
func TestProtect_SharedCachesCannotBePoisoned(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/open"}}, func(a *app) {
		a.handle("GET /open", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			who(w, r)
		})
		ada, stranger := a.client(pageLoad).LogIn("ada"), a.client(pageLoad)
		type request struct {
			by   *guardtest.Client
			dest string
		}
		document, image := "document", "image"
		requests := []request{{stranger, document}, {stranger, image}, {ada, document}, {ada, image}}
		for _, first := range requests {
			stored := first.by.Send("GET", "/open", "", "Sec-Fetch-Dest", first.dest)
			if stored.Header().Get("Cache-Control") != "public, max-age=60" {
				a.Fatalf("Cache-Control %q: this proves nothing", stored.Header().Get("Cache-Control"))
			}
			vary := strings.Join(stored.Header()["Vary"], ", ")
			for _, second := range requests {
				hit := (!strings.Contains(vary, "Cookie") || first.by == second.by) && (!strings.Contains(vary, "Sec-Fetch-Dest") || first.dest == second.dest)
				want := second.by.Send("GET", "/open", "", "Sec-Fetch-Dest", second.dest).Body.String()
				if got := stored.Body.String(); hit && got != want {
					a.Errorf("the answer %q for %q, with Vary %q, is given to a request for %q, whose own answer is %q", got, first.dest, vary, second.dest, want)
				}
			}
		}
	})
}

func TestProtect_RefusesSubresourcesOfProtectedRoutes(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		a.handle("GET /live", who, a.guard.RequireLive)
		for _, dest := range []string{"style", "script", "font", "image"} {
			for _, path := range []string{"/account", "/admin", "/password", "/live"} {
				if rec := a.client(fetch).Send("GET", path, "", "Sec-Fetch-Dest", dest); rec.Code != http.StatusUnauthorized {
					a.Errorf("%s as %s: %d; want 401", path, dest, rec.Code)
				}
			}
		}
	})
}

// Err tells a request whose cookies were not read from one of a user who is logged out: an app
// must not begin a session in place of one that nobody has looked at.
func TestErr_OfAPublicSubresourceIsNoLogout(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		var got error
		ask := func(_ http.ResponseWriter, r *http.Request) { got = a.guard.Err(r) }
		a.handle("/static/ask", ask)
		for _, b := range []*guardtest.Client{a.client(pageLoad), a.client(pageLoad).LogIn("ada")} {
			user := b.Kept()[accessName] != ""
			for destination, read := range map[string]bool{"document": true, "image": false, "style": false, "script": false, "font": false, "": true} {
				b.Send("GET", "/static/ask", "", "Sec-Fetch-Dest", destination)
				if read != (got == nil || errors.Is(got, session.ErrUnauthenticated)) || read && user != (got == nil) {
					a.Errorf("%q, logged in %v: %v", destination, user, got)
				}
			}
			b.Send("POST", "/static/ask", "", "Sec-Fetch-Dest", "image")
			if user != (got == nil) {
				a.Errorf("POST, logged in %v: %v", user, got)
			}
		}
	})
}
