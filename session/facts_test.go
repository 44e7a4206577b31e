package session_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

func wantFacts(t *testing.T, what string, s session.Session, methods []string, externalID string, data map[string]string) {
	t.Helper()
	if !slices.Equal(s.Methods, methods) || s.ExternalID != externalID || !maps.Equal(s.Data, data) {
		t.Errorf("%s: methods %q, external id %q, data %q; want %q, %q, %q", what, s.Methods, s.ExternalID, s.Data, methods, externalID, data)
	}
}

// What the login says of the session travels in the access cookie, is there after a
// refresh, and in the list of devices.
func TestManager_FactsOfALoginBelongToTheSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		methods, data := []string{"pwd", "otp"}, map[string]string{"tenant": "7", "": "ü"}
		login := session.Login{Methods: methods, ExternalID: "sid-1", Data: data}
		wantFacts(w.T, "in the answer to the login", w.login(b, login), methods, "sid-1", data)
		methods, data = slices.Clone(methods), maps.Clone(data)
		login.Methods[0], login.Data["tenant"] = "changed", "changed" // the Manager keeps copies
		if n := w.calls(func() { wantFacts(w.T, "by the access cookie", w.in(b), methods, "sid-1", data) }); n != 0 {
			w.Errorf("the access cookie cost %d calls", n)
		}
		w.expireAccess()
		s := w.in(b)
		wantFacts(w.T, "after a refresh", s, methods, "sid-1", data)
		s.Methods[0], s.Data["tenant"] = "changed", "changed" // a copy of the caller's own
		wantFacts(w.T, "after a change to a copy", w.in(b), methods, "sid-1", data)
		list, err := w.List(w.Context(), "1", "")
		if err != nil || len(list) != 1 {
			w.Fatalf("%d devices, %v", len(list), err)
		}
		wantFacts(w.T, "in the list", session.Session{Methods: list[0].Methods, ExternalID: list[0].ExternalID, Data: list[0].Data}, methods, "sid-1", data)
		if !s.HasMethod("otp") || !s.HasMethod("sms", "otp") || s.HasMethod("sms") || s.HasMethod("ot") {
			w.Errorf("HasMethod is wrong for %q", s.Methods)
		}
	})
}

func TestManager_IssueNamesEachFaultyFact(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		login session.Login
		fault string // empty: none
	}{
		"an empty method":                   {session.Login{Methods: []string{"pwd", ""}}, "Login.Methods"},
		"a method with a comma":             {session.Login{Methods: []string{"a,b"}}, "Login.Methods"},
		"a method with a space":             {session.Login{Methods: []string{"a b"}}, "Login.Methods"},
		"a method that is not ASCII":        {session.Login{Methods: []string{"ü"}}, "Login.Methods"},
		"a method with a control":           {session.Login{Methods: []string{"\x7f"}}, "Login.Methods"},
		"methods of 255 bytes":              {session.Login{Methods: []string{long(127), long(127)}}, ""},
		"methods of 256 bytes":              {session.Login{Methods: []string{long(127), long(128)}}, "Login.Methods"},
		"an external id of 255 bytes":       {session.Login{ExternalID: long(255)}, ""},
		"an external id of 256 bytes":       {session.Login{ExternalID: long(256)}, "Login.ExternalID"},
		"data of 1,024 bytes":               {session.Login{Data: map[string]string{"k": long(1024 - 8)}}, ""},
		"data of 1,025 bytes":               {session.Login{Data: map[string]string{"k": long(1024 - 7)}}, "Login.Data"},
		"data with a value that is no text": {session.Login{Data: map[string]string{"k": "\xff"}}, "Login.Data"},
		"data with a name that is no text":  {session.Login{Data: map[string]string{"\xff": ""}}, "Login.Data"},
		"an idle timeout of 2 A":            {session.Login{IdleTimeout: 4 * time.Minute}, ""},
		"an idle timeout below 2 A":         {session.Login{IdleTimeout: 4*time.Minute - 1}, "Login.IdleTimeout"},
		"an idle timeout below zero":        {session.Login{IdleTimeout: -time.Hour}, "Login.IdleTimeout"},
		"an absolute timeout of 2 A":        {session.Login{AbsoluteTimeout: 4 * time.Minute}, ""},
		"an absolute timeout below 2 A":     {session.Login{AbsoluteTimeout: 4*time.Minute - 1}, "Login.AbsoluteTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				before := w.login(b, session.Login{})
				c.login.UserID, c.login.Epoch = "1", 1
				v, err := w.Issue(page(b), c.login)
				if c.fault == "" {
					if err != nil {
						w.Errorf("refused: %v", err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), c.fault) || len(v.Cookies) != 0 {
					w.Errorf("got %v, %v; want an error that names %s", v, err, c.fault)
				}
				if s := w.in(b); s.ID != before.ID {
					w.Errorf("the old session did not go on")
				}
			})
		})
	}
}

