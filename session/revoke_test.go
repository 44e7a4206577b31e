package session

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLogoutSticks(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		late, err := w.Authenticate(b.request()) // its answer is still under way
		if err != nil {
			w.Fatal(err)
		}
		b.receive(late.Cookies)
		restored := b.copy()
		v, err := w.Logout(b.request())
		if err != nil || len(v.Cookies) != 2 || v.Cookies[0].Value != "" || v.Cookies[1].MaxAge >= 0 {
			w.Fatalf("got %v, cookies %v", err, v.Cookies)
		}
		b.receive(v.Cookies)
		w.out(b)
		if n := w.count(EventUndecodable); n != 0 {
			w.Errorf("%d events: a cleared cookie is none", n)
		}
		w.out(restored.copy()) // at once: this node knows
		w.nextPeriod()
		w.out(restored)
		if late.cookiesNow() != nil {
			w.Error("the late answer still sets cookies")
		}
	})
}

// An answer of the store from before the logout must not be served after it.
func TestARefreshInFlightDoesNotOutliveTheLogout(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		w.faults.set(nil, func(step string) error {
			if step == "find" {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		answers := make(chan error)
		go func() { _, err := w.Authenticate(b.request()); answers <- err }()
		time.Sleep(50 * time.Millisecond)
		if _, err := w.Logout(b.request()); err != nil {
			w.Fatal(err)
		}
		if err := <-answers; !errors.Is(err, ErrUnauthenticated) {
			w.Errorf("got %v; want ErrUnauthenticated", err)
		}
	})
}

func TestALogoutThatTheStoreMissedIsRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		b := newBrowser()
		s := w.login(b, Login{})
		id, _ := ParseID(s.ID)
		restored := b.copy()
		w.faults.set(func(string) error { return errDown }, nil)
		v, err := w.Logout(b.request())
		if !errors.Is(err, errDown) || len(v.Cookies) != 2 {
			w.Errorf("got %v, cookies %v", err, v.Cookies)
		}
		w.out2(restored) // not believed here, though the store has not been told
		go w.Manager.Run(ctx)
		time.Sleep(time.Minute)
		w.mend()
		time.Sleep(15 * time.Second)
		if snap, _ := w.users.Find(ctx, id); snap.Record.RevokedAt.IsZero() || snap.Record.Reason != ReasonLogout {
			w.Errorf("row = %+v", snap.Record)
		}
		w.out(restored)
	})
}

// out2 is out for a time when the store is down: nobody is let in.
func (w *world) out2(b *browser) {
	w.Helper()
	if s, err := w.visit(b); err == nil {
		w.Fatalf("let in as %+v", s)
	}
}

func TestEachCanBeEndedAloneAndNoMore(t *testing.T) {
	inWorld(t, func(w *world) {
		phone, laptop, tv, other := newBrowser(), newBrowser(), newBrowser(), newBrowser()
		p, l := w.login(phone, Login{}), w.login(laptop, Login{})
		w.login(tv, Login{})
		o := w.login(other, Login{UserID: "2"})
		ctx := w.Context()

		for name, id := range map[string]string{"another's session": o.ID, "no id": "x", "an unknown id": ID{1}.String()} {
			if err := w.Revoke(ctx, "1", id); !errors.Is(err, ErrNotFound) {
				w.Errorf("%s: got %v; want ErrNotFound", name, err)
			}
		}
		for range 2 { // a repetition is no error
			if err := w.Revoke(ctx, "1", p.ID); err != nil {
				w.Fatal(err)
			}
		}
		w.out(phone)
		w.in(laptop)
		w.in(tv)

		if err := w.RevokeUser(ctx, "1", "not an id"); err == nil {
			w.Error("an exception that is no id was passed over: it would have been ended")
		}
		w.in(laptop)
		if err := w.RevokeUser(ctx, "1", l.ID); err != nil {
			w.Fatal(err)
		}
		w.out(tv)
		w.in(laptop)
		w.in(other)

		if err := w.RevokeAll(ctx); err != nil {
			w.Fatal(err)
		}
		w.out(laptop)
		w.out(other)
		w.login(laptop, Login{})
		w.in(laptop)
	})
}

func TestABrowserThatClosesLeavesNoRefreshHalfDone(t *testing.T) {
	inWorld(t, func(w *world) {
		b, _ := refreshable(w, false)
		w.Manager.store = ctxStore{w.faults}
		ctx, closed := context.WithCancel(w.Context())
		closed()
		if _, err := w.Authenticate(b.request().WithContext(ctx)); err != nil {
			w.Errorf("the refresh ended with the request: %v", err)
		}
		if n := w.count(EventStoreTrouble); n != 0 {
			w.Errorf("%d events of store trouble", n)
		}
	})
}

func TestReloadShowsChangedRolesAtTheNextRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		for _, role := range []string{"one", "two"} {
			w.users.SetUser("1", User{Epoch: 1, Roles: []string{role}})
			if s := w.in(b); s.HasRole(role) {
				w.Fatal("the access cookie knew before it was told")
			}
			if err := w.Reload(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if s := w.in(b); !s.HasRole("none", role) {
				w.Errorf("roles = %v; want %v", s.Roles, role)
			}
			if n := w.statements(func() { w.in(b) }); n != 0 {
				w.Errorf("the request after that made %d statements; want 0", n)
			}
		}
	})
}

