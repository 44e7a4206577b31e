package libraries

import (
	"net/http"
	"testing"
)

// A page is requested while the mouse is over a link. The hover of a person who is logged out
// neither leads away from the page, nor shows an old login page on the click that follows.
func TestHoverNeverNavigates(t *testing.T) {
	for _, c := range []struct {
		way    string
		status int // of the request on the hover
	}{
		{"htmx2-preload", http.StatusUnauthorized},
		{"htmx4-preload", http.StatusUnauthorized},
		{"turbo-link", http.StatusServiceUnavailable},
		{"turbo-frame-link", http.StatusSeeOther}, // which Turbo follows in the frame: only on the click it shows the page
		{"unpoly-preload", http.StatusSeeOther},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, wayNamed(c.way))
			start := p.startPath("/do/account")
			p.Open(start)
			p.site.revoke()
			p.hover()
			p.Until("the page is requested", func() bool { return p.site.count("/do/account", c.status) > 0 })
			p.sawNoChange("GET /do/account", 0)
			p.Click("#go")
			p.comesToSee(login)
			p.submitLogin(p.backAt("/do/account", start))
			seen.add(c.way, "hover, not logged in", "no change; on the click the login page")

			p.Open(start)
			p.hover()
			p.Until("the page is requested", func() bool { return p.site.count("/do/account", http.StatusOK) > 0 })
			p.Click("#go")
			p.comesToSee(done)
			seen.add(c.way, "hover, logged in", done)
		})
	}
}

// A person who rests on a link before the click, as most do, gets what the click alone gets.
// Turbo puts the answer to the hover into a frame, whatever it is.
func TestHoverDoesNotChangeTheClick(t *testing.T) {
	for _, way := range []string{"turbo-link", "turbo-frame-link"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, wayNamed(way))
			for _, c := range []struct {
				path   string
				before func()
				want   string
			}{
				{"/do/account", p.site.forceRefresh, done},
				{"/do/admin", func() {}, "Forbidden"},
				{"/do/live", p.site.storeIsDown, "Service Unavailable"},
			} {
				p.Open(p.startPath(c.path))
				c.before()
				p.hover()
				p.Until("the page is requested", func() bool { return p.site.requests("GET "+c.path) > 0 })
				p.sawNoChange("GET "+c.path, 0)
				p.Click("#go")
				p.comesToSee(c.want)
			}
		})
	}
}
