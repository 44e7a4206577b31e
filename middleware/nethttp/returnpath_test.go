package nethttp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// returning runs a test with a function that returns what ReturnTo makes of a path.
func returning(t *testing.T, cfg nethttp.Config, test func(a *app, returnTo func(next string) string)) {
	t.Helper()
	inApp(t, cfg, func(a *app) {
		test(a, func(next string) string {
			r := a.client(fetch).NewRequest("GET", "/?next="+url.QueryEscape(next), nil)
			return a.guard.ReturnTo(r, "/fallback")
		})
	})
}

// The path, the query and the fragment are printable ASCII without a backslash.
func TestReturnTo_KeepsPrintableASCIIOnly(t *testing.T) {
	returning(t, nethttp.Config{}, func(a *app, returnTo func(string) string) {
		for b := range 256 {
			for _, around := range []string{"/a%sb", "/a?b%sc", "/a#b%sc", "/a%s", "/a?b%s", "/a#b%s"} {
				next := fmt.Sprintf(around, string([]byte{byte(b)}))
				want := next
				if b <= ' ' || b >= 0x7f || b == '\\' || b == '%' && !strings.Contains(around, "?") {
					want = "/fallback" // "%" begins no valid escape here; a query may hold it
				}
				if got := returnTo(next); got != want {
					a.Errorf("%q becomes %q; want %q", next, got, want)
				}
			}
		}
	})
}

// The decoded path must be safe as well: proxies decode a path and then clean it.
func TestReturnTo_ChecksTheDecodedPathToo(t *testing.T) {
	returning(t, nethttp.Config{}, func(a *app, returnTo func(string) string) {
		for b := range 256 {
			next := fmt.Sprintf("/a%%%02xb", b)
			want := next
			if b < ' ' || b == 0x7f || b == '\\' {
				want = "/fallback"
			}
			if got := returnTo(next); got != want {
				a.Errorf("%q becomes %q; want %q", next, got, want)
			}
			// Only the page itself decodes the query.
			if next := fmt.Sprintf("/a?b=%%%02x", b); returnTo(next) != next {
				a.Errorf("%q is not kept", next)
			}
		}
		for next, kept := range map[string]bool{
			"/a%2fb": true, "/%2fa": false, "/a%2f%2fb": false, "/a/%2fb": false, "/a%2f/b": false, "/a//b": false,
			"/%2e": false, "/a/%2e/b": false, "/%2e%2e": false, "/a/.%2e": false, "/a/%2e%2e/b": false, "/a%2f..%2fb": false, "/a%2f.": false,
			"/.": false, "/..": false, "/a/./b": false, "/a/../b": false, "/a/.": false, "/a/..": false, "/./a": false, "/../a": false,
			"/...": true, "/.a": true, "/a.": true, "/..a": true, "/a..": true, "/a?b=/../c": true, "/a?b=//c": true, "/a#//b": true,
		} {
			if got := returnTo(next); (got == next) != kept || !kept && got != "/fallback" {
				a.Errorf("%q becomes %q; kept: want %v", next, got, kept)
			}
		}
	})
}

func TestReturnTo_BoundsTheLength(t *testing.T) {
	const most = 2048
	returning(t, nethttp.Config{}, func(a *app, returnTo func(string) string) {
		for _, begin := range []string{"/", "/a?b=", "/a#"} {
			for length, kept := range map[int]bool{most - 1: true, most: true, most + 1: false, 2 * most: false} {
				next := begin + strings.Repeat("x", length-len(begin))
				if got := returnTo(next); (got == next) != kept || !kept && got != "/fallback" {
					a.Errorf("%s..., %d bytes: %d bytes come back; kept: want %v", begin, length, len(got), kept)
				}
			}
		}
	})
}

// After a login, no path at or below the login page or the logout is returned, in any
// spelling.
func TestReturnTo_RefusesTheLoginAndTheLogout(t *testing.T) {
	for _, c := range []struct {
		cfg           nethttp.Config
		login, logout string
		others        []string // ordinary pages in this app
	}{
		{nethttp.Config{}, "/login", "/logout", []string{"/signin", "/users/signout"}},
		{nethttp.Config{LoginPath: "/signin", LogoutPath: "/users/signout"}, "/signin", "/users/signout", []string{"/login", "/logout", "/users", "/users/"}},
	} {
		returning(t, c.cfg, func(a *app, returnTo func(string) string) {
			for _, own := range []string{c.login, c.logout} {
				escapedLetter := strings.Replace(own, "g", "%67", 1)
				for _, next := range []string{own, own + "/", own + "/step", own + "/a/b", own + "?x=1", own + "#x", own + "/?x", own + "?", own + "#", own + "#?", own + "?#", own + "#/x", own + "%2fstep", escapedLetter, escapedLetter + "/x", escapedLetter + "?x"} {
					if got := returnTo(next); got != "/fallback" {
						a.Errorf("%q becomes %q; want the fallback", next, got)
					}
				}
				for _, next := range []string{own + "x", own + "-help", own + ".html", "/x" + own, own + "%3f", "/?next=" + own, "/#" + own, strings.ToUpper(own)} {
					if got := returnTo(next); got != next {
						a.Errorf("%q becomes %q; want it kept", next, got)
					}
				}
			}
			for _, next := range c.others {
				if got := returnTo(next); got != next {
					a.Errorf("%q becomes %q; want it kept", next, got)
				}
			}
		})
	}
}

// The form takes precedence over the query, and the first value over the others. The
// fallback is returned unchanged.
func TestReturnTo_ReadsTheFormThenTheQuery(t *testing.T) {
	inApp(t, nethttp.Config{Public: []string{"/to"}}, func(a *app) {
		fallback := ""
		a.handle("/to", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, a.guard.ReturnTo(r, fallback)) })
		for _, c := range []struct{ method, query, form, fallback, want string }{
			{"GET", "?next=/a", "", "/f", "/a"},
			{"POST", "?next=/a", "", "/f", "/a"},
			{"POST", "", "next=/b", "/f", "/b"},
			{"PUT", "", "next=/b", "/f", "/b"},
			{"POST", "?next=/a", "next=/b", "/f", "/b"},
			{"POST", "?next=/a", "other=/b", "/f", "/a"},
			{"POST", "", "next=/b&next=/c", "/f", "/b"},
			{"POST", "", "next=//evil.test&next=/c", "/f", "/f"},
			{"GET", "", "", "/f", "/f"},
			{"GET", "", "", "", ""},
			{"GET", "?next=", "", "/f", "/f"},
			{"GET", "?next=//evil.test", "", "https://elsewhere.test/", "https://elsewhere.test/"},
			{"GET", "?Next=/a", "", "/f", "/f"},
		} {
			fallback = c.fallback
			if got := a.client(fetch).Send(c.method, "/to"+c.query, c.form).Body.String(); got != c.want {
				a.Errorf("%s %s with %q: %q; want %q", c.method, c.query, c.form, got, c.want)
			}
		}
	})
}
