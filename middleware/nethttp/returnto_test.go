package nethttp

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// refusedPaths returns the lines of testdata/refused-paths, which test/browser reads
// as well.
func refusedPaths(t testing.TB) (paths []string) {
	t.Helper()
	file, err := os.Open("testdata/refused-paths")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && line[0] != '#' {
			path, err := strconv.Unquote(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			paths = append(paths, path)
		}
	}
	if len(paths) < 200 {
		t.Fatalf("only %d paths are in the file", len(paths))
	}
	return paths
}

var keptPaths = []string{
	"/", "/ok", "/ok?a=b#c", "/view/?param=http://example.com", "/;@evil.com", "/a/b/c/", "/a%20b", "/a?next=//evil.com", "/loginhelp", "/a.b/..c/d..",
	"/?x=%2f%2f", "/%E3%81%82", "/a:b@c", "/javascript:alert(1)", "/confirm/me@example.com", "/url%20with%20spaces/", "/...", "/a?b=/../", "/*", "/a=b&c",
}

var pages = &Core{cfg: CoreConfig{LoginPath: "/login", LogoutPath: "/logout"}}

func TestReturnTo_KeepsPathsOfThisHostOnly(t *testing.T) {
	back := func(next string) (string, string) {
		form := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"next": {next}}.Encode()))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		query := httptest.NewRequest("GET", "/?next="+url.QueryEscape(next), nil)
		return pages.ReturnTo(query, "/fallback"), pages.ReturnTo(form, "/fallback")
	}
	refused := refusedPaths(t)
	left := 0
	for _, p := range refused {
		if query, form := back(p); query != "/fallback" || form != "/fallback" {
			t.Errorf("%q becomes %q and %q; want the fallback", p, query, form)
		}
		if resolve(p) != "https://app.test" {
			left++
		}
	}
	for _, p := range keptPaths {
		if query, form := back(p); query != p || form != p {
			t.Errorf("%q becomes %q and %q; want it kept", p, query, form)
		}
	}
	if left < 100 {
		t.Errorf("a browser would leave the host for %d of the paths: too few to prove anything", left)
	}
	t.Logf("%d return paths, of which %d would leave the host: 0 kept; %d safe ones: all kept", len(refused), left, len(keptPaths))
}

