package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

const logoutButton = `form.who button`

// logout presses the logout button of the page.
func (b *tab) logout() {
	b.Helper()
	b.Press(logoutButton)
	b.isAt("/?done=logged-out")
	if got := b.Text(); !strings.Contains(got, "You are logged out.") {
		b.Fatalf("the page does not say that the user is logged out:\n%s", got)
	}
	if jar := b.jar(); len(jar) != 0 {
		b.Fatalf("the logout left %v", names(jar))
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	app := startApp(t, "-tls", "-access-ttl", "4s", "-refresh-ttl", "20s")

	for _, path := range []string{"/devices", "/account"} {
		t.Run("the back button does not bring back "+path, func(t *testing.T) {
			b := newDevice(t, app)
			b.loginAt(path, ada)
			b.logout()
			b.Back()
			b.Until("the tab shows the login page", func() bool {
				at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
				return err == nil && at == "complete /login"
			})
			b.isAtLogin(path)
			if got := b.Text(); strings.Contains(got, "Lovelace") {
				b.Fatalf("the page still shows the user:\n%s", got)
			}
		})
	}

	t.Run("cookies that are restored after the logout are refused", func(t *testing.T) {
		b := newDevice(t, app)
		b.allowFetch()
		b.loginAt("/devices", ada)
		access, refresh := b.hasRefresh()
		b.logout()
		out := time.Now()

		isRefused := func(when string, cookies ...*network.Cookie) {
			t.Helper()
			b.putBack(cookies...)
			b.Open("/devices")
			if b.Path() != "/login?next=%2Fdevices" {
				b.Fatalf("%s, the restored cookies are accepted", when)
			}
			b.keepsNoSession()
			call(b, network.ClearBrowserCookies, struct{}{})
		}
		isRefused("at once", access, refresh)
		isRefused("immediately, with the refresh cookie alone", refresh)
		b.Until("the lifetime of an access cookie has passed", func() bool { return time.Since(out) > 4*time.Second })
		isRefused("after the lifetime of the access cookie", access, refresh)

		// A refusal may arrive after the next login, so it deletes no refresh cookie. With its
		// access cookie the next page load costs no statement: the node reports the end only
		// when it has asked the store.
		b.putBack(refresh)
		b.Open("/devices")
		refused, reported := time.Now(), app.log.count("kind=ended")
		b.Until("the node itself has forgotten the refusal", func() bool { return time.Since(refused) > 1500*time.Millisecond })
		b.Open("/devices")
		b.isAtLogin("/devices")
		jar := b.jar()
		if c := jar[refresh.Name]; c == nil || c.Value != refresh.Value {
			b.Fatalf("a refusal left %v in the jar; want the refresh cookie as it was", names(jar))
		}
		if n := app.log.count("kind=ended"); jar[app.access()] != nil && n != reported {
			b.Fatalf("the second refusal asked the store")
		}
	})
}
