package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func TestManager_ListShowsTheDeviceOfTheLogin(t *testing.T) {
	const umlaut = "ä" // two bytes
	for _, c := range []struct {
		name      string
		userAgent string
		remote    string
		loginIP   string
		agent, ip string
	}{
		{"as the browser sends it", "Agent/1 (X; Y)", "192.0.2.7:4711", "", "Agent/1 (X; Y)", "192.0.2.7"},
		{"an IPv6 address", "", "[2001:db8::1]:4711", "", "", "2001:db8::1"},
		{"an address without a port", "", "192.0.2.7", "", "", ""},
		{"an address from the app", "", "192.0.2.7:4711", "203.0.113.9", "", "203.0.113.9"},
		{"control characters", "A\x00g\x1fe\nn\r\tt\x7f \u0080", "192.0.2.7:1", "1\x7f\n.2", "Agent \u0080", "1.2"},
		{"broken UTF-8", "A\xffgent\xc3", "192.0.2.7:1", "1\xff.2", "Agent", "1.2"},
		{"the longest", strings.Repeat("x", 255), "192.0.2.7:1", strings.Repeat("1", 45), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"too long", strings.Repeat("x", 256), "192.0.2.7:1", strings.Repeat("1", 46), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"much too long", strings.Repeat("x", 9000), "192.0.2.7:1", strings.Repeat("1", 9000), strings.Repeat("x", 255), strings.Repeat("1", 45)},
		{"cut inside a character", strings.Repeat("x", 254) + umlaut, "192.0.2.7:1", strings.Repeat("1", 44) + umlaut, strings.Repeat("x", 254), strings.Repeat("1", 44)},
		{"cut inside a long character", strings.Repeat("x", 252) + "😀", "192.0.2.7:1", "", strings.Repeat("x", 252), "192.0.2.7"},
		{"cut after a character", strings.Repeat("x", 253) + umlaut + "y", "192.0.2.7:1", strings.Repeat("1", 43) + umlaut + "y", strings.Repeat("x", 253) + umlaut, strings.Repeat("1", 43) + umlaut},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			r := page(b)
			r.Header.Set("User-Agent", c.userAgent)
			r.RemoteAddr = c.remote
			start := time.Now().UTC()
			v, err := w.Issue(r, session.Login{UserID: "1", IP: c.loginIP})
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
			want := session.Device{ID: v.Session().ID, UserAgent: c.agent, IP: c.ip, CreatedAt: start, LastSeenAt: start, AuthTime: start}
			list, err := w.List(w.Context(), "1")
			if err != nil || len(list) != 1 || list[0] != want {
				w.Errorf("%s: %+q, %v; want %+q", c.name, list, err, want)
			}
			w.expireAccess()
			w.in(b)
			w.expireAccess()
			w.in(b) // presents the child, which is confirmed
			want.LastSeenAt = start.Add(4 * time.Minute)
			if list, err = w.List(w.Context(), "1"); err != nil || len(list) != 1 || list[0] != want {
				w.Errorf("%s, seen again: %+q, %v; want %+q", c.name, list, err, want)
			}
		})
	}
}
