package nethttp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/middleware/internal/guardtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

var withPolls = nethttp.Config{Background: []string{"GET /news"}}

// polls asks for the news every ten seconds, for as long as d, and returns the first status
// that is not 200, and when it came.
func polls(a *app, b *guardtest.Client, d time.Duration) (status int, after time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; time.Sleep(10 * time.Second) {
		rec := b.Send("GET", "/news", "")
		if rec.Code != 200 {
			return rec.Code, time.Since(begin)
		}
		if got := cookiesOf(rec); got != "" {
			a.Fatalf("a poll sets cookies: %s", got)
		}
	}
	return 200, d
}

func TestBackground_PollsAloneDoNotKeepASession(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		b := a.client(fetch).LogIn("ada")
		quiet := a.Events.Count()
		if status, after := polls(a, b.Copied(), 20*time.Minute); status != 200 || strings.Contains(a.Events.String(), "kind=suspicious") {
			a.Errorf("%d after %v, %d events:\n%s", status, after, a.Events.Count()-quiet, a.Events)
		}
		b = a.client(fetch).LogIn("ada")
		if status, after := polls(a, b.Copied(), 2*time.Hour); status != 401 || after < 30*time.Minute || after > 30*time.Minute+10*time.Second {
			a.Errorf("%d after %v; want 401 at the idle end of 30 minutes", status, after)
		}
	})
}

func TestBackground_PollsBesideClicksLogNobodyOut(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		b := a.client(pageLoad).LogIn("ada")
		for begin := time.Now(); time.Since(begin) < 3*time.Hour; {
			if status, after := polls(a, b.As(fetch), 5*time.Minute); status != 200 {
				a.Fatalf("a poll gets %d, %v after a click", status, after)
			}
			if rec := b.Send("GET", "/account", ""); rec.Code != 200 || cookiesOf(rec) != "set" {
				a.Fatalf("a click: %d, cookies %q; want a refresh", rec.Code, cookiesOf(rec))
			}
		}
		for _, kind := range []string{"kind=reuse", "kind=suspicious", "kind=grace"} {
			if n := strings.Count(a.Events.String(), kind); n != 0 {
				a.Errorf("%d events of %s", n, kind)
			}
		}
	})
}

// A method other than the listed one is an ordinary request, and so is another page.
func TestBackground_OtherRequestsRefresh(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		for _, c := range []struct{ method, path, cookies string }{{"POST", "/news", "set"}, {"GET", "/account", "set"}, {"GET", "/news", ""}, {"HEAD", "/news", ""}} {
			b := a.client(fetch).LogIn("ada")
			expire()
			if rec := b.Send(c.method, c.path, ""); rec.Code != 200 || cookiesOf(rec) != c.cookies {
				a.Errorf("%s %s: %d, cookies %q; want %q", c.method, c.path, rec.Code, cookiesOf(rec), c.cookies)
			}
		}
		b := a.client(fetch).LogIn("ada")
		a.end()
		if rec := b.Send("GET", "/news", ""); rec.Code != 401 || cookiesOf(rec) != "access" {
			a.Errorf("a session that is over: %d, cookies %q; want 401 and the access cookie that spares the store", rec.Code, cookiesOf(rec))
		}
	})
}

// A thief who only polls is noticed when he comes after the victim's next refresh.
func TestBackground_ThiefWhoPollsIsNoticed(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		b := a.client(pageLoad).LogIn("ada")
		expire()
		b.Send("GET", "/account", "") // the login's ticket counts as presented
		thief := b.As(fetch).Copied()
		expire()
		b.Send("GET", "/account", "") // the victim has a newer ticket, and goes away
		if status, after := polls(a, thief, 20*time.Minute); status != 200 {
			a.Fatalf("the thief gets %d after %v, before the victim is back", status, after)
		}
		if rec := b.Send("GET", "/account", ""); rec.Code != 200 {
			a.Errorf("the victim comes back: %d", rec.Code)
		}
		time.Sleep(time.Minute)
		if rec := thief.Send("GET", "/news", ""); rec.Code != 401 || strings.Count(a.Events.String(), "kind=reuse") != 1 {
			a.Errorf("the thief goes on: %d; want 401, and one event of reuse:\n%s", rec.Code, a.Events)
		}
		expire()
		if rec := b.Send("GET", "/account", ""); rec.Code != 303 {
			a.Errorf("the victim: %d; want the end of the session", rec.Code)
		}
	})
}

// The answer to a click comes five minutes late, and the page polls meanwhile.
func TestBackground_LateAnswerBesidePollsLogsNobodyOut(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		b := a.client(pageLoad).LogIn("ada")
		expire()
		b.Send("GET", "/account", "")
		expire()
		late := b.As(pageLoad)
		late.Send("GET", "/account", "") // its answer is still on the wire
		polls(a, b.As(fetch), 5*time.Minute)
		for name, value := range late.Kept() {
			b.Plant(name, value)
		}
		for range 3 {
			if rec := b.Send("GET", "/account", ""); rec.Code != 200 {
				a.Fatalf("after the late answer: %d\n%s", rec.Code, a.Events)
			}
			expire()
		}
	})
}

// Whoever presents a ticket late is recorded, also right after a request of the background.
func TestBackground_HidesNoOtherRequest(t *testing.T) {
	inApp(t, withPolls, func(a *app) {
		a.handle("/news", who)
		b := a.client(pageLoad).LogIn("ada")
		thief := b.As(fetch).Copied()
		for range 6 {
			time.Sleep(5 * time.Minute)
			for _, path := range []string{"/news", "/account"} {
				if rec := thief.Copied().Send("GET", path, ""); rec.Code != 200 { // he discards his answers
					return // too late: the ticket has ended
				}
			}
		}
		if n := strings.Count(a.Events.String(), "kind=suspicious"); n < 2 {
			a.Errorf("%d events of a ticket that is presented again and again; want some:\n%s", n, a.Events)
		}
	})
}
