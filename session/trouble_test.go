package session

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

var errDown = errors.New("connection refused")

func TestTheStoresTroubleIsNeverALogout(t *testing.T) {
	for name, before := range map[string]func(string) error{
		"down": func(string) error { return errDown },
		"reads answer, writes do not": func(step string) error {
			if step == "find" {
				return nil
			}
			return errDown
		},
	} {
		inWorld(t, func(w *world) {
			b := newBrowser()
			w.login(b, Login{})
			for range 2 {
				w.nextPeriod()
				w.in(b)
			}
			w.faults.set(before, nil)
			w.in(b) // its access cookie is still good
			w.nextPeriod()
			v, err := w.Authenticate(b.request())
			if err == nil || errors.Is(err, ErrUnauthenticated) || !errors.Is(err, errDown) || len(v.Cookies) != 0 {
				w.Errorf("%s: got %v, %d cookies; want the store's error and none", name, err, len(v.Cookies))
			}
			if w.count(EventStoreTrouble) == 0 {
				w.Errorf("%s: no event", name)
			}
			w.mend()
			w.in(b)
		})
	}
}

func TestAStoreThatHangsIsGivenTwoSeconds(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		hang := hangingStore{w.faults}
		w.Manager.store = hang
		start := time.Now()
		_, err := w.Authenticate(b.request())
		if took := time.Since(start); err == nil || errors.Is(err, ErrUnauthenticated) || took > storeTimeout+200*time.Millisecond {
			w.Errorf("got %v after %v", err, took)
		}
		start = time.Now()
		if v, err := w.Logout(b.request()); err == nil || len(v.Cookies) != 2 {
			w.Errorf("logout: %v, cookies %v; want an error, and both deleted", err, v.Cookies)
		}
		if took := time.Since(start); took > storeTimeout+200*time.Millisecond {
			w.Errorf("the logout took %v", took)
		}
	})
}

func TestWhatADeadlockStoppedIsRepeated(t *testing.T) {
	for _, step := range []string{"find", "confirm", "kill"} {
		for failures, wantOK := range []bool{true, true, true, false} {
			inWorld(t, func(w *world) {
				b, twin := refreshable(w, step == "kill")
				left := failures
				w.faults.set(func(s string) error {
					if s == step && left > 0 {
						left--
						return errDown
					}
					return nil
				}, nil)
				if step == "kill" {
					b = twin
				}
				_, err := w.visit(b)
				if ok := err == nil || errors.Is(err, ErrUnauthenticated); ok != wantOK {
					w.Errorf("%s failed %d times: %v", step, failures, err)
				}
			})
		}
	}
}

// refreshable returns a browser whose next request confirms its ticket, or, if
// stolen, a second one whose next request is reuse.
func refreshable(w *world, stolen bool) (b, twin *browser) {
	b = newBrowser()
	w.login(b, Login{})
	w.nextPeriod()
	w.in(b)
	twin = b.copy()
	w.nextPeriod()
	if stolen {
		w.in(b)
		w.nextPeriod()
		w.in(b)
		w.nextPeriod()
	}
	return b, twin
}

// A statement whose answer is lost has been done, as a rule. Repeating it must
// neither look like theft nor hide one.
func TestALostAnswerOfTheDatabaseIsNoVerdict(t *testing.T) {
	loseOnce := func(w *world, step string) {
		lost := false
		w.faults.set(nil, func(s string) error {
			if s == step && !lost {
				lost = true
				return errDown
			}
			return nil
		})
	}
	inWorld(t, func(w *world) {
		b, _ := refreshable(w, false)
		loseOnce(w, "confirm")
		w.in(b)
		w.nextPeriod()
		w.in(b)
		if w.count(EventReuse) != 0 {
			w.Error("a repeated confirm looked like theft")
		}
	})
	inWorld(t, func(w *world) {
		b, thief := refreshable(w, true)
		loseOnce(w, "kill")
		w.out(thief)
		w.out(b)
		if n := w.count(EventReuse); n != 1 {
			w.Errorf("%d events of reuse; want 1", n)
		}
	})
	inWorld(t, func(w *world) {
		b := newBrowser()
		loseOnce(w, "create")
		w.login(b, Login{})
		w.in(b)
		if list, err := w.List(w.Context(), "1"); err != nil || len(list) != 1 {
			w.Errorf("a repeated login left %d sessions, %v", len(list), err)
		}
	})
}

func TestARowThatKeepsChangingIsTrouble(t *testing.T) {
	inWorld(t, func(w *world) {
		b, _ := refreshable(w, false)
		w.Manager.store = neverConfirms{w.faults}
		if n := w.statements(func() {
			if _, err := w.Authenticate(b.request()); err == nil || errors.Is(err, ErrUnauthenticated) {
				w.Errorf("got %v", err)
			}
		}); n != maxRounds {
			w.Errorf("%d reads; want %d", n, maxRounds)
		}
	})
}

