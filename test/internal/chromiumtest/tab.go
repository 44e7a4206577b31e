package chromiumtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Patience is the longest time that a test waits for one step, on a busy machine.
const Patience = 30 * time.Second

// Tab is a tab of a device: a browser profile with cookies of its own.
type Tab struct {
	*testing.T
	URL string // of the app, without a slash at the end
	ctx context.Context
}

// NewDevice opens the first tab of a new device. If listen is not nil, it gets the tab's
// events.
func NewDevice(t *testing.T, url string, listen func(event any)) *Tab {
	t.Helper()
	return newTab(t, url, chromium, listen, chromedp.WithNewBrowserContext())
}

// Another opens one more tab of the same device.
func (b *Tab) Another(listen func(event any)) *Tab {
	b.Helper()
	return newTab(b.T, b.URL, b.ctx, listen)
}

// In returns the tab with the t of a subtest, so that failures belong to it.
func (b *Tab) In(t *testing.T) *Tab { return &Tab{T: t, URL: b.URL, ctx: b.ctx} }

func newTab(t *testing.T, url string, parent context.Context, listen func(event any), options ...chromedp.ContextOption) *Tab {
	t.Helper()
	if listen != nil {
		options = append(options, chromedp.WithListener(listen))
	}
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return &Tab{T: t, URL: url, ctx: ctx}
}

// Fatalf ends the test with a message that has the URL of the tab.
func (b *Tab) Fatalf(format string, args ...any) {
	b.Helper()
	b.T.Fatalf("%s\n\tat %s", fmt.Sprintf(format, args...), b.Where())
}

// Errorf reports a failure with a message that has the URL of the tab.
func (b *Tab) Errorf(format string, args ...any) {
	b.Helper()
	b.T.Errorf("%s\n\tat %s", fmt.Sprintf(format, args...), b.Where())
}

// Where returns the URL and the title of the page, for messages.
func (b *Tab) Where() string {
	place, err := TryEval[string](b, `location.href + ' "' + document.title + '"'`)
	if err != nil {
		return "an unknown URL: " + err.Error()
	}
	return place
}

// Limited returns a context with a time limit for one step in the browser.
func (b *Tab) Limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, Patience)
}

// Visit loads a page of the app, and returns the status of the page that is shown.
func (b *Tab) Visit(path string) (int64, error) {
	ctx, cancel := b.Limited()
	defer cancel()
	to := path
	if strings.HasPrefix(path, "/") {
		to = b.URL + path
	}
	for {
		answer, err := chromedp.Run(ctx, chromedp.NavigateResponse(to))
		if err != nil {
			return 0, fmt.Errorf("loading %s: %w", to, err)
		}
		if answer != nil {
			return answer.Status, nil
		}
		// What has ended is an earlier load, such as that of the error page for a server that
		// was down.
	}
}

// Open is Visit, and fails if the page cannot be loaded.
func (b *Tab) Open(path string) int64 {
	b.Helper()
	status, err := b.Visit(path)
	if err != nil {
		b.Fatalf("%v", err)
	}
	return status
}

// Click clicks on an element, and waits for nothing.
func (b *Tab) Click(selector string) {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Click(selector)); err != nil {
		b.Fatalf("clicking on %s: %v", selector, err)
	}
}

// Press clicks on a link or button, and returns the status of the next page.
func (b *Tab) Press(selector string) int64 {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, chromedp.Click(selector))
	if err != nil {
		b.Fatalf("clicking on %s: %v", selector, err)
	}
	if answer == nil {
		b.Fatalf("clicking on %s: Chromium reports a page without an answer of the server", selector)
	}
	return answer.Status
}

// Fill puts a text into a field at once, as a password manager does.
func (b *Tab) Fill(selector, text string) {
	b.Helper()
	if !Eval[bool](b, fmt.Sprintf(`(f => { f?.focus(); f?.select(); return f != null && f == document.activeElement })(document.querySelector(%q))`, selector)) {
		b.Fatalf("there is no field %s", selector)
	}
	Call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// Back presses the back button. The page may redirect to another one.
func (b *Tab) Back() {
	b.Helper()
	history := Call(b, page.GetNavigationHistory, struct{}{})
	if history.CurrentIndex == 0 {
		b.Fatalf("there is no page to go back to")
	}
	Call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID})
}

// Path returns the path and the query of the page.
func (b *Tab) Path() string {
	b.Helper()
	return Eval[string](b, `location.pathname + location.search`)
}

// Text returns the text of the page.
func (b *Tab) Text() string {
	b.Helper()
	return Eval[string](b, `document.body.innerText`)
}

// Until waits until a condition holds.
func (b *Tab) Until(what string, holds func() bool) {
	b.Helper()
	for end := time.Now().Add(Patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("after %v this is still not true: %s", Patience, what)
		}
	}
}

// Eval runs a script in the page and returns its value, or that of its promise.
func Eval[T any](b *Tab, script string) T {
	b.Helper()
	result, err := TryEval[T](b, script)
	if err != nil {
		b.T.Fatalf("the script %s: %v", script, err)
	}
	return result
}

// TryEval is Eval for a script that may fail, because the page is about to change.
func TryEval[T any](b *Tab, script string) (T, error) {
	ctx, cancel := b.Limited()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Call sends a DevTools command to the tab.
func Call[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := b.Limited()
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.Fatalf("%s: %v", command.Method, err)
	}
	return result
}
