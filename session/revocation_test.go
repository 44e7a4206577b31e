package session_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// A node revokes a session in its own memory before it asks the store.
func TestManager_LogoutActsOnThisNodeBeforeTheStoreAnswers(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		thief := accessOnly(b)
		w.here.store.Delay(time.Second, "Revoke")
		done := make(chan error)
		go func() { done <- w.here.logout(b) }()
		synctest.Wait()
		if !w.row(s.ID).RevokedAt.IsZero() {
			w.Fatal("the store was called already")
		}
		w.here.out(thief)
		if err := <-done; err != nil {
			w.Error(err)
		}
		if w.row(s.ID).Reason != store.ReasonLogout {
			w.Errorf("row = %+v", w.row(s.ID))
		}
	})
}

// An event is raised for each session that was revoked, not for each call.
func TestManager_EventRevokedIsRaisedOncePerSession(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		copied := b.Clone()
		for range 2 {
			if err := w.here.logout(b); err != nil {
				w.Error(err)
			}
			if err := w.here.logout(copied.Clone()); err != nil {
				w.Error(err)
			}
			if err := w.here.Revoke(w.Context(), "1", s.ID); err != nil {
				w.Error(err)
			}
		}
		if err := w.here.logout(newBrowser()); err != nil {
			w.Errorf("a logout without a session: %v", err)
		}
		other := w.here.login(newBrowser(), session.Login{})
		for range 2 {
			if err := w.here.Revoke(w.Context(), "1", other.ID); err != nil {
				w.Error(err)
			}
		}
		got := w.here.eventsOf(session.EventRevoked)
		if len(got) != 2 || got[0].SessionID != s.ID || got[1].SessionID != other.ID {
			w.Errorf("events: %v; want one of %s and one of %s", got, s.ID, other.ID)
		}
	})
}

// answerOf returns the error of a call. A panic counts as an error.
func answerOf(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return call()
}

// A user cannot revoke a session of another user. Such a call does not make that
// session ask the store, either.
func TestManager_RevokeAffectsOnlySessionsOfTheUser(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		s := w.here.login(b, session.Login{})
		for _, c := range []struct {
			name, userID, sessionID string
			asks                    bool // whether the store is asked
		}{
			{"another user", "2", s.ID, true},
			{"an unknown user", "3", s.ID, true},
			{"no user", "", s.ID, false},
			{"an unknown session", "1", store.ID{1}.String(), true},
			{"an id in capitals", "1", strings.ToUpper(s.ID), false},
			{"no session", "1", "", false},
			{"no id", "1", "x", false},
		} {
			before := w.here.store.Calls()
			err := answerOf(func() error { return w.here.Revoke(w.Context(), c.userID, c.sessionID) })
			if asked := w.here.store.Calls() > before; !errors.Is(err, session.ErrNotFound) || asked != c.asks {
				w.Errorf("%s: got %v, the store was asked: %v; want ErrNotFound and %v", c.name, err, asked, c.asks)
			}
		}
		if n := w.here.calls(func() { w.here.in(b) }); n != 0 {
			w.Errorf("the session's next request made %d store calls; want 0", n)
		}
		if n := len(w.here.eventsOf(session.EventRevoked)); n != 0 {
			w.Errorf("%d events of a revocation", n)
		}
		if err := w.here.RevokeUser(w.Context(), ""); err != nil { // the user of the zero Session
			w.Error(err)
		}
		b.ExpireAccess()
		w.here.in(b)

		w.here.store.Fail(errStoreDown)
		if err := w.here.Revoke(w.Context(), "1", s.ID); !errors.Is(err, errStoreDown) || errors.Is(err, session.ErrNotFound) {
			w.Errorf("store down: got %v; want the store's error", err)
		}
		w.here.repairStore()
		w.here.store.Fail(errStoreDown, "Find") // this call reads whose session it is
		if err := w.here.Revoke(w.Context(), "2", s.ID); !errors.Is(err, errStoreDown) || errors.Is(err, session.ErrNotFound) {
			w.Errorf("the row cannot be read: got %v; want the store's error", err)
		}
	})
}

// A node without Run learns of another node's revocation when it revokes the session
// itself.
func TestManager_RevokeOfARevokedSessionActsOnThisNode(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		s := w.there.login(b, session.Login{})
		thief := accessOnly(b)
		if err := w.here.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		w.there.in(thief) // the other node does not know of it yet
		if err := w.there.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		w.there.out(thief)
		if n := w.there.calls(func() { w.there.out(thief) }); n != 0 {
			w.Errorf("%d store calls; want 0", n)
		}
	})
}

