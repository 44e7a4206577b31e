package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

const logoutButton = `form.who button`

// logout presses the page's button.
func (b *tab) logout() {
	b.Helper()
	b.press(logoutButton)
	b.isAt("/?done=logged-out")
	if got := b.text(); !strings.Contains(got, "You are logged out.") {
		b.fatalf("the page does not say that the user is logged out:\n%s", got)
	}
	if jar := b.jar(); len(jar) != 0 {
		b.fatalf("the logout left %v", names(jar))
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
			b.back()
			b.until("the login page is there", func() bool {
				at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
				return err == nil && at == "complete /login"
			})
			b.isAtLogin(path)
			if got := b.text(); strings.Contains(got, "Lovelace") {
				b.fatalf("the page still knows who it was:\n%s", got)
			}
		})
	}

	t.Run("cookies that are put back after it open nothing", func(t *testing.T) {
		b := newDevice(t, app)
		b.allowFetch()
		b.loginAt("/devices", ada)
		access, refresh := b.hasRefresh()
		b.logout()
		out := time.Now()

		isRefused := func(when string, cookies ...*network.Cookie) {
			t.Helper()
			b.putBack(cookies...)
			b.open("/devices")
			if b.path() != "/login?next=%2Fdevices" {
				b.fatalf("%s, the cookies that were put back open the page", when)
			}
			b.keepsNoAccess()
			call(b, network.ClearBrowserCookies, struct{}{})
		}
		isRefused("at once", access, refresh)
		isRefused("at once, with the refresh cookie alone", refresh)
		b.until("an access cookie's life is over", func() bool { return time.Since(out) > 4*time.Second })
		isRefused("after the access cookie's life", access, refresh)

		// By now nothing that was under way can be meant: both are deleted.
		b.putBack(refresh)
		b.open("/devices")
		if jar := b.jar(); len(jar) != 0 {
			b.fatalf("a page load left %v in the jar", names(jar))
		}
	})
}
