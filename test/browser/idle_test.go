package browser

import (
	"testing"
	"time"
)

func TestIdleSessions(t *testing.T) {
	t.Parallel()
	const idle = 4 * time.Second // in place of 30 minutes
	app := startApp(t, "-tls", "-access-ttl", "2s", "-refresh-ttl", idle.String())

	t.Run("a request after the idle timeout leads back to its page after the login", func(t *testing.T) {
		b := newDevice(t, app)
		b.loginAt("/devices", ada)
		b.untilGone(app.cookies()...)
		b.Open("/devices")
		if got := b.redirects(); got != "303 /devices" {
			b.Fatalf("the redirects were %q", got)
		}
		b.isAtLogin("/devices")
		b.login(ada)
		b.isAt("/devices")
	})

	t.Run("cookies that are kept for longer are refused", func(t *testing.T) {
		b := newDevice(t, app)
		b.loginAt("/devices", ada)
		access, refresh := b.hasRefresh()
		b.untilGone(app.cookies()...)
		b.putBack(access, refresh)
		b.Open("/devices")
		b.isAtLogin("/devices")
	})

	t.Run("a form sent after the idle timeout leads back to its page", func(t *testing.T) {
		b := newDevice(t, app)
		b.loginAt("/account", ada)
		b.Fill("#current", ada.password)
		b.Fill("#new", "a-password-that-comes-too-late")
		b.untilGone(app.cookies()...)
		b.Press(`form[action="/account/password"] button`)
		if got := b.redirects(); got != "303 /account/password" {
			b.Fatalf("the redirects were %q", got)
		}
		b.isAtLogin("/account")
		b.login(ada) // the form was not executed: the password is still the old one
		b.isAt("/account")
	})
}

func TestTheAbsoluteEnd(t *testing.T) {
	t.Parallel()
	t.Run("a session that is never idle ends at its maximum lifetime", func(t *testing.T) {
		const idle, end = 6 * time.Second, 9 * time.Second
		app := startApp(t, "-tls", "-access-ttl", "1s", "-refresh-ttl", idle.String(), "-max-lifetime", end.String())
		b := newDevice(t, app)
		b.Open("/devices")
		b.isAtLogin("/devices")
		before := time.Now()
		b.login(ada)
		b.isAt("/devices")
		after := time.Now() // the session began between the two
		var served, asked time.Time
		for b.Path() == "/devices" && time.Since(after) < end+patience {
			time.Sleep(idle / 20)
			served, asked = asked, time.Now()
			b.Open("/devices")
		}
		b.isAtLogin("/devices")
		if lived := time.Since(before); lived < end-time.Second {
			b.Fatalf("the session ended at most %v after its login; want %v", lived, end)
		}
		if lived := served.Sub(after); lived > end+time.Second {
			b.Fatalf("the session was served at least %v after its login; want at most %v", lived, end)
		}
	})
}
