package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// auditWorld is a node with an audit log that can fail, and knows entries by their ID.
type auditWorld struct {
	*testWorld

	mu      sync.Mutex // guards what follows
	fail    func(context.Context) error
	change  func([]store.AuditEntry)
	entries []store.AuditEntry
	batches []int
	pruned  int
}

func (w *auditWorld) Append(ctx context.Context, entries []store.AuditEntry) error {
	w.mu.Lock()
	fail := w.fail
	if w.change != nil {
		w.change(entries)
	}
	w.mu.Unlock()
	if fail != nil {
		if err := fail(ctx); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, len(entries))
	for _, e := range entries {
		if !slices.ContainsFunc(w.entries, func(known store.AuditEntry) bool { return known.ID == e.ID }) {
			w.entries = append(w.entries, e)
		}
	}
	return nil
}

func (w *auditWorld) Prune(context.Context, int) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pruned++
	return 0, nil
}

func (w *auditWorld) failWith(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = func(context.Context) error { return err }
}

func inAuditWorld(t *testing.T, cfg session.Config, test func(w *auditWorld)) {
	t.Helper()
	a := &auditWorld{}
	cfg.Audit = a
	inTestWorld(t, cfg, func(w *testWorld) {
		a.testWorld = w
		// The keys of New wait for Run, or for the first call with an entry.
		a.login(newBrowser(), session.Login{})
		a.take()
		test(a)
	})
}

// take returns the entries since the last call, without times, ids of entries and addresses,
// which are checked here.
func (w *auditWorld) take() (texts []string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		if e.ID.IsZero() || time.Since(e.At).Abs() > time.Hour {
			w.Errorf("%+v has no id or no time", e)
		}
		text := string(e.Action) + " user=" + e.UserID
		if !e.SessionID.IsZero() {
			text += " one"
		}
		if e.Actor != "" {
			text += " actor=" + e.Actor
		}
		if !e.ActorSession.IsZero() {
			text += " in-session"
		}
		if e.IP != "" {
			text += " from=" + e.IP
		}
		texts = append(texts, text+": "+e.Detail)
	}
	w.entries, w.batches = nil, nil
	return texts
}

