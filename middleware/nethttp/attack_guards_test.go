package nethttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session/store"
)

// A prefetch in any spelling gets no more than it may: either it is an ordinary request,
// which is recorded and gets cookies, or it needs a good access cookie.
func TestPrefetch_NoSpellingIsServedWithoutARecord(t *testing.T) {
	for _, line := range []string{
		"Sec-Purpose: prefetch", "sec-purpose: PREFETCH", "SEC-PURPOSE: prefetch;prerender", "Sec-Purpose: \"prefetch\"",
		"Sec-Purpose: prefetch\t", "Sec-Purpose: x,prefetch", "Sec-Purpose: ;prefetch", "Sec-Purpose: pre fetch", "Sec-Purpose: prefetch/1",
		"Sec-Purpose: p=prefetch", "Sec-Purpose: prefetch\u00a0", "Sec_Purpose: prefetch", "Purpose: preview", "X-Purpose: preview",
		"X-Moz: prefetch", "X-Purpose: :prefetch", "X-Sec-Purpose: prefetch", "HX-Preloaded: true", "HX-Preloaded: TRUE", "HX-Preloaded: true, true",
	} {
		t.Run(line, func(t *testing.T) {
			inApp(t, nethttp.Config{}, func(a *app) {
				b := a.client(pageLoad).LogIn("ada")
				expire()
				c := b.Copied()
				name, value, _ := strings.Cut(line, ": ")
				c.Delete(func(n string) bool { return n == accessName })
				for _, path := range []string{"/account", "/"} {
					r := c.NewRequest("GET", path, nil)
					r.Header[http.CanonicalHeaderKey(name)] = []string{value}
					calls := a.Store.Calls()
					rec := serve(a.handler, r)
					statements, cookies := a.Store.Calls()-calls, cookiesOf(rec)
					served := rec.Code == 200 && rec.Body.String() == "ada"
					if served && (cookies == "" || statements == 0 && path == "/account") {
						t.Errorf("%s: served with %d statements and cookies %q", path, statements, cookies)
					}
					if !served && (statements > 0 || cookies != "") {
						t.Errorf("%s: %d with %d statements, cookies %q", path, rec.Code, statements, cookies)
					}
					if rec.Code < 400 && !served {
						t.Errorf("%s: %d %q", path, rec.Code, rec.Body)
					}
				}
			})
		})
	}
}

// Guards in every order of three, for an admin whom the row no longer calls one, or an
// access cookie alone: whatever stands before or behind RequireLive.
func TestRequireLive_NoOrderOfGuardsLetsAnAdminOfThePastThrough(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		all := map[string]func(http.Handler) http.Handler{
			"live": a.guard.RequireLive, "role": a.guard.RequireRole("admin"), "recent": a.guard.RequireRecentLogin(time.Hour),
			"identify": a.guard.Identify, "other": a.guard.RequireRole("admin", "root"),
		}
		tried := 0
		names := []string{"live", "role", "recent", "identify", "other"}
		b := a.client(pageLoad).LogIn("grace")
		a.Users.SetUser("grace", store.User{Roles: []string{"staff"}})
		for _, x := range names {
			for _, y := range names {
				for _, z := range names {
					chain := x + y + z
					if !strings.Contains(chain, "live") || !strings.Contains(chain, "role") && !strings.Contains(chain, "other") {
						continue
					}
					path := fmt.Sprintf("/x-%s-%s-%s", x, y, z)
					a.handle("GET "+path, who, all[x], all[y], all[z])
					tried++
					if rec := b.Send("GET", path, ""); rec.Code != 403 {
						t.Errorf("%s: %d; want 403", path, rec.Code)
					}
					c := b.As(pageLoad)
					c.Delete(func(n string) bool { return strings.Contains(n, "refresh") })
					if rec := c.Send("GET", path, ""); rec.Code == 200 {
						t.Errorf("%s with an access cookie alone: %d", path, rec.Code)
					}
					mixed := a.client(pageLoad).LogIn("ada")
					mixed.Plant(accessName, b.Kept()[accessName])
					if rec := mixed.Send("GET", path, ""); rec.Code == 200 {
						t.Errorf("%s with another's access cookie: %d", path, rec.Code)
					}
				}
			}
		}
		t.Logf("%d orders, three kinds of cookies each", tried)
	})
}

// A WebSocket handshake of a sibling is refused in any spelling that a server accepts.
func TestWebSocket_OddSpellings(t *testing.T) {
	inApp(t, nethttp.Config{}, func(a *app) {
		b := a.client(pageLoad).LogIn("ada")
		for _, lines := range [][]string{{"websocket"}, {"WebSocket"}, {"WEBSOCKET"}, {"websocket, h2c"}, {"h2c", "websocket"}, {"websocket/13"}, {" websocket"}, {"h2c,websocket"}} {
			for _, connection := range []string{"Upgrade", "upgrade", "keep-alive, Upgrade", "", "close"} {
				for _, origin := range []string{"https://evil.app.test", "null", "http://app.test", "https://app.test:444"} {
					for _, site := range []string{"same-site", "cross-site", ""} {
						r := b.NewRequest("GET", "/account", nil)
						r.Header.Set("Sec-Fetch-Mode", "websocket")
						r.Header["Sec-Fetch-Site"] = []string{site}
						r.Header.Set("Origin", origin)
						r.Header["Upgrade"] = lines
						r.Header.Set("Connection", connection)
						r.Header.Set("Sec-Websocket-Key", "x3JJHMbDL1EzLkh9GBhXDw==")
						if rec := serve(a.handler, r); rec.Code == 200 {
							if origin == "http://app.test" && site == "" {
								continue // the same host, from a browser without Sec-Fetch-Site
							}
							t.Errorf("%q %q origin %q site %q: %d", lines, connection, origin, site, rec.Code)
						}
					}
				}
			}
		}
	})
}

// A megabyte in a header that the guard reads costs little.
func TestGuard_LongHeadersCostLittle(t *testing.T) {
	w := guardtest.NewWorld(t)
	guard, err := nethttp.New(w.Sessions, nethttp.Config{Public: []string{"/{$}"}, Credentials: nethttp.BasicAuth(rightPassword)})
	if err != nil {
		t.Fatal(err)
	}
	h := guard.Protect(http.HandlerFunc(who))
	cost := func(name, value string) time.Duration {
		r, err := http.NewRequest("GET", "https://app.test/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(name, value)
		best := time.Hour
		for range 5 {
			begin := time.Now()
			serve(h, r)
			best = min(best, time.Since(begin))
		}
		return best
	}
	for _, name := range []string{"Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose", "Cookie", "Upgrade", "Accept", "Authorization", "Hx-Current-Url", "Origin", "Sec-Fetch-Site"} {
		for _, filler := range []string{",", "a", "p=", "prefetc,"} {
			value := strings.Repeat(filler, (1<<20)/len(filler))
			if best := cost(name, value); best > 8*time.Millisecond {
				t.Errorf("%s: a megabyte of %q: %v", name, filler, best)
			}
		}
	}
}
