package proxy

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// patience is the longest time that a test waits for one step, on a busy machine.
const patience = 30 * time.Second

// tab is a tab of a browser profile of its own.
type tab struct {
	*testing.T
	ctx  context.Context
	base string // the URL of the app, without a slash at the end
}

func newTab(t *testing.T, base string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return &tab{T: t, ctx: ctx, base: base}
}

func (b *tab) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

// shown is what the tab shows: "200 Account at /account?tab=1", or the error of Chromium.
type shown string

// open loads a page.
func (b *tab) open(path string) shown {
	b.Helper()
	return b.load(func(ctx context.Context) (*network.Response, error) {
		return chromedp.Run(ctx, chromedp.NavigateResponse(b.base+path))
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
	ctx, cancel := b.limited()
	defer cancel()
	answer, err := action(ctx)
	if err != nil {
		return shown(err.Error())
	}
	if answer == nil {
		return "a page without an answer"
	}
	return shown(fmt.Sprint(answer.Status, " ", eval[string](b, `(document.querySelector('h1')?.textContent ?? '') + ' at ' + location.pathname + location.search`)))
}

// mustShow fails unless a tab shows this.
func (b *tab) mustShow(what string, got, want shown) {
	b.Helper()
	if got != want {
		b.Fatalf("%s: the browser shows %q; want %q", what, got, want)
	}
}

func eval[T any](b *tab, script string) T {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("the script %s: %v", script, err)
	}
	return result
}

// cookies returns the cookies of the tab's profile by name.
func (b *tab) cookies() map[string]*network.Cookie {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	stored, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID})
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
	ctx, cancel := b.limited()
	defer cancel()
	if _, err := chromedp.Call(ctx, network.DeleteCookies, network.DeleteCookiesParams{Name: accessCookie, URL: b.base}); err != nil {
		b.Fatal(err)
	}
	if _, ok := b.cookies()[accessCookie]; ok {
		b.Fatal("the access cookie is still there")
	}
}

// choose chooses a file for the page's file field.
func (b *tab) choose(path string) {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.SetUploadFiles("#file", []string{path})); err != nil {
		b.Fatalf("choosing a file: %v", err)
	}
}
