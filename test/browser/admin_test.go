package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	app := startApp(t, "-tls")

	t.Run("a banned user is logged out at the next page, and cannot log in", func(t *testing.T) {
		hers, admin := newDevice(t, app), newDevice(t, app)
		hers.allowFetch()
		hers.loginAt("/account", ada)
		admin.loginAt("/admin", grace)
		admin.unfoldAndPress(`form[action="/admin/ban"]`)
		hers.isOut()
		admin.isAt("/admin?done=banned")
		hers.Open("/account")
		hers.isAtLogin("/account")
		if status := hers.login(ada); status != 403 {
			hers.Fatalf("a banned user's login: status %d; want 403", status)
		}
		hers.isAt("/login")
		if got := hers.Text(); !strings.Contains(got, "This account is disabled") {
			hers.Fatalf("the page does not say why:\n%s", got)
		}
		hers.keepsNoSession()
		admin.Open("/admin")
		admin.isAt("/admin")

		admin.Press(`button[aria-label^="Lift the ban of Ada"]`)
		hers.login(ada)
		hers.isAt("/account")
	})

	t.Run("a user without the role gets a 403, and stays logged in", func(t *testing.T) {
		b := newDevice(t, app)
		b.loginAt("/devices", ada)
		if status := b.Open("/admin"); status != 403 {
			b.Fatalf("the status is %d; want 403", status)
		}
		b.isAt("/admin")
		if got := b.Text(); strings.Contains(got, grace.email) {
			b.Fatalf("the page shows the users:\n%s", got)
		}
		b.Open("/devices")
		b.isAt("/devices")
	})

	t.Run("everybody can be logged out at once", func(t *testing.T) {
		hers, admin := newDevice(t, app), newDevice(t, app)
		hers.allowFetch()
		hers.loginAt("/devices", ada)
		admin.loginAt("/admin", grace)
		admin.unfoldAndPress(`form[action="/admin/revoke-all"]`)
		hers.isOut()
		admin.isAt("/?done=everybody")
		for b, path := range map[*tab]string{hers: "/devices", admin: "/admin"} {
			b.Open(path)
			b.isAtLogin(path)
		}
	})
}

// unfoldAndPress opens the details element around a form and presses the form's button.
// Forms that end sessions of other users are in such an element, so that a single click
// does nothing.
func (b *tab) unfoldAndPress(form string) {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click("details:has("+form+") > summary")); err != nil {
		b.Fatalf("unfolding %s: %v", form, err)
	}
	b.Press(form + " button")
}
