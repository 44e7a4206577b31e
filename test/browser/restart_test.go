package browser

import "testing"

func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("a restart of the server logs nobody out", func(t *testing.T) {
		app := startApp(t, short...)
		b := newDevice(t, app)
		b.allowFetch()
		b.loginAt("/account", ada)
		before := b.session()

		app.stop()
		if _, err := b.Visit("/account"); err == nil {
			b.Fatalf("the server still answers")
		}
		b.untilGone(app.access())
		app.restart()
		for round := range 2 {
			if status := b.Open("/account"); status != 200 {
				b.Fatalf("the status is %d", status)
			}
			b.isAt("/account")
			if after := b.session(); after.SessionID != before.SessionID || after.UserID != before.UserID {
				b.Fatalf("round %d: the session is %+v; before the restart it was %+v", round, after, before)
			}
			b.untilGone(app.access())
		}
	})

	t.Run("an access cookie from before the restart is accepted after it", func(t *testing.T) {
		app := startApp(t)
		b := newDevice(t, app)
		b.allowFetch()
		b.loginAt("/devices", ada)
		access, _ := b.hasBoth()
		app.stop()
		app.restart()
		b.Open("/devices")
		b.isAt("/devices")
		if now, _ := b.hasBoth(); now.Value != access.Value {
			b.Fatalf("the access cookie was replaced")
		}
	})
}
