package proxy

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// setup is a way to set nginx up.
type setup struct {
	name   string
	lines  string // of nginx's server block
	http2  bool   // to the browser
	prefix string // the part of each path that nginx takes away

	hostIsLost bool // the app does not see the host and port that the browser asks for
	upload     bool // the body of a request takes another way through nginx
}

// setups returns the ways that are tried: the lines of the page, and changes to them.
func setups(t *testing.T) []setup {
	t.Helper()
	lines := block(t, "The lines")
	const host = "proxy_set_header Host"
	defaults := without(lines, "proxy_set_header", "proxy_http_version", "proxy_buffer_size")
	unbuffered := with(with(lines, "proxy_buffering off;"), "proxy_request_buffering off;")
	return []setup{
		{name: "these lines", lines: lines, upload: true},
		{name: "these lines, HTTP/2 to the browser", lines: lines, http2: true, upload: true},
		{name: "`proxy_buffering off` and `proxy_request_buffering off`, too", lines: unbuffered, upload: true},
		{name: "the same, but HTTP/1.0 to the app", lines: without(unbuffered, "proxy_http_version"), upload: true},
		{name: "`Host $host:8443`, on that port", lines: with(without(lines, host), "proxy_set_header Host $host:8443;")},
		{name: "`Host $host`, on a port that is not 443", lines: with(without(lines, host), "proxy_set_header Host $host;"), hostIsLost: true},
		{name: "no line for `Host`", lines: without(lines, host), hostIsLost: true},
		{name: "`proxy_pass` alone: no `Host`, HTTP/1.0 to the app", lines: defaults, hostIsLost: true, upload: true},
		{name: "the same, HTTP/2 to the browser", lines: defaults, http2: true, hostIsLost: true, upload: true},
		{name: "the lines for a prefix, below", lines: block(t, "A prefix"), prefix: "/app"},
	}
}

// start starts an app behind nginx, and returns the URL of the app.
func (s setup) start(t *testing.T) (a *app, base string) {
	t.Helper()
	a = newApp(t, s.prefix)
	return a, startNginx(t, s.lines, s.http2, a.serve()) + s.prefix
}

func TestVisit(t *testing.T) {
	for _, s := range setups(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			a, base := s.start(t)
			b := newTab(t, base)
			const path = "/account?tab=1"
			page := shown("200 Account at " + s.prefix + path)
			login := shown("200 Log in at " + s.prefix + "/login")
			back := login + shown("?next="+url.QueryEscape(s.prefix+path))

			b.mustShow("a protected page", b.open(path), back)
			b.mustShow("the login", b.press("#login"), page)
			b.hasCookies()

			b.losesAccess()
			b.mustShow("without the access cookie", b.open(path), page)
			b.hasCookies()

			a.endSessions()
			afterForm, kept, status, want := back, "kept", "303", http.StatusSeeOther
			if s.hostIsLost {
				afterForm, kept, status, want = login, "lost", "403", http.StatusForbidden
			}
			b.mustShow("the form of an ended session", b.press("#save"), afterForm)

			b.mustShow("the page after that", b.open(path), back)
			b.mustShow("the second login", b.press("#login"), page)
			b.mustShow("the logout", b.press("#logout"), login)
			b.mustShow("the page after the logout", b.open(path), back)

			if old := a.loginWithoutFetchMetadata(base); old != want {
				t.Errorf("the login of a browser without Sec-Fetch headers: status %d; want %d", old, want)
			}
			saysRow(t, seen.add("visit", s.name, "yes", kept, status))
		})
	}
}

// An app that does not know its prefix sends the browser out of it.
func TestVisit_PrefixMustBeConfigured(t *testing.T) {
	t.Parallel()
	a := newApp(t, "")
	b := newTab(t, startNginx(t, block(t, "A prefix"), false, a.serve()))
	b.mustShow("a protected page", b.open("/app/account"), "404 404 Not Found at /login?next=%2Faccount")
}

// hasCookies fails unless the browser holds the cookies that only HTTPS allows.
func (b *tab) hasCookies() {
	b.Helper()
	cookies := b.cookies()
	for _, name := range []string{accessCookie, refreshCookie} {
		if c := cookies[name]; c == nil || c.Value == "" || !c.Secure || !c.HTTPOnly {
			b.Fatalf("the cookie %s is %+v", name, c)
		}
	}
}

// loginWithoutFetchMetadata logs ada in as an old browser does, and returns the status.
// It also claims to be somebody else's proxy.
func (a *app) loginWithoutFetchMetadata(base string) int {
	a.Helper()
	r, err := http.NewRequest("POST", base+"/login", strings.NewReader("user=ada"))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", originOf(base))
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("X-Forwarded-Proto", "http")
	answer, err := newClient(a.T).Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer answer.Body.Close()
	for _, c := range answer.Cookies() {
		if !c.Secure || !strings.HasPrefix(c.Name, "__Host-Http-") {
			a.Errorf("behind nginx, the app sets the cookie %s, Secure: %v", c.Name, c.Secure)
		}
	}
	return answer.StatusCode
}

// originOf returns the origin of a URL.
func originOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return err.Error()
	}
	return u.Scheme + "://" + u.Host
}

// newClient returns a client that follows no redirect and keeps no cookie.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       chromiumtest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// The lines of the page tell the app the address of the browser, whatever it claims.
func TestLines_AddressOfTheBrowser(t *testing.T) {
	t.Parallel()
	a, base := setups(t)[0].start(t)
	if status := a.loginWithoutFetchMetadata(base); status != http.StatusSeeOther {
		t.Fatalf("the login: status %d", status)
	}
	devices, err := a.sessions.List(context.Background(), "ada", "")
	if err != nil || len(devices) != 1 || devices[0].IP != "127.0.0.1" {
		t.Errorf("the devices are %+v, %v; want one at 127.0.0.1", devices, err)
	}
}
