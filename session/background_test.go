package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// A poll sets no cookies, and the row shows nothing of it. A refusal sets the access cookie
// that spares the store the next polls.
func TestManager_BackgroundLeavesTheSessionAsItIs(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		b = b.CloneIgnoringExpiry()
		before := *w.row(s.ID)
		for range 14 {
			time.Sleep(2 * time.Minute)
			v, err := w.AuthenticateBackground(page(b))
			if err != nil || v.Session().ID != s.ID || len(v.Cookies) != 0 {
				w.Fatalf("%v, %v, cookies %v; want the session without cookies", v, err, cookieNames(v.Cookies))
			}
		}
		after := *w.row(s.ID)
		if !after.LastSeenAt().Equal(before.LastSeenAt()) || after.Generation != before.Generation {
			w.Errorf("the row has changed: %+v; before %+v", after, before)
		}
		if n := w.count(session.EventSuspicious) + w.count(session.EventReuse); n != 0 {
			w.Errorf("%d polls looked like a theft", n)
		}
		time.Sleep(2 * time.Minute)
		if v, err := w.AuthenticateBackground(page(b)); !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("at the idle end: %v, %v", v, err)
		}
		b = newBrowser()
		w.login(b, session.Login{})
		w.revokeAll("1")
		v, err := w.AuthenticateBackground(page(b))
		if !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("after the end: %v", err)
		}
		w.wantCookies("a refusal", v.Cookies, accessCookie)
	})
}

// What a poll has found out is not the outcome of another request: that one is recorded, also
// if both come at once.
func TestManager_BackgroundHidesNoOtherRequest(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			b = b.CloneIgnoringExpiry()
			time.Sleep(10 * time.Minute)
			w.store.Delay(100 * time.Millisecond)
			poll := make(chan error, 1)
			go func() { _, err := w.AuthenticateBackground(page(b)); poll <- err }()
			if parallel {
				time.Sleep(10 * time.Millisecond)
			} else {
				time.Sleep(200 * time.Millisecond)
			}
			asked := time.Now()
			if _, err := w.Authenticate(page(b)); err != nil {
				w.Error(err)
			}
			if err := <-poll; err != nil {
				w.Error(err)
			}
			if seen := w.row(s.ID).LastSeenAt(); seen.Before(asked) {
				w.Errorf("in parallel %v: the request at %v is not recorded; last seen %v", parallel, asked, seen)
			}
		})
	}
}