// A session of its own timeouts ends earlier than the others, and never later.
func TestManager_TimeoutsOfALogin(t *testing.T) {
	cfg := session.Config{IdleTimeout: 30 * time.Minute, AbsoluteTimeout: 2 * time.Hour}
	for name, c := range map[string]struct {
		login          session.Login
		idle, absolute time.Duration
	}{
		"none":     {session.Login{}, 30 * time.Minute, 2 * time.Hour},
		"shorter":  {session.Login{IdleTimeout: 10 * time.Minute, AbsoluteTimeout: time.Hour}, 10 * time.Minute, time.Hour},
		"longer":   {session.Login{IdleTimeout: time.Hour, AbsoluteTimeout: 3 * time.Hour}, 30 * time.Minute, 2 * time.Hour},
		"remember": {session.Login{Remember: true, IdleTimeout: 10 * time.Minute, AbsoluteTimeout: time.Hour}, 10 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, cfg, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, c.login)
				if got := s.EndsAt.Sub(s.IssuedAt); got != c.absolute {
					w.Errorf("the absolute end is %v away; want %v", got, c.absolute)
				}
				for range 3 { // each refresh has a new ticket
					time.Sleep(c.idle - time.Second)
					w.in(b)
				}
				if got := w.users.ExpiresAt(w.row(s.ID).ID).Sub(w.row(s.ID).ConfirmedAt); got < 2*c.idle || got > 2*c.idle+5*time.Minute {
					w.Errorf("the row is kept for %v after the last refresh; the idle timeout is %v", got, c.idle)
				}
				time.Sleep(c.idle + time.Second)
				w.out(b)
				c.login.UserID = "2"
				w.login(b, c.login)
				idle := b.CloneIgnoringExpiry() // the login's own ticket
				time.Sleep(c.idle + time.Second)
				w.out(idle)
			})
		})
	}
}

// Older access cookies do not count after a change, on this node at once and on others
// after their next poll.
func TestManager_UpdateReplacesTheDataOfTheSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b, there := newBrowser(), w.node(session.Config{})
		stop := there.run()
		defer stop()
		w.login(b, session.Login{Methods: []string{"pwd"}, Data: map[string]string{"tenant": "1"}})
		for i, age := range []time.Duration{time.Second, w.accessTTL, time.Second} { // the ticket is young, and later it is not
			time.Sleep(age)
			late := b.Clone()
			want := map[string]string{"tenant": strings.Repeat("2", i+1)}
			v, err := w.Update(page(b), want)
			if err != nil {
				w.Fatal(err)
			}
			wantFacts(w.T, "in the answer", v.Session(), []string{"pwd"}, "", want)
			b.Receive(v.Cookies)
			if n := w.calls(func() { wantFacts(w.T, "by the new access cookie", w.in(b), []string{"pwd"}, "", want) }); n != 0 {
				w.Errorf("the new access cookie cost %d calls", n)
			}
			b.Receive(cookiesOf(late)) // a late answer from before the change
			wantFacts(w.T, "by the old access cookie", w.in(b), []string{"pwd"}, "", want)
			time.Sleep(2 * time.Second)
			late2 := late.Clone()
			wantFacts(w.T, "by the old access cookie on another node", there.in(late2), []string{"pwd"}, "", want)
		}
	})
}

// cookiesOf returns the browser's access cookie as an answer sets it.
func cookiesOf(b *sessiontest.Browser) (cookies []*http.Cookie) {
	for _, c := range page(b).Cookies() {
		if c.Name == accessCookie {
			c.Path, c.Secure, c.HttpOnly = "/", true, true
			cookies = append(cookies, c)
		}
	}
	return cookies
}

