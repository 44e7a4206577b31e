package sessiontest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// set stores the cookie of one Set-Cookie line.
func set(t *testing.T, jar *sessiontest.Jar, from, line string) error {
	t.Helper()
	c, err := http.ParseSetCookie(line)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return jar.Set(parseURL(t, from), c)
}

// sent returns the cookies for a URL as the Cookie header has them.
func sent(t *testing.T, jar *sessiontest.Jar, to string) string {
	t.Helper()
	var pairs []string
	for _, c := range jar.Cookies(parseURL(t, to)) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

const (
	https = "https://app.test/"
	plain = "http://app.test/"
)

// A cookie that a browser drops is not stored, and Set says why.
func TestJar_DropsWhatABrowserDrops(t *testing.T) {
	for _, c := range []struct {
		name, from, line string
		want             string // part of the error; empty: the cookie is kept
	}{
		{"a plain cookie", plain, "a=1", ""},
		{"Secure over TLS", https, "a=1; Secure", ""},
		{"Secure over plain HTTP", plain, "a=1; Secure", "plain HTTP"},
		{"Secure on localhost", "http://localhost:8080/", "a=1; Secure", ""},
		{"Secure below localhost", "http://app.localhost/", "a=1; Secure", ""},
		{"Secure on 127.0.0.1", "http://127.0.0.1:8080/", "a=1; Secure", ""},
		{"Secure on ::1", "http://[::1]:8080/", "a=1; Secure", ""},
		{"Secure on a network address", "http://192.0.2.1/", "a=1; Secure", "plain HTTP"},
		{"Secure on a host that only ends so", "http://notlocalhost/", "a=1; Secure", "plain HTTP"},

		{"__Host-", https, "__Host-a=1; Secure; Path=/", ""},
		{"__Host- without Secure", https, "__Host-a=1; Path=/", "__Host-"},
		{"__Host- without a path", https, "__Host-a=1; Secure", "__Host-"},
		{"__Host- with another path", https, "__Host-a=1; Secure; Path=/x", "__Host-"},
		{"__Host- with a domain", https, "__Host-a=1; Secure; Path=/; Domain=app.test", "__Host-"},
		{"__Host- in other letters", https, "__hOST-a=1; Path=/", "__Host-"},
		{"__Host-Http-", https, "__Host-Http-a=1; Secure; HttpOnly; Path=/", ""},
		{"__Host-Http- without HttpOnly", https, "__Host-Http-a=1; Secure; Path=/", "HttpOnly"},
		{"__Host-Http- without a path", https, "__Host-Http-a=1; Secure; HttpOnly", "__Host-"},
		{"__Http-", https, "__Http-a=1; Secure; HttpOnly", ""},
		{"__Http- without HttpOnly", https, "__Http-a=1; Secure", "HttpOnly"},
		{"__Http- without Secure", https, "__Http-a=1; HttpOnly", "HttpOnly"},
		{"__Secure-", https, "__Secure-a=1; Secure", ""},
		{"__Secure- without Secure", https, "__Secure-a=1", "__Secure-"},

		{"the host itself as domain", https, "a=1; Domain=app.test", ""},
		{"with a dot before it", https, "a=1; Domain=.app.test", ""},
		{"in other letters", https, "a=1; Domain=APP.Test", ""},
		{"a domain above", "https://www.app.test/", "a=1; Domain=app.test", ""},
		{"a domain below", https, "a=1; Domain=www.app.test", "Domain"},
		{"another domain", https, "a=1; Domain=other.test", "Domain"},
		{"a domain that only ends so", "https://myapp.test/", "a=1; Domain=app.test", "Domain"},
		{"a part of an address", "http://192.0.2.1/", "a=1; Domain=2.1", "Domain"},

		{"4096 bytes", https, "a=" + strings.Repeat("x", 4095), ""},
		{"4097 bytes", https, "a=" + strings.Repeat("x", 4096), "4096"},
	} {
		var jar sessiontest.Jar
		err := set(t, &jar, c.from, c.line)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.60q: got %v; want %q", c.name, c.line, err, c.want)
		}
		if kept := sent(t, &jar, c.from) != ""; kept != (c.want == "") {
			t.Errorf("%s: %.60q is kept: %v", c.name, c.line, kept)
		}
	}
	var jar sessiontest.Jar
	if err := jar.Set(parseURL(t, https), &http.Cookie{Value: "1"}); err == nil {
		t.Error("a cookie without a name is kept")
	}
}

