package browser

import (
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// eval runs a script in the page and returns its value, or that of its promise.
func eval[T any](b *tab, script string) T {
	b.Helper()
	result, err := tryEval[T](b, script)
	if err != nil {
		b.Fatalf("the script %s: %v", script, err)
	}
	return result
}

func tryEval[T any](b *tab, script string) (T, error) {
	ctx, cancel := b.limited()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// call sends a DevTools command to the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.fatalf("%s: %v", command.Method, err)
	}
	return result
}

// answer is an answer of /api/session.
type answer struct {
	Status     int
	UserID     string    `json:"user_id"`
	SessionID  string    `json:"session_id"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Statements int64
}

const fetchSession = `fetch('/api/session?' + Math.random(), {cache: 'no-store'})
	.then(async r => ({status: r.status, ...(r.ok ? await r.json() : {})}))`

// allowFetch allows fetch in the pages that are loaded from now on. The content security
// policy of the example forbids it, because its scripts do not need it.
func (b *tab) allowFetch() {
	b.Helper()
	call(b, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
}

// session fetches /api/session from a script of the page.
func (b *tab) session() answer {
	b.Helper()
	a := eval[answer](b, fetchSession)
	if a.Status != 200 {
		b.fatalf("/api/session answered %d", a.Status)
	}
	return a
}
