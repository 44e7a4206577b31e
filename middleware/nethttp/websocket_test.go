package nethttp_test

import (
	"net/http"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// handshake holds the headers of a WebSocket's opening handshake (RFC 6455, section 1.2).
var handshake = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}

// A page on a sibling host opens a WebSocket: the browser sends the cookies, which are
// SameSite=Lax, and the method is GET. The guard checks the origin as it does for a POST,
// and before it reads a cookie.
func TestGuard_WebSocketsOfOtherSitesAreRefused(t *testing.T) {
	for _, site := range sites {
		for origin, verdict := range map[string]string{
			"": site.absent, "https://app.test": site.https, "http://app.test": site.http, "null": site.null, "https://sibling.app.test": site.evil,
		} {
			kind := guardtest.Kind{"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket", "Sec-Fetch-Site": site.fetchSite, "Origin": origin}
			for name, value := range kind {
				if value == "" {
					delete(kind, name)
				}
			}
			inApp(t, nethttp.Config{Public: []string{"/open/"}}, func(a *app) {
				ran := 0
				page := func(w http.ResponseWriter, r *http.Request) { ran++; who(w, r) }
				for pattern, guard := range map[string]func(http.Handler) http.Handler{
					"GET /open/ws": a.guard.Identify, "GET /role": a.guard.RequireRole("staff"), "GET /recent": a.guard.RequireRecentLogin(1 << 40), "GET /live": a.guard.RequireLive,
				} {
					a.handle(pattern, page, guard)
				}
				a.handle("GET /ws", page)
				b := a.client(pageLoad).LogIn("ada").As(kind)
				expire()
				for _, path := range []string{"/ws", "/open/ws", "/role", "/recent", "/live"} {
					before, runs := a.Store.Calls(), ran
					rec := b.Send("GET", path, "", handshake...)
					if admitted := rec.Code == 200 && ran == runs+1; admitted != (verdict == "ok") {
						a.Errorf("%s with %v: %d; want it admitted: %v", path, kind, rec.Code, verdict == "ok")
					}
					if n := a.Store.Calls() - before; verdict == "x" && (rec.Code != 403 || n != 0 || ran != runs || cookiesOf(rec) != "") {
						a.Errorf("%s with %v: %d, %d statements, cookies %q; want 403 before anything else", path, kind, rec.Code, n, cookiesOf(rec))
					}
				}
			})
		}
	}
}

func TestGuard_RecognizesWebSocketsAsServersDo(t *testing.T) {
	for upgrade, checked := range map[string]bool{
		"websocket": true, "WebSocket": true, "WEBSOCKET": true, " websocket ": true, "websocket/13": true, "h2c, websocket": true, "websocket,h2c": true,
		"": false, "h2c": false, "TLS/1.0": false,
	} {
		for _, connection := range []string{"Upgrade", "keep-alive, Upgrade", ""} {
			inApp(t, nethttp.Config{}, func(a *app) {
				rec := a.client(fetch).LogIn("ada").Send("GET", "/account", "", "Upgrade", upgrade, "Connection", connection, "Sec-Fetch-Site", "same-site")
				if refused := rec.Code == http.StatusForbidden; refused != checked {
					a.Errorf("Upgrade %q, Connection %q: %d; want it refused: %v", upgrade, connection, rec.Code, checked)
				}
			})
		}
	}
}

// Config.CrossOrigin decides about WebSockets, too.
func TestGuard_ConfiguredCrossOriginProtectionDecidesAboutWebSockets(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://partner.test"); err != nil {
		t.Fatal(err)
	}
	trusting.AddInsecureBypassPattern("/open/ws")
	inApp(t, nethttp.Config{CrossOrigin: trusting, Public: []string{"/open/"}}, func(a *app) {
		a.handle("GET /open/ws", who)
		b := a.client(fetch).LogIn("ada")
		for _, c := range []struct {
			path, origin string
			want         int
		}{
			{"/account", "https://partner.test", 200},
			{"/account", "https://evil.test", 403},
			{"/open/ws", "https://evil.test", 200},
		} {
			more := append([]string{"Sec-Fetch-Site", "cross-site", "Origin", c.origin}, handshake...)
			if rec := b.Send("GET", c.path, "", more...); rec.Code != c.want {
				a.Errorf("%s from %s: %d; want %d", c.path, c.origin, rec.Code, c.want)
			}
		}
	})
}