func TestManager_UpdateRefuses(t *testing.T) {
	data := map[string]string{"tenant": "7"}
	for name, c := range map[string]struct {
		prepare func(w *testWorld, b *sessiontest.Browser)
		data    map[string]string
		want    func(error) bool
	}{
		"no session":        {func(w *testWorld, b *sessiontest.Browser) { w.logout(b) }, data, isUnauthenticated},
		"a revoked session": {func(w *testWorld, b *sessiontest.Browser) { w.revokeAll("1") }, data, isUnauthenticated},
		"no refresh cookie": {func(w *testWorld, b *sessiontest.Browser) { *b = *accessOnly(b) }, data, isUnauthenticated},
		"the store is down": {func(w *testWorld, b *sessiontest.Browser) { w.store.Fail(errStoreDown) }, data, isUnavailable},
		"Update is down":    {func(w *testWorld, b *sessiontest.Browser) { w.store.Fail(errStoreDown, "Update") }, data, isUnavailable},
		"too much":          {func(*testWorld, *sessiontest.Browser) {}, map[string]string{"k": strings.Repeat("x", 1024)}, namesTheData},
		"not a text":        {func(*testWorld, *sessiontest.Browser) {}, map[string]string{"k": "\xff"}, namesTheData},
		"outgrows the cookie": {func(w *testWorld, _ *sessiontest.Browser) {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{strings.Repeat("r", 2100)}})
		}, map[string]string{"k": strings.Repeat("x", 1000)}, func(err error) bool { return errors.Is(err, session.ErrTooLarge) }},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{Data: map[string]string{"tenant": "1"}})
				c.prepare(w, b)
				v, err := w.Update(page(b), c.data)
				if !c.want(err) || v.Session().ID != "" {
					w.Errorf("got %v, %v", v, err)
				}
				w.repairStore()
				if row := w.row(s.ID); row.Data["tenant"] != "1" || row.Reload != 0 {
					w.Errorf("the data are %q, and the counter is %d", row.Data, row.Reload)
				}
			})
		})
	}
}

// The session may end on this node while a change of it is under way. The store's answers
// may be older than that.
func TestManager_ChangeOfASessionThatEndsMeanwhileIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		during string // the call of the store before which the session ends
		change func(w *testWorld, b *sessiontest.Browser) (session.Verdict, error)
		want   func(error) bool
	}{
		"Update, at its first statement": {"Find", func(w *testWorld, b *sessiontest.Browser) (session.Verdict, error) {
			return w.Update(page(b), map[string]string{"tenant": "7"})
		}, isUnauthenticated},
		"Update, at the write": {"Update", func(w *testWorld, b *sessiontest.Browser) (session.Verdict, error) {
			return w.Update(page(b), map[string]string{"tenant": "7"})
		}, isUnauthenticated},
		"StepUp, at its first statement": {"Find", func(w *testWorld, b *sessiontest.Browser) (session.Verdict, error) {
			return w.StepUp(page(b), "otp")
		}, isUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{})
				w.expireAccess()
				ended := false
				w.store.Before(func(_ context.Context, method string) error {
					if method == c.during && !ended {
						ended = true
						if _, err := w.Logout(page(b.Clone())); err != nil {
							w.Error(err)
						}
					}
					return nil
				})
				v, err := c.change(w, b)
				if !c.want(err) || v.Session().ID != "" {
					w.Errorf("got %v, %v", v, err)
				}
				w.repairStore()
				if row := w.row(s.ID); row.RevokedAt.IsZero() {
					w.Error("the session goes on")
				}
			})
		})
	}
}

// Where the store's answers are stale, as on a node of the database that lags, this node's
// own revocation counts.
func TestManager_ChangeBelievesNoStaleAnswer(t *testing.T) {
	for name, change := range map[string]func(w *testWorld, b *sessiontest.Browser) error{
		"Update": func(w *testWorld, b *sessiontest.Browser) error {
			_, err := w.Update(page(b), map[string]string{"tenant": "7"})
			return err
		},
		"StepUp": func(w *testWorld, b *sessiontest.Browser) error { _, err := w.StepUp(page(b), "otp"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				stale := &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
					if s.Record != nil {
						s.Record.RevokedAt, s.Record.Reason = time.Time{}, ""
					}
				}}
				node := newTestWorld(w.T, w.users, stale, session.Config{})
				b := newBrowser()
				node.login(b, session.Login{})
				w.expireAccess()
				copied := b.Clone()
				node.logout(b)
				if err := change(node, copied); !isUnavailable(err) && !isUnauthenticated(err) {
					w.Errorf("got %v; want an error", err)
				}
			})
		})
	}
}

