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
	b.Fill("#email", u.email)
	b.Fill("#password", u.password)
	return b.Press(loginButton)
}

// loginAt opens a page that redirects to the login, and logs in.
func (b *tab) loginAt(path string, u user) {
	b.Helper()
	b.Open(path)
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
			if status := b.Open("/devices"); status != 200 {
				b.Fatalf("the login page's status is %d", status)
			}
			if got := b.redirects(); got != "303 /devices" {
				b.Fatalf("the redirects were %q; want 303", got)
			}
			b.isAtLogin("/devices")
			b.typeInto("#email", ada.email)
			b.typeInto("#password", ada.password)
			b.Press(loginButton)
			b.isAt("/devices")
			if got := b.redirects(); got != "303 /login" {
				b.Fatalf("the redirects were %q; want 303", got)
			}
			if got := b.heading(); got != "Devices" {
				b.Fatalf("the heading is %q", got)
			}
			b.hasBoth()
		})
		t.Run("a wrong password is reported, and the e-mail address stays in the form "+strings.Join(flags, ""), func(t *testing.T) {
			b := newDevice(t, app)
			b.Open("/login?next=%2Fdevices")
			if status := b.login(user{ada.email, "not-her-password"}); status != 401 {
				b.Fatalf("the status is %d; want 401", status)
			}
			b.isAt("/login")
			if got := eval[string](b, `document.querySelector('[role=alert]')?.textContent ?? ''`); !strings.Contains(got, "is wrong") {
				b.Fatalf("the page says %q", got)
			}
			if got := eval[string](b, `document.querySelector('#email').value`); got != ada.email {
				b.Fatalf("the e-mail is %q now", got)
			}
			if got := eval[string](b, `document.querySelector('#password').value`); got != "" {
				b.Fatalf("the password came back in the page")
			}
			if jar := b.jar(); len(jar) != 0 {
				b.Fatalf("a failed login set %v", names(jar))
			}
			b.login(ada)
			b.isAt("/devices")
		})
	}
}
