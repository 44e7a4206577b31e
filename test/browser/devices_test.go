package browser

import (
	"sync"
	"testing"
)

func TestTabs(t *testing.T) {
	t.Parallel()
	t.Run("two tabs that reload continuously, each from its own node, are never logged out", func(t *testing.T) {
		app := startApp(t, short...)
		other := app.anotherNode()
		one := newDevice(t, app)
		one.allowFetch()
		one.loginAt("/account", ada)
		two := one.another()
		two.app, two.URL = other, other.url
		two.Open("/devices")
		two.isAt("/devices")
		first := one.session()

		expiries := 0
		done := make(chan struct{})
		var reloading sync.WaitGroup
		reload := func(b *tab, path string) {
			for {
				select {
				case <-done:
					return
				default:
				}
				status, err := b.Visit(path)
				if err != nil || status != 200 || b.Where() == "" {
					b.Errorf("reloading %s: status %d, %v", path, status, err)
					return
				}
				if at, err := tryEval[string](b, `location.pathname`); err != nil || at != path {
					b.Errorf("the tab that reloads %s is at %q (%v)", path, at, err)
					return
				}
			}
		}
		reloading.Go(func() { reload(one, "/account") })
		reloading.Go(func() { reload(two, "/devices") })
		watch := one.another()
		watch.allowFetch()
		watch.Open("/login") // a public page
		for last := first.IssuedAt; expiries < 5 && !t.Failed(); {
			watch.Until("the session is renewed", func() bool {
				a := eval[answer](watch, fetchSession)
				if a.Status != 200 || a.SessionID != first.SessionID {
					watch.Errorf("the session is %+v; it was %+v", a, first)
					return true
				}
				renewed := a.IssuedAt.After(last)
				last = a.IssuedAt
				return renewed
			})
			expiries++
		}
		close(done)
		reloading.Wait()
		app.sawNoReuse()
		other.sawNoReuse()
	})
}

func TestDevices(t *testing.T) {
	t.Parallel()
	app := startApp(t, "-tls") // no access cookie expires during this test

	t.Run("one device logs the others out at once, and stays", func(t *testing.T) {
		here, there := newDevice(t, app), newDevice(t, app)
		there.allowFetch()
		here.loginAt("/account", ada)
		there.loginAt("/account", ada)
		here.Open("/devices")
		here.Press(`form[action="/devices/revoke-others"] button`)
		there.isOut()
		here.isAt("/devices?done=others")
		there.Open("/account")
		there.isAtLogin("/account")
		there.keepsNoSession()
		here.Open("/account")
		here.isAt("/account")
		if n := here.rows(); n != 1 {
			here.Fatalf("%d devices remain; want only this one", n)
		}
	})

	t.Run("one device logs one other out at once", func(t *testing.T) {
		here, there := newDevice(t, app), newDevice(t, app)
		there.allowFetch()
		here.loginAt("/account", grace)
		there.loginAt("/account", grace)
		here.Open("/devices")
		here.Press(`form[action="/devices/revoke"] button`)
		there.isOut()
		here.isAt("/devices?done=device")
		there.Open("/account")
		there.isAtLogin("/account")
		here.Open("/account")
		here.isAt("/account")
	})

	t.Run("a changed password logs the others out at once, and the old one is refused", func(t *testing.T) {
		const changed = "a-new-password-for-ada"
		here, there := newDevice(t, app), newDevice(t, app)
		there.allowFetch()
		here.loginAt("/account", ada)
		there.loginAt("/devices", ada)
		old, _ := here.hasBoth()
		here.Fill("#current", ada.password)
		here.Fill("#new", changed)
		here.Press(`form[action="/account/password"] button`)
		there.isOut()
		here.isAt("/account?done=password")
		if now, _ := here.hasBoth(); now.Value == old.Value {
			here.Fatalf("the session is still the one from before")
		}

		there.Open("/devices")
		there.isAtLogin("/devices")
		if status := there.login(ada); status != 401 {
			there.Fatalf("the old password: status %d; want 401", status)
		}
		there.login(user{ada.email, changed})
		there.isAt("/devices")
		here.Open("/devices")
		here.isAt("/devices")
	})
}

// isOut fails unless the server refuses the tab's session immediately, and not only after
// a second.
func (b *tab) isOut() {
	b.Helper()
	if a := eval[answer](b, fetchSession); a.Status != 401 {
		b.Fatalf("/api/session answered %d; want 401", a.Status)
	}
}

// rows counts the devices that the devices page shows.
func (b *tab) rows() int {
	b.Helper()
	b.Open("/devices")
	return eval[int](b, `document.querySelectorAll('tbody tr').length`)
}
