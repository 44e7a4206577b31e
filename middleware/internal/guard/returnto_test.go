package guard

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

var evil = []string{
	"//evil.com", "///evil.com", "////evil.com", "/\\evil.com", "\\\\evil.com", "\\/evil.com", "/\\/evil.com",
	"/\t/evil.com", "/\n/evil.com", "/\r/evil.com", "\t//evil.com", " //evil.com", "/ /evil.com", "/\x0b/evil.com",
	"https:evil.com", "https:/evil.com", "http:evil.com", "https:///evil.com", "HTTPS://evil.com", "https://evil.com/",
	"javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x", "mailto:a@b",
	"//evil%E3%80%82com", "//evil。com", "/%09/evil.com", "/%2f/evil.com", "/%2F%2Fevil.com", "/%5cevil.com", "/%5C%5Cevil.com",
	"/%0d%0aSet-Cookie:x=y", "/\r\nSet-Cookie: x", "//good@evil.com", "//good:80@evil.com", "//evil.com\\@good.com",
	"/.//evil.com", "/..//evil.com", "/foo/..//evil.com", "/foo/../..//evil.com", "/foo/../bar", "/./x", "/..", "/.", "/%2e%2e/x",
	"//[::1]", "/\x00", "/\ufeff", "/\u2028", "/\x7f", "/é", "/%zz", "/%00", "relative", "evil", "./evil", "../evil", "?x", "#x", "", "\x00//evil.com",
	"/login", "/login?next=/x", "/login/", "/login/x", "/log%69n", "/logout", "/logout?x", "/logout#x", "/" + strings.Repeat("a", 2048),
	"http://example.com", "http:///example.com", "ftp://example.com", `\\example.com`, `\\\example.com`, `/\\/example.com`, `\//example.com`,
	`http:\\example.com`, `http:\/example.com`, `http:/\example.com`, "http:///example.com", `/\example.com`, "http:example.com", "http:8080//x", "http://otherserver\\@example.com",
	"http:\\\\testserver\\@example.com", "http://testserver\\me:pass@example.com", "\n", "1:2", "https:3",
}

var good = []string{
	"/", "/ok", "/ok?a=b#c", "/view/?param=http://example.com", "/;@evil.com", "/a/b/c/", "/a%20b", "/a?next=//evil.com", "/loginhelp", "/a.b/..c/d..",
	"/?x=%2f%2f", "/%E3%81%82", "/a:b@c",
}

func TestOnlyPathsOfThisHostAreReturnedTo(t *testing.T) {
	g := New(nil, Config{LoginPath: "/login", LogoutPath: "/logout"})
	back := func(next string) string {
		return g.ReturnTo(httptest.NewRequest("GET", "/?next="+url.QueryEscape(next), nil), "/fallback")
	}
	for _, p := range evil {
		if got := back(p); got != "/fallback" {
			t.Errorf("%q was returned to as %q", p, got)
		}
	}
	for _, p := range good {
		if got := back(p); got != p {
			t.Errorf("%q became %q", p, got)
		}
	}
	form := httptest.NewRequest("POST", "/login", strings.NewReader("next=%2Fok"))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := g.ReturnTo(form, "/"); got != "/ok" {
		t.Errorf("from a form: %q", got)
	}
}

// Whatever passes is, to a URL parser, this host and nothing else.
func FuzzAReturnPathNeverLeavesTheHost(f *testing.F) {
	for _, p := range append(evil, good...) {
		f.Add(p)
	}
	base, err := url.Parse("https://app.test/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !SafePath(p) {
			return
		}
		u, err := base.Parse(p)
		if err != nil || u.Host != "app.test" || u.Scheme != "https" || strings.ContainsAny(p, "\\ \t\r\n\x00") {
			t.Errorf("%q leads to %v, %v", p, u, err)
		}
	})
}