func TestABanActsAtTheNextRefresh(t *testing.T) {
	for name, u := range map[string]User{"disabled": {Epoch: 1, Disabled: true}, "epoch moved": {Epoch: 2}} {
		inWorld(t, func(w *world) {
			b := newBrowser()
			s := w.login(b, Login{})
			if err := w.Check(w.Context(), s); err != nil {
				w.Errorf("%s: Check before: %v", name, err)
			}
			w.users.SetUser("1", u)
			w.in(b)
			if err := w.Check(w.Context(), s); !errors.Is(err, ErrUnauthenticated) {
				w.Errorf("%s: Check after: %v", name, err)
			}
			w.nextPeriod()
			w.out(b)
		})
	}
}

func TestLoggingInAgainReplacesTheBrowsersSession(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		first := w.login(b, Login{Remember: true})
		time.Sleep(10 * time.Minute)
		if s := w.in(b); s.LoggedInWithin(5 * time.Minute) {
			w.Error("ten minutes count as five")
		}
		old := b.copy()
		second := w.login(b, Login{})
		if second.ID == first.ID || !second.LoggedInWithin(time.Second) {
			w.Errorf("the new session is %+v", second)
		}
		if second.EndsAt.Sub(second.AuthTime) != w.cfg.RememberAbsoluteTimeout {
			w.Error("Remember was lost")
		}
		if list, err := w.List(w.Context(), "1"); err != nil || len(list) != 1 || list[0].ID != second.ID {
			w.Errorf("devices: %+v, %v; want the new one alone", list, err)
		}
		// A late request of the old session must not delete the new one's cookies.
		v, err := w.Authenticate(old.request())
		b.receive(v.Cookies)
		if !errors.Is(err, ErrUnauthenticated) || w.in(b).ID != second.ID {
			w.Errorf("got %v, cookies %v; want a refusal that leaves the new refresh cookie alone", err, v.Cookies)
		}
		other := w.login(b, Login{UserID: "2"})
		if other.EndsAt.Sub(other.AuthTime) != w.cfg.AbsoluteTimeout {
			w.Error("another user of the browser was remembered unasked")
		}
	})
}

func TestTheListTellsDevicesApart(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		r := b.request()
		r.Header.Set("User-Agent", "Agent/1\x01 \xff"+string(make([]byte, 300)))
		r.RemoteAddr = "[2001:db8::1]:4711"
		v, err := w.Issue(r, Login{UserID: "1"})
		if err != nil {
			w.Fatal(err)
		}
		b.receive(v.Cookies)
		start := time.Now().UTC()
		w.nextPeriod()
		w.in(b)
		w.nextPeriod()
		w.in(b)
		list, err := w.List(w.Context(), "1")
		if err != nil || len(list) != 1 {
			w.Fatalf("got %v, %v", list, err)
		}
		want := Info{ID: v.Session().ID, UserAgent: "Agent/1 ", IP: "2001:db8::1", CreatedAt: start, LastSeenAt: start.Add(4 * time.Minute), AuthTime: start}
		if list[0] != want {
			w.Errorf("info = %+v; want %+v", list[0], want)
		}
	})
}

func TestRunRemovesDeadRows(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, stop := context.WithCancel(w.Context())
		for range 1200 {
			w.login(newBrowser(), Login{})
		}
		done := make(chan error)
		go func() { done <- w.Manager.Run(ctx) }()
		time.Sleep(2 * time.Hour)
		w.users.mu.Lock()
		n := len(w.users.sessions)
		w.users.mu.Unlock()
		if n != 0 {
			w.Errorf("%d rows are left", n)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.Errorf("Run returned %v", err)
		}
	})
}

// The zero Session has no user: a handler without its guard must not be able to
// end anybody's.
func TestNobodyOwnsNoSession(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		s := w.login(b, Login{})
		if err := w.Revoke(w.Context(), Session{}.UserID, s.ID); !errors.Is(err, ErrNotFound) {
			w.Errorf("got %v", err)
		}
		if err := w.RevokeUser(w.Context(), ""); err != nil {
			w.Error(err)
		}
		w.nextPeriod()
		w.in(b)
	})
}

func TestALogoutOutlastsTheLongestOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		go w.Manager.Run(ctx)
		b := newBrowser()
		w.login(b, Login{})
		copied := b.copy()
		w.faults.set(func(string) error { return errDown }, nil)
		if _, err := w.Logout(b.request()); err == nil {
			w.Error("a logout that the store did not hear of was said to be done")
		}
		time.Sleep(10 * time.Minute) // longer than any mark lives
		w.mend()
		for range 150 {
			if _, err := w.visit(copied); err == nil {
				w.Fatal("a restored cookie was served on the node of the logout")
			}
			time.Sleep(100 * time.Millisecond)
		}
		w.out(copied) // by now the store knows
	})
}