func TestALoginThatFailsLeavesTheOldSession(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		for name, attempt := range map[string]func() error{
			"unknown": func() error { _, err := w.Issue(b.request(), Login{UserID: "3"}); return err },
			"disabled": func() error {
				w.users.SetUser("2", User{Disabled: true})
				_, err := w.Issue(b.request(), Login{UserID: "2"})
				return err
			},
			"changed": func() error { _, err := w.Issue(b.request(), Login{UserID: "1", Epoch: 9}); return err },
		} {
			if err := attempt(); !errors.Is(err, ErrUserDisabled) {
				w.Errorf("%s: got %v; want ErrUserDisabled", name, err)
			}
		}
		w.users.SetUser("2", User{Attrs: map[string]string{"name": string(make([]byte, 4096))}})
		if _, err := w.Issue(b.request(), Login{UserID: "2"}); !errors.Is(err, ErrTooLarge) {
			w.Errorf("an identity that does not fit: got %v; want ErrTooLarge", err)
		}
		if list, _ := w.List(w.Context(), "2"); len(list) != 0 {
			w.Errorf("the login that failed left %d sessions", len(list))
		}
		w.faults.set(func(string) error { return errDown }, nil)
		if _, err := w.Issue(b.request(), Login{UserID: "1"}); !errors.Is(err, errDown) {
			w.Errorf("store down: got %v", err)
		}
		w.mend()
		w.nextPeriod()
		w.in(b)
	})
}

func TestANodesWrongClockCostsStatementsAndNothingElse(t *testing.T) {
	for _, off := range []time.Duration{-24 * time.Hour, -time.Hour, -6 * time.Second, time.Minute, 3 * time.Minute, time.Hour, 24 * time.Hour} {
		inWorld(t, func(w *world) {
			w.Manager.store = clockStore{w.faults, -off} // the store's clock, seen from the node's
			b := newBrowser()
			w.login(b, Login{})
			for range 30 {
				if s := w.in(b); s.UserID != "1" {
					w.Fatalf("session = %+v", s)
				}
				time.Sleep(time.Minute)
			}
			if n := w.count(EventReuse) + w.count(EventEnded); n != 0 {
				w.Errorf("a clock off by %v: %d sessions ended", off, n)
			}
			if _, err := w.Logout(b.request()); err != nil {
				w.Fatal(err)
			}
			w.out(b)
		})
	}
}

func TestAnAccessTicketFromTheFutureIsNotBelieved(t *testing.T) {
	for ahead, want := range map[time.Duration]int64{4 * time.Second: 0, 5 * time.Second: 0, 6 * time.Second: 1} {
		inWorld(t, func(w *world) {
			w.Manager.store = clockStore{w.faults, ahead}
			b := newBrowser()
			w.login(b, Login{})
			if n := w.statements(func() { w.in(b) }); n != want {
				w.Errorf("%v ahead: %d statements; want %d", ahead, n, want)
			}
		})
	}
}

func TestUnreadableCookiesAreNobodysAndStay(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		r := b.request()
		r.Header.Set("Cookie", w.names.access+"=garbage; "+w.names.refresh+"=more")
		if n := w.statements(func() {
			if v, err := w.Authenticate(r); !errors.Is(err, ErrUnauthenticated) || len(v.Cookies) != 0 {
				w.Errorf("got %v, cookies %v; want ErrUnauthenticated and none", err, v.Cookies)
			}
		}); n != 0 {
			w.Errorf("%d statements; want 0", n)
		}
		if w.count(EventUndecodable) != 2 {
			w.Error("no events")
		}
	})
}

func TestTwoCookiesOfOneName(t *testing.T) {
	inWorld(t, func(w *world) {
		mine, others := newBrowser(), newBrowser()
		w.login(mine, Login{UserID: "1"})
		w.login(others, Login{UserID: "2"})
		value := func(b *browser) string { return b.jar[w.names.access].value }
		for _, c := range []struct {
			name   string
			values []string
			want   string
		}{
			{"the same twice", []string{value(mine), value(mine)}, "1"},
			{"garbage first", []string{"garbage", value(mine)}, "1"},
			{"garbage last", []string{value(mine), "garbage"}, "1"},
			{"garbage around", []string{"x", value(mine), "y"}, "1"},
			{"two users", []string{value(mine), value(others)}, ""},
			{"two users, the other way", []string{value(others), value(mine)}, ""},
			{"too many to look at", []string{"a", "b", "c", "d", value(mine)}, ""},
		} {
			r := newBrowser().request()
			for _, v := range c.values {
				r.AddCookie(&http.Cookie{Name: w.names.access, Value: v})
			}
			if v, _ := w.Authenticate(r); v.Session().UserID != c.want {
				w.Errorf("%s: %q; want %q", c.name, v.Session().UserID, c.want)
			}
		}
		if w.count(EventAmbiguous) != 3 {
			w.Errorf("%d events of ambiguity; want 3", w.count(EventAmbiguous))
		}
	})
}
