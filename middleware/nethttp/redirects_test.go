package nethttp_test

import (
	"bufio"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// For each return path, in each place of a request, the answer has at most one
// Location. It is a path of this host in printable ASCII. The answer is read as bytes.
func TestGuard_RedirectsStayOnThisHost(t *testing.T) {
	file, err := os.Open("testdata/refused-paths")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var paths []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			path, err := strconv.Unquote(line)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	kept := []string{"/", "/ok", "/ok?a=b#c", "/a%20b?x=//evil.example"}
	sent, refusals := 0, 0
	inApp(t, nethttp.Config{}, func(a *app) {
		stays := func(way, path string, all []guardtest.Answer) {
			a.Helper()
			answer := all[len(all)-1]
			if answer.Status == http.StatusBadRequest && len(answer.Header) == 2 { // net/http refuses a malformed request
				refusals++
				return
			}
			for _, name := range []string{"Location", "HX-Redirect"} {
				switch values := answer.Values(name); len(values) {
				case 0:
				case 1:
					sent++
					to := values[0]
					if to == "" || to[0] != '/' || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '\\' }) {
						a.Errorf("%s %q: %s: %q", way, path, name, to)
					}
					u, err := url.Parse(to)
					if err != nil || u.Host != "" {
						a.Errorf("%s %q: %s: %q, %v", way, path, name, to, err)
						continue
					}
					if next := u.Query()["next"]; u.Path == "/login" && (len(next) > 1 || len(next) == 1 && slices.Contains(paths, next[0])) {
						a.Errorf("%s %q: %s: %q", way, path, name, to)
					}
				default:
					a.Errorf("%s %q: %d headers %s", way, path, len(values), name)
				}
			}
		}
		for i, path := range append(slices.Clone(paths), kept...) {
			for _, place := range []struct{ way, query, form string }{
				{"a login's form", "", url.Values{"user": {"ada"}, "next": {path}}.Encode()},
				{"a login's query", "?next=" + url.QueryEscape(path), "user=ada"},
				{"two values", "?next=" + url.QueryEscape(path) + "&next=/ok", url.Values{"user": {"ada"}, "next": {path, "/ok"}}.Encode()},
			} {
				all := a.client(pageLoad).SendRaw("POST", "/login"+place.query, place.form)
				stays(place.way, path, all)
				want := "/account"
				if i >= len(paths) {
					want = path
				}
				if got := all[0].Values("Location"); !slices.Equal(got, []string{want}) {
					a.Errorf("%s %q: Location %q; want %q", place.way, path, got, want)
				}
			}
			stays("a logout", path, a.client(pageLoad).SendRaw("POST", "/logout?next="+url.QueryEscape(path), ""))
			stays("the request's path", path, a.client(pageLoad).SendRaw("GET", path, ""))
			stays("below a path", path, a.client(pageLoad).SendRaw("GET", "/x"+path, ""))
			stays("in a query", path, a.client(pageLoad).SendRaw("GET", "/account?next="+url.QueryEscape(path), ""))
			for _, origin := range []string{"", "https://app.test", "http://app.test"} {
				stays("a form's Referer", path, a.client(pageLoad).SendRaw("POST", "/account", "", "Referer: "+origin+path))
				stays("the page of htmx", path, a.client(fetch).SendRaw("GET", "/account", "", "HX-Request: true", "HX-Current-URL: "+origin+path))
			}
		}
	})
	if sent < 5*len(paths) || len(paths) < 200 {
		t.Errorf("%d paths, %d redirects: too few to prove anything", len(paths), sent)
	}
	t.Logf("%d return paths in 13 places: %d redirects, each to this host; %d malformed requests", len(paths)+len(kept), sent, refusals)
}