func TestManager_RevokeUserSparesEachException(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		browsers := make([]*sessiontest.Browser, 5)
		ids := make([]string, len(browsers))
		for i := range browsers {
			browsers[i] = newBrowser()
			ids[i] = w.here.login(browsers[i], session.Login{}).ID
		}
		other := newBrowser()
		w.here.login(other, session.Login{UserID: "2"})

		malformed := strings.Repeat("x", 50)
		err := w.here.RevokeUser(w.Context(), "1", ids[1], malformed)
		if err == nil || !strings.Contains(err.Error(), malformed[:40]) || strings.Contains(err.Error(), malformed[:41]) {
			w.Errorf("an exception that is no id: got %v; want an error that quotes 40 bytes of it", err)
		}
		for _, b := range browsers {
			w.here.in(b)
		}

		if err := w.here.RevokeUser(w.Context(), "1", ids[1], ids[3], ids[4]); err != nil {
			w.Fatal(err)
		}
		for i, b := range browsers {
			b.ExpireAccess()
			if i == 1 || i >= 3 {
				w.here.in(b)
				continue
			}
			w.here.out(b)
			if row := w.row(ids[i]); row.Reason != store.ReasonRevoked {
				w.Errorf("the row was revoked for %q; want %q", row.Reason, store.ReasonRevoked)
			}
		}
		w.here.in(other)
	})
}

// The node that revokes sessions refuses them at once, without Run. If only the poll
// afterwards fails, the call succeeds.
func TestManager_RevocationOfManySessionsActsOnThisNodeAtOnce(t *testing.T) {
	for name, step := range map[string]func(w *twoNodes) error{
		"one user":  func(w *twoNodes) error { return w.here.RevokeUser(w.Context(), "1") },
		"all users": func(w *twoNodes) error { return w.here.RevokeAll(w.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				w.here.login(b, session.Login{})
				thief := accessOnly(b)
				if err := step(w); err != nil {
					w.Fatal(err)
				}
				w.here.out(thief)
			})
		})
		t.Run(name+", and the poll fails", func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				w.here.login(b, session.Login{})
				w.here.store.Fail(errStoreDown, "Changes")
				if err := step(w); err != nil {
					w.Errorf("got %v although the store has succeeded", err)
				}
				if len(w.here.eventsOf(session.EventStoreError)) == 0 {
					w.Error("no event of the poll that failed")
				}
				b.ExpireAccess()
				w.here.out(b)
			})
		})
		t.Run(name+", and the call fails", func(t *testing.T) {
			inTwoNodes(t, session.Config{}, func(w *twoNodes) {
				b := newBrowser()
				w.here.login(b, session.Login{})
				w.here.store.Fail(errStoreDown, "RevokeUser", "RevokeAll")
				if err := step(w); !errors.Is(err, errStoreDown) {
					w.Errorf("got %v; want the store's error", err)
				}
				if n := w.here.store.Calls("Changes"); n != 0 {
					w.Errorf("%d polls after a call that failed", n)
				}
				b.ExpireAccess()
				w.here.in(b)
			})
		})
	}
}

// When a theft is detected on one node, no other node accepts the thief's access
// cookie.
func TestManager_TheftEndsTheSessionOnEveryNode(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		defer w.there.run()()
		victim := newBrowser()
		s := w.here.login(victim, session.Login{})
		thief := victim.CloneIgnoringExpiry()
		for range 3 {
			time.Sleep(defaultAccessTTL)
			w.here.in(victim)
		}
		fresh := accessOnly(victim)
		w.here.in(fresh)
		w.there.in(fresh)
		thief.ExpireAccess()
		w.here.out(thief)
		w.here.out(fresh) // at once: this node knows of the revocation
		time.Sleep(pollInterval)
		w.there.out(fresh)
		if row := w.row(s.ID); row.Reason != store.ReasonReuse {
			w.Errorf("the row was revoked for %q; want %q", row.Reason, store.ReasonReuse)
		}
		if got := w.here.eventsOf(session.EventReuse); len(got) != 1 || got[0].SessionID != s.ID {
			w.Errorf("events: %v; want one of session %s", got, s.ID)
		}
	})
}
