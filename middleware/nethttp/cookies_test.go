package nethttp_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

var (
	accessAge   = regexp.MustCompile(`^(__Host-Http-session=V; Path=/; Max-Age=)(109|11\d|120);`)
	cookieValue = regexp.MustCompile(`^[A-Za-z0-9_=-]*$`) // no separator and no control character
)

// The Set-Cookie lines of each kind of answer are compared as bytes, except the value
// of a cookie and the lifetime of the access cookie, which is spread. A refusal sets an
// access cookie that names no session: see TestRefusal_SparesTheStoreTheNextRequests.
func TestGuard_SetCookieLinesAreExact(t *testing.T) {
	const (
		attributes = "HttpOnly; Secure; SameSite=Lax"
		access     = "__Host-Http-session=V; Path=/; Max-Age=A; " + attributes
		refresh    = "__Host-Http-refresh-0=V; Path=/; Max-Age=1800; " + attributes
		month      = "__Host-Http-refresh-0=V; Path=/; Max-Age=2592000; " + attributes
		tenMin     = "__Host-Http-refresh-0=V; Path=/; Max-Age=600; " + attributes
		odd        = "__Host-Http-refresh-1=V; Path=/; Max-Age=1800; " + attributes
		oddMonth   = "__Host-Http-refresh-1=V; Path=/; Max-Age=2592000; " + attributes
		noAccess   = "__Host-Http-session=; Path=/; Max-Age=1; " + attributes
		noRefresh  = "__Host-Http-refresh-0=; Path=/; Max-Age=0; " + attributes
		noOdd      = "__Host-Http-refresh-1=; Path=/; Max-Age=0; " + attributes
	)
	type client = guardtest.Client
	same := func(_ *app, b *client) *client { return b }
	none := func(_ *app, b *client) *client { b.Forget(); return b }
	down := func(a *app, b *client) *client { a.Store.Fail(errDown); return b }
	aged := func(_ *app, b *client) *client { expire(); return b }
	refreshed := func(_ *app, b *client) *client { refreshFor(b, 1); return b } // has both refresh cookies
	over := func(a *app, b *client) *client { a.end(); return b }
	month1 := func(_ *app, b *client) *client { b.Send("POST", "/remember", "user=ada"); return b }
	lines, rows := 0, 0
	for _, c := range []struct {
		name    string
		arrange func(a *app, b *client) *client // returns the client that sends the request
		method  string
		path    string
		status  int
		want    []string
		keeps   string // of the access and the two refresh cookies, the browser then has the "old", a "new" or "none"
	}{
		{"login", none, "POST", "/login", 303, []string{access, refresh, odd}, "new new new"},
		{"login with Remember", none, "POST", "/remember", 303, []string{access, month, oddMonth}, "new new new"},
		{"login over an older one", same, "POST", "/login", 303, []string{access, refresh, odd}, "new new new"},
		{"login over a remembered one", month1, "POST", "/login", 303, []string{access, month, oddMonth}, "new new new"},
		{"login over a refreshed one", refreshed, "POST", "/login", 303, []string{access, refresh, odd}, "new new new"},
		{"login refused", func(a *app, b *client) *client { a.Users.SetUser("ada", store.User{Disabled: true}); return b }, "POST", "/login", 403, nil, "old old old"},
		{"login, store down", down, "POST", "/login", 503, nil, "old old old"},
		{"valid", same, "GET", "/account", 200, nil, "old old old"},
		{"refresh", aged, "GET", "/account", 200, []string{access, odd}, "new old new"},
		{"refresh of a refreshed session", func(a *app, b *client) *client { return aged(a, refreshed(a, b)) }, "GET", "/account", 200, []string{access, refresh}, "new new old"},
		{"refresh, remembered", func(a *app, b *client) *client { return aged(a, month1(a, b)) }, "GET", "/account", 200, []string{access, oddMonth}, "new old new"},
		{"refresh of a program", func(a *app, b *client) *client { return aged(a, b).As(fetch) }, "POST", "/account", 200, []string{access, odd}, "new old new"},
		{"refresh shortly before the absolute end", func(_ *app, b *client) *client {
			for range 12*60/20 - 1 {
				time.Sleep(20 * time.Minute)
				b.Send("GET", "/account", "")
			}
			time.Sleep(10 * time.Minute)
			return b
		}, "GET", "/account", 200, []string{access, tenMin}, "new new old"},
		{"refresh of a young ticket", func(_ *app, b *client) *client { b.ExpireAccess(); return b }, "GET", "/account", 200, []string{access}, "new old old"},
		{"grace for an old ticket", func(_ *app, b *client) *client {
			late := b.As(pageLoad)
			refreshFor(b, 2)
			time.Sleep(2 * time.Second)
			return late
		}, "GET", "/account", 200, nil, "none old old"},
		{"late answer", aged, "GET", "/slow", 200, []string{access}, "new old old"},
		{"logout", same, "POST", "/logout", 303, []string{noAccess, noRefresh, noOdd}, "none none none"},
		{"logout of a refreshed session", refreshed, "POST", "/logout", 303, []string{noAccess, noRefresh, noOdd}, "none none none"},
		{"logout of a program", func(_ *app, b *client) *client { return b.As(fetch) }, "POST", "/logout", 204, []string{noAccess, noRefresh, noOdd}, "none none none"},
		{"logout, store down", down, "POST", "/logout", 303, []string{noAccess, noRefresh, noOdd}, "none none none"},
		{"logout without a session", none, "POST", "/logout", 303, []string{noAccess, noRefresh, noOdd}, "none none none"},
		{"logout by a link", same, "GET", "/logout", 405, nil, "old old old"},
		{"revoked, a page", over, "GET", "/account", 303, []string{access}, "new old old"},
		{"revoked, a refreshed session", func(a *app, b *client) *client { return over(a, refreshed(a, b)) }, "GET", "/account", 303, []string{access}, "new old old"},
		{"revoked, a public page", over, "GET", "/", 200, []string{access}, "new old old"},
		{"revoked, a program", func(a *app, b *client) *client { return over(a, b).As(fetch) }, "GET", "/account", 401, []string{access}, "new old old"},
		{"revoked a moment ago", func(a *app, b *client) *client { expire(); a.revoke("ada"); return b }, "GET", "/account", 303, []string{access}, "new old old"},
		{"stolen", func(_ *app, b *client) *client {
			thief := b.As(pageLoad)
			refreshFor(b, 3)
			return thief
		}, "GET", "/account", 303, []string{access}, "new old old"},
		{"store down", func(a *app, b *client) *client { return down(a, aged(a, b)) }, "GET", "/account", 503, nil, "none old old"},
		{"wrong role", same, "GET", "/admin", 403, nil, "old old old"},
		{"undecodable", func(_ *app, b *client) *client { b.Garble(); return b }, "GET", "/account", 303, nil, "old old old"},
		{"no cookies", none, "GET", "/account", 303, nil, "none none none"},
		{"cross-site", func(a *app, b *client) *client { return aged(a, b).As(guardtest.Kind{"Sec-Fetch-Site": "cross-site"}) }, "POST", "/account", 403, nil, "none old old"},
	} {
		rows++
		inApp(t, nethttp.Config{Public: []string{"/{$}", "/remember"}}, func(a *app) {
			a.handle("POST /remember", func(w http.ResponseWriter, r *http.Request) {
				if a.issue(w, r, session.Login{UserID: "ada", Remember: true}) {
					http.Redirect(w, r, "/", http.StatusSeeOther)
				}
			})
			a.handle("GET /slow", func(w http.ResponseWriter, r *http.Request) { time.Sleep(31 * time.Second); who(w, r) })
			b := c.arrange(a, a.client(pageLoad).LogIn("ada"))
			before := b.Kept()
			answer := b.SendRaw(c.method, c.path, url.Values{"user": {"ada"}}.Encode())[0]
			if answer.Status != c.status {
				a.Errorf("%s: %d; want %d", c.name, answer.Status, c.status)
			}
			var got []string
			for _, line := range answer.Values("Set-Cookie") {
				lines++
				parsed, err := http.ParseSetCookie(line)
				if err != nil || parsed.Valid() != nil || !cookieValue.MatchString(parsed.Value) {
					a.Errorf("%s: malformed: %s: %v", c.name, line, err)
					continue
				}
				if err := b.Set(&url.URL{Scheme: "https", Host: "app.test", Path: c.path}, parsed); err != nil {
					a.Errorf("%s: a browser drops %s: %v", c.name, line, err)
				}
				if parsed.Value != "" {
					line = strings.Replace(line, parsed.Value, "V", 1)
				}
				got = append(got, accessAge.ReplaceAllString(line, "${1}A;"))
			}
			if !slices.Equal(got, c.want) {
				a.Errorf("%s: Set-Cookie\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			time.Sleep(time.Second) // until a cookie with Max-Age=1 has expired
			after := b.Kept()
			fate := func(name string) string {
				switch after[name] {
				case "":
					return "none"
				case before[name]:
					return "old"
				}
				return "new"
			}
			if got := fate(accessName) + " " + fate(refreshName) + " " + fate(oddRefreshName); got != c.keeps {
				a.Errorf("%s: the browser has %s; want %s", c.name, got, c.keeps)
			}
		})
	}
	if lines < 30 {
		t.Errorf("%d Set-Cookie lines: too few to prove anything", lines)
	}
	t.Logf("%d Set-Cookie lines in %d kinds of answers are exact", lines, rows)
}
