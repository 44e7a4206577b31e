package libraries

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/network"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// listen opens an EventSource in the page.
func (p *person) listen(path string) {
	p.Helper()
	p.Open("/start/link")
	chromiumtest.Eval[any](p.Tab, fmt.Sprintf(`
		globalThis.heard = []
		globalThis.stream = new EventSource(%q)
		stream.onmessage = e => heard.push(e.data)
		null`, path))
}

func (p *person) heard() int { return chromiumtest.Eval[int](p.Tab, `heard.length`) }
func (p *person) closed() bool {
	return chromiumtest.Eval[bool](p.Tab, `stream.readyState == EventSource.CLOSED`)
}

// An EventSource comes back by itself after an outage. It ends with the session, and where a
// login or a role is missing.
func TestEventSource(t *testing.T) {
	t.Parallel()
	p := newPerson(t, wayNamed("link"))
	p.listen("/events/live")
	p.Until("the stream begins", func() bool { return p.heard() == 1 })
	p.site.storeIsDown()
	p.site.cutStreams()
	p.Until("the stream is opened in the outage", func() bool { return p.site.count("/events/live", http.StatusOK) > 1 })
	if p.closed() || p.heard() != 1 {
		p.Fatalf("in the outage the stream is closed: %v, and has %d messages; want it to come back", p.closed(), p.heard())
	}
	p.site.storeIsUp()
	p.Until("the stream is back", func() bool { return p.heard() == 2 })
	seen.add("EventSource", "store down", "the stream comes back by itself")

	p.site.revoke()
	p.Until("the stream has ended for good", p.closed)
	if n := p.site.count("/events/live", http.StatusNoContent); n != 1 || p.heard() != 2 {
		p.Errorf("%d streams were ended, with %d messages; want 1, with 2", n, p.heard())
	}
	seen.add("EventSource", "not logged in", "the stream ends for good")

	p.logIn()
	p.listen("/events/admin")
	p.Until("the stream has ended for good", p.closed)
	seen.add("EventSource", "wrong role", "the stream ends for good")

	p.site.age()
	p.listen("/events/recent")
	p.Until("the stream has ended for good", p.closed)
	seen.add("EventSource", "login too old", "the stream ends for good")
}

// A script that is no library's gets a status, and a problem document.
func TestPrograms(t *testing.T) {
	t.Parallel()
	p := newPerson(t, wayNamed("link"))
	p.Open("/start/link")
	ask := func(refusal, path string, status int) {
		t.Helper()
		got := chromiumtest.Eval[string](p.Tab, fmt.Sprintf(`fetch(%q).then(async r => r.status + ' ' + r.headers.get('Content-Type') + ' ' + (await r.json()).status)`, path))
		if want := fmt.Sprintf("%d application/problem+json %d", status, status); got != want {
			p.Errorf("%s: the script reads %q; want %q", refusal, got, want)
		}
		socket := chromiumtest.Eval[string](p.Tab, fmt.Sprintf(`new Promise(done => {
			const socket = new WebSocket(location.origin.replace('http', 'ws') + %q)
			socket.onclose = e => done('closed with ' + e.code)
		})`, path))
		if socket != "closed with 1006" || p.site.count(path, status) != 2 {
			p.Errorf("%s: the WebSocket is %s; want an error, after status %d", refusal, socket, status)
		}
		seen.add("fetch for data", refusal, http.StatusText(status))
		seen.add("WebSocket", refusal, "an error")
	}
	ask("wrong role", "/do/admin", http.StatusForbidden)
	p.site.age()
	ask("login too old", "/do/recent", http.StatusUnauthorized)
	p.site.storeIsDown()
	ask("store down", "/do/live", http.StatusServiceUnavailable)
	chromiumtest.Call(p.Tab, network.ClearBrowserCookies, struct{}{})
	ask("not logged in", "/do/account", http.StatusUnauthorized)
}
