package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
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
				b.back()
				b.until("the tab shows the login page", func() bool {
					at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
					return err == nil && at == "complete /login"
				})
				b.isAtLogin("/devices")
				if got := eval[string](b, `localStorage.getItem('shown') ?? ''`); got != "" {
					b.fatalf("the tab showed %s for a moment", got)
				}
			})
		}
	}
}
