package proxy

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// tab is a tab of a browser profile of its own.
type tab struct{ *chromiumtest.Tab }

func newTab(t *testing.T, base string) *tab {
	t.Helper()
	return &tab{chromiumtest.NewDevice(t, base, nil)}
}

// shown is what the tab shows: "200 Account at /account?tab=1", or the error of Chromium.
type shown string

// open loads a page.
func (b *tab) open(path string) shown {
	b.Helper()
	return b.load(func(ctx context.Context) (*network.Response, error) {
		return chromedp.Run(ctx, chromedp.NavigateResponse(b.URL+path))
	})
}

// press clicks on a button that loads a page.
func (b *tab) press(selector string) shown {
	b.Helper()
	return b.load(func(ctx context.Context) (*network.Response, error) {
		return chromedp.RunResponse(ctx, chromedp.Click(selector))
	})
}

func (b *tab) load(action func(context.Context) (*network.Response, error)) shown {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	answer, err := action(ctx)
	if err != nil {
		return shown(err.Error())
	}
	if answer == nil {
		return "a page without an answer"
	}
	return shown(fmt.Sprint(answer.Status, " ", chromiumtest.Eval[string](b.Tab, `(document.querySelector('h1')?.textContent ?? '') + ' at ' + location.pathname + location.search`)))
}

// mustShow fails unless a tab shows this.
func (b *tab) mustShow(what string, got, want shown) {
	b.Helper()
	if got != want {
		b.Fatalf("%s: the browser shows %q; want %q", what, got, want)
	}
}

// cookies returns the cookies of the tab's profile by name.
func (b *tab) cookies() map[string]*network.Cookie {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	stored, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(ctx).BrowserContextID})
	if err != nil {
		b.Fatal(err)
	}
	found := map[string]*network.Cookie{}
	for _, c := range stored.Cookies {
		found[c.Name] = c
	}
	return found
}

// The names of the cookies.
const (
	accessCookie  = "__Host-Http-session"
	refreshCookie = "__Host-Http-refresh-0"
)

// losesAccess deletes the access cookie, as the browser does when it has expired.
func (b *tab) losesAccess() {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	if _, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: accessCookie, URL: b.URL}); err != nil {
		b.Fatal(err)
	}
	if _, ok := b.cookies()[accessCookie]; ok {
		b.Fatal("the access cookie is still there")
	}
}

// choose chooses a file for the page's file field.
func (b *tab) choose(path string) {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.SetUploadFiles("#file", []string{path})); err != nil {
		b.Fatalf("choosing a file: %v", err)
	}
}