func TestManager_UpdateServesNoSessionThatEndsBeforeItIsReadBack(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		stale := &alteredStore{Store: w.users, found: func(s *store.Snapshot) {
			if s.Record != nil {
				s.Record.RevokedAt, s.Record.Reason = time.Time{}, ""
			}
		}}
		node := newTestWorld(w.T, w.users, stale, session.Config{})
		b := newBrowser()
		node.login(b, session.Login{})
		updated := false
		node.store.Before(func(_ context.Context, method string) error {
			if method == "Find" && updated {
				updated = false
				_, err := node.Logout(page(b.Clone()))
				return err
			}
			updated = updated || method == "Update"
			return nil
		})
		if v, err := node.Update(page(b), map[string]string{"tenant": "7"}); !isUnauthenticated(err) || v.Session().ID != "" {
			w.Errorf("got %v, %v; want ErrUnauthenticated", v, err)
		}
	})
}

func isUnauthenticated(err error) bool { return errors.Is(err, session.ErrUnauthenticated) }
func isUnavailable(err error) bool     { return errors.Is(err, session.ErrStoreUnavailable) }
func namesTheData(err error) bool      { return err != nil && strings.Contains(err.Error(), "the data: ") }

// A cookie that was copied before the second factor is worth nothing after it.
func TestManager_StepUpBeginsANewSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		data := map[string]string{"tenant": "7"}
		old := w.login(b, session.Login{Remember: true, Methods: []string{"pwd"}, ExternalID: "sid", Data: data, IdleTimeout: time.Hour, AbsoluteTimeout: 10 * time.Hour})
		time.Sleep(20 * time.Minute)
		copied := b.Clone()
		v, err := w.StepUp(page(b), "otp")
		if err != nil {
			w.Fatal(err)
		}
		s := v.Session()
		wantFacts(w.T, "in the answer", s, []string{"pwd", "otp"}, "sid", data)
		if s.ID == old.ID || !s.EndsAt.Equal(old.EndsAt) || !s.AuthTime.Equal(s.IssuedAt) {
			w.Errorf("after the step: %+v; before: %+v", s, old)
		}
		if row := w.row(s.ID); row.IdleTimeout != time.Hour {
			w.Errorf("the idle timeout is %v; want 1h", row.IdleTimeout)
		}
		if row := w.row(old.ID); row.Reason != store.ReasonReplaced {
			w.Errorf("the old session is revoked for %q; want %q", row.Reason, store.ReasonReplaced)
		}
		w.out(copied)
		b.Receive(v.Cookies)
		time.Sleep(50 * time.Minute) // within the session's own idle timeout, beyond the usual one
		wantFacts(w.T, "after a refresh", w.in(b), []string{"pwd", "otp"}, "sid", data)
		if n := w.count(session.EventReuse); n != 0 {
			w.Errorf("%d sessions look stolen", n)
		}
		v, err = w.StepUp(page(b), "otp") // a method that the session has
		if err != nil {
			w.Fatal(err)
		}
		wantFacts(w.T, "after the same method", v.Session(), []string{"pwd", "otp"}, "sid", data)
	})
}

// renewals are the ways to renew a session.
var renewals = map[string]func(w *testWorld, r *http.Request) (session.Verdict, error){
	"StepUp": func(w *testWorld, r *http.Request) (session.Verdict, error) { return w.StepUp(r, "otp") },
	"PasswordChanged": func(w *testWorld, r *http.Request) (session.Verdict, error) {
		w.users.SetUser("1", store.User{Epoch: 2})
		return w.PasswordChanged(r, 2)
	},
}

// A logout token of an identity provider may arrive after the session was renewed, and so may
// the rest of a RevokeUser. A renewed session is as old as its login, or it would escape them.
func TestManager_RenewedSessionIsAsOldAsItsLogin(t *testing.T) {
	for name, renew := range renewals {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				began := w.row(w.login(b, session.Login{ExternalID: "sid"}).ID).CreatedAt
				time.Sleep(time.Second)
				loggedOutThere := time.Now()
				time.Sleep(time.Second)
				var v session.Verdict
				var err error
				if n := w.calls(func() { v, err = renew(w, page(b)) }, "Newest"); err != nil || n != 0 {
					w.Fatalf("%v; the sessions were counted %d times, though there are no more", err, n)
				}
				b.Receive(v.Cookies)
				if row := w.row(v.Session().ID); !row.CreatedAt.Equal(began) {
					w.Errorf("it began at %v; want the time of the login, %v", row.CreatedAt, began)
				}
				if err := w.RevokeExternal(w.Context(), "sid", loggedOutThere); err != nil {
					w.Fatal(err)
				}
				w.out(b)
			})
		})
	}
}

