package session_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The time windows of the rotation for an access lifetime of two minutes.
const (
	young       = 100 * time.Second // 5/6
	gracePeriod = 10 * time.Second  // 1/12
)

func TestManager_ValidAccessCookieCostsNoCall(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		if n := w.calls(func() {
			for range 10_000 {
				if s := w.in(b); s.UserID != "1" || !s.HasRole("staff") || s.Attrs["name"] != "Ada" {
					w.Fatalf("session = %+v", s)
				}
			}
		}); n != 0 {
			w.Errorf("%d calls; want 0", n)
		}
	})
}

func TestManager_DayOfRefreshesLogsNobodyOut(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		first := w.login(b, session.Login{})
		end := first.EndsAt
		most := 0
		for time.Now().Before(end.Add(-w.accessTTL)) {
			time.Sleep(w.accessTTL - 3*time.Second)
			most = max(most, w.calls(func() {
				s := w.in(b)
				if s.ID != first.ID || s.ExpiresAt.After(s.EndsAt) || !s.AuthTime.Equal(first.AuthTime) || !s.EndsAt.Equal(end) {
					w.Fatalf("session = %+v; it began as %+v", s, first)
				}
			}))
		}
		if most != 2 {
			w.Errorf("a refresh made up to %d calls; want 2", most)
		}
		time.Sleep(time.Until(end) - time.Second)
		w.in(b)
		time.Sleep(time.Second)
		w.out(b)
		if left := page(b).Cookies(); len(left) != 0 {
			w.Errorf("%d cookies are left after the absolute end", len(left))
		}
	})
}

func TestManager_IdleAndRememberedSessionsEndWhenTheyShould(t *testing.T) {
	for _, c := range []struct {
		login          session.Login
		idle, absolute time.Duration
	}{
		{session.Login{}, 30 * time.Minute, 12 * time.Hour},
		{session.Login{Remember: true}, 30 * day, 90 * day},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, c.login)
			hoarded := b.CloneIgnoringExpiry()
			time.Sleep(c.idle - 2*time.Second)
			w.in(b)
			time.Sleep(2 * time.Second)
			w.out(hoarded)
			hoarded = b.CloneIgnoringExpiry()
			time.Sleep(c.idle - 3*time.Second)
			if s := w.in(b); s.EndsAt.Sub(s.AuthTime) != c.absolute {
				w.Errorf("Remember %v: the session lives %v at most; want %v", c.login.Remember, s.EndsAt.Sub(s.AuthTime), c.absolute)
			}
			time.Sleep(2 * time.Second)
			w.out(hoarded)
			time.Sleep(c.idle)
			w.out(b)
		})
	}
}

func TestManager_ParallelRefreshesOnTwoNodesInAnyOrderLogNobodyOut(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		other := w.node(session.Config{})
		b := newBrowser()
		w.login(b, session.Login{})
		for round := range 200 {
			w.expireAccess()
			var answers []session.Verdict
			for i := range 6 {
				answers = append(answers, []*testWorld{w, other}[i%2].answered(b))
			}
			// The answers arrive in another order, and some never arrive.
			for i := range answers {
				if (i+round)%4 != 0 {
					b.Receive(answers[(i*5+round)%6].Cookies)
				}
			}
		}
		if n := w.count(session.EventReuse) + other.count(session.EventReuse); n != 0 {
			w.Errorf("%d events of reuse", n)
		}
	})
}

func TestManager_LostAnswerDoesNoHarm(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for range 5 {
			w.expireAccess()
			for range 3 { // three refreshes, minutes apart, whose answers are lost
				w.answered(b)
				time.Sleep(3 * time.Minute)
			}
			w.in(b)
		}
	})
}

// A young ticket is presented if the browser has lost its access cookie. Its siblings
// may still be in flight.
func TestManager_YoungTicketIsNeitherConfirmedNorAnsweredWithAChild(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for _, c := range []struct{ generation, child string }{{"the login's ticket", oddRefreshCookie}, {"its child", refreshCookie}} {
			b.ExpireAccess()
			time.Sleep(young - 10*time.Millisecond)
			n := w.calls(func() { w.wantCookies(c.generation+", young", w.answered(b).Cookies, accessCookie) })
			if n != 1 {
				w.Errorf("%s, young: %d calls; want 1", c.generation, n)
			}
			time.Sleep(2 * time.Second)
			v := w.answered(b)
			w.wantCookies(c.generation+", no longer young", v.Cookies, accessCookie, c.child)
			b.Receive(v.Cookies)
		}
	})
}

