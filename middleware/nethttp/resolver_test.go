package nethttp

import (
	"net/url"
	"strings"
	"testing"
)

// ignored removes the characters that browsers ignore anywhere in a URL.
var ignored = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// resolve returns the origin to which a browser resolves a reference on a page of
// https://app.test. It implements the parts of the WHATWG URL Standard's parser on which
// an origin depends, independently of the code under test. It returns "" for a reference
// that a browser cannot load, and the scheme alone if the scheme has no host.
func resolve(ref string) (origin string) {
	ref = strings.TrimFunc(ref, func(r rune) bool { return r <= ' ' })
	ref = ignored.Replace(ref)
	scheme, rest := "https", ref
	if s, after, ok := cutScheme(ref); ok {
		switch scheme, rest = s, after; s {
		case "https": // the page's scheme: without slashes the rest is relative to the page
			if len(rest) < 2 || !slash(rest[0]) || !slash(rest[1]) {
				// One slash begins a path in this case only: "https:/evil.example".
				return "https://app.test"
			}
		case "http", "ws", "wss", "ftp":
		default:
			return s
		}
	} else if len(rest) < 2 || !slash(rest[0]) || !slash(rest[1]) {
		return "https://app.test"
	}
	// Any number of slashes, of either kind, precedes the authority.
	rest = strings.TrimLeft(rest, `/\`)
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	if decoded, err := url.PathUnescape(host); err == nil {
		host = decoded
	}
	host = strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r == 0x3002 || r == 0xff61: // full stops in other scripts
			return '.'
		case r >= 0xff01 && r <= 0xff5e: // fullwidth ASCII
			return r - 0xfee0
		case r == 0xad: // a soft hyphen is dropped
			return -1
		}
		return r
	}, host))
	if host == "" || strings.ContainsAny(host, "\x00 <>^|%") {
		return ""
	}
	return scheme + "://" + strings.TrimSuffix(host, ":443")
}

func slash(b byte) bool { return b == '/' || b == '\\' }

// cutScheme cuts off a scheme, "letter (letter | digit | + | - | .)* :".
func cutScheme(ref string) (scheme, rest string, ok bool) {
	for i := range len(ref) {
		b := ref[i] | 0x20
		switch {
		case 'a' <= b && b <= 'z':
		case i > 0 && ('0' <= ref[i] && ref[i] <= '9' || strings.IndexByte("+-.", ref[i]) >= 0):
		case i > 0 && ref[i] == ':':
			return strings.ToLower(ref[:i]), ref[i+1:], true
		default:
			return "", "", false
		}
	}
	return "", "", false
}

// The other tests rely on resolve. Chromium gives the same answers: see test/browser.
func TestResolve_AgreesWithBrowsers(t *testing.T) {
	const home = "https://app.test"
	for ref, want := range map[string]string{
		"/": home, "/a?b#c": home, "": home, "?x": home, "a/b": home, "/;@evil.example": home, "/https://evil.example": home, "/%09/evil.example": home,
		"//evil.example": "https://evil.example", "/\\evil.example": "https://evil.example", "\\\\evil.example/x": "https://evil.example",
		"////evil.example": "https://evil.example", "/\t/evil.example": "https://evil.example", " //evil.example": "https://evil.example",
		"\x08//evil.example": "https://evil.example", "//app.test@evil.example": "https://evil.example", "//evil.example\\@app.test": "https://evil.example",
		"//evil.example?@app.test": "https://evil.example", "//evil%E3%80%82example": "https://evil.example", "//evil。example": "https://evil.example",
		"//app.test": home, "//app.test:443/": home, "//app.test:8443": "https://app.test:8443", "//APP.test": home,
		"https:evil.example": home, "https:/evil.example": home, "https://evil.example": "https://evil.example", "HTTPS:\\\\evil.example": "https://evil.example",
		"http:evil.example": "http://evil.example", "http:/evil.example": "http://evil.example", "ht\ntp:evil.example": "http://evil.example",
		"javascript:alert(1)": "javascript", "java\nscript:alert(1)": "javascript", "data:x": "data", "1:2": home, "//": "", "//%00": "", "/ /evil.example": home,
	} {
		if got := resolve(ref); got != want {
			t.Errorf("%q: %q; want %q", ref, got, want)
		}
	}
}
