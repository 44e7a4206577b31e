package middleware_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

var accessAge = regexp.MustCompile(`^(__Host-Http-session=V; Path=/; Max-Age=)(109|11\d|120);`)

// Every kind of answer, and the Set-Cookie lines that it has: to the byte, but
// for the value, and for the access cookie's life, which is spread.
func TestSetCookieLinesToTheByte(t *testing.T) {
	const (
		access    = "__Host-Http-session=V; Path=/; Max-Age=A; HttpOnly; Secure; SameSite=Lax"
		refresh   = "__Host-Http-refresh=V; Path=/; Max-Age=1800; HttpOnly; Secure; SameSite=Lax"
		month     = "__Host-Http-refresh=V; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"
		lastHour  = "__Host-Http-refresh=V; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"
		noAccess  = "__Host-Http-session=; Path=/; Max-Age=1; HttpOnly; Secure; SameSite=Lax"
		noRefresh = "__Host-Http-refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	)
	lines, kinds := 0, 0
	for _, c := range []struct {
		name    string
		arrange func(a *app, b *client) *client // who asks
		method  string
		path    string
		status  int
		want    []string
		keeps   string // "old", "new" or "none": what the browser has of each cookie afterwards, access and refresh
	}{
		{"login", nobody, "POST", "/login", 303, []string{access, refresh}, "new new"},
		{"login with Remember", nobody, "POST", "/remember", 303, []string{access, month}, "new new"},
		{"login over an older one", func(_ *app, b *client) *client { return b }, "POST", "/login", 303, []string{access, refresh}, "new new"},
		{"login over a remembered one", func(_ *app, b *client) *client { b.do("POST", "/remember", "user=ada"); return b }, "POST", "/login", 303, []string{access, month}, "new new"},
		{"login that fails", func(a *app, b *client) *client { a.users.SetUser("ada", session.User{Disabled: true}); return b }, "POST", "/login", 403, nil, "old old"},
		{"login, store down", func(a *app, b *client) *client { a.store.down.Store(true); return b }, "POST", "/login", 503, nil, "old old"},
		{"valid", func(_ *app, b *client) *client { return b }, "GET", "/account", 200, nil, "old old"},
		{"reissue", func(a *app, b *client) *client { a.expire(); return b }, "GET", "/account", 200, []string{access, refresh}, "new new"},
		{"reissue, remembered", func(a *app, b *client) *client { b.do("POST", "/remember", "user=ada"); a.expire(); return b }, "GET", "/account", 200, []string{access, month}, "new new"},
		{"reissue for a program", func(a *app, b *client) *client { a.expire(); return b.as(fetch) }, "POST", "/account", 200, []string{access, refresh}, "new new"},
		{"reissue shortly before the end", func(a *app, b *client) *client {
			for range 12*60/20 - 1 {
				time.Sleep(20 * time.Minute)
				b.do("GET", "/account", "")
			}
			time.Sleep(10 * time.Minute)
			return b
		}, "GET", "/account", 200, []string{access, lastHour}, "new new"},
		{"young", func(_ *app, b *client) *client { delete(b.jar, accessName); return b }, "GET", "/account", 200, []string{access}, "new old"},
		{"straggler", func(a *app, b *client) *client {
			late := b.as(pageLoad)
			a.expire()
			b.do("GET", "/account", "")
			a.expire()
			b.do("GET", "/account", "")
			time.Sleep(2 * time.Second)
			return late
		}, "GET", "/account", 200, nil, "old old"},
		{"late answer", func(a *app, b *client) *client { a.expire(); return b }, "GET", "/slow", 200, []string{access}, "new old"},
		{"logout", func(_ *app, b *client) *client { return b }, "POST", "/logout", 303, []string{noAccess, noRefresh}, "none none"},
		{"logout of a program", func(_ *app, b *client) *client { return b.as(fetch) }, "POST", "/logout", 204, []string{noAccess, noRefresh}, "none none"},
		{"logout, store down", func(a *app, b *client) *client { a.store.down.Store(true); return b }, "POST", "/logout", 303, []string{noAccess, noRefresh}, "none none"},
		{"logout of nobody", nobody, "POST", "/logout", 303, []string{noAccess, noRefresh}, "none none"},
		{"logout by a link", func(_ *app, b *client) *client { return b }, "GET", "/logout", 405, nil, "old old"},
		{"ended, a page", ended, "GET", "/account", 303, []string{noAccess, noRefresh}, "none none"},
		{"ended, a public page", ended, "GET", "/", 200, nil, "old old"},
		{"ended, a program", func(a *app, b *client) *client { return ended(a, b).as(fetch) }, "GET", "/account", 401, nil, "old old"},
		{"ended a moment ago", func(a *app, b *client) *client {
			a.expire()
			_ = a.users.RevokeUser(a.Context(), "ada", nil, "revoked")
			return b
		}, "GET", "/account", 303, []string{noAccess}, "none old"},
		{"copied", func(a *app, b *client) *client {
			thief := b.as(pageLoad)
			for range 3 {
				a.expire()
				b.do("GET", "/account", "")
			}
			return thief
		}, "GET", "/account", 303, []string{noAccess}, "none old"},
		{"store down", func(a *app, b *client) *client { a.expire(); a.store.down.Store(true); return b }, "GET", "/account", 503, nil, "old old"},
		{"wrong role", func(_ *app, b *client) *client { return b }, "GET", "/admin", 403, nil, "old old"},
		{"unreadable", func(_ *app, b *client) *client { b.jar[accessName], b.jar[refreshName] = "x", "y"; return b }, "GET", "/account", 303, nil, "old old"},
		{"nobody", nobody, "GET", "/account", 303, nil, "none none"},
		{"another site's", func(a *app, b *client) *client {
			a.expire()
			return b.as(map[string]string{"Sec-Fetch-Site": "cross-site"})
		}, "POST", "/account", 403, nil, "old old"},
	} {
		kinds++
		inApp(t, middleware.Config{Public: []string{"/", "/remember"}}, func(a *app) {
			a.echo.POST("/remember", func(c echo.Context) error {
				if err := a.guard.Issue(c, session.Login{UserID: "ada", Remember: true}); err != nil {
					return err
				}
				return c.Redirect(http.StatusSeeOther, "/")
			})
			a.echo.GET("/slow", func(c echo.Context) error { time.Sleep(31 * time.Second); return who(c) })
			b := c.arrange(a, a.client(pageLoad).login("ada"))
			kept := jar{}
			for name, value := range b.jar {
				kept[name] = jarred{value: value}
			}
			before := kept.at(time.Now())
			answer := b.onWire(c.method, c.path, url.Values{"user": {"ada"}}.Encode())[0]
			if answer.status != c.status {
				a.Errorf("%s: %d; want %d", c.name, answer.status, c.status)
			}
			var got []string
			for _, line := range answer.values("Set-Cookie") {
				lines++
				parsed, err := http.ParseSetCookie(line)
				if err != nil || parsed.Valid() != nil {
					a.Errorf("%s: %s: %v", c.name, line, err)
					continue
				}
				if err := kept.store(line, time.Now()); err != nil {
					a.Errorf("%s: no browser would take %s: %v", c.name, line, err)
				}
				if parsed.Value != "" {
					line = strings.Replace(line, parsed.Value, "V", 1)
				}
				got = append(got, accessAge.ReplaceAllString(line, "${1}A;"))
			}
			if !slices.Equal(got, c.want) {
				a.Errorf("%s: Set-Cookie\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			time.Sleep(time.Second) // in which an emptied cookie goes
			after := kept.at(time.Now())
			fate := func(name string) string {
				switch {
				case after[name] == "":
					return "none"
				case after[name] == before[name]:
					return "old"
				}
				return "new"
			}
			if got := fate(accessName) + " " + fate(refreshName); got != c.keeps {
				a.Errorf("%s: the browser keeps %s; want %s", c.name, got, c.keeps)
			}
		})
	}
	if lines < 30 {
		t.Errorf("%d Set-Cookie lines: this test proves little", lines)
	}
	t.Logf("%d Set-Cookie lines in %d kinds of answers: as they should be, to the byte", lines, kinds)
}

func nobody(_ *app, b *client) *client { clear(b.jar); return b }

func ended(a *app, b *client) *client {
	_ = a.users.RevokeUser(a.Context(), "ada", nil, "revoked")
	a.expire()
	return b
}
