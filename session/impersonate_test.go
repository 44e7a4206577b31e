package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// anyMayImpersonate is a configuration in which everybody may act as everybody.
func anyMayImpersonate() session.Config {
	return session.Config{MayImpersonate: func(*http.Request, session.Session, string) error { return nil }}
}

// actAs begins an impersonation of user "2" by user "1", whose session the browser has.
func (w *testWorld) actAs(b *sessiontest.Browser, login session.Login) session.Session {
	w.Helper()
	login.UserID, login.Actor = "2", "1"
	v, err := w.Issue(page(b), login)
	if err != nil {
		w.Fatalf("Issue: %v", err)
	}
	b.Receive(v.Cookies)
	return v.Session()
}

// stopActing stops an impersonation, and returns the session that goes on.
func (w *testWorld) stopActing(b *sessiontest.Browser) session.Session {
	w.Helper()
	v, err := w.StopImpersonating(page(b))
	if err != nil {
		w.Fatalf("StopImpersonating: %v", err)
	}
	b.Receive(v.Cookies)
	return v.Session()
}

// An actor acts as another user, and comes back to the same session as before.
func TestImpersonation_LeadsBackToTheSessionOfTheActor(t *testing.T) {
	for name, age := range map[string]time.Duration{
		"right after the login":           0,
		"when the ticket is old":          110 * time.Second,
		"when the access cookie is gone":  3 * time.Minute,
		"after a while without a request": 25 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				b := newBrowser()
				defer w.run()()
				own := w.login(b, session.Login{Epoch: 1, Methods: []string{"pwd"}, Data: map[string]string{"tenant": "7"}, Remember: true})
				time.Sleep(age)
				s := w.actAs(b, session.Login{Data: map[string]string{"tenant": "8"}})
				for range 4 {
					if s.UserID != "2" || s.Actor != "1" || s.ID == own.ID || s.Data["tenant"] != "8" || len(s.Roles) != 0 {
						w.Fatalf("the impersonation is %+v", s)
					}
					w.expireAccess()
					s = w.in(b)
				}
				back := w.stopActing(b)
				if n := len(page(b).Cookies()); n != 3 {
					w.Errorf("the browser has %d cookies; want those of the actor's session", n)
				}
				for range 4 {
					if back.ID != own.ID || back.UserID != "1" || back.Actor != "" || !back.AuthTime.Equal(own.AuthTime) || !back.EndsAt.Equal(own.EndsAt) || !back.HasMethod("pwd") || back.Data["tenant"] != "7" {
						w.Fatalf("the actor's session is %+v; want %+v", back, own)
					}
					w.expireAccess()
					back = w.in(b)
				}
				if row := w.row(s.ID); row.Reason != store.ReasonReplaced {
					w.Errorf("the impersonation ended for the reason %q", row.Reason)
				}
				if n := w.count(session.EventReuse) + w.count(session.EventAmbiguous) + w.count(session.EventMisconfigured); n != 0 {
					w.Errorf("%d events of a theft or a fault", n)
				}
			})
		})
	}
}

func TestImpersonation_StopOfAnotherSessionChangesNothing(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		if s := w.stopActing(b); s.ID != own.ID {
			w.Errorf("got session %s; want %s", s.ID, own.ID)
		}
		w.expireAccess()
		if s := w.in(b); s.ID != own.ID {
			w.Errorf("got session %s; want %s", s.ID, own.ID)
		}
	})
}

