package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// newPassword is what an app does: it stores the password, and raises the epoch.
func (w *testWorld) newPassword(epoch uint64) { w.users.SetUser("1", store.User{Epoch: epoch}) }

// The user stays logged in where the password was changed, and nowhere else.
func TestManager_PasswordChangedEndsTheOtherSessions(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, phone, program, other := newBrowser(), newBrowser(), newBrowser(), newBrowser()
		data := map[string]string{"tenant": "7"}
		old := w.login(b, session.Login{Epoch: 1, Remember: true, Methods: []string{"pwd", "otp"}, ExternalID: "sid", Data: data, AbsoluteTimeout: 100 * time.Hour})
		w.login(phone, session.Login{Epoch: 1})
		w.login(program, session.Login{Epoch: 1, NonInteractive: true})
		w.login(other, session.Login{UserID: "2", Epoch: 1})
		time.Sleep(time.Minute)
		copied := b.Clone()
		w.newPassword(2)
		v, err := w.PasswordChanged(page(b), 2)
		if err != nil {
			w.Fatal(err)
		}
		b.Receive(v.Cookies)
		s := v.Session()
		wantFacts(w.T, "in the answer", s, []string{"pwd", "otp"}, "sid", data)
		if s.ID == old.ID || !s.EndsAt.Equal(old.EndsAt) || !s.AuthTime.Equal(s.IssuedAt) {
			w.Errorf("after the change: %+v; before: %+v", s, old)
		}
		for name, ended := range map[string]*sessiontest.Browser{"the phone": phone, "the program": program, "a copy of the cookies": copied} {
			if _, err := w.visit(ended); !errors.Is(err, session.ErrUnauthenticated) {
				w.Errorf("%s, with an access cookie: %v; want the end of the session", name, err)
			}
		}
		w.in(other)
		for range 3 {
			time.Sleep(24 * time.Hour) // it is remembered
			if got := w.in(b); got.ID != s.ID {
				w.Errorf("the browser has session %s; want %s", got.ID, s.ID)
			}
		}
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("%d sessions look stolen", n)
		}
	})
}

func TestManager_PasswordChangedRefuses(t *testing.T) {
	disabled := func(err error) bool { return errors.Is(err, session.ErrUserDisabled) }
	for name, c := range map[string]struct {
		before, after func(w *testWorld, b *sessiontest.Browser) // the new password
		epoch         uint64
		want          func(error) bool
	}{
		"no session":                  {after: func(w *testWorld, b *sessiontest.Browser) { w.logout(b) }, epoch: 2, want: isUnauthenticated},
		"an access cookie alone":      {after: func(_ *testWorld, b *sessiontest.Browser) { *b = *accessOnly(b) }, epoch: 2, want: isUnauthenticated},
		"a refresh cookie alone":      {after: func(_ *testWorld, b *sessiontest.Browser) { b.ExpireAccess() }, epoch: 2, want: isUnauthenticated},
		"a session revoked elsewhere": {after: func(w *testWorld, _ *sessiontest.Browser) { w.revokeAll("1") }, epoch: 2, want: isUnauthenticated},
		"a superseded refresh cookie": {before: func(w *testWorld, b *sessiontest.Browser) {
			current := b.Clone()
			for range 3 {
				w.expireAccess()
				w.in(current)
			}
			give(b, accessCookie, valueOf(current, accessCookie))
		}, epoch: 2, want: isUnauthenticated},
		"a disabled user": {after: func(w *testWorld, _ *sessiontest.Browser) { w.users.SetUser("1", store.User{Epoch: 2, Disabled: true}) }, epoch: 2, want: isUnauthenticated},
		"another epoch":   {epoch: 3, want: disabled},
		"the old epoch":   {epoch: 1, want: disabled},
		"no epoch":        {epoch: 0, want: func(err error) bool { return err != nil && !disabled(err) && !isUnauthenticated(err) }},
		"the store fails": {after: func(w *testWorld, _ *sessiontest.Browser) { w.store.Fail(errStoreDown) }, epoch: 2, want: isUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b, phone := newBrowser(), newBrowser()
				w.login(b, session.Login{Epoch: 1})
				kept := w.login(phone, session.Login{Epoch: 1})
				b = b.CloneIgnoringExpiry()
				if c.before != nil {
					c.before(w, b)
				}
				w.newPassword(2)
				if c.after != nil {
					c.after(w, b)
				}
				v, err := w.PasswordChanged(page(b), c.epoch)
				if !c.want(err) || len(v.Cookies) != 0 || v.Session().ID != "" {
					w.Errorf("got %v, %v", v, err)
				}
				w.store.Fail(nil)
				if n := w.count(session.EventReuse); name != "a superseded refresh cookie" && n != 0 {
					w.Errorf("%d events of reuse", n)
				}
				if name != "a session revoked elsewhere" && !w.row(kept.ID).RevokedAt.IsZero() {
					w.Error("the session of another device was revoked")
				}
			})
		})
	}
}