// A session may be ended between the moment at which a renewal reads it and that at which
// the new one begins. What has ended it holds for the new one, too.
func TestManager_RenewalBringsNoEndedSessionBack(t *testing.T) {
	for name, end := range map[string]func(w, there *testWorld, s session.Session) error{
		"logout": func(w, _ *testWorld, s session.Session) error {
			_, err := w.users.Revoke(w.Context(), w.row(s.ID).ID, "", store.ReasonLogout)
			return err
		},
		"user":          func(w, there *testWorld, _ session.Session) error { return there.RevokeUser(w.Context(), "1") },
		"everybody":     func(w, there *testWorld, _ session.Session) error { return there.RevokeAll(w.Context()) },
		"another login": func(*testWorld, *testWorld, session.Session) error { return nil },
	} {
		for how, renew := range renewals {
			t.Run(how+"/"+name, func(t *testing.T) {
				inTestWorld(t, session.Config{}, func(w *testWorld) {
					there, b := w.node(session.Config{}), newBrowser()
					s := w.login(b, session.Login{Epoch: 1})
					w.store.Before(func(_ context.Context, method string) error {
						if method != "Create" {
							return nil
						}
						if name == "another login" {
							b.Clone().Login(w.T, there.Manager, session.Login{UserID: "1", Epoch: w.row(s.ID).User.Epoch})
							return nil
						}
						return end(w, there, s)
					})
					v, err := renew(w, page(b))
					w.store.Before(nil)
					if name == "another login" {
						if err != nil || v.Session().ID == "" {
							w.Errorf("got %v; want a session: a login of the browser's own takes nothing", err)
						}
						return
					}
					if !isUnauthenticated(err) || v.Session().ID != "" || len(v.Cookies) != 0 {
						w.Errorf("got %v, %v; want ErrUnauthenticated", v, err)
					}
					w.expireAccess()
					if devices, err := w.List(w.Context(), "1", ""); err != nil || len(devices) != 0 {
						w.Errorf("%d sessions go on, %v; want none", len(devices), err)
					}
				})
			})
		}
	}
}

func TestManager_StepUpRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *testWorld, b *sessiontest.Browser)
		method  string
		want    func(error) bool
	}{
		"no session":             {func(w *testWorld, b *sessiontest.Browser) { w.logout(b) }, "otp", isUnauthenticated},
		"a revoked session":      {func(w *testWorld, b *sessiontest.Browser) { w.revokeAll("1") }, "otp", isUnauthenticated},
		"an access cookie alone": {func(w *testWorld, b *sessiontest.Browser) { *b = *accessOnly(b) }, "otp", isUnauthenticated},
		"a disabled user": {func(w *testWorld, b *sessiontest.Browser) {
			w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		}, "otp", isUnauthenticated},
		"Create is down":        {func(w *testWorld, b *sessiontest.Browser) { w.store.Fail(errStoreDown, "Create") }, "otp", isUnavailable},
		"an empty method":       {func(*testWorld, *sessiontest.Browser) {}, "", func(err error) bool { return err != nil }},
		"a method with a comma": {func(*testWorld, *sessiontest.Browser) {}, "otp,mfa", func(err error) bool { return err != nil }},
		"one method too many":   {func(*testWorld, *sessiontest.Browser) {}, strings.Repeat("m", 252), func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{Methods: []string{"pwd"}})
				c.prepare(w, b)
				v, err := w.StepUp(page(b), c.method)
				if !c.want(err) || v.Session().ID != "" {
					w.Errorf("got %v, %v", v, err)
				}
				w.repairStore()
				if row := w.row(s.ID); !slices.Equal(row.Methods, []string{"pwd"}) {
					w.Errorf("the methods are %q", row.Methods)
				}
			})
		})
	}
}

