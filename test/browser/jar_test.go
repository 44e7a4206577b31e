package browser

import (
	"maps"
	"slices"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// jar returns the cookies of the device by name, without those whose value is empty.
func (b *tab) jar() map[string]*network.Cookie {
	b.Helper()
	jar := map[string]*network.Cookie{}
	ctx, cancel := b.Limited()
	defer cancel()
	device := chromedp.FromContext(ctx).BrowserContextID
	stored, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: device})
	if err != nil {
		b.Fatalf("reading the jar: %v", err)
	}
	for _, c := range stored.Cookies {
		if c.Value == "" {
			continue
		}
		if jar[c.Name] != nil {
			b.Fatalf("there are two cookies named %s", c.Name)
		}
		jar[c.Name] = c
	}
	return jar
}

// hasBoth fails unless the device has both cookies of a login, and returns them.
func (b *tab) hasBoth() (access, refresh *network.Cookie) {
	b.Helper()
	jar := b.jar()
	access, refresh = jar[b.app.access()], jar[b.app.refreshes()[0]]
	if access == nil || refresh == nil || len(jar) != 3 {
		b.Fatalf("the jar has %v; want %s and %s", names(jar), b.app.access(), b.app.refreshes()[0])
	}
	return access, refresh
}

// hasRefresh fails unless the device has a refresh cookie, and returns the newer one. The
// access cookie is nil if it has already expired, which is possible after two seconds on a
// busy machine.
func (b *tab) hasRefresh() (access, refresh *network.Cookie) {
	b.Helper()
	jar := b.jar()
	for _, name := range b.app.refreshes() {
		if c := jar[name]; c != nil && (refresh == nil || c.Expires > refresh.Expires) {
			refresh = c
		}
	}
	if refresh == nil {
		b.Fatalf("the jar has %v; want one of %v", names(jar), b.app.refreshes())
	}
	return jar[b.app.access()], refresh
}

// keepsNoSession fails if the access cookie of the device names a session. After a refusal
// it says that the session is over, and a refresh cookie remains, which is refused.
func (b *tab) keepsNoSession() {
	b.Helper()
	jar := b.jar()
	if jar[b.app.access()] == nil {
		b.Fatalf("the jar has %v; want the access cookie of a refusal", names(jar))
	}
	call(b, network.ClearBrowserCookies, struct{}{})
	b.putBack(jar[b.app.access()])
	b.isOut()
	b.putBack(slices.Collect(maps.Values(jar))...)
}

// untilGone waits until the browser has removed a cookie.
func (b *tab) untilGone(cookies ...string) {
	b.Helper()
	for _, name := range cookies {
		b.Until("the browser has removed "+name, func() bool { return b.jar()[name] == nil })
	}
}

// putBack stores copies of cookies again. The browser does not remove them at their expiry.
func (b *tab) putBack(cookies ...*network.Cookie) {
	b.Helper()
	cookies = slices.DeleteFunc(slices.Clone(cookies), func(c *network.Cookie) bool { return c == nil })
	var params []*network.CookieParam
	for _, c := range cookies {
		params = append(params, &network.CookieParam{
			Name: c.Name, Value: c.Value, URL: b.app.url + "/", Path: c.Path,
			Secure: c.Secure, HTTPOnly: c.HTTPOnly, SameSite: c.SameSite,
			Expires: cdp.TimeSinceEpoch(time.Now().Add(time.Hour).Unix()),
		})
	}
	call(b, network.SetCookies, network.SetCookiesParams{Cookies: params})
	jar := b.jar()
	for _, c := range cookies {
		if jar[c.Name] == nil || jar[c.Name].Value != c.Value {
			b.Fatalf("the browser did not store %s", c.Name)
		}
	}
}

func names(jar map[string]*network.Cookie) (names []string) {
	for name := range jar {
		names = append(names, name)
	}
	return names
}
