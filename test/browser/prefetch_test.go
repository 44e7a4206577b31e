package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// prefetchWays are the keys of prefetching.
var prefetchWays = []string{"link", "prefetch", "prerender"}

// prefetching holds the ways in which a page lets Chromium load /account in advance.
var prefetching = map[string]string{
	"link":      `<link rel="prefetch" href="/account">`,
	"prefetch":  `<script type="speculationrules">{"prefetch": [{"urls": ["/account"], "eagerness": "immediate"}]}</script>`,
	"prerender": `<script type="speculationrules">{"prerender": [{"urls": ["/account"], "eagerness": "immediate"}]}</script>`,
}

// Chromium loads a protected page in advance, without a good access cookie. It gets an
// error, and does not keep it: the click loads the page for real. So it never shows, after
// the login, a login page that it loaded before.
func TestPrefetchesAreNeverShownInPlaceOfThePage(t *testing.T) {
	t.Parallel()
	site := startSite(t, "localhost", nethttp.Config{Public: []string{"GET /start/{way}"}}, session.Config{AccessTTL: 2 * time.Second})
	site.page("GET /account", func(r *http.Request) string { return "<h1>" + userOf(r.Context()) + "</h1>" })
	site.page("GET /start/{way}", func(r *http.Request) string {
		return prefetching[r.PathValue("way")] + `<h1>Start</h1><a id="account" href="/account">account</a>`
	})
	for _, way := range prefetchWays {
		b := newDevice(t, site.app)
		start := "/start/" + way

		before := len(site.requests("/account"))
		b.Open(start)
		b.prefetched(site, before, http.StatusServiceUnavailable)
		b.pressTo("#account", "/login?next=%2Faccount")
		b.Press("#login")
		b.isAt("/account")
		if got := b.heading(); got != "ada" {
			b.Fatalf("%s: after the login the page shows %q", way, got)
		}

		// The access cookie has expired, and the session goes on. The page begins to
		// prefetch only then: Chromium may keep the answer to an earlier prefetch.
		b.Open("/start/none")
		b.untilGone("sessionkit-session")
		before = len(site.requests("/account"))
		eval[any](b, fmt.Sprintf(`document.head.append(document.createRange().createContextualFragment(%q)), null`, prefetching[way]))
		b.prefetched(site, before, http.StatusServiceUnavailable)
		b.pressTo("#account", "/account")
		if got := b.heading(); got != "ada" {
			b.Fatalf("%s: after the access cookie has expired the page shows %q", way, got)
		}
	}
	if n := site.count(session.EventReuse); n != 0 {
		t.Errorf("%d refresh cookies count as stolen", n)
	}
}

// prefetched waits for a prefetch of /account, and fails unless each of them got the status.
func (b *tab) prefetched(site *site, before, status int) {
	b.Helper()
	b.Until("Chromium loads the page in advance", func() bool { return len(site.requests("/account")) > before })
	for _, r := range site.requests("/account")[before:] {
		if !strings.HasPrefix(r.purpose, "prefetch") || r.status != status {
			b.Fatalf("the request was %+v; want a prefetch, and status %d", r, status)
		}
	}
}

// A public page is loaded in advance for a visitor, who then logs in without leaving the
// page. The answer to the login has Clear-Site-Data, so the click shows the page of the user
// who has logged in.
func TestPrefetchesFromBeforeTheLoginAreDiscarded(t *testing.T) {
	t.Parallel()
	site := startSite(t, "localhost", nethttp.Config{Public: []string{"GET /start/{way}", "GET /account"}}, session.Config{})
	site.page("GET /account", func(r *http.Request) string { return "<h1>" + userOf(r.Context()) + "</h1>" })
	site.page("GET /start/{way}", func(r *http.Request) string {
		return prefetching[r.PathValue("way")] + `<h1>Start</h1><a id="account" href="/account">account</a>`
	})
	for _, way := range prefetchWays {
		b := newDevice(t, site.app)
		before := len(site.requests("/account"))
		b.Open("/start/" + way)
		b.prefetched(site, before, http.StatusOK)
		eval[any](b, `fetch('/login', {method: 'POST', redirect: 'manual'}).then(() => null)`)
		b.pressTo("#account", "/account")
		if got := b.heading(); got != "ada" {
			b.Errorf("%s: after the login the page shows %q", way, got)
		}
	}
}