func TestImpersonation_IssueRefuses(t *testing.T) {
	fault := func(text string) func(error) bool {
		return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
	}
	isDisabled := func(err error) bool { return errors.Is(err, session.ErrUserDisabled) }
	errDB := errors.New("the table cannot be read")
	for name, c := range map[string]struct {
		may     func(*http.Request, session.Session, string) error
		prepare func(w *testWorld, b *sessiontest.Browser)
		login   session.Login
		want    func(error) bool
	}{
		"without the app's rule":      {may: nil, want: fault("Config.MayImpersonate")},
		"when the app says no":        {may: func(*http.Request, session.Session, string) error { return session.ErrUserDisabled }, want: isDisabled},
		"when the app cannot tell":    {may: func(*http.Request, session.Session, string) error { return errDB }, want: func(err error) bool { return errors.Is(err, errDB) && !isDisabled(err) }},
		"without a session":           {may: allow, prepare: func(w *testWorld, b *sessiontest.Browser) { w.logout(b) }, want: isUnauthenticated},
		"without the refresh cookie":  {may: allow, prepare: func(w *testWorld, b *sessiontest.Browser) { *b = *accessOnly(b) }, want: isUnauthenticated},
		"when the store is down":      {may: allow, prepare: func(w *testWorld, b *sessiontest.Browser) { w.store.Fail(errStoreDown) }, want: isUnavailable},
		"for an actor who is another": {may: allow, login: session.Login{UserID: "2", Actor: "3"}, want: isDisabled},
		"for an actor of 256 bytes":   {may: allow, login: session.Login{UserID: "2", Actor: strings.Repeat("1", 256)}, want: fault("Login.Actor")},
		"for an actor of 255 bytes":   {may: allow, login: session.Login{UserID: "2", Actor: strings.Repeat("1", 255)}, want: isDisabled},
		"for oneself":                 {may: allow, login: session.Login{UserID: "1", Actor: "1"}, want: fault("Login.Actor")},
		"for a program":               {may: allow, login: session.Login{UserID: "2", Actor: "1", NonInteractive: true}, want: fault("Login.Actor")},
		"with Remember":               {may: allow, login: session.Login{UserID: "2", Actor: "1", Remember: true}, want: fault("Login.Actor")},
		"for a user who is disabled":  {may: allow, prepare: func(w *testWorld, b *sessiontest.Browser) { w.users.SetUser("2", store.User{Epoch: 1, Disabled: true}) }, want: isDisabled},
		"in an impersonation": {may: allow, prepare: func(w *testWorld, b *sessiontest.Browser) {
			w.users.SetUser("3", store.User{Epoch: 1})
			w.actAs(b, session.Login{})
		}, login: session.Login{UserID: "3", Actor: "2"}, want: isDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{MayImpersonate: c.may}, func(w *testWorld) {
				b := newBrowser()
				w.login(b, session.Login{})
				if c.prepare != nil {
					c.prepare(w, b)
				}
				if c.login.UserID == "" {
					c.login = session.Login{UserID: "2", Actor: "1"}
				}
				before := w.count(session.EventIssued)
				v, err := w.Issue(page(b), c.login)
				if !c.want(err) || v.Session().ID != "" {
					w.Errorf("got %v, %v", v, err)
				}
				if n := w.count(session.EventIssued) - before; n != 0 {
					w.Errorf("%d sessions have begun", n)
				}
			})
		})
	}
}

func allow(*http.Request, session.Session, string) error { return nil }

// The app's rule sees the session of the actor as the row has it now.
func TestImpersonation_AsksTheAppWithTheRowsRoles(t *testing.T) {
	var actor session.Session
	var user string
	cfg := session.Config{MayImpersonate: func(_ *http.Request, a session.Session, u string) error { actor, user = a, u; return nil }}
	inTestWorld(t, cfg, func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"support"}})
		w.actAs(b, session.Login{})
		if actor.ID != own.ID || actor.UserID != "1" || !slices.Equal(actor.Roles, []string{"support"}) || user != "2" {
			w.Errorf("the rule was asked whether %+v may act as %q", actor, user)
		}
	})
}

// Nobody proves in an impersonation that they are the user.
func TestImpersonation_ProvesNothingOfTheUser(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{Methods: []string{"pwd", "otp"}})
		s := w.actAs(b, session.Login{Methods: []string{"pwd", "otp"}})
		if s.HasMethod("pwd") || s.HasMethod("x", "otp") || s.LoggedInWithin(time.Hour) {
			w.Errorf("the impersonation counts as a login of the user: %+v", s)
		}
		if v, err := w.StepUp(page(b), "otp"); !errors.Is(err, session.ErrUserDisabled) {
			w.Errorf("StepUp: got %v, %v; want ErrUserDisabled", v, err)
		}
		if again := w.in(b); again.ID != s.ID {
			w.Errorf("after a StepUp that was refused: session %s; want %s", again.ID, s.ID)
		}
	})
}

