package browser

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestOtherSites lets another site, and another port of this host, do what they
// can: a link is a link, and a form does nothing.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	port := anotherSite(t, app.url)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		site := "http://" + net.JoinHostPort(host, port)

		t.Run("a link there finds the user logged in, and forms do nothing: "+host, func(t *testing.T) {
			b := newDevice(t, app)
			b.loginAt("/devices", ada)
			b.open(site)
			b.press("#link")
			b.isAt("/devices")
			access, refresh := b.hasBoth()
			devices := b.rows()
			for _, form := range []string{"logout", "revoke", "login"} {
				b.open(site)
				if status := b.press("#" + form); status != 403 {
					b.fatalf("the form %s: status %d; want 403", form, status)
				}
				if b.rows() != devices {
					b.fatalf("the form %s ended a device", form)
				}
				b.isAt("/devices")
				if a, r := b.hasBoth(); a.Value != access.Value || r.Value != refresh.Value {
					b.fatalf("the form %s changed the cookies", form)
				}
			}
		})
	}
}

// anotherSite serves a page that means harm, and returns its port.
func anotherSite(t *testing.T, target string) string {
	t.Helper()
	page := fmt.Sprintf(`<!doctype html><title>Another site</title>
		<a id="link" href="%[1]s/devices">link</a>
		<form method="post" action="%[1]s/logout"><button id="logout">logout</button></form>
		<form method="post" action="%[1]s/devices/revoke-others"><button id="revoke">revoke</button></form>
		<form method="post" action="%[1]s/login">
			<input name="email" value="%[2]s"><input name="password" value="%[3]s"><button id="login">login</button>
		</form>`, target, grace.email, grace.password)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// evil are return paths that some reader takes for another site, or for what no
// login should lead to.
var evil = []string{
	"//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, `/\/evil.example`,
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/ /evil.example",
	"https:evil.example", "https:/evil.example", "http:evil.example", "https:///evil.example", "https://evil.example", "HTTPS://evil.example",
	"javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,evil", "//evil%E3%80%82example", "//evil。example",
	"/%09/evil.example", "/%2f/evil.example", "/%2Fevil.example", "/%5cevil.example", "/%0d%0aSet-Cookie:x=y", "/\r\nSet-Cookie: x=y",
	"//localhost@evil.example", "//localhost:80@evil.example", `//evil.example\@localhost`,
	"/.//evil.example", "/..//evil.example", "/foo/..//evil.example", "/foo/../..//evil.example", "/./devices", "//[::1]",
	"/\x00/evil.example", "\ufeff//evil.example", "/\u2028/evil.example", "/\x7f/evil.example", "/%zz",
	"evil", "./evil", "?x", "#x", "", "/" + strings.Repeat("a", 2048),
	"/login", "/login?next=/login", "/login/x", "/logout", "/%6cogout", "/logout?x",
}

// harmless are return paths that stay as they are.
var harmless = []string{"/", "/devices", "/devices?a=b#c", "/view/?param=http://example.com", "/;@evil.example"}

func TestReturnPaths(t *testing.T) {
	t.Parallel()
	app := startApp(t)

	t.Run("no return path leads to another host", func(t *testing.T) {
		client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		locations := []string{}
		for i, next := range append(evil, harmless...) {
			form := url.Values{"email": {ada.email}, "password": {ada.password}, "next": {next}}
			answer, err := client.PostForm(app.url+"/login", form)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			want := "/"
			if i >= len(evil) {
				want = next
			}
			got := answer.Header.Get("Location")
			if answer.StatusCode != http.StatusSeeOther || got != want {
				t.Errorf("next=%q: %d to %q; want 303 to %q", next, answer.StatusCode, got, want)
			}
			locations = append(locations, got)
		}
		// What a browser makes of them.
		b := newDevice(t, app)
		b.open("/login")
		for _, location := range locations {
			if got := eval[string](b, fmt.Sprintf(`new URL(%q, location.href).host`, location)); got != app.host() {
				t.Errorf("Location: %q leads a browser to %s", location, got)
			}
		}
	})

	t.Run("a browser never leaves the host", func(t *testing.T) {
		b := newDevice(t, app)
		for _, next := range []string{"//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "javascript:alert(1)"} {
			b.open("/login?next=" + url.QueryEscape(next))
			b.login(ada)
			b.isAt("/")
			b.logout()
		}
		if hosts := b.asked(); len(hosts) != 1 || !hosts[app.host()] {
			t.Errorf("the browser sent requests to %v", hosts)
		}
	})
}
