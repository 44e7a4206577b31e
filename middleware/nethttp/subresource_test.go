package nethttp_test

import (
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
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
				if c.ignored {
					user, cookies, statements, varies = "no session", "", 0, ""
				}
				if rec.Code != http.StatusOK || rec.Body.String() != user || cookiesOf(rec) != cookies || a.Store.Calls()-before != statements || rec.Header().Get("Vary") != varies {
					a.Errorf("%s with Sec-Fetch-Dest %q: %d, the handler sees %q, cookies %q, %d statements, Vary %q; want %q, %q, %d, %q",
						r.method, r.dest, rec.Code, rec.Body, cookiesOf(rec), a.Store.Calls()-before, rec.Header().Get("Vary"), user, cookies, statements, varies)
				}
			})
		}
	}
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