// An impersonation is over with the actor's session: by the access cookie on this node at
// once, on another one after its next poll, and at each refresh.
func TestImpersonation_EndsWithTheSessionOfTheActor(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(w *testWorld, own session.Session)
		lasts  bool // whether access cookies count until they expire
		device bool // whether the actor's session alone has ended
	}{
		"RevokeUser of the actor": {func(w *testWorld, _ session.Session) { w.revokeAll("1") }, false, true},
		"Revoke of the session": {func(w *testWorld, own session.Session) {
			if err := w.Revoke(w.Context(), "1", own.ID); err != nil {
				w.Fatal(err)
			}
		}, false, true},
		"a ban of the actor": {func(w *testWorld, _ session.Session) {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		}, true, true},
		"a new password of the actor": {func(w *testWorld, _ session.Session) {
			w.users.SetUser("1", store.User{Epoch: 2})
		}, true, true},
		"RevokeUser of the user": {func(w *testWorld, _ session.Session) { w.revokeAll("2") }, false, false},
		"RevokeAll": {func(w *testWorld, _ session.Session) {
			if err := w.RevokeAll(w.Context()); err != nil {
				w.Fatal(err)
			}
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				there := w.node(anyMayImpersonate())
				stop := there.run()
				defer stop()
				b := newBrowser()
				own := w.login(b, session.Login{})
				w.actAs(b, session.Login{})
				elsewhere, refreshing, stopping := b.Clone(), b.Clone(), b.Clone()
				c.end(w, own)
				if !c.lasts {
					w.out(b)
					time.Sleep(2 * time.Second)
					there.out(elsewhere)
				}
				w.expireAccess()
				w.out(refreshing)
				if v, err := w.StopImpersonating(page(stopping)); !isUnauthenticated(err) {
					w.Errorf("StopImpersonating: got %v, %v; want ErrUnauthenticated", v, err)
				}
				if live := w.row(own.ID).RevokedAt.IsZero(); c.device == false && !live {
					w.Error("the actor's session has ended, too")
				}
				if n := w.count(session.EventReuse); n != 0 {
					w.Errorf("%d events of a theft", n)
				}
			})
		})
	}
}

func TestImpersonation_LogoutEndsBothSessions(t *testing.T) {
	for name, keep := range map[string]func(b *sessiontest.Browser) *sessiontest.Browser{
		"with both cookies":                (*sessiontest.Browser).Clone,
		"with the access cookie":           accessOnly,
		"with the refresh cookie":          func(b *sessiontest.Browser) *sessiontest.Browser { b = b.Clone(); b.ExpireAccess(); return b },
		"by the next login of the browser": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				b := newBrowser()
				own := w.login(b, session.Login{})
				s := w.actAs(b, session.Login{})
				if keep == nil {
					w.login(b, session.Login{UserID: "2"})
				} else {
					w.logout(keep(b))
				}
				for _, id := range []string{own.ID, s.ID} {
					if w.row(id).RevokedAt.IsZero() {
						w.Errorf("session %s goes on (the actor's is %s)", id, own.ID)
					}
				}
			})
		})
	}
}

// It lives as long as the actor's session would without a request, so that there is
// something to come back to.
func TestImpersonation_LivesAsLongAsTheActorsSessionWithoutARequest(t *testing.T) {
	for name, c := range map[string]struct {
		actor, login session.Login
		want         time.Duration
	}{
		"the idle timeout":             {session.Login{}, session.Login{}, 30 * time.Minute},
		"the actor's own idle timeout": {session.Login{IdleTimeout: 10 * time.Minute}, session.Login{}, 10 * time.Minute},
		"the actor's end":              {session.Login{AbsoluteTimeout: 20 * time.Minute}, session.Login{}, 17 * time.Minute},
		"its own end":                  {session.Login{}, session.Login{AbsoluteTimeout: 5 * time.Minute}, 5 * time.Minute},
		"not longer than the actor's":  {session.Login{}, session.Login{AbsoluteTimeout: time.Hour}, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				b := newBrowser()
				w.login(b, c.actor)
				time.Sleep(3 * time.Minute)
				s := w.actAs(b, c.login)
				if got := s.EndsAt.Sub(s.IssuedAt); got != c.want {
					w.Errorf("it lives for %v; want %v", got, c.want)
				}
				time.Sleep(c.want - time.Second)
				s = w.in(b)
				if back := w.stopActing(b); back.UserID != "1" {
					w.Errorf("at its end it leads back to %+v", back)
				}
				w.in(b)
			})
		})
	}
}