func TestManager_PasswordChangedRefusesAnImpersonation(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		w.users.SetUser("2", store.User{Epoch: 2})
		if v, err := w.PasswordChanged(page(b), 2); !errors.Is(err, session.ErrUserDisabled) || len(v.Cookies) != 0 {
			w.Errorf("got %v, %v; want ErrUserDisabled", v, err)
		}
	})
}

// A logout beside the request counts, although the store has not heard of it yet.
func TestManager_PasswordChangedRevivesNoSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{Epoch: 1})
		r := page(b)
		v, err := w.Authenticate(r)
		if err != nil {
			w.Fatal(err)
		}
		r = r.WithContext(withVerdict(r.Context(), v)) // as a guard admits it
		w.store.Fail(errStoreDown, "Revoke")
		if _, err := w.Logout(page(b)); err == nil {
			w.Fatal("the store has heard of the logout")
		}
		w.repairStore()
		w.newPassword(2)
		if v, err := w.PasswordChanged(r, 2); !isUnavailable(err) || len(v.Cookies) != 0 {
			w.Errorf("after the logout: %v, %v; want ErrStoreUnavailable", v, err)
		}
	})
}

func TestManager_PasswordChangedRefusesAnotherFingerprint(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		w.loginFrom("a", b)
		w.newPassword(2)
		if v, err := w.PasswordChanged(from("b", b), 2); !isUnauthenticated(err) || len(v.Cookies) != 0 {
			w.Errorf("from another browser: %v, %v; want ErrUnauthenticated", v, err)
		}
		if _, err := w.PasswordChanged(from("a", b), 2); err != nil {
			w.Error(err)
		}
	})
}

// A thief's copy is reported, although the session was about to end.
func TestManager_PasswordChangedReportsReuse(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{Epoch: 1})
		thief := b.CloneIgnoringExpiry()
		for range 3 {
			w.expireAccess()
			w.in(b)
		}
		give(thief, accessCookie, valueOf(b, accessCookie))
		w.newPassword(2)
		if _, err := w.PasswordChanged(page(thief), 2); !errors.Is(err, session.ErrReused) || w.count(session.EventReuse) != 1 {
			w.Errorf("got %v, %d events; want ErrReused and one", err, w.count(session.EventReuse))
		}
	})
}

// The other sessions end at their next refresh if they cannot be told to end at once, or when
// Run has told them. A login with the new password goes on.
func TestManager_PasswordChangedHoldsIfTheOthersCannotBeTold(t *testing.T) {
	down := func(w *testWorld) { w.store.Fail(errStoreDown, "RevokeUser") }
	slow := func(w *testWorld) { w.store.Delay(450 * time.Millisecond) } // a call has two seconds
	for _, c := range []struct {
		withRun bool
		trouble func(w *testWorld)
	}{{false, down}, {true, down}, {true, slow}} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			if c.withRun {
				defer w.run()()
			}
			b, phone, later := newBrowser(), newBrowser(), newBrowser()
			w.login(b, session.Login{Epoch: 1})
			w.login(phone, session.Login{Epoch: 1})
			w.newPassword(2)
			c.trouble(w)
			v, err := w.PasswordChanged(page(b), 2)
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
			w.in(phone)
			time.Sleep(time.Second)
			w.login(later, session.Login{Epoch: 2})
			w.repairStore()
			if c.withRun {
				time.Sleep(10 * time.Second)
			} else {
				w.in(phone) // until its access cookie expires
				w.expireAccess()
			}
			w.out(phone)
			w.in(b)
			if s := w.in(later); w.row(s.ID).Reason != "" {
				w.Errorf("with Run %v: the login with the new password is revoked", c.withRun)
			}
		})
	}
}
