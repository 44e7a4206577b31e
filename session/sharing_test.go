package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// Each answer has its own refresh cookie. If a browser and a thief had the same one,
// they could not be distinguished.
func TestManager_ParallelRefreshesShareCallsAndNoCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.store.Delay(10 * time.Millisecond)
		children := map[string]bool{}
		n := w.calls(func() {
			answers := make(chan session.Verdict)
			for range 50 {
				go func() {
					v, err := w.Authenticate(page(b))
					if err != nil {
						w.Errorf("Authenticate: %v; want a session", err)
					}
					answers <- v
				}()
			}
			for range 50 {
				v := <-answers
				w.wantCookies("a refresh", v.Cookies, accessCookie, refreshCookie)
				children[v.Cookies[1].Value] = true
			}
			time.Sleep(500 * time.Millisecond)
			w.in(b) // the rest of the page load
		})
		if n != 2 || w.store.Calls("Confirm") != 1 {
			w.Errorf("51 requests made %d calls, %d of Confirm; want 2 and 1", n, w.store.Calls("Confirm"))
		}
		if len(children) != 50 {
			w.Errorf("50 answers carry %d different refresh cookies; want 50", len(children))
		}
	})
}

// The requests of one page load share the store's answer about a ticket, for a second
// or for a twelfth of a shorter access lifetime. A revocation must not take longer.
func TestManager_AnswerOfTheStoreIsSharedForAMoment(t *testing.T) {
	for accessTTL, keep := range map[time.Duration]time.Duration{2 * time.Minute: time.Second, 12 * time.Second: time.Second, 6 * time.Second: 500 * time.Millisecond, time.Second: time.Second / 12} {
		inTestWorld(t, session.Config{AccessTTL: accessTTL}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			for _, c := range []struct {
				wait  time.Duration
				calls int
			}{{0, 1}, {0, 0}, {keep, 0}, {time.Millisecond, 1}, {keep + time.Millisecond, 1}} {
				time.Sleep(c.wait)
				if n := w.calls(func() { w.answered(b) }, "Find"); n != c.calls {
					w.Errorf("access lifetime %v, %v later: %d calls; want %d", accessTTL, c.wait, n, c.calls)
				}
			}
		})
	}
}

// A superseded ticket that arrives while the store is asked about a valid one must not
// get the answer to the valid one.
func TestManager_RequestsInFlightShareAnAnswerOnlyForTheSameTicket(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		thief := b.Clone()
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		w.store.Delay(100*time.Millisecond, "Find")
		answered := make(chan error)
		go func() { _, err := w.Authenticate(page(b)); answered <- err }()
		time.Sleep(50 * time.Millisecond)
		w.out(thief)
		<-answered // served or refused: the theft was detected at that moment
		if n := w.count(session.EventReuse); n != 1 {
			w.Errorf("%d events of reuse; want 1", n)
		}
	})
}

// An outcome from before a revocation is not served after it.
func TestManager_SharedAnswerIsNoLongerServedAfterARevocation(t *testing.T) {
	for name, revoke := range map[string]func(w *testWorld, s session.Session) error{
		"Revoke":     func(w *testWorld, s session.Session) error { return w.Revoke(w.Context(), "1", s.ID) },
		"RevokeUser": func(w *testWorld, _ session.Session) error { return w.RevokeUser(w.Context(), "1") },
		"RevokeAll":  func(w *testWorld, _ session.Session) error { return w.RevokeAll(w.Context()) },
		"theft":      func(w *testWorld, _ session.Session) error { return nil },
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			thief := b.Clone()
			w.expireAccess()
			w.in(b)
			w.expireAccess()
			w.in(b)
			w.expireAccess()
			w.answered(b) // shared from now on
			if name == "theft" {
				w.out(thief)
			}
			if err := revoke(w, s); err != nil {
				w.Fatal(err)
			}
			w.out(b)
		})
	}
}

func TestManager_SharedAnswerIsNoLongerServedAfterForceRefresh(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.answered(b)
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"new"}})
		if err := w.ForceRefresh(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		n := w.calls(func() {
			for range 3 {
				if s := w.answered(b).Session(); !s.HasRole("new") {
					w.Errorf("roles %v; want the new one", s.Roles)
				}
			}
		}, "Find")
		if n != 1 {
			w.Errorf("three requests after the reload made %d calls of Find; want them to share 1", n)
		}
	})
}