// It takes no place among the user's sessions, and ends none of them.
func TestImpersonation_EndsNoSessionOfTheUser(t *testing.T) {
	cfg := anyMayImpersonate()
	cfg.MaxSessions = 1
	inTestWorld(t, cfg, func(w *testWorld) {
		users, b := newBrowser(), newBrowser()
		w.login(users, session.Login{UserID: "2"})
		time.Sleep(time.Second) // the list is ordered by the time of the login
		w.login(b, session.Login{})
		s := w.actAs(b, session.Login{})
		w.expireAccess()
		w.in(users)
		list, err := w.List(w.Context(), "2", "")
		if err != nil || len(list) != 2 || list[0].ID != s.ID || list[0].Actor != "1" || list[1].Actor != "" {
			w.Errorf("the list is %+v, %v", list, err)
		}
		time.Sleep(time.Second)
		w.login(newBrowser(), session.Login{UserID: "2"}) // beyond the limit: the impersonation goes first
		w.out(b)
	})
}

// Each event of the session names the actor.
func TestImpersonation_EventsNameTheActor(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		s := w.actAs(b, session.Login{})
		thief := b.Clone()
		for range 3 {
			w.expireAccess()
			w.in(b)
		}
		w.expireAccess()
		w.out(thief)
		w.expireAccess()
		w.out(b)
		for kind, want := range map[session.EventKind]int{session.EventIssued: 1, session.EventRefreshed: 3, session.EventReuse: 1, session.EventEnded: 1} {
			n := 0
			for _, e := range w.eventsOf(kind) {
				if e.SessionID == s.ID && e.UserID == "2" && e.Actor == "1" {
					n++
				}
			}
			if n != want {
				w.Errorf("%d events %q name the session, its user and its actor; want %d", n, kind, want)
			}
		}
	})
}

// Answers of the actor's session that come late do not stop the impersonation, nor do they
// make its requests ambiguous.
func TestImpersonation_LateAnswersOfTheActorsSession(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		late := w.answered(b) // generation 1, while the impersonation has 0
		h := http.Header{}
		for _, c := range late.Cookies {
			h.Add("Set-Cookie", c.String())
		}
		s := w.actAs(b, session.Login{})
		if w.DropStaleCookies(h, late); len(h["Set-Cookie"]) != 0 {
			w.Errorf("this node sends the actor's cookies after the impersonation has begun: %q", h["Set-Cookie"])
		}
		b.Receive(late.Cookies) // of another node, that does not know
		w.expireAccess()
		for range 3 {
			if again := w.in(b); again.ID != s.ID {
				w.Fatalf("the browser is in session %s of user %s", again.ID, again.UserID)
			}
			w.expireAccess()
		}
		if n := w.count(session.EventAmbiguous); n != 0 {
			w.Errorf("%d events of two sessions", n)
		}
		if back := w.stopActing(b); back.UserID != "1" {
			w.Errorf("it leads back to %+v", back)
		}
		w.expireAccess()
		w.in(b)
	})
}

// A stream of an impersonation ends with the actor's session.
func TestImpersonation_DoneIsClosedWithTheActorsSession(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		done := w.stream(w.Context(), b)
		if closed(done) { // also waits until it has begun
			w.Fatal("the stream has ended at once")
		}
		if err := w.Revoke(w.Context(), "1", own.ID); err != nil {
			w.Fatal(err)
		}
		if !closed(done) {
			w.Error("the stream goes on")
		}
	})
}

// An answer of the impersonation that leaves after the actor's session has ended carries
// no cookie.
func TestImpersonation_LateAnswerAfterTheActorsEnd(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		w.expireAccess()
		late := w.answered(b)
		rec := httptest.NewRecorder()
		late.SetCookies(rec)
		h := rec.Header()
		if err := w.Revoke(w.Context(), "1", own.ID); err != nil {
			w.Fatal(err)
		}
		if w.DropStaleCookies(h, late); len(h["Set-Cookie"]) != 0 {
			w.Errorf("it sets %q", h["Set-Cookie"])
		}
	})
}