// A cookie is sent only to its host, its path and a secure enough connection.
func TestJar_SendsACookieOnlyToItsHostAndPath(t *testing.T) {
	for _, c := range []struct {
		name, from, line string
		sent, not        []string
	}{
		{"no domain", "https://app.test/", "a=1", []string{https, plain, "https://APP.test:8443/x/y"}, []string{"https://www.app.test/", "https://test/"}},
		{"a domain", "https://app.test/", "a=1; Domain=app.test", []string{https, "https://www.app.test/"}, []string{"https://myapp.test/", "https://test/"}},
		{"Secure", https, "a=1; Secure", []string{https, "https://app.test:8443/"}, []string{plain}},
		{"Secure on localhost", "http://localhost:8080/", "a=1; Secure", []string{"http://localhost:9090/", "https://localhost/"}, nil},
		{"a path", https, "a=1; Path=/x", []string{https + "x", https + "x/", https + "x/y"}, []string{https, https + "xy", https + "y/x"}},
		{"a path with a slash", https, "a=1; Path=/x/", []string{https + "x/", https + "x/y"}, []string{https, https + "x"}},
		{"no path, from the root", "https://app.test/login", "a=1", []string{https, https + "x/y"}, nil},
		{"no path, from a folder", "https://app.test/x/login", "a=1", []string{https + "x", https + "x/y/z"}, []string{https, https + "login", https + "xy"}},
		{"no path, from nowhere", "https://app.test", "a=1", []string{https, "https://app.test", https + "x"}, nil},
		{"a relative path", "https://app.test/x/login", "a=1; Path=y", []string{https + "x"}, []string{https, https + "y"}},
	} {
		var jar sessiontest.Jar
		if err := set(t, &jar, c.from, c.line); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, to := range c.sent {
			if sent(t, &jar, to) != "a=1" {
				t.Errorf("%s: %q of %s is not sent to %s", c.name, c.line, c.from, to)
			}
		}
		for _, to := range c.not {
			if sent(t, &jar, to) != "" {
				t.Errorf("%s: %q of %s is sent to %s", c.name, c.line, c.from, to)
			}
		}
	}
}

func TestJar_KeepsACookieForItsLife(t *testing.T) {
	for _, c := range []struct {
		name, line string
		life       time.Duration // 0: it is not kept; less: it stays
	}{
		{"until the browser is closed", "a=1", -1},
		{"Max-Age", "a=1; Max-Age=60", time.Minute},
		{"Max-Age of nothing", "a=1; Max-Age=0", 0},
		{"a negative Max-Age", "a=1; Max-Age=-5", 0},
		{"Max-Age beyond 400 days", "a=1; Max-Age=99999999", 400 * 24 * time.Hour},
		{"Max-Age beyond all durations", "a=1; Max-Age=9999999999999", 400 * 24 * time.Hour},
		{"Expires", "a=1; Expires=Sat, 01 Jan 2000 00:01:00 GMT", time.Minute},
		{"Expires in the past", "a=1; Expires=Fri, 31 Dec 1999 23:59:59 GMT", 0},
		{"Expires at this moment", "a=1; Expires=Sat, 01 Jan 2000 00:00:00 GMT", 0},
		{"Expires beyond 400 days", "a=1; Expires=Sat, 01 Jan 2050 00:00:00 GMT", 400 * 24 * time.Hour},
		{"Max-Age outranks Expires", "a=1; Max-Age=60; Expires=Fri, 31 Dec 1999 00:00:00 GMT", time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) { // whose clock begins with the year 2000
			var jar sessiontest.Jar
			if err := set(t, &jar, https, "a=old"); err != nil {
				t.Fatal(err)
			}
			if err := set(t, &jar, https, c.line); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.life < 0 {
				time.Sleep(10 * 365 * 24 * time.Hour)
				if got := sent(t, &jar, https); got != "a=1" {
					t.Errorf("%s: %q after ten years", c.name, got)
				}
				return
			}
			if c.life > 0 {
				time.Sleep(c.life - time.Millisecond)
				if got := sent(t, &jar, https); got != "a=1" {
					t.Errorf("%s: %q right before the end", c.name, got)
				}
				time.Sleep(time.Millisecond)
			}
			if got := sent(t, &jar, https); got != "" {
				t.Errorf("%s: %q after the end", c.name, got)
			}
		})
	}
}

