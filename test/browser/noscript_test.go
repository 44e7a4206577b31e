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
			b.open("data:text/html,<title>none</title><script>document.title='some'</script>")
			if got := eval[string](b, `document.title`); got != "none" {
				b.fatalf("scripts run: this test proves nothing")
			}
			b.loginAt("/devices", ada)
		}
		if n := here.rows(); n != 2 {
			here.fatalf("%d devices; want 2", n)
		}
		here.press(`form[action="/devices/revoke"] button`)
		here.isAt("/devices?done=device")
		there.open("/devices")
		there.isAtLogin("/devices")
		here.logout()
		here.open("/devices")
		here.isAtLogin("/devices")
	})
}
