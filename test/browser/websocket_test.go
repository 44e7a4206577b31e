package browser

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// A page of another port, of a sibling host or of another site opens a WebSocket. Chromium
// sends the cookies, which are SameSite=Lax, to the first two, although the page is not of
// this origin. The guard refuses the handshake, and the handler never runs.
func TestWebSocketsOfOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	app := startSite(t, "app.one.localhost", nethttp.Config{Public: []string{"/{$}", "/open/"}}, session.Config{})
	app.page("GET /{$}", func(*http.Request) string { return "<h1>Start</h1>" })
	app.mux.HandleFunc("GET /ws", echoUser)
	app.mux.HandleFunc("GET /open/ws", echoUser)
	u, err := url.Parse(app.app.url)
	if err != nil {
		t.Fatal(err)
	}
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writePage(w, "<h1>Another site</h1>")
	}))
	b := newDevice(t, app.app)
	b.Open("/login")
	b.Press("#login")
	b.isAt("/")
	for _, c := range []struct {
		name    string
		from    string
		cookies bool   // the browser sends them
		answer  string // "": refused
	}{
		{"this origin", app.app.url + "/", true, "ada"},
		{"another port of this host", "http://" + u.Hostname() + ":" + other, true, ""},
		{"a sibling host", "http://evil.one.localhost:" + other, true, ""},
		{"the parent host", "http://one.localhost:" + other, true, ""},
		{"another site", "http://evil.two.localhost:" + other, false, ""},
	} {
		for _, path := range []string{"/ws", "/open/ws"} {
			b.Open(c.from)
			before := len(app.requests(path))
			got := eval[string](b, fmt.Sprintf(`new Promise(done => {
				const socket = new WebSocket('ws://%s%s')
				socket.onmessage = m => done(m.data)
				socket.onerror = () => done('')
			})`, u.Host, path))
			if got != c.answer {
				b.Errorf("%s, %s: the page reads %q; want %q", c.name, path, got, c.answer)
			}
			var seen []request
			b.Until("the site has answered", func() bool {
				seen = app.requests(path)[before:]
				return len(seen) > 0
			})
			status := http.StatusForbidden
			if c.answer != "" {
				status = http.StatusOK // the connection is taken over: no status is written
			}
			if len(seen) != 1 || seen[0].status != status || seen[0].cookies != c.cookies {
				b.Errorf("%s, %s: the site has seen %+v; want one handshake, status %d, with cookies: %v", c.name, path, seen, status, c.cookies)
			}
		}
	}
}

// echoUser accepts a WebSocket (RFC 6455, section 4.2.2), and sends the name of the user in
// one text frame.
func echoUser(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	user := userOf(r.Context())
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81%c%s",
		base64.StdEncoding.EncodeToString(sum[:]), rune(len(user)), user)
	_ = rw.Flush() // the page shows whether it has arrived
}