// logs checks that the log has exactly these entries when do has returned.
func (w *auditWorld) logs(what string, do func(), want ...string) {
	w.Helper()
	do()
	if got := w.take(); !slices.Equal(got, want) {
		w.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// keep returns what gives the browser the cookies of an answer.
func (w *auditWorld) keep(b *sessiontest.Browser) func(session.Verdict, error) {
	return func(v session.Verdict, err error) {
		w.Helper()
		w.must(v, err)
		b.Receive(v.Cookies)
	}
}

func (w *auditWorld) must(_ any, err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

const fromHere = " from=192.0.2.1"

func TestConfigAudit_HasWhoDidWhat(t *testing.T) {
	keys := testWorldKeys(t, testWorldKey)
	inAuditWorld(t, session.Config{TokenTTL: time.Minute, MaxSessions: 3}, func(w *auditWorld) {
		b := newBrowser()
		w.logs("a login", func() { w.login(b, session.Login{Methods: []string{"pwd", "otp"}, Remember: true}) },
			"login user=1 one"+fromHere+": by pwd,otp, remembered")
		w.expireAccess()
		w.logs("a refresh", func() { w.in(b) })
		w.logs("one more method", func() { w.keep(b)(w.StepUp(page(b), "hwk")) },
			"session-ended user=1 one"+fromHere+": replaced", "login user=1 one"+fromHere+": by pwd,otp,hwk, remembered", "step-up user=1 one"+fromHere+": hwk")
		w.logs("a logout", func() { w.logout(b) }, "session-ended user=1 one"+fromHere+": logout")
		w.logs("a program's token", func() { w.must(w.Tokens().Issue(page(newBrowser()), session.Login{UserID: "1", Client: "cli"})) },
			"login user=1 one"+fromHere+": tokens for cli")
		w.logs("a login too many", func() { w.login(newBrowser(), session.Login{}); w.login(newBrowser(), session.Login{}) },
			"login user=1 one"+fromHere+": ", "login user=1 one"+fromHere+": ", "session-ended user=1 one"+fromHere+": limit")

		admin := newBrowser()
		in := w.login(admin, session.Login{UserID: "2"})
		w.take()
		ctx := withVerdict(t.Context(), w.answered(admin))
		w.logs("an administrator ends a user's sessions", func() { w.must(nil, w.RevokeUser(ctx, "1")) }, "user-ended user=1 actor=2 in-session: ")
		w.logs("a user ends their others", func() { w.must(nil, w.RevokeUser(ctx, "2", in.ID)) }, "user-ended user=2 in-session: all but 1")
		w.logs("a job ends all", func() { w.must(nil, w.RevokeAll(session.WithActor(t.Context(), "job night"))) }, "all-ended user= actor=job night: ")
		w.logs("a provider's logout", func() { w.must(nil, w.RevokeExternal(t.Context(), "sid-1", time.Time{})) }, "external-ended user=: sid-1")
		w.logs("roles that are read again", func() { w.must(nil, w.ForceRefresh(session.WithActor(t.Context(), "ops"), "1")) }, "forced-refresh user=1 actor=ops: ")

		b = newBrowser()
		w.login(b, session.Login{})
		w.take()
		w.users.SetUser("1", store.User{Epoch: 2})
		w.logs("a new password", func() { w.keep(b)(w.PasswordChanged(page(b), 2)) },
			"session-ended user=1 one"+fromHere+": replaced", "login user=1 one"+fromHere+": ", "password-changed user=1 one"+fromHere+": ")
		id := w.in(b).ID
		w.logs("one device", func() { w.must(nil, w.Revoke(t.Context(), "1", id)) }, "session-ended user=1 one: revoked")

		w.users.SetUser("1", store.User{Epoch: 2, Disabled: true})
		w.logs("a banned user", func() {
			if _, err := w.Issue(page(newBrowser()), session.Login{UserID: "1"}); !errors.Is(err, session.ErrUserDisabled) {
				t.Error(err)
			}
		}, "login-refused user=1"+fromHere+": session: the user may not log in: the user is disabled")
		w.logs("new keys", func() {
			w.must(nil, w.SetKeys(keys))
			defer w.run()()
			time.Sleep(2 * time.Second)
		}, "keys-set user=: "+keys.Names()[0])
	})
}

// An impersonation names who acts. What they do to others is theirs.
func TestConfigAudit_NamesWhoActs(t *testing.T) {
	inAuditWorld(t, anyMayImpersonate(), func(w *auditWorld) {
		b := newBrowser()
		w.login(b, session.Login{UserID: "2"})
		w.take()
		w.logs("the begin", func() { w.keep(b)(w.Issue(page(b), session.Login{UserID: "1", Actor: "2"})) },
			"login user=1 one actor=2"+fromHere+": ")
		ctx := withVerdict(t.Context(), w.answered(b))
		w.logs("what the actor does", func() { w.must(nil, w.RevokeUser(ctx, "1")) }, "user-ended user=1 actor=2 in-session: ")
		w.logs("what the actor does to a third", func() { w.must(nil, w.ForceRefresh(ctx, "3")) }, "forced-refresh user=3 actor=2 in-session: ")
	})
}

func TestConfigAudit_HasThefts(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		thief := b.Clone()
		for range 2 {
			w.expireAccess()
			w.in(b)
		}
		w.expireAccess()
		w.take()
		w.out(thief)
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.entries) != 1 || w.entries[0].Action != store.AuditTheft || w.entries[0].SessionID.String() != s.ID || w.entries[0].UserID != "1" || w.entries[0].IP == "" {
			t.Errorf("%+v; want the theft of session %s", w.entries, s.ID)
		}
	})
}