func TestManager_ReplacedTicketIsServedWithoutCookiesDuringGrace(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		held := b.Clone() // its request is delayed
		w.in(b)
		w.expireAccess()
		s := w.in(b) // confirms the child
		time.Sleep(gracePeriod - 500*time.Millisecond)
		v := w.answered(held)
		w.wantCookies("a replaced ticket", v.Cookies)
		if got := v.Session(); got.ID != s.ID || got.UserID != "1" || !got.HasRole("staff") {
			w.Errorf("session %+v; want %+v", got, s)
		}
		if events := w.eventsOf(session.EventGrace); len(events) != 1 || events[0].SessionID != s.ID {
			w.Errorf("events %+v; want one of session %s", events, s.ID)
		}
		time.Sleep(501 * time.Millisecond) // less than other outcomes are shared
		w.out(held)
		if n := w.count(session.EventReuse); n != 1 {
			w.Errorf("%d events of reuse after the window; want 1", n)
		}
	})
}

// When a child of one side is confirmed, the next refresh of the other side ends the
// session.
func TestManager_TheftIsCaughtWhoeverComesFirst(t *testing.T) {
	for _, thiefFirst := range []bool{true, false} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			victim, elsewhere := newBrowser(), newBrowser()
			s := w.login(victim, session.Login{})
			w.login(elsewhere, session.Login{})
			w.expireAccess()
			w.in(victim)
			thief := victim.Clone()
			first, second := victim, thief
			if thiefFirst {
				first, second = thief, victim
			}
			w.expireAccess()
			w.in(first)
			w.in(second) // both hold a child now
			w.expireAccess()
			w.in(first) // confirms its own
			time.Sleep(gracePeriod + time.Second)
			w.out(second)
			if events := w.eventsOf(session.EventReuse); len(events) != 1 || events[0].SessionID != s.ID {
				w.Errorf("events %+v; want one of session %s", events, s.ID)
			}
			if reason := w.row(s.ID).Reason; reason != store.ReasonReuse {
				w.Errorf("revoked for %q; want %q", reason, store.ReasonReuse)
			}
			w.out(first)
			w.in(elsewhere)
		})
	}
}

func TestManager_AccessLifetimesAreShortenedAtRandom(t *testing.T) {
	for _, accessTTL := range []time.Duration{time.Second, 2 * time.Minute, time.Hour} {
		inTestWorld(t, session.Config{AccessTTL: accessTTL, IdleTimeout: 2 * time.Hour, MaxSessions: -1}, func(w *testWorld) {
			lives := map[time.Duration]bool{}
			for range 300 {
				s := w.login(newBrowser(), session.Login{})
				life := s.ExpiresAt.Sub(s.IssuedAt)
				if life > accessTTL || life < accessTTL*9/10-10*time.Millisecond {
					w.Fatalf("access lifetime %v: a ticket lives %v", accessTTL, life)
				}
				lives[life/(accessTTL/100)] = true
			}
			if len(lives) < 9 {
				w.Errorf("access lifetime %v: 300 lives fall into %d of the 10 hundredths", accessTTL, len(lives))
			}
		})
	}
}

// With a short access lifetime, the wait for the store is a large part of it. An answer
// that the store delays must not set a refresh cookie whose sibling was presented
// meanwhile: at the next refresh it would look stolen.
func TestManager_AnswerDelayedByTheStoreLogsNobodyOut(t *testing.T) {
	inTestWorld(t, session.Config{AccessTTL: 2 * time.Second}, func(quick *testWorld) {
		slow := quick.node(session.Config{AccessTTL: 2 * time.Second})
		slow.store.After(func(context.Context, string) error {
			time.Sleep(1800 * time.Millisecond)
			return nil
		})
		b := newBrowser()
		quick.login(b, session.Login{})
		// visit returns the cookies of an answer as they leave the server.
		visit := func(w *testWorld, r *http.Request) []*http.Cookie {
			v, err := w.Authenticate(r)
			if err != nil {
				quick.Errorf("Authenticate: %v; want a session", err)
			}
			answer := newAnswer()
			v.SetCookies(answer)
			w.DropStaleCookies(answer.Header(), v)
			return answer.cookies()
		}

		quick.expireAccess()
		held := make(chan []*http.Cookie)
		r := page(b)
		go func() { held <- visit(slow, r) }()
		synctest.Wait()
		b.Receive(visit(quick, page(b)))
		time.Sleep(1750 * time.Millisecond)
		b.ExpireAccess() // it has expired, or the browser has too many cookies
		b.Receive(visit(quick, page(b)))
		b.Receive(<-held)
		quick.expireAccess()
		b.Receive(visit(quick, page(b)))
		if n := quick.count(session.EventReuse) + slow.count(session.EventReuse); n > 0 {
			quick.Errorf("%d events of reuse", n)
		}
	})
}