// A refusal is shared for a second, because its cause may be gone after that.
func TestManager_RefusalIsSharedForASecond(t *testing.T) {
	t.Run("a ban that is lifted", func(t *testing.T) {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
			w.out(b.Clone())
			w.users.SetUser("1", store.User{Epoch: 1})
			time.Sleep(time.Second)
			w.out(b.Clone())
			time.Sleep(time.Microsecond)
			w.in(b)
		})
	})
	for name, age := range map[string]time.Duration{"a row that appears": 2 * time.Minute, "a login's row that appears": 0} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				missing := true
				node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
					if missing {
						s.Record = nil
					}
				}}, session.Config{})
				b := newBrowser()
				w.login(b, session.Login{})
				b.ExpireAccess()
				time.Sleep(age)
				for range 2 {
					if _, err := node.visit(b.Clone()); err == nil {
						w.Error("served without a row")
					}
				}
				missing = false
				if age > 0 { // a login of a moment ago is not refused, but delayed
					time.Sleep(time.Second + time.Microsecond)
				}
				node.in(b)
			})
		})
	}
}

// When a child is confirmed, its parent is only served within the grace period,
// whatever outcome was shared before: a new child of the parent would look stolen
// later.
func TestManager_ConfirmedChildEndsTheSharedAnswerOfItsParent(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		parent := newBrowser()
		w.login(parent, session.Login{})
		w.expireAccess()
		child := parent.Clone()
		w.in(child)
		w.expireAccess()
		w.wantCookies("the parent", w.answered(parent).Cookies, accessCookie, oddRefreshCookie)
		w.wantCookies("the child", w.answered(child).Cookies, accessCookie, refreshCookie)
		w.wantCookies("the parent after the child", w.answered(parent).Cookies)
		if n := w.count(session.EventGrace); n != 1 {
			w.Errorf("%d events of grace; want 1", n)
		}
	})
}

// The oldest shared outcome of a session expires first, and later ones stay.
func TestManager_SharedAnswerOutlivesThatOfItsParent(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		parent, other := newBrowser(), newBrowser()
		w.login(parent, session.Login{})
		w.login(other, session.Login{UserID: "2"})
		w.expireAccess()
		child := parent.Clone()
		w.in(child)
		w.expireAccess()
		w.answered(parent)
		time.Sleep(900 * time.Millisecond)
		w.answered(child)
		time.Sleep(200 * time.Millisecond) // the parent's outcome expires
		w.answered(other)
		if n := w.calls(func() { w.answered(child) }); n != 0 {
			w.Errorf("%d calls for a ticket of 0.2 s ago; want 0", n)
		}
	})
}

// An answer of the store from before a change must not be served after it.
func TestManager_RefreshInFlightSeesWhatChangedMeanwhile(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		w.store.After(func(_ context.Context, method string) error {
			if method == "Find" {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		got := make(chan session.Session)
		go func() { v, _ := w.Authenticate(page(b)); got <- v.Session() }()
		time.Sleep(50 * time.Millisecond)
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"new"}})
		if err := w.ForceRefresh(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		if s := <-got; !s.HasRole("new") {
			w.Errorf("session %+v; want the new role", s)
		}
	})
}

// A store that has lost a revocation contradicts the node's memory. The request is then
// neither logged out nor served.
func TestManager_StoreBehindAKnownRevocationIsAnError(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w = newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
			if s.Record != nil {
				s.Record.RevokedAt, s.Record.Reason = time.Time{}, ""
			}
		}}, session.Config{})
		b := newBrowser()
		s := w.login(b, session.Login{})
		w.expireAccess()
		if err := w.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		n := w.calls(func() {
			v, err := w.Authenticate(page(b))
			if err == nil || errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 || v.Session().ID != "" {
				w.Errorf("%v, %v, %d cookies; want an error that is no logout", v, err, len(v.Cookies))
			}
		})
		if n != 2 {
			w.Errorf("%d calls; want 2, the second for a revocation that arrived meanwhile", n)
		}
		if n := w.count(session.EventStoreError); n != 1 {
			w.Errorf("%d events of a store error; want 1", n)
		}
	})
}

// The outcome of a young ticket is shared for one second, like that of other tickets.
func TestManager_AnswerForAYoungTicketIsShared(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, other := newBrowser(), newBrowser()
		w.login(b, session.Login{})
		w.login(other, session.Login{UserID: "2"})
		b.ExpireAccess()
		other.ExpireAccess()
		for _, want := range []int{1, 0} {
			if n := w.calls(func() { w.wantCookies("a young ticket", w.answered(b).Cookies, accessCookie) }); n != want {
				w.Errorf("%d calls; want %d", n, want)
			}
		}
		time.Sleep(time.Second)
		w.answered(other)
		if n := w.calls(func() { w.answered(b) }); n != 0 {
			w.Errorf("a second later: %d calls; want 0", n)
		}
		if n := w.count(session.EventRefreshed); n != 2 {
			w.Errorf("%d events of a refresh; want one for each session", n)
		}
	})
}
