package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// With the key and any old refresh cookie of a session, an attacker seals tickets that
// are always young. They are judged by the root and the generation alone.
func TestManager_ForgedYoungTicketOfAStolenRootIsNoticed(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		stolen, _ := w.OpenRefresh(valueOf(b, refreshCookie))
		for range 3 {
			w.expireAccess()
			w.in(b)
		}
		codec := codecFor(w.T, testWorldKey, "refresh")
		served, victim := 0, 0
		for range 300 { // ten hours
			time.Sleep(2 * time.Minute)
			now := time.Now()
			forged := session.RefreshTicket{Root: stolen.Root, Generation: 2000, ID: randomID(), Parent: randomID(), Issued: now, Expires: now.Add(time.Hour)}
			r := page(newBrowser())
			r.Header.Set("Cookie", refreshCookie+"="+seal(w.T, codec, refreshCookie, forged.Payload()))
			if v, err := w.Authenticate(r); err == nil {
				served++
				if _, err := w.RequireLive(r, v); err != nil {
					w.Logf("RequireLive: %v", err)
				}
			}
			if _, err := w.visit(b); err == nil {
				victim++
			} else if !errors.Is(err, session.ErrUnauthenticated) {
				w.Fatal(err)
			}
		}
		if served > 1 && victim > 1 && w.count(session.EventReuse)+w.count(session.EventStoreBehind) == 0 {
			w.Errorf("attacker served %d of 300, victim %d of 300, and no event", served, victim)
		}
	})
}

// An authentic refresh cookie that is over costs at most one statement a second and
// session on a node, also if the session goes on with a newer cookie.
func TestManager_ManyEndedTicketsOfALiveSessionCostNoStatementEach(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		var ended []string
		for range 20 {
			ended = append(ended, valueOf(b, refreshCookie))
			for range 2 {
				w.expireAccess()
				w.in(b)
			}
		}
		for range 15 {
			w.expireAccess()
			w.in(b)
		}
		calls := w.calls(func() {
			for i := range 1000 {
				r := page(newBrowser())
				r.Header.Set("Cookie", refreshCookie+"="+ended[i%5])
				if _, err := w.Authenticate(r); !errors.Is(err, session.ErrUnauthenticated) {
					w.Fatalf("ticket %d: %v", i%5, err)
				}
			}
		})
		if w.in(b); calls > 5 {
			w.Errorf("1000 requests within a second with 5 ended tickets of one session made %d calls", calls)
		}
	})
}

// A thief with a copy of the newest cookie, which the victim has not presented yet, looks
// like the victim until a child of that cookie is confirmed. So the victim's first visit
// cannot end the session; the thief's first visit after the victim's second one does.
// With a copy of the parent, only visits from 2 A after the victim's last answer count.
func TestManager_WhenADiscardingThiefIsNoticed(t *testing.T) {
	const a = 2 * time.Minute
	for _, c := range []struct {
		name   string
		newest bool            // the thief has the victim's newest cookie, else its parent
		visits []time.Duration // of the thief, after the victim's last answer
		visit  bool            // the victim's next visit ends the session
		thief  bool            // the thief's next visit after that one does
		thief2 bool            // the thief's next visit after the victim's second one does
	}{
		{"the parent, twice after 2 A", false, []time.Duration{2*a + time.Second, 3*a + 2*time.Second}, true, false, false},
		{"the parent, more than A apart, before A and after", false, []time.Duration{a / 2, a*3/2 + 10*time.Second}, false, true, false},
		{"the newest, for 20 minutes", true, []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute}, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				w.login(b, session.Login{})
				w.expireAccess()
				thief := b.CloneIgnoringExpiry()
				w.in(b)
				if c.newest {
					thief = b.CloneIgnoringExpiry()
				}
				thief.Delete(func(name string) bool { return name == accessCookie })
				answered := time.Now()
				for _, at := range c.visits {
					time.Sleep(time.Until(answered.Add(at)))
					w.answered(thief)
				}
				time.Sleep(time.Minute)
				step := func(what string, want bool, visit func() error) (ended bool) {
					err := visit()
					if ended = errors.Is(err, session.ErrReused); ended != want || !ended && err != nil {
						w.Fatalf("%s: %v; want the end: %t", what, err, want)
					}
					return ended
				}
				byVictim := func() error { _, err := w.visit(b); return err }
				byThief := func() error { _, err := w.Authenticate(page(thief)); return err }
				if step("the victim's next visit", c.visit, byVictim) {
					return
				}
				time.Sleep(a / 2)
				if step("the thief's visit after it", c.thief, byThief) {
					return
				}
				time.Sleep(a)
				step("the victim's second visit", false, byVictim)
				time.Sleep(a / 2)
				step("the thief's visit after the second one", c.thief2, byThief)
			})
		})
	}
}

// Cadences of a thief who discards his answers and comes below A apart.
func TestManager_ThiefBelowTheLateWindowIsRecorded(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 59 * time.Second, 2*time.Minute - time.Millisecond, 2 * time.Minute, 2*time.Minute + 10*time.Millisecond, 4*time.Minute - time.Millisecond} {
		t.Run(every.String(), func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b, other := newBrowser(), w.node(session.Config{})
				w.login(b, session.Login{})
				w.expireAccess()
				thief := b.CloneIgnoringExpiry()
				thief.Delete(func(name string) bool { return name == accessCookie })
				w.in(b)
				begun := time.Now()
				served := 0
				for i := 0; time.Since(begun) < 13*time.Minute; i++ {
					time.Sleep(every)
					n := w
					if i%2 == 1 {
						n = other
					}
					n.answered(thief)
					served++
				}
				if _, err := w.visit(b); !errors.Is(err, session.ErrReused) {
					w.Errorf("every %v: served %d times, the victim then: %v", every, served, err)
				}
				time.Sleep(2 * time.Second) // a node shares an outcome for a second
				for _, n := range []*testWorld{w, other} {
					if _, err := n.Authenticate(page(thief)); err == nil {
						w.Errorf("every %v: the thief goes on", every)
					}
				}
			})
		})
	}
}