func TestManager_RevokeExternalEndsEverySessionOfTheProvider(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		there := w.node(session.Config{})
		stop := there.run()
		defer stop()
		browsers := map[string]*sessiontest.Browser{}
		for name, login := range map[string]session.Login{
			"one": {ExternalID: "sid"}, "another user's": {UserID: "2", ExternalID: "sid"},
			"other": {ExternalID: "SID"}, "none": {},
		} {
			browsers[name] = newBrowser()
			w.login(browsers[name], login)
		}
		if n := w.calls(func() {
			if err := w.RevokeExternal(w.Context(), "", time.Time{}); err != nil { // it must not mean all that have none
				w.Error(err)
			}
		}, "RevokeUser"); n != 0 {
			w.Errorf("an empty id costs %d calls; want none", n)
		}
		for _, b := range browsers {
			w.in(b)
		}
		if err := w.RevokeExternal(w.Context(), "sid", time.Time{}); err != nil {
			w.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for _, n := range []*testWorld{w, there} {
			n.out(browsers["one"].Clone())
			n.out(browsers["another user's"].Clone())
			n.in(browsers["other"])
			n.in(browsers["none"])
		}
	})
}

// A provider says at which time its session ended. A login of later than that is another
// one, although the provider may call it by the same id.
func TestManager_RevokeExternalSparesLaterLogins(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		early, late := newBrowser(), newBrowser()
		w.login(early, session.Login{ExternalID: "sid"})
		time.Sleep(time.Second)
		ended := time.Now()
		time.Sleep(time.Second)
		w.login(late, session.Login{ExternalID: "sid"})
		if err := w.RevokeExternal(w.Context(), "sid", ended); err != nil {
			w.Fatal(err)
		}
		w.out(early)
		w.in(late)

	})
}

// A provider may say only once that its session has ended.
func TestManager_RevokeExternalInAnOutageIsFinishedByRun(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   time.Duration // from now; 0: the call has none
		finished bool
	}{{"with a time", time.Nanosecond, true}, {"without one", 0, false}} {
		t.Run(c.name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				defer w.run()()
				early, late := newBrowser(), newBrowser()
				w.login(early, session.Login{ExternalID: "sid"})
				time.Sleep(time.Second)
				var before time.Time
				if c.before != 0 {
					before = time.Now().Add(c.before)
				}
				w.store.Fail(errStoreDown)
				err := w.RevokeExternal(w.Context(), "sid", before)
				if !errors.Is(err, session.ErrStoreUnavailable) || errors.Is(err, session.ErrUnfinished) != c.finished {
					w.Errorf("without a store: %v", err)
				}
				time.Sleep(time.Second)
				w.repairStore()
				w.login(late, session.Login{ExternalID: "sid"})
				time.Sleep(10 * time.Second)
				if c.finished {
					w.out(early)
				} else {
					w.in(early)
				}
				w.in(late)
			})
		})
	}
}

// The handler has seen another session than the one whose refresh cookie comes with the
// request: it may have checked the second factor of one user for the session of another.
func TestManager_ChangesOnlyTheSessionThatTheHandlerHasSeen(t *testing.T) {
	changes := map[string]func(w *testWorld, r *http.Request) (session.Verdict, error){
		"StepUp": func(w *testWorld, r *http.Request) (session.Verdict, error) { return w.StepUp(r, "otp") },
		"Update": func(w *testWorld, r *http.Request) (session.Verdict, error) {
			return w.Update(r, map[string]string{"tenant": "7"})
		},
		"Issue with an Actor": func(w *testWorld, r *http.Request) (session.Verdict, error) {
			return w.Issue(r, session.Login{UserID: "2", Actor: "1"})
		},
	}
	for name, change := range changes {
		for _, guarded := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				inTestWorld(t, anyMayImpersonate(), func(w *testWorld) {
					mallory, victim, mixed := newBrowser(), newBrowser(), newBrowser()
					w.login(mallory, session.Login{UserID: "2", Methods: []string{"pwd"}})
					s := w.login(victim, session.Login{UserID: "1", Methods: []string{"pwd"}})
					give(mixed, accessCookie, valueOf(mallory, accessCookie))
					giveRefresh(mixed, victim)
					r := page(mixed)
					v, err := w.Authenticate(r)
					if err != nil || v.Session().UserID != "2" {
						w.Fatal(v, err)
					}
					if guarded {
						r = r.WithContext(withVerdict(r.Context(), v))
						w.expireAccess() // between the guard and the handler
					}
					if v, err := change(w, r); !isUnauthenticated(err) || v.Session().ID != "" {
						w.Errorf("behind a guard: %v: got %v, %v; want ErrUnauthenticated", guarded, v, err)
					}
					if row := w.row(s.ID); len(row.Methods) != 1 || len(row.Data) != 0 || !row.RevokedAt.IsZero() {
						w.Errorf("the session of the other user is now %+v", row)
					}
				})
			})
		}
	}
}
