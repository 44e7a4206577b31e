package browser

import (
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// eval runs a script in the page and returns its value, or that of its promise.
func eval[T any](b *tab, script string) T {
	b.Helper()
	return chromiumtest.Eval[T](b.Tab, script)
}

func tryEval[T any](b *tab, script string) (T, error) {
	return chromiumtest.TryEval[T](b.Tab, script)
}

// call sends a DevTools command to the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	return chromiumtest.Call(b.Tab, command, params)
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
		b.Fatalf("/api/session answered %d", a.Status)
	}
	return a
}