// A row of the actor's session that is gone, as after a failover, says the same as one that
// is over.
func TestImpersonation_EndsWithTheRowOfTheActorsSession(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		gone := false
		node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
			if gone && s.Record != nil && s.Record.UserID == "1" {
				s.Record = nil
			}
		}}, anyMayImpersonate())
		b := newBrowser()
		node.login(b, session.Login{})
		node.actAs(b, session.Login{})
		w.expireAccess()
		node.in(b)
		gone = true
		w.expireAccess()
		node.out(b)
	})
}

// A stolen cookie of an impersonation can be used to stop it, and then the thief has the
// actor's session. The second of thief and actor to come back ends it.
func TestImpersonation_ThiefWhoStopsItIsNoticed(t *testing.T) {
	for name, thiefFirst := range map[string]bool{"the thief stops it": true, "the actor stops it": false} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				victim := newBrowser()
				own := w.login(victim, session.Login{})
				s := w.actAs(victim, session.Login{})
				w.expireAccess()
				w.in(victim)
				thief := victim.Clone()
				first, second := thief, victim
				if !thiefFirst {
					first, second = victim, thief
				}
				w.stopActing(first)
				w.expireAccess()
				w.in(first)
				w.expireAccess()
				if v, err := w.visit(second); !errors.Is(err, session.ErrReused) {
					w.Fatalf("the second of the two: %v, %v; want ErrReused", v, err)
				}
				events := w.eventsOf(session.EventReuse)
				if len(events) != 1 || events[0].SessionID != own.ID || events[0].UserID != "1" {
					w.Errorf("the events of a theft are %+v; want one of session %s", events, own.ID)
				}
				w.out(first)
				w.expireAccess()
				w.out(second)
				if n := w.count(session.EventReuse); n != 1 {
					w.Errorf("%d events of a theft", n)
				}
				if w.row(s.ID).RevokedAt.IsZero() || w.row(own.ID).Reason != store.ReasonReuse {
					w.Error("a session goes on")
				}
			})
		})
	}
}

// The answer to StopImpersonating is lost. The browser has to log in again, and nothing
// looks stolen.
func TestImpersonation_LostAnswerToTheStopIsNoTheft(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		for range 2 {
			if _, err := w.StopImpersonating(page(b)); err != nil && !isUnauthenticated(err) {
				w.Fatal(err)
			}
			w.expireAccess()
			w.out(b)
		}
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("%d events of a theft", n)
		}
	})
}

// A thief had the actor's refresh cookie before the impersonation.
func TestImpersonation_ThiefOfTheActorsSessionIsNoticed(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		w.expireAccess()
		thief := b.Clone()
		w.actAs(b, session.Login{})
		for range 2 {
			w.in(thief)
			w.expireAccess()
		}
		if v, err := w.StopImpersonating(page(b)); !errors.Is(err, session.ErrReused) {
			w.Errorf("StopImpersonating: got %v, %v; want ErrReused", v, err)
		}
		w.out(thief)
		w.out(b)
		if events := w.eventsOf(session.EventReuse); len(events) != 1 || events[0].SessionID != own.ID {
			w.Errorf("the events of a theft are %+v", events)
		}
	})
}

// A refresh costs one statement more than that of another session.
func TestImpersonation_RefreshReadsBothSessions(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		if n := w.calls(func() { w.in(b) }); n != 0 {
			w.Errorf("the access cookie cost %d calls", n)
		}
		w.expireAccess()
		w.in(b)
		w.expireAccess()
		all, finds := w.store.Calls(), w.store.Calls("Find")
		w.in(b)
		if w.store.Calls("Find")-finds != 2 || w.store.Calls()-all != 3 {
			w.Errorf("a refresh cost %d calls, %d of them Find; want 3 and 2", w.store.Calls()-all, w.store.Calls("Find")-finds)
		}
	})
}

