package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// Chromium keeps no-store pages too for the back button. It discards them only when an
// HttpOnly cookie has been set meanwhile; the deletion of a cookie does not count.
func TestTheBackButtonAfterALogout(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"-tls"}, nil} {
		app := startApp(t, flags...)
		for _, scripts := range []bool{true, false} {
			t.Run("it never shows a page of the ended session", func(t *testing.T) {
				b := newDevice(t, app)
				call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
				b.loginAt("/devices", ada)
				eval[any](b, `addEventListener('pageshow', () => localStorage.setItem('shown', location.href)), null`)
				b.logout()
				b.Back()
				b.Until("the tab shows the login page", func() bool {
					at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
					return err == nil && at == "complete /login"
				})
				b.isAtLogin("/devices")
				if got := eval[string](b, `localStorage.getItem('shown') ?? ''`); got != "" {
					b.Fatalf("the tab showed %s for a moment", got)
				}
			})
		}
	}
}

// A public page greets the user. After a logout the back button shows nobody's name.
func TestTheBackButtonOnAPublicPage(t *testing.T) {
	t.Parallel()
	site := startSite(t, "localhost", nethttp.Config{Public: []string{"GET /{$}"}}, session.Config{})
	site.page("GET /{$}", func(r *http.Request) string {
		return `<h1>Hello ` + userOf(r.Context()) + `</h1><form method="post" action="/logout"><button id="logout">Log out</button></form>`
	})
	b := newDevice(t, site.app)
	b.Open("/login")
	b.Press("#login")
	b.isAt("/")
	if got := b.heading(); got != "Hello ada" {
		b.Fatalf("the page says %q", got)
	}
	b.Press("#logout")
	b.isAt("/login")
	b.Back()
	b.Until("the tab shows the public page again", func() bool {
		at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
		return err == nil && at == "complete /"
	})
	if got := b.heading(); got != "Hello nobody" {
		b.Errorf("the page says %q", got)
	}
}