// A cookie replaces the one with the same name, domain and path, and keeps its
// position. A host-only cookie and one of the domain are two cookies.
func TestJar_ReplacesTheCookieOfTheSameNameDomainAndPath(t *testing.T) {
	var jar sessiontest.Jar
	for _, line := range []string{
		"a=1; Path=/", "b=2", "a=3; Path=/x", "a=4; Path=/x/y", "a=5; Domain=app.test", "A=6", "a=7", "a=8; Path=/x",
	} {
		if err := set(t, &jar, https, line); err != nil {
			t.Fatal(err)
		}
	}
	// Longer paths first, then the older ones.
	if got, want := sent(t, &jar, https+"x/y/z"), "a=4; a=8; a=7; b=2; a=5; A=6"; got != want {
		t.Errorf("sent %q; want %q", got, want)
	}
	if got, want := sent(t, &jar, https), "a=7; b=2; a=5; A=6"; got != want {
		t.Errorf("sent %q; want %q", got, want)
	}
}

// A page without TLS must not replace a Secure cookie.
func TestJar_PlainHTTPLeavesSecureCookiesAlone(t *testing.T) {
	for _, c := range []struct {
		name, first, from, line string
		dropped                 bool
	}{
		{"another host", "a=1; Secure", "http://other.test/", "a=2", false},
		{"the same cookie", "a=1; Secure", plain, "a=2", true},
		{"its deletion", "a=1; Secure", plain, "a=; Max-Age=0", true},
		{"over TLS", "a=1; Secure", https, "a=2", false},
		{"a longer path", "a=1; Secure; Path=/", plain + "x/", "a=2; Path=/x", true},
		{"a path beside it", "a=1; Secure; Path=/x", plain, "a=2; Path=/", false},
		{"from below", "a=1; Secure", "http://www.app.test/", "a=2; Domain=app.test", true},
		{"below its domain", "a=1; Secure; Domain=app.test", "http://www.app.test/", "a=2", true},
		{"another name", "a=1; Secure", plain, "b=2", false},
		{"one that is not Secure", "a=1", plain, "a=2", false},
	} {
		var jar sessiontest.Jar
		if err := set(t, &jar, https, c.first); err != nil {
			t.Fatal(err)
		}
		before := sent(t, &jar, https+"x/")
		if err := set(t, &jar, c.from, c.line); (err != nil) != c.dropped {
			t.Errorf("%s: %v; want it dropped: %v", c.name, err, c.dropped)
		}
		if after := sent(t, &jar, https+"x/"); c.dropped && after != before {
			t.Errorf("%s: %q has become %q", c.name, before, after)
		}
	}
	var jar sessiontest.Jar
	if err := set(t, &jar, "https://www.app.test/", "a=1; Secure"); err != nil {
		t.Fatal(err)
	}
	if err := set(t, &jar, plain, "a=2; Domain=app.test"); err == nil {
		t.Error("a cookie of the domain stands beside the Secure one of a host below")
	}
	synctest.Test(t, func(t *testing.T) {
		var jar sessiontest.Jar
		_ = set(t, &jar, https, "a=1; Secure; Max-Age=1")
		time.Sleep(time.Second)
		if err := set(t, &jar, plain, "a=2"); err != nil {
			t.Errorf("after the Secure cookie's end: %v", err)
		}
	})
}

func TestJar_SetCookiesDropsWhatSetRefuses(t *testing.T) {
	var jar sessiontest.Jar
	jar.SetCookies(parseURL(t, plain), []*http.Cookie{{Name: "a", Value: "1", Secure: true}, {Name: "b", Value: "2"}})
	if got := sent(t, &jar, https); got != "b=2" {
		t.Errorf("sent %q; want b alone", got)
	}
}
