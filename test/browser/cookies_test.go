package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

func TestCookies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"over TLS", []string{"-tls"}},
		{"over plain HTTP on loopback", nil},
	} {
		app := startApp(t, c.flags...)
		t.Run("the browser stores both with their attributes "+c.name, func(t *testing.T) {
			b := newDevice(t, app)
			b.Open("/login")
			b.login(ada)
			b.isAt("/")
			access, refresh := b.hasBoth()
			b.isStored(access, 2*time.Minute)
			b.isStored(refresh, 30*time.Minute)
		})
		t.Run("no script can read them "+c.name, func(t *testing.T) {
			b := newDevice(t, app)
			b.Open("/login")
			b.login(ada)
			b.hasBoth()
			if got := eval[string](b, `document.cookie`); got != "" {
				b.Fatalf("document.cookie is %q", got)
			}
			access, refresh := b.hasBoth()
			// A script cannot overwrite them either.
			b.plant(access.Name, refresh.Name)
			if a, r := b.hasBoth(); a.Value != access.Value || r.Value != refresh.Value {
				b.Fatalf("a script overwrote a cookie")
			}
		})
	}

	t.Run("remembered logins last a month", func(t *testing.T) {
		b := newDevice(t, startApp(t, "-tls"))
		b.Open("/login")
		eval[any](b, `document.querySelector('[name=remember]').click()`)
		b.login(ada)
		access, refresh := b.hasBoth()
		b.isStored(access, 2*time.Minute)
		b.isStored(refresh, 30*24*time.Hour)
	})

	t.Run("no script can set one over TLS", func(t *testing.T) {
		app := startApp(t, "-tls")
		b := newDevice(t, app)
		b.Open("/login")
		b.plant(app.cookies()...)
		if jar := b.jar(); len(jar) != 0 {
			b.Fatalf("a script stored %v", names(jar))
		}
		// The browser stores cookies that a script may set.
		b.plant("theirs")
		if b.jar()["theirs"] == nil {
			b.Fatalf("the browser stores no cookies of scripts: this test proves nothing")
		}
	})

	t.Run("unsealed values lead to the login page, and are not deleted", func(t *testing.T) {
		app := startApp(t)
		b := newDevice(t, app)
		b.Open("/login")
		b.plant(app.cookies()...)
		b.Open("/devices")
		b.isAtLogin("/devices")
		if jar := b.jar(); len(jar) != 3 {
			b.Fatalf("the jar has %v; want all cookies: another node may have the key for them", names(jar))
		}
		b.login(ada)
		b.isAt("/devices")
	})
}

// plant lets a script try to set cookies.
func (b *tab) plant(cookies ...string) {
	b.Helper()
	for _, name := range cookies {
		for _, attributes := range []string{"; Path=/", "; Secure; Path=/", "; Secure; Path=/; SameSite=Lax; Max-Age=60"} {
			eval[any](b, `document.cookie = "`+name+`=planted`+attributes+`"; null`)
		}
	}
}

// isStored fails unless a cookie has all attributes that protect it.
func (b *tab) isStored(c *network.Cookie, life time.Duration) {
	b.Helper()
	if c.Secure != b.app.tls() {
		b.Errorf("%s: Secure is %v", c.Name, c.Secure)
	}
	if !c.HTTPOnly {
		b.Errorf("%s is open to scripts", c.Name)
	}
	if c.SameSite != network.CookieSameSiteLax {
		b.Errorf("%s: SameSite is %q", c.Name, c.SameSite)
	}
	if c.Path != "/" || c.Domain != "localhost" {
		b.Errorf("%s is for %q on %q; want / on this host alone", c.Name, c.Path, c.Domain)
	}
	left := time.Until(time.Unix(0, int64(c.Expires*1e9)))
	if c.Session || left > life+time.Second || left < life*9/10-patience {
		b.Errorf("%s runs out in %v; want nearly %v", c.Name, left, life)
	}
	if strings.Contains(c.Value, "example.com") || len(c.Name)+len(c.Value) > 4096 {
		b.Errorf("%s is %d bytes: %s", c.Name, len(c.Value), c.Value)
	}
}