// All short strings of the characters that parsers of URLs disagree about.
func TestReturnPath_NeverLeavesTheHost(t *testing.T) {
	alphabet := []string{"/", `\`, "\t", "\n", " ", ".", "%2f", "%5c", "%2e", ":", "@", "?", "#", "\x00", "\u3002", "evil.example"}
	checked, kept, left := 0, 0, 0
	var each func(p string, more int)
	each = func(p string, more int) {
		checked++
		origin := resolve(p)
		if origin != "https://app.test" {
			left++
		}
		if isSafePath(p) {
			kept++
			staysHere(t, p, origin)
		}
		if more > 0 {
			for _, c := range alphabet {
				each(p+c, more-1)
			}
		}
	}
	each("", 4)
	each("/", 4)
	if left == 0 || kept == 0 {
		t.Errorf("%d leave the host, %d are kept: this proves nothing", left, kept)
	}
	t.Logf("%d strings, of which %d leave the host; %d are kept and stay on it", checked, left, kept)
}

// Spellings of another host, with prefixes and suffixes that confuse a parser.
func TestReturnPath_NeverNamesAnotherHost(t *testing.T) {
	checked := 0
	for _, before := range []string{"//", "///", "/\\", "\\\\", "\\/", "/\t/", "/\n\\", "\t//", " //", "\x1f//", "https://", "https:\\\\", "http:", "hTTp:/", "ftp://", "/./\\", "/%2f", "/%5c", "/%09/", "/.//", "/x/..//"} {
		for _, user := range []string{"", "@", ":@", "app.test@", "app.test:443@", "a%40b@", "\\@", "<>@"} {
			for _, host := range []string{"evil.example", "app.test.evil.example", "evil%E3%80%82example", "ｅvil.example", "3627734734", "0xd8.0x3a.0xd6.0xce", "0330.072.0326.0316", "472.314.470.462", "[::1]", "[::ffff:216.58.214.206]"} {
				for _, after := range []string{"", "/", "/%2f..", "/%2e%2e", "?@app.test", "#@app.test", "\\@app.test", ":80", ":443//app.test"} {
					checked++
					if p := before + user + host + after; pages.isGoodNext(p) {
						t.Errorf("%q is kept", p)
					}
				}
			}
		}
	}
	t.Logf("%d spellings: 0 kept", checked)
}

// staysHere fails unless a browser, a program and a proxy resolve p to this host.
func staysHere(t *testing.T, p, origin string) {
	t.Helper()
	if origin != "https://app.test" {
		t.Errorf("%q leads a browser to %q", p, origin)
	}
	u, err := (&url.URL{Scheme: "https", Host: "app.test", Path: "/login"}).Parse(p)
	if err != nil || u.Host != "app.test" || u.Scheme != "https" {
		t.Errorf("%q leads a program to %v, %v", p, u, err)
		return
	}
	// A proxy may decode the path and clean it. The result must stay on this host.
	if decoded := resolve(u.Path); decoded != "https://app.test" {
		t.Errorf("%q, decoded, leads to %q", p, decoded)
	}
	for i := range len(p) {
		if p[i] < 0x21 || p[i] > 0x7e {
			t.Errorf("%q has the byte %#x", p, p[i])
		}
	}
	if p[0] != '/' || len(p) > maxPath {
		t.Errorf("%q is not a path, or is too long", p)
	}
}

// The same rules apply to the return paths that the guard takes from a request.
func TestComeBack_IsCheckedLikeAReturnPath(t *testing.T) {
	refused := refusedPaths(t)
	checked, kept := 0, 0
	for _, p := range append(refused, keptPaths...) {
		for place, r := range map[string]*http.Request{
			"a page's own URL":        {Method: "GET", URL: &url.URL{Opaque: p}},
			"its path":                {Method: "GET", URL: &url.URL{Path: p}},
			"its raw query":           {Method: "GET", URL: &url.URL{Path: "/x", RawQuery: p}},
			"the Referer of a form":   {Method: "POST", URL: &url.URL{Path: "/x"}, Header: http.Header{"Referer": {"https://app.test" + p}}},
			"a relative Referer":      {Method: "POST", URL: &url.URL{Path: "/x"}, Header: http.Header{"Referer": {p}}},
			"the page of htmx":        {Method: "GET", URL: &url.URL{Path: "/x"}, Header: http.Header{"Hx-Current-Url": {"https://app.test" + p}}},
			"a relative page of htmx": {Method: "GET", URL: &url.URL{Path: "/x"}, Header: http.Header{"Hx-Current-Url": {p}}},
		} {
			checked++
			r.Host = "app.test"
			back := requestedPage
			if place == "the page of htmx" || place == "a relative page of htmx" {
				back = currentPage
			}
			if next := pages.comeBack(r, &client{back: back}); next != "" {
				kept++
				staysHere(t, next, resolve(next))
				if !pages.isGoodNext(next) {
					t.Errorf("%s: %q, made from %q, is not kept after the login", place, next, p)
				}
			}
		}
	}
	if kept == 0 {
		t.Error("none is kept: this proves nothing")
	}
	t.Logf("%d return paths from requests: %d kept, all on this host", checked, kept)
}

// Each accepted path stays on this host for a browser, a program and a proxy.
func FuzzReturnPath_NeverLeavesTheHost(f *testing.F) {
	for _, p := range append(refusedPaths(f), keptPaths...) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if isSafePath(p) {
			staysHere(t, p, resolve(p))
		}
	})
}
