package browser

import (
	"strings"
	"testing"
)

// The demo users of the example.
var (
	ada   = user{"ada@example.com", "ada-demo-password"}
	grace = user{"grace@example.com", "grace-demo-password"}
)

type user struct{ email, password string }

const loginButton = `form[action="/login"] button`

// login fills in the login page of the tab, and returns the status of the next page.
func (b *tab) login(u user) int64 {
	b.Helper()
	b.fill("#email", u.email)
	b.fill("#password", u.password)
	return b.press(loginButton)
}

// loginAt opens a page that redirects to the login, and logs in.
func (b *tab) loginAt(path string, u user) {
	b.Helper()
	b.open(path)
	b.isAtLogin(path)
	b.login(u)
	b.isAt(path)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"-tls"}} {
		app := startApp(t, flags...)
		t.Run("the login leads back to the requested page "+strings.Join(flags, ""), func(t *testing.T) {
			b := newDevice(t, app)
			if status := b.open("/devices"); status != 200 {
				b.fatalf("the login page's status is %d", status)
			}
			if got := b.redirects(); got != "303 /devices" {
				b.fatalf("the redirects were %q; want 303", got)
			}
			b.isAtLogin("/devices")
			b.typeInto("#email", ada.email)
			b.typeInto("#password", ada.password)
			b.press(loginButton)
			b.isAt("/devices")
			if got := b.redirects(); got != "303 /login" {
				b.fatalf("the redirects were %q; want 303", got)
			}
			if got := b.heading(); got != "Devices" {
				b.fatalf("the heading is %q", got)
			}
			b.hasBoth()
		})
		t.Run("a wrong password is reported, and the e-mail address stays in the form "+strings.Join(flags, ""), func(t *testing.T) {
			b := newDevice(t, app)
			b.open("/login?next=%2Fdevices")
			if status := b.login(user{ada.email, "not-her-password"}); status != 401 {
				b.fatalf("the status is %d; want 401", status)
			}
			b.isAt("/login")
			if got := eval[string](b, `document.querySelector('[role=alert]')?.textContent ?? ''`); !strings.Contains(got, "is wrong") {
				b.fatalf("the page says %q", got)
			}
			if got := eval[string](b, `document.querySelector('#email').value`); got != ada.email {
				b.fatalf("the e-mail is %q now", got)
			}
			if got := eval[string](b, `document.querySelector('#password').value`); got != "" {
				b.fatalf("the password came back in the page")
			}
			if jar := b.jar(); len(jar) != 0 {
				b.fatalf("a failed login set %v", names(jar))
			}
			b.login(ada)
			b.isAt("/devices")
		})
	}
}
