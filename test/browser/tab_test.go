package browser

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience is the longest time that a test waits for one step, on a busy machine.
const patience = 30 * time.Second

// tab is a tab of a device: a browser profile with cookies of its own.
type tab struct {
	*testing.T
	app *app
	ctx context.Context

	mu       sync.Mutex // guards what follows
	requests []string   // the URLs of all requests
	hops     []string   // the redirects of the last navigation: "303 /devices"
}

// newDevice opens the first tab of a new device.
func newDevice(t *testing.T, a *app) *tab {
	t.Helper()
	return newTab(t, a, chromium, chromedp.WithNewBrowserContext())
}

// another opens one more tab of the same device.
func (b *tab) another() *tab {
	b.Helper()
	return newTab(b.T, b.app, b.ctx)
}

func newTab(t *testing.T, a *app, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{T: t, app: a}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.note))...)
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return b
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

// fatalf ends the test with a message that has the URL of the tab.
func (b *tab) fatalf(format string, args ...any) {
	b.Helper()
	b.Fatalf("%s\n\tat %s", fmt.Sprintf(format, args...), b.where())
}

func (b *tab) errorf(format string, args ...any) {
	b.Helper()
	b.Errorf("%s\n\tat %s", fmt.Sprintf(format, args...), b.where())
}

func (b *tab) where() string {
	place, err := tryEval[string](b, `location.href + ' "' + document.title + '"'`)
	if err != nil {
		return "an unknown URL: " + err.Error()
	}
	return place
}

// limited gives one step in the browser a time limit.
func (b *tab) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

// visit loads a page of the app, and returns the status of the page that is shown.
func (b *tab) visit(path string) (int64, error) {
	ctx, cancel := b.limited()
	defer cancel()
	to := path
	if strings.HasPrefix(path, "/") {
		to = b.app.url + path
	}
	answer, err := chromedp.Run(ctx, chromedp.NavigateResponse(to))
	if err != nil {
		return 0, fmt.Errorf("loading %s: %w", to, err)
	}
	return answer.Status, nil
}

func (b *tab) open(path string) int64 {
	b.Helper()
	status, err := b.visit(path)
	if err != nil {
		b.fatalf("%v", err)
	}
	return status
}

// press clicks on a link or button, and returns the status of the next page.
func (b *tab) press(selector string) int64 {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, chromedp.Click(selector))
	if err != nil {
		b.fatalf("clicking on %s: %v", selector, err)
	}
	if answer == nil {
		b.fatalf("clicking on %s: Chromium reports a page without an answer of the server", selector)
	}
	return answer.Status
}

// pressTo clicks on a link, and waits until the tab shows this page of the app. Where the
// page prefetches, press may take the answer to the prefetch for the answer to the click.
func (b *tab) pressTo(selector, path string) {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(selector)); err != nil {
		b.fatalf("clicking on %s: %v", selector, err)
	}
	b.until("the tab shows "+path, func() bool {
		at, err := tryEval[string](b, `document.readyState + ' ' + location.href`)
		return err == nil && at == "complete "+b.app.url+path
	})
}

// fill puts a text into a field at once, as a password manager does.
func (b *tab) fill(selector, text string) {
	b.Helper()
	if !eval[bool](b, fmt.Sprintf(`(f => { f?.focus(); f?.select(); return f != null && f == document.activeElement })(document.querySelector(%q))`, selector)) {
		b.fatalf("there is no field %s", selector)
	}
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// typeInto types a text into a field, key by key.
func (b *tab) typeInto(selector, text string) {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Clear(selector), chromedp.SendKeys(selector, text)); err != nil {
		b.fatalf("typing into %s: %v", selector, err)
	}
}

// back presses the back button. The page may redirect to another one.
func (b *tab) back() {
	b.Helper()
	history := call(b, page.GetNavigationHistory, struct{}{})
	if history.CurrentIndex == 0 {
		b.fatalf("there is no page to go back to")
	}
	call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID})
}

func (b *tab) path() string {
	b.Helper()
	return eval[string](b, `location.pathname + location.search`)
}

func (b *tab) heading() string {
	b.Helper()
	return eval[string](b, `document.querySelector('h1')?.textContent ?? ''`)
}

func (b *tab) text() string {
	b.Helper()
	return eval[string](b, `document.body.innerText`)
}

// isAt fails unless the tab shows this page of the app.
func (b *tab) isAt(path string) {
	b.Helper()
	if got := eval[string](b, `location.href`); got != b.app.url+path {
		b.fatalf("the tab should be at %s", b.app.url+path)
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
		b.fatalf("the heading is %q; want %q", got, "Log in")
	}
}

// until waits until a condition holds.
func (b *tab) until(what string, holds func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.fatalf("after %v this is still not true: %s", patience, what)
		}
	}
}
