package browser

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

const patience = chromiumtest.Patience

// tab is a tab of a device: a browser profile with cookies of its own.
type tab struct {
	*chromiumtest.Tab
	app *app

	mu       sync.Mutex // guards what follows
	requests []string   // the URLs of all requests
	hops     []string   // the redirects of the last navigation: "303 /devices"
}

// newDevice opens the first tab of a new device.
func newDevice(t *testing.T, a *app) *tab {
	t.Helper()
	b := &tab{app: a}
	b.Tab = chromiumtest.NewDevice(t, a.url, b.note)
	return b
}

// another opens one more tab of the same device.
func (b *tab) another() *tab {
	b.Helper()
	c := &tab{app: b.app}
	c.Tab = b.Another(c.note)
	return c
}

// note records the requests and redirects of the tab.
func (b *tab) note(event any) {
	sent, ok := event.(*network.EventRequestWillBeSent)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests = append(b.requests, sent.Request.URL)
	if sent.Type == network.ResourceTypeDocument {
		if sent.RedirectResponse == nil {
			b.hops = nil
		} else {
			b.hops = append(b.hops, fmt.Sprint(sent.RedirectResponse.Status, " ", pathOf(sent.RedirectResponse.URL)))
		}
	}
}

// redirects returns the redirects that led to the current page.
func (b *tab) redirects() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.hops, ", ")
}

// asked returns the hosts that the tab has sent requests to.
func (b *tab) asked() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	hosts := map[string]bool{}
	for _, request := range b.requests {
		if u, err := url.Parse(request); err == nil && u.Host != "" {
			hosts[u.Host] = true
		}
	}
	return hosts
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.RequestURI()
}

// pressTo clicks on a link, and waits until the tab shows this page of the app. Where the
// page prefetches, press may take the answer to the prefetch for the answer to the click.
func (b *tab) pressTo(selector, path string) {
	b.Helper()
	b.Click(selector)
	b.Until("the tab shows "+path, func() bool {
		at, err := tryEval[string](b, `document.readyState + ' ' + location.href`)
		return err == nil && at == "complete "+b.app.url+path
	})
}

// typeInto types a text into a field, key by key.
func (b *tab) typeInto(selector, text string) {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Clear(selector), chromedp.SendKeys(selector, text)); err != nil {
		b.Fatalf("typing into %s: %v", selector, err)
	}
}

func (b *tab) heading() string {
	b.Helper()
	return eval[string](b, `document.querySelector('h1')?.textContent ?? ''`)
}

// isAt fails unless the tab shows this page of the app.
func (b *tab) isAt(path string) {
	b.Helper()
	if got := eval[string](b, `location.href`); got != b.app.url+path {
		b.Fatalf("the tab should be at %s", b.app.url+path)
	}
}

// isAtLogin fails unless the tab shows the login page with this return path.
func (b *tab) isAtLogin(next string) {
	b.Helper()
	path := "/login"
	if next != "" {
		path += "?next=" + url.QueryEscape(next)
	}
	b.isAt(path)
	if got := b.heading(); got != "Log in" {
		b.Fatalf("the heading is %q; want %q", got, "Log in")
	}
}
