package session_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

func TestManager_IssueReturnsTheUserAsTheStoreHasIt(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.users.SetUser("1", store.User{Epoch: 7, Roles: []string{"staff", "root"}, Attrs: map[string]string{"a": "1", "b": "2"}})
		time.Sleep(time.Hour)
		now := time.Now().UTC()
		b := newBrowser()
		s := w.login(b, session.Login{Epoch: 7})
		if s.UserID != "1" || !slices.Equal(s.Roles, []string{"staff", "root"}) || len(s.Attrs) != 2 || s.Attrs["a"] != "1" || s.Attrs["b"] != "2" {
			w.Errorf("session %+v; want the user's id, roles and attributes", s)
		}
		if !s.AuthTime.Equal(now) || !s.IssuedAt.Equal(now) || !s.EndsAt.Equal(now.Add(12*time.Hour)) {
			w.Errorf("session %+v; want a login at %v", s, now)
		}
		row := w.row(s.ID)
		if row == nil || row.UserID != "1" || row.UserEpoch != 7 || !row.EndsAt.Equal(s.EndsAt) {
			w.Errorf("row %+v; want one like session %+v", row, s)
		}
		events := w.eventsOf(session.EventIssued)
		if len(events) != 1 || events[0].SessionID != s.ID {
			w.Errorf("events %+v; want one of session %s", events, s.ID)
		}
		if got := w.in(b); got.ID != s.ID || !slices.Equal(got.Roles, s.Roles) {
			w.Errorf("the access cookie says %+v; want %+v", got, s)
		}
	})
}

func TestManager_IssueMakesOnlyTheNecessaryStoreCalls(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		var calls []string
		w.store.Before(func(_ context.Context, method string) error {
			calls = append(calls, method)
			return nil
		})
		b := newBrowser()
		for _, c := range []struct {
			name  string
			login session.Login
			want  []string
		}{
			{"a new browser", session.Login{}, []string{"Create", "Find", "Newest"}},
			{"one with a session", session.Login{Remember: true}, []string{"Create", "Find", "Revoke", "Newest"}},
			{"one that is remembered", session.Login{}, []string{"Find", "Create", "Find", "Revoke", "Newest"}},
			{"a program", session.Login{NonInteractive: true}, []string{"Find", "Create", "Find", "Revoke", "Newest"}},
		} {
			calls = nil
			w.login(b, c.login)
			if !slices.Equal(calls, c.want) {
				w.Errorf("%s: calls %v; want %v", c.name, calls, c.want)
			}
		}
	})
}

// An operator sees why a login is refused after the right password. The client does not: the
// errors of all are ErrUserDisabled.
func TestManager_RefusedLoginSaysWhyInAnEvent(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.users.SetUser("disabled", store.User{Epoch: 2, Disabled: true})
		for name, c := range map[string]struct {
			login session.Login
			want  error
		}{
			"unknown":                    {session.Login{UserID: "3"}, store.ErrUserUnknown},
			"disabled":                   {session.Login{UserID: "disabled"}, store.ErrUserBanned},
			"disabled, of another epoch": {session.Login{UserID: "disabled", Epoch: 1}, store.ErrUserBanned},
			"the password has changed":   {session.Login{UserID: "1", Epoch: 9}, store.ErrEpochMoved},
		} {
			before := len(w.eventsOf(session.EventRefused))
			_, err := w.Issue(page(newBrowser()), c.login)
			events := w.eventsOf(session.EventRefused)[before:]
			if !errors.Is(err, session.ErrUserDisabled) || len(events) != 1 || events[0].UserID != c.login.UserID || !errors.Is(events[0].Err, c.want) {
				w.Errorf("%s: %v, events %+v; want one with %v", name, err, events, c.want)
			}
		}
		w.login(newBrowser(), session.Login{})
		if n := len(w.eventsOf(session.EventRefused)); n != 4 {
			w.Errorf("%d events after a good login; want 4", n)
		}
	})
}

func TestManager_FailedLoginKeepsTheOldSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.users.SetUser("disabled", store.User{Disabled: true})
		w.users.SetUser("large", store.User{Attrs: map[string]string{"name": strings.Repeat("x", 4096)}})
		b := newBrowser()
		s := w.login(b, session.Login{})
		fails := func(name string, login session.Login, want error) {
			w.Helper()
			v, err := w.Issue(page(b), login)
			if !errors.Is(err, want) || len(v.Cookies) != 0 || v.Session().ID != "" {
				w.Errorf("%s: %v, %v, %d cookies; want %v and nothing else", name, v, err, len(v.Cookies), want)
			}
		}
		fails("unknown", session.Login{UserID: "3"}, session.ErrUserDisabled)
		fails("disabled", session.Login{UserID: "disabled"}, session.ErrUserDisabled)
		fails("the password has changed", session.Login{UserID: "1", Epoch: 9}, session.ErrUserDisabled)
		fails("too large", session.Login{UserID: "large"}, session.ErrTooLarge)
		if n := w.store.Calls("Revoke"); n != 1 {
			w.Errorf("%d calls of Revoke; want one, for the session that did not fit", n)
		}
		if list, err := w.List(w.Context(), "large", ""); err != nil || len(list) != 0 {
			w.Errorf("the login that did not fit left %d sessions, %v", len(list), err)
		}
		events := w.eventsOf(session.EventTooLarge)
		if len(events) != 1 || w.row(events[0].SessionID) == nil || w.row(events[0].SessionID).UserID != "large" {
			w.Errorf("events %+v; want one of the session that did not fit", events)
		}
		w.store.Fail(errStoreDown)
		fails("the store is down", session.Login{UserID: "1"}, errStoreDown)
		w.repairStore()
		if n := w.count(session.EventIssued); n != 1 {
			w.Errorf("%d events of a login; want 1", n)
		}
		w.expireAccess()
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
	})
}