// Both are of one database here, as in most apps: what happens in an outage is logged after it.
func TestConfigAudit_AnOutageIsLoggedWhenItIsOver(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		defer w.run()()
		b := newBrowser()
		w.login(b, session.Login{})
		time.Sleep(2 * time.Second) // the keys
		w.take()

		w.store.Fail(errStoreDown)
		w.failWith(errStoreDown)
		if _, err := w.Logout(page(b)); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := w.take(); got != nil || w.State().PendingAudit == 0 {
			t.Errorf("during the outage: %q, %+v; want no entry, and some that wait", got, w.State())
		}
		w.repairStore()
		w.failWith(nil)
		time.Sleep(5 * time.Second)
		got := w.take()
		want := []string{
			"session-ended user=1 one" + fromHere + ": logout, on this node: the store does not answer, and is told later",
			"store-down user=: " + errStoreDown.Error(), "store-back user=: ", "session-ended user= one: logout",
		}
		if !slices.Equal(got, want) || w.State().PendingAudit != 0 {
			t.Errorf("after the outage:\n got %q\nwant %q, and nothing that waits: %+v", got, want, w.State())
		}
	})
}

// A log that fails delays one call in a second, by a second at most, and makes none fail.
func TestConfigAudit_ALogThatHangsDelaysFewCalls(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.mu.Lock()
		w.fail = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		w.mu.Unlock()
		began := time.Now()
		for range 10 {
			w.login(newBrowser(), session.Login{})
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("10 logins took %v; want a second", took)
		}
		w.failWith(nil)
		time.Sleep(time.Second)
		w.take()
		w.login(newBrowser(), session.Login{}) // without Run: the next call tries again
		if got := w.take(); len(got) != 11 {
			t.Errorf("%d entries; want those of 11 logins, each once", len(got))
		}
	})
}

// Calls that come while another one writes share one Append, in their order.
func TestConfigAudit_WritesTogetherWhatComesTogether(t *testing.T) {
	inAuditWorld(t, session.Config{MaxSessions: -1}, func(w *auditWorld) {
		w.mu.Lock()
		w.fail = func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }
		w.mu.Unlock()
		var logins sync.WaitGroup
		for range 151 {
			logins.Go(func() { w.login(newBrowser(), session.Login{}) })
		}
		logins.Wait()
		w.mu.Lock()
		batches := slices.Clone(w.batches)
		w.mu.Unlock()
		if len(batches) != 3 || batches[0] != 1 || batches[1] != 100 {
			t.Errorf("Append got %v entries; want 1, 100 and 50", batches)
		}
		if got := w.take(); len(got) != 151 {
			t.Errorf("%d entries; want 151", len(got))
		}
	})
}

// What the log never gets is an event, which names the session and the user.
func TestConfigAudit_WhatIsLostIsAnEvent(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.failWith(errStoreDown)
		const room = 10_000
		for range room + 2 {
			w.must(nil, w.ForceRefresh(t.Context(), "1"))
		}
		lost := w.eventsOf(session.EventAuditLost)
		if len(lost) != 2 || lost[0].UserID != "1" || !errors.Is(lost[0].Err, errStoreDown) || !strings.HasPrefix(lost[0].Err.Error(), "forced-refresh, ") {
			t.Errorf("%d events, %+v; want 2", len(lost), lost)
		}
		w.run()()
		if lost = w.eventsOf(session.EventAuditLost); len(lost) != room+2 {
			t.Errorf("%d events after the end of Run; want one for each entry, %d", len(lost), room+2)
		}
	})
}

// Run makes a last try, also right after a failure.
func TestConfigAudit_RunWritesAtItsEnd(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		stop := w.run()
		w.failWith(errStoreDown)
		s := w.login(newBrowser(), session.Login{})
		w.failWith(nil)
		stop()
		if got := w.take(); len(got) == 0 || w.count(session.EventAuditLost) != 0 {
			t.Errorf("%q; want the login of %s", got, s.ID)
		}
		if w.pruned == 0 {
			t.Error("Run has not pruned the log")
		}
	})
}

