package nethttp_test

import (
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// The answer to a request without a session shows which kind of client the guard
// takes it for.
func TestGuard_TellsKindsOfClientsApart(t *testing.T) {
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	inApp(t, nethttp.Config{}, func(a *app) {
		for _, c := range []struct{ request, mode, accept, more, want string }{
			// A prefetch is known first, and then a preload.
			{"true", "navigate", html, "Sec-Purpose: prefetch", "prefetch"},
			{"", "navigate", html, "Sec-Purpose: prefetch;prerender", "prefetch"},
			{"", "cors", "*/*", "X-Sec-Purpose: prefetch", "prefetch"},
			{"", "", "", "Purpose: prefetch", "prefetch"},
			{"", "navigate", html, "X-Purpose: preview", "prefetch"},
			{"", "navigate", html, "Sec-Purpose: other", "page"},
			{"true", "cors", "*/*", "HX-Preloaded: true", "preload"},
			{"", "cors", "*/*", "HX-Preloaded: true", "preload"},
			{"true", "cors", "*/*", "HX-Preloaded: false", "htmx"},
			// HX-Request decides, whatever the browser adds.
			{"true", "cors", "*/*", "", "htmx"},
			{"true", "navigate", html, "", "htmx"},
			{"true", "", "", "", "htmx"},
			{"false", "cors", "*/*", "", "program"},
			{"1", "cors", "*/*", "", "program"},
			{"True", "cors", "*/*", "", "program"},
			{"false", "navigate", html, "", "page"},
			// Without it, a navigation is a page load, and so is a request for HTML.
			{"", "navigate", html, "", "page"},
			{"", "navigate", "", "", "page"},
			{"", "navigate", "application/json", "", "page"},
			{"", "cors", html, "", "page"},
			{"", "no-cors", html, "", "page"},
			{"", "same-origin", html, "", "page"},
			{"", "websocket", html, "", "page"},
			{"", "cors", "*/*", "", "program"},
			{"", "cors", "application/json", "", "program"},
			{"", "cors", html, "X-Requested-With: XMLHttpRequest", "program"},
			{"", "navigate", html, "X-Requested-With: com.example.app", "page"},
			{"", "navigate", html, "X-Requested-With: XMLHttpRequest", "page"},
			{"", "", html, "", "page"},
			{"", "", "application/xml,text/html;q=0.9", "", "page"},
			{"", "", "application/json", "", "program"},
			{"", "", "text/plain", "", "program"},
			{"", "", "*/*", "", "program"},
			{"", "", "", "", "program"},
		} {
			kind := guardtest.Kind{"HX-Request": c.request, "Sec-Fetch-Mode": c.mode, "Accept": c.accept}
			if name, value, ok := strings.Cut(c.more, ": "); ok {
				kind[name] = value
			}
			for name, value := range kind {
				if value == "" {
					delete(kind, name)
				}
			}
			rec := a.client(kind).Send("GET", "/account", "")
			got := "none of them"
			switch redirect, swap := rec.Header().Get("Location") != "", rec.Header().Get("HX-Redirect") != ""; {
			case rec.Code == 303 && redirect && !swap:
				got = "page"
			case rec.Code == 401 && swap && !redirect:
				got = "htmx"
			case rec.Code == 401 && !swap && !redirect && rec.Header().Get("Content-Type") == "application/problem+json":
				got = "program"
			case rec.Code == 401 && !swap && !redirect:
				got = "preload"
			case rec.Code == 503 && !swap && !redirect:
				got = "prefetch"
			}
			if got != c.want {
				a.Errorf("HX-Request %q, Sec-Fetch-Mode %q, Accept %q, %s: answered as %s (%d); want %s", c.request, c.mode, c.accept, c.more, got, rec.Code, c.want)
			}
		}
	})
}