// A request of the impersonation is slow. Meanwhile the impersonation is stopped, and the
// next one begins.
func TestImpersonation_RequestInFlightAtTheStopIsNoTheft(t *testing.T) {
	for name, next := range map[string]func(w *testWorld, b *sessiontest.Browser){
		"another impersonation": func(w *testWorld, b *sessiontest.Browser) { w.actAs(b, session.Login{}) },
		"an update": func(w *testWorld, b *sessiontest.Browser) {
			v, err := w.Update(page(b), nil)
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				b := newBrowser()
				w.login(b, session.Login{})
				time.Sleep(5 * time.Minute)
				w.in(b)
				time.Sleep(110 * time.Second)
				w.actAs(b, session.Login{})
				time.Sleep(99 * time.Second)
				slow := page(b)
				w.stopActing(b)
				time.Sleep(2 * time.Second)
				next(w, b)
				time.Sleep(time.Second)
				if _, err := w.Authenticate(slow); errors.Is(err, session.ErrReused) {
					w.Error(err)
				}
				w.in(b)
			})
		})
	}
}

// An answer of the actor's session, from before the impersonation, arrives after its stop.
func TestImpersonation_VeryLateAnswerOfTheActorsSessionIsNoTheft(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		late := w.answered(b)
		w.actAs(b, session.Login{})
		time.Sleep(110 * time.Second)
		w.in(b)
		w.stopActing(b)
		b.Receive(late.Cookies)
		time.Sleep(11 * time.Second)
		w.in(b)
		w.expireAccess()
		w.in(b)
	})
}

// The idle time of the actor's session begins again when it is given back.
func TestImpersonation_ActorWhoIsActiveStaysLoggedInAfterTheStop(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.actAs(b, session.Login{})
		for range 29 {
			time.Sleep(time.Minute)
			w.in(b)
		}
		w.stopActing(b)
		for range 20 {
			time.Sleep(5 * time.Minute)
			w.in(b)
		}
	})
}

// Another tab changes the data of the actor's session while an impersonation begins.
func TestImpersonation_LosesNoUpdateOfTheActorsSession(t *testing.T) {
	var during func()
	cfg := session.Config{MayImpersonate: func(*http.Request, session.Session, string) error { during(); return nil }}
	inTestWorld(t, cfg, func(w *testWorld) {
		there, b := w.node(cfg), newBrowser()
		own := w.login(b, session.Login{Data: map[string]string{"tenant": "7"}})
		other := page(b)
		during = func() {
			if _, err := there.Update(other, map[string]string{"tenant": "9"}); err != nil {
				w.Fatal(err)
			}
		}
		w.actAs(b, session.Login{})
		if got := w.row(own.ID).Data["tenant"]; got != "9" {
			w.Errorf("the tenant is %q after an Update to 9", got)
		}
	})
}

// An audit needs to know whose impersonation has ended.
func TestImpersonation_EventOfItsEndNamesTheUserAndTheActor(t *testing.T) {
	for name, end := range map[string]func(w *testWorld, b *sessiontest.Browser){
		"the stop":      func(w *testWorld, b *sessiontest.Browser) { w.stopActing(b) },
		"a logout":      (*testWorld).logout,
		"another login": func(w *testWorld, b *sessiontest.Browser) { w.login(b, session.Login{UserID: "2"}) },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
				b := newBrowser()
				own := w.login(b, session.Login{})
				s := w.actAs(b, session.Login{})
				end(w, b)
				events := w.eventsOf(session.EventRevoked)
				if len(events) == 0 || events[0].SessionID != s.ID || events[0].UserID != "2" || events[0].Actor != "1" {
					w.Fatalf("the events are %+v; want the end of session %s", events, s.ID)
				}
				for _, e := range events[1:] {
					if e.SessionID != own.ID || e.UserID != "1" || e.Actor != "" {
						w.Errorf("the event %+v; want the end of session %s", e, own.ID)
					}
				}
			})
		})
	}
}

// The ticket of a refresh a moment ago has not been presented yet. It is kept as it is: a
// child of it would look as if the database had lost writes.
func TestImpersonation_RightAfterARefreshKeepsItsTicket(t *testing.T) {
	inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
		b := newBrowser()
		own := w.login(b, session.Login{})
		w.expireAccess()
		w.in(b)
		w.actAs(b, session.Login{})
		w.expireAccess()
		w.in(b)
		if back := w.stopActing(b); back.ID != own.ID {
			w.Errorf("it leads back to %+v", back)
		}
		w.expireAccess()
		w.in(b)
		if n := w.count(session.EventStoreBehind); n != 0 {
			w.Errorf("%d events of a database that has lost writes", n)
		}
	})
}