func TestAuditFunc(t *testing.T) {
	var got []string
	f := store.AuditFunc(func(_ context.Context, e store.AuditEntry) error {
		got = append(got, e.UserID)
		if e.UserID == "2" {
			return fmt.Errorf("full")
		}
		return nil
	})
	if err := f.Append(t.Context(), []store.AuditEntry{{UserID: "1"}, {UserID: "2"}, {UserID: "3"}}); err == nil || len(got) != 2 {
		t.Errorf("%q, %v; want the error of the second", got, err)
	}
	if n, err := f.Prune(t.Context(), 1); n != 0 || err != nil {
		t.Errorf("%d, %v; want nothing", n, err)
	}
}

func TestKeysNames(t *testing.T) {
	a, b := session.GenerateKey(), session.GenerateKey()
	names := testWorldKeys(t, a, b).Names()
	if len(names) != 2 || len(names[0]) != 8 || names[0] == names[1] || names[1] != testWorldKeys(t, b).Names()[0] {
		t.Errorf("%q; want a name of eight digits for each key, which depends on it alone", names)
	}
}

// What has not happened is not logged, and what happens in parts is logged at its begin.
func TestConfigAudit_OfCallsThatFail(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.store.Fail(errStoreDown)
		w.logs("a call without an answer", func() {
			if err := w.RevokeUser(t.Context(), "1"); !errors.Is(err, session.ErrStoreUnavailable) {
				t.Error(err)
			}
		})
		time.Sleep(3 * time.Second) // the outage is noticed; its entry waits for the next one
		w.logs("a call that Run finishes", func() {
			if err := w.RevokeExternal(t.Context(), "sid-1", time.Now()); !errors.Is(err, session.ErrUnfinished) {
				t.Error(err)
			}
		}, "store-down user=: "+errStoreDown.Error(), "external-ended user=: sid-1, the rest later")
	})
}

// Calls go on while Run ends, and an Append may outlast its context.
func TestConfigAudit_RunEndsWhileACallWrites(t *testing.T) {
	for _, c := range []struct {
		name     string
		answer   error
		written  int
		reported int
	}{{"what is written is not reported", nil, 1, 0}, {"what is not written is reported", errStoreDown, 0, 1}} {
		t.Run(c.name, func(t *testing.T) {
			inAuditWorld(t, session.Config{}, func(w *auditWorld) {
				stop := w.run()
				time.Sleep(2 * time.Second)
				w.take()
				w.mu.Lock()
				w.fail = func(context.Context) error { time.Sleep(3 * time.Second); return c.answer }
				w.mu.Unlock()
				ended := make(chan struct{})
				go func() { defer close(ended); w.login(newBrowser(), session.Login{}) }()
				time.Sleep(time.Second)
				stop()
				<-ended
				if got, lost := w.take(), w.count(session.EventAuditLost); len(got) != c.written || lost != c.reported || w.State().PendingAudit != 0 {
					t.Errorf("%q and %d events; want %d and %d, and none that waits", got, lost, c.written, c.reported)
				}
			})
		})
	}
}

// A log may use the slice that it gets.
func TestConfigAudit_ALogMayChangeItsEntries(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.failWith(errStoreDown)
		for range 200 {
			w.must(nil, w.ForceRefresh(t.Context(), "1"))
		}
		w.change = func(entries []store.AuditEntry) {
			for i := range entries {
				entries[i].UserID += "x"
			}
			_ = append(entries, store.AuditEntry{Action: "of the log"})
		}
		time.Sleep(time.Second)
		w.must(nil, w.ForceRefresh(t.Context(), "1")) // fails once more
		w.failWith(nil)
		time.Sleep(time.Second)
		w.must(nil, w.ForceRefresh(t.Context(), "1"))
		got := w.take()
		if len(got) != 202 {
			t.Errorf("%d entries; want 202", len(got))
		}
		for _, text := range got {
			if text != "forced-refresh user=1x: " {
				t.Fatalf("%q; want an entry that is changed once", text)
			}
		}
	})
}

