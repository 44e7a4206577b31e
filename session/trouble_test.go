package session

import (
	"errors"
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