// A login whose answer from the store was lost is repeated, and begins one session.
func TestManager_LoginWhoseAnswerWasLostBeginsOneSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		lost := false
		w.store.After(func(_ context.Context, method string) error {
			if method == "Create" && !lost {
				lost = true
				return errStoreDown
			}
			return nil
		})
		w.login(b, session.Login{})
		w.in(b)
		if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 {
			w.Errorf("%d sessions, %v; want 1", len(list), err)
		}
	})
}

// A database server may not have the row yet that another server has written.
func TestManager_LoginReadsItsRowAgainIfItIsMissing(t *testing.T) {
	for missing, ok := range map[int]bool{1: true, 2: true, 3: false} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			left := missing
			w = newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
				if left > 0 {
					left--
					s.Record = nil
				}
			}}, session.Config{})
			b := newBrowser()
			v, err := w.Issue(page(b), session.Login{UserID: "1"})
			if (err == nil) != ok || errors.Is(err, session.ErrUnauthenticated) || (len(v.Cookies) == 3) != ok {
				w.Errorf("the row is missing %d times: %v, %d cookies; want a login: %v", missing, err, len(v.Cookies), ok)
			}
		})
	}
}

// A login completes even if the browser closes the connection. It waits for the store
// no longer than any other request.
func TestManager_LoginOutlivesItsRequestButNotTwoSeconds(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		w.store.Delay(100*time.Millisecond, "Create")
		if _, err := w.Issue(page(newBrowser()).WithContext(ctx), session.Login{UserID: "1"}); err != nil {
			w.Errorf("a login whose request has ended: %v", err)
		}
		w.store.Delay(time.Hour)
		start := time.Now()
		_, err := w.Issue(page(newBrowser()), session.Login{UserID: "1"})
		if took := time.Since(start); err == nil || took != 2*time.Second {
			w.Errorf("the store hangs: %v after %v; want an error after 2 s", err, took)
		}
	})
}

// The browser's old session is revoked only after the new one is stored. If the
// revocation fails, the login still succeeds, and Run repeats the revocation.
func TestManager_LoginEndsTheOldSessionDespiteAStoreError(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		old := w.login(b, session.Login{})
		kept := without(b, refreshCookies...)
		w.store.Fail(errStoreDown, "Revoke")
		s := w.login(b, session.Login{})
		w.out(kept)
		if w.row(old.ID).Reason != "" {
			w.Fatal("the row of the old session is revoked although the store did not hear of it")
		}
		w.repairStore()
		stop := w.run()
		time.Sleep(3 * time.Second)
		stop()
		if row := w.row(old.ID); row.Reason != store.ReasonReplaced {
			w.Errorf("the old session was revoked for %q; want %q", row.Reason, store.ReasonReplaced)
		}
		if got := w.in(b); got.ID != s.ID {
			w.Errorf("session %s; want %s", got.ID, s.ID)
		}
	})
}

// The two cookies may belong to two sessions, for example after a backup of the browser
// was restored. Both sessions end.
func TestManager_LoginAndLogoutEndEverySessionThatTheCookiesName(t *testing.T) {
	for name, leave := range map[string]struct {
		by     func(w *testWorld, b *sessiontest.Browser)
		reason store.Reason
	}{
		"login":  {func(w *testWorld, b *sessiontest.Browser) { w.login(b, session.Login{}) }, store.ReasonReplaced},
		"logout": {func(w *testWorld, b *sessiontest.Browser) { w.logout(b) }, store.ReasonLogout},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			one, two := newBrowser(), newBrowser()
			first, second := w.login(one, session.Login{}), w.login(two, session.Login{})
			both := newBrowser()
			give(both, accessCookie, valueOf(one, accessCookie))
			giveRefresh(both, two)
			leave.by(w, both)
			for _, s := range []session.Session{first, second} {
				if got := w.row(s.ID).Reason; got != leave.reason {
					w.Errorf("%s: session %s was revoked for %q; want %q", name, s.ID, got, leave.reason)
				}
			}
		})
		for _, missing := range [][]string{nil, {accessCookie}, refreshCookies, {refreshCookie}, {oddRefreshCookie}} {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{})
				b = without(b, missing...)
				if n := w.calls(func() { leave.by(w, b) }, "Revoke"); n != 1 {
					w.Errorf("%s without %q: %d calls of Revoke for one session", name, missing, n)
				}
				if got := w.row(s.ID).Reason; got != leave.reason {
					w.Errorf("%s without %q: revoked for %q; want %q", name, missing, got, leave.reason)
				}
			})
		}
	}
}