// An answer of the store that is lost does not take the entry with it.
func TestConfigAudit_HasEndsWhoseAnswerIsLost(t *testing.T) {
	for _, c := range []struct {
		name, want string
		end        func(w *auditWorld, b *sessiontest.Browser, id string)
	}{
		{"Logout", "session-ended user=1 one" + fromHere + ": logout", func(w *auditWorld, b *sessiontest.Browser, _ string) { w.logout(b) }},
		{"Revoke", "session-ended user=1 one actor=ops: revoked", func(w *auditWorld, _ *sessiontest.Browser, id string) {
			w.must(nil, w.Revoke(session.WithActor(w.Context(), "ops"), "1", id))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inAuditWorld(t, session.Config{}, func(w *auditWorld) {
				b := newBrowser()
				id := w.login(b, session.Login{}).ID
				w.take()
				lost := false
				w.store.After(func(_ context.Context, method string) error {
					if method != "Revoke" || lost {
						return nil
					}
					lost = true
					return errStoreDown
				})
				w.logs("an end whose answer is lost", func() { c.end(w, b, id) }, c.want)
				w.logs("the same again", func() { w.must(nil, w.Revoke(t.Context(), "1", id)) })
			})
		})
	}
}

// Who has one cookie, and sends it again and again, must not fill what waits in an outage.
func TestConfigAudit_ALogoutInAnOutageIsOneEntry(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.take()
		w.store.Fail(errStoreDown)
		w.failWith(errStoreDown)
		for range 50 {
			if _, err := w.Logout(page(b)); !errors.Is(err, session.ErrStoreUnavailable) {
				t.Error(err)
			}
		}
		if n := w.State().PendingAudit; n > 2 { // the other one is the begin of the outage
			t.Errorf("%d entries wait after 50 logouts of one session; want one", n)
		}
	})
}

// What Run finishes, or cannot finish, has the id of the provider.
func TestConfigAudit_TheEndOfARevokeExternal(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		want   string
	}{{"finished", nil, "external-ended user=: sid-1"}, {"lost", errStoreDown, "revocation-lost user=: sid-1"}} {
		t.Run(c.name, func(t *testing.T) {
			inAuditWorld(t, session.Config{}, func(w *auditWorld) {
				w.store.Fail(errStoreDown)
				if err := w.RevokeExternal(t.Context(), "sid-1", time.Now()); !errors.Is(err, session.ErrUnfinished) {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				w.store.Fail(c.answer)
				w.take()
				stop := w.run()
				time.Sleep(5 * time.Second)
				stop()
				if got := w.take(); !slices.Contains(got, c.want) {
					t.Errorf("%q; want %q", got, c.want)
				}
			})
		})
	}
}

// A text that moves the cursor of a terminal could hide a line of the log.
func TestConfigAudit_HasNoControlCharacters(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.logs("a job with a strange name", func() {
			w.must(nil, w.ForceRefresh(session.WithActor(t.Context(), "a\x1b\n\u009b\u0085\x7fb\xff"), "1"))
		}, "forced-refresh user=1 actor=ab: ")
	})
}

// After Run nobody tries again, so an entry that fails is reported at once, also right after
// another failure.
func TestConfigAudit_AfterRunNothingWaits(t *testing.T) {
	inAuditWorld(t, session.Config{}, func(w *auditWorld) {
		w.run()()
		w.failWith(errStoreDown)
		for n := range 3 {
			w.must(nil, w.ForceRefresh(t.Context(), "1"))
			if got, pending := w.count(session.EventAuditLost), w.State().PendingAudit; got != n+1 || pending != 0 {
				t.Errorf("after %d calls %d entries are lost, and %d wait; want each lost", n+1, got, pending)
			}
		}
	})
}
