package session_test

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Config.DangerouslyAllowHTTP is for a loopback address. A request to another host is
// served, and the operator hears of it.
func TestManager_PlainHTTPBeyondLoopbackIsAWarning(t *testing.T) {
	for host, want := range map[string]int{
		"localhost": 0, "localhost:8080": 0, "LOCALHOST": 0, "localhost.": 0, "shop.localhost": 0, "shop.localhost:80": 0,
		"127.0.0.1": 0, "127.0.0.1:8080": 0, "127.8.9.10": 0, "[::1]": 0, "[::1]:8080": 0, "[::ffff:127.0.0.1]:80": 0, "": 0,
		"shop.example.com": 1, "shop.example.com:8080": 1, "localhost.example.com": 1, "notlocalhost": 1, "192.0.2.1": 1,
		"10.0.0.1:80": 1, "0.0.0.0": 1, "128.0.0.1": 1, "[2001:db8::1]:80": 1, "[::]": 1, "127.0.0.1.example.com": 1,
	} {
		for what, request := range map[string]func(w *testWorld, r *http.Request) error{
			"Authenticate": func(w *testWorld, r *http.Request) error { _, _ = w.Authenticate(r); return nil },
			"Issue": func(w *testWorld, r *http.Request) error {
				_, err := w.Issue(r, session.Login{UserID: "1", Epoch: 1})
				return err
			},
		} {
			for _, allow := range []bool{true, false} {
				inTestWorld(t, session.Config{DangerouslyAllowHTTP: allow}, func(w *testWorld) {
					r := page(newBrowser())
					r.Host = host
					if err := request(w, r); err != nil {
						w.Errorf("%s, host %q: %v; want it served", what, host, err)
					}
					want := want
					if !allow {
						want = 0
					}
					if n := w.count(session.EventMisconfigured); n != want {
						w.Errorf("%s, host %q, DangerouslyAllowHTTP %v: %d events; want %d", what, host, allow, n, want)
					}
				})
			}
		}
	}
}

// A fault of the app is repeated by each request. The operator hears of it once a
// minute, and Stats counts each.
func TestManager_FaultOfTheAppIsReportedOnceAMinute(t *testing.T) {
	inTestWorld(t, session.Config{DangerouslyAllowHTTP: true}, func(w *testWorld) {
		for range 180 {
			r := page(newBrowser())
			r.Host = "shop.example.com"
			_, _ = w.Authenticate(r)
			time.Sleep(time.Second)
		}
		if raised, counted := w.count(session.EventMisconfigured), w.Stats()[session.EventMisconfigured]; raised != 3 || counted != 180 {
			w.Errorf("180 requests in three minutes: %d events, %d counted; want 3 and 180", raised, counted)
		}
		if e := w.eventsOf(session.EventMisconfigured)[0]; e.IP == "" {
			w.Errorf("%+v; want the address of the client", e)
		}
	})
}

// Whether a browser stores the cookies depends on how the page of its form was opened.
func TestManager_BrowserKeepsCookies(t *testing.T) {
	for _, c := range []struct {
		origin, site string
		tls, allow   bool
		want         bool
	}{
		{"http://shop.example.com", "", false, false, false},
		{"http://192.168.1.7:8080", "", false, false, false},
		{"http://192.168.1.7:8080", "", false, true, true},
		{"http://shop.example.com", "", true, false, true},
		{"http://shop.example.com", "same-origin", false, false, true},
		{"https://shop.example.com", "", false, false, true},
		{"http://localhost:8080", "", false, false, true},
		{"http://[::1]:8080", "", false, false, true},
		{"null", "", false, false, true},
		{"", "", false, false, true},
		{"%", "", false, false, true},
	} {
		inTestWorld(t, session.Config{DangerouslyAllowHTTP: c.allow}, func(w *testWorld) {
			r := page(newBrowser())
			r.Header.Del("Sec-Fetch-Site")
			if r.TLS = nil; c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			r.Header.Set("Origin", c.origin)
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if got := w.BrowserKeepsCookies(r); got != c.want {
				w.Errorf("%+v: %v; want %v", c, got, c.want)
			}
		})
	}
}
