package nethttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// A refused page load is redirected to the login page, with the page to return to.
// The browser returns with a GET, so the URL of another method is not used.
func TestRefusal_SendsPageLoadsToTheLoginAndBack(t *testing.T) {
	long := "/" + strings.Repeat("a", 2045) // 2048 bytes as the value of a query
	for _, c := range []struct {
		method, target, referer string
		want                    string // of next, unescaped; "-": no next
	}{
		{"GET", "/account", "", "/account"},
		{"GET", "/account?a=b&c=d%20e", "", "/account?a=b&c=d%20e"},
		{"GET", "/a%2Fb%C3%A9", "", "/a%2Fb%C3%A9"},
		{"HEAD", "/account?a=b", "", "/account?a=b"},
		{"GET", "/account", "https://app.test/form", "/account"},
		{"HEAD", "/account", "https://app.test/form", "/account"},
		{"GET", "/nowhere", "", "/nowhere"},
		{"GET", long, "", long},
		{"GET", long + "a", "", "-"},
		{"GET", "/" + strings.Repeat("(:!", 229), "", "-"},
		{"GET", "/?a=b", "", "/?a=b"},
		{"GET", "/", "", "-"},
		{"POST", "/account", "", "-"},
		{"POST", "/account", "https://app.test/form?x=1", "/form?x=1"},
		{"POST", "/account", "https://app.test/form?x=1#part", "/form?x=1"},
		{"POST", "/account", "https://app.test", "-"},
		{"POST", "/account", "https://app.test/", "-"},
		{"POST", "/account", "https://app.test/login?next=/x", "-"},
		{"POST", "/account", "https://app.test/logout", "-"},
		{"POST", "/account", "https://app.test:8443/form", "-"},
		{"POST", "/account", "https://sibling.app.test/form", "-"},
		{"POST", "/account", "https://evil.test/form", "-"},
		{"POST", "/account", "https://app.test//evil.com", "-"},
		{"POST", "/account", "/form", "-"},
		{"POST", "/account", "%", "-"},
		{"POST", "/account", "http://app.test/%zz", "-"},
		{"POST", "/account", "https://app.test/form" + strings.Repeat("a", 2048), "-"},
		{"PUT", "/account", "https://app.test/form", "/form"},
		{"DELETE", "/account", "https://app.test/form", "/form"},
		{"OPTIONS", "/account", "https://app.test/form", "/form"},
	} {
		inApp(t, nethttp.Config{Public: []string{"/static/"}}, func(a *app) {
			var more []string
			if c.referer != "" {
				more = append(more, "Referer", c.referer)
			}
			rec := a.client(pageLoad).Send(c.method, c.target, "", more...)
			location := rec.Header().Get("Location")
			want := "/login?next=" + escaped(c.want)
			if c.want == "-" {
				want = "/login"
			}
			if rec.Code != http.StatusSeeOther || location != want {
				a.Errorf("%s %.60s from %.60q: %d to %.80q; want 303 to %.80q", c.method, c.target, c.referer, rec.Code, location, want)
			}
		})
	}
}

// escaped returns a path as the value of a query.
func escaped(path string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "=", "%3D", "&", "%26").Replace(path)
}

// htmx swaps a part of a page. The user returns to the whole page.
func TestRefusal_SendsHTMXBackToTheCurrentPage(t *testing.T) {
	for current, want := range map[string]string{
		"https://app.test/here?p=1":      "/login?next=%2Fhere%3Fp%3D1",
		"https://app.test/here?p=1#part": "/login?next=%2Fhere%3Fp%3D1",
		"https://app.test/here":          "/login?next=%2Fhere",
		"https://app.test/":              "/login",
		"https://app.test":               "/login",
		"https://app.test/login":         "/login",
		"https://app.test/login/step":    "/login",
		"https://evil.test/here":         "/login",
		"https://app.test.evil.test/x":   "/login",
		"//evil.test/here":               "/login",
		"/here":                          "/login",
		"":                               "/login",
	} {
		for _, method := range []string{"GET", "POST"} {
			inApp(t, nethttp.Config{}, func(a *app) {
				rec := a.client(viaHTMX).Send(method, "/account", "", "HX-Current-URL", current, "Referer", "https://app.test/referer")
				if got := rec.Header().Get("HX-Redirect"); rec.Code != http.StatusUnauthorized || got != want {
					a.Errorf("%s on %q: %d to %q; want 401 to %q", method, current, rec.Code, got, want)
				}
			})
		}
	}
}
