package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// Chromium keeps also no-store pages for the back button, and lets them go only
// when an HttpOnly cookie was set meanwhile; a deleted one does not count.
func TestTheBackButtonAfterALogout(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"-tls"}, nil} {
		app := startApp(t, flags...)
		for _, scripts := range []bool{true, false} {
			t.Run("it never shows a page again", func(t *testing.T) {
				b := newDevice(t, app)
				call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
				b.loginAt("/devices", ada)
				eval[any](b, `addEventListener('pageshow', () => localStorage.setItem('shown', location.href)), null`)
				b.logout()
				b.back()
				b.until("the login page is there", func() bool {
					at, err := tryEval[string](b, `document.readyState + ' ' + location.pathname`)
					return err == nil && at == "complete /login"
				})
				b.isAtLogin("/devices")
				if got := eval[string](b, `localStorage.getItem('shown') ?? ''`); got != "" {
					b.fatalf("%s was shown again, for a moment", got)
				}
			})
		}
	}
}
