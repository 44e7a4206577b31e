package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// A refresh of the old session may be answered on another node while a new one begins here,
// and the answer may arrive last. It must not take the new session away, whichever of the
// two refresh cookies it sets.
func TestManager_AnswerOfTheOldSessionAfterALoginTakesNothing(t *testing.T) {
	acting := func(w *testWorld, b *sessiontest.Browser) session.Session { return w.actAs(b, session.Login{}) }
	for name, c := range map[string]struct {
		before, next func(w *testWorld, b *sessiontest.Browser) session.Session
	}{
		"a login": {next: func(w *testWorld, b *sessiontest.Browser) session.Session { return w.login(b, session.Login{}) }},
		"a step-up": {next: func(w *testWorld, b *sessiontest.Browser) session.Session {
			v, err := w.StepUp(page(b), "otp")
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
			return v.Session()
		}},
		"an impersonation": {next: acting},
		"the stop of one":  {before: acting, next: (*testWorld).stopActing},
	} {
		for refreshes := range 3 {
			t.Run(fmt.Sprint(name, " after ", refreshes, " refreshes"), func(t *testing.T) {
				inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
					b, other := newBrowser(), w.node(anyMayImpersonate())
					w.login(b, session.Login{})
					if c.before != nil {
						c.before(w, b)
					}
					for range refreshes {
						w.expireAccess()
						w.in(b)
					}
					w.expireAccess()
					late := other.answered(b) // a poll of another tab, on the other node
					time.Sleep(50 * time.Millisecond)
					fresh := c.next(w, b)
					time.Sleep(100 * time.Millisecond)
					answer := newAnswer()
					late.SetCookies(answer)
					other.DropStaleCookies(answer.header, late) // the other node polls once a second
					b.Receive(answer.cookies())
					for range 2 {
						w.expireAccess()
						v, err := w.visit(b)
						if err != nil || v.Session().ID != fresh.ID {
							w.Fatalf("after it: %v, %v; want the new session", v, err)
						}
					}
					if n := w.count(session.EventAmbiguous) + w.count(session.EventReuse); n != 0 {
						w.Errorf("%d requests were ambiguous or looked stolen", n)
					}
				})
			})
		}
	}
}

// A logout ends every session that the request's cookies name.
func TestManager_LogoutEndsBothSessionsOfMixedCookies(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, old := newBrowser(), newBrowser()
		w.login(old, session.Login{})
		w.expireAccess()
		w.in(old) // has a refresh cookie of an odd generation
		s := w.login(b, session.Login{})
		copied := b.Clone()
		give(b, oddRefreshCookie, valueOf(old, oddRefreshCookie))
		give(b, accessCookie, valueOf(old, accessCookie))
		w.logout(b)
		w.expireAccess()
		if row := w.row(s.ID); row.RevokedAt.IsZero() {
			w.Errorf("after the logout the session %s is live", s.ID)
		}
		if v, err := w.visit(copied); err == nil {
			w.Errorf("a copy of the cookies from before the logout is served: %v", v)
		}
	})
}

// The same with refresh cookies alone: the login replaces every session that the browser had.
func TestManager_LoginEndsBothSessionsOfMixedCookies(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, old := newBrowser(), newBrowser()
		w.login(old, session.Login{})
		w.expireAccess()
		w.in(old)
		s := w.login(b, session.Login{})
		give(b, oddRefreshCookie, valueOf(old, oddRefreshCookie))
		w.expireAccess()
		w.login(b, session.Login{})
		if row := w.row(s.ID); row.RevokedAt.IsZero() {
			w.Errorf("the login has left the browser's earlier session %s live", s.ID)
		}
	})
}

// If both sessions go on, one of the cookies may be planted, and neither counts.
func TestManager_CookiesOfTwoLiveSessionsAreAmbiguous(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, other := newBrowser(), newBrowser()
		w.login(other, session.Login{})
		w.expireAccess()
		w.in(other) // has a refresh cookie of an odd generation
		w.login(b, session.Login{})
		give(b, oddRefreshCookie, valueOf(other, oddRefreshCookie))
		w.expireAccess()
		v, err := w.visit(b)
		if !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || v.Session().ID != "" {
			w.Errorf("got %v with %v, %v; want no session, and no cookies", v, cookieNames(v.Cookies), err)
		}
		if !strings.Contains(err.Error(), "two sessions") {
			w.Errorf("for logs it says %q", err)
		}
		if n := w.count(session.EventAmbiguous); n != 1 {
			w.Errorf("%d requests were ambiguous; want 1", n)
		}
		if n := w.count(session.EventEnded); n != 0 {
			w.Errorf("%d sessions are said to have ended", n)
		}
	})
}

// The session that goes on counts, whichever of the two tickets has the higher generation.
func TestManager_TicketBesideAHigherGenerationOfAnEndedSessionCounts(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, old := newBrowser(), newBrowser()
		ended := w.login(old, session.Login{})
		for range 2 {
			w.expireAccess()
			w.in(old) // until it has the ticket of generation 2
		}
		s := w.login(b, session.Login{})
		w.expireAccess()
		w.in(b) // has the ticket of generation 1
		give(b, refreshCookie, valueOf(old, refreshCookie))
		if err := w.Revoke(w.Context(), "1", ended.ID); err != nil {
			w.Fatal(err)
		}
		w.expireAccess()
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s counts; want %s", got.ID, s.ID)
		}
	})
}

// Which of two sessions goes on is asked before the ticket is resolved. The answer must
// not pass for the outcome of that: the ticket would not be confirmed.
func TestManager_TicketBesideThatOfAnEndedSessionIsConfirmed(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, old := newBrowser(), newBrowser()
		ended := w.login(old, session.Login{})
		s := w.login(b, session.Login{})
		w.expireAccess()
		w.in(b) // has the ticket of generation 1
		give(b, refreshCookie, valueOf(old, refreshCookie))
		if err := w.Revoke(w.Context(), "1", ended.ID); err != nil {
			w.Fatal(err)
		}
		w.expireAccess()
		w.in(b)
		if row := w.row(s.ID); row.Generation != 1 {
			w.Errorf("generation %d is confirmed; want 1", row.Generation)
		}
	})
}

// A thief may present a superseded cookie next to one of his own. That must end the
// victim's session as it does alone.
func TestManager_ReusedTicketBesideALiveSessionEndsItsSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		victim, thief := newBrowser(), newBrowser()
		s := w.login(victim, session.Login{})
		w.expireAccess()
		w.in(victim)
		stolen := valueOf(victim, oddRefreshCookie)
		for range 2 {
			w.expireAccess()
			w.in(victim)
		}
		own := w.login(thief, session.Login{UserID: "2"})
		give(thief, oddRefreshCookie, stolen)
		w.expireAccess()
		if got := w.in(thief); got.ID != own.ID {
			w.Errorf("the thief is served as %+v; want the session of his own", got)
		}
		if row := w.row(s.ID); row.Reason != store.ReasonReuse {
			w.Errorf("the victim's session is revoked for %q; want %q", row.Reason, store.ReasonReuse)
		}
		if n := w.count(session.EventReuse); n != 1 {
			w.Errorf("%d thefts were reported; want 1", n)
		}
	})
}
