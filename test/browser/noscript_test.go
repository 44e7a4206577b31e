package browser

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	app := startApp(t, "-tls")

	t.Run("login, devices and logout need no script", func(t *testing.T) {
		here, there := newDevice(t, app), newDevice(t, app)
		for _, b := range []*tab{here, there} {
			call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			b.Open("data:text/html,<title>none</title><script>document.title='some'</script>")
			if got := eval[string](b, `document.title`); got != "none" {
				b.Fatalf("scripts run: this test proves nothing")
			}
			b.loginAt("/devices", ada)
		}
		if n := here.rows(); n != 2 {
			here.Fatalf("%d devices; want 2", n)
		}
		here.Press(`form[action="/devices/revoke"] button`)
		here.isAt("/devices?done=device")
		there.Open("/devices")
		there.isAtLogin("/devices")
		here.logout()
		here.Open("/devices")
		here.isAtLogin("/devices")
	})
}
