package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestDoneEndsALongRequestWithItsSession(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(w *world, s Session)
		within time.Duration
	}{
		{"revoked here", func(w *world, s Session) { _ = w.Revoke(w.Context(), "1", s.ID) }, time.Millisecond},
		{"revoked on another node", func(w *world, s Session) { id, _ := ParseID(s.ID); w.users.Revoke(w.Context(), id, "", ReasonLogout) }, 1500 * time.Millisecond},
		{"everybody's logout on another node", func(w *world, _ Session) { w.users.RevokeAll(w.Context()) }, 1500 * time.Millisecond},
		{"a ban by the app's SQL", func(w *world, _ Session) { w.users.SetUser("1", User{Disabled: true}) }, 2 * time.Minute},
		{"its absolute end", func(_ *world, s Session) { time.Sleep(time.Until(s.EndsAt) - 3*time.Minute) }, 3 * time.Minute},
	} {
		inWorld(t, func(w *world) {
			run, stop := context.WithCancel(w.Context())
			defer stop()
			go w.Manager.Run(run)
			b, bystander := newBrowser(), newBrowser()
			s := w.login(b, Login{})
			w.login(bystander, Login{UserID: "2"})
			stream := func(b *browser) <-chan struct{} {
				v, err := w.Authenticate(b.request())
				if err != nil {
					w.Fatal(err)
				}
				return Done(v.NewContext(run))
			}
			done, others := stream(b), stream(bystander)
			time.Sleep(time.Hour)
			synctest.Wait()
			select {
			case <-done:
				w.Fatalf("%s: closed while the session was good", c.name)
			default:
			}
			c.end(w, s)
			start := time.Now()
			<-done
			if took := time.Since(start); took > c.within {
				w.Errorf("%s: closed after %v; want %v", c.name, took, c.within)
			}
			select {
			case <-others:
				if c.name != "everybody's logout on another node" && c.name != "its absolute end" {
					w.Errorf("%s: another's stream was closed too", c.name)
				}
			default:
			}
		})
	}
}

func TestDoneOfNobodyIsClosedAndOfATestIsNot(t *testing.T) {
	select {
	case <-Done(t.Context()):
	default:
		t.Error("a request without a session may go on")
	}
	select {
	case <-Done(NewContext(t.Context(), Session{UserID: "1"})):
		t.Error("a test's session is over")
	default:
	}
	ctx, cancel := context.WithCancel(NewContext(t.Context(), Session{UserID: "1"}))
	done := Done(ctx)
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("a test's request has ended, and its Done has not")
	}
}

func TestDoneIsNotClosedByTheStoresTrouble(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		v, err := w.Authenticate(b.request())
		if err != nil {
			w.Fatal(err)
		}
		ctx, stop := context.WithCancel(w.Context())
		done := Done(v.NewContext(ctx))
		w.faults.set(func(string) error { return errors.New("down") }, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case <-done:
			w.Error("closed")
		default:
		}
		stop()
	})
}

// What others do must not put off the look at the store.
func TestDoneNoticesABanHoweverManyOthersLogOut(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		v, _ := w.Authenticate(b.request())
		done := Done(v.NewContext(w.Context()))
		w.users.SetUser("1", User{Epoch: 2})
		for range 6 {
			time.Sleep(30 * time.Second)
			other := newBrowser()
			w.login(other, Login{UserID: "2"})
			if _, err := w.Logout(other.request()); err != nil {
				w.Fatal(err)
			}
		}
		synctest.Wait()
		select {
		case <-done:
		default:
			w.Error("not closed three minutes after the user's epoch was raised")
		}
	})
}

func TestDoneComesAtTheAbsoluteEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		s := w.login(b, Login{})
		time.Sleep(100 * time.Second) // of the access cookie's life
		v, _ := w.Authenticate(b.request())
		w.faults.set(func(string) error { return errDown }, nil) // it says nothing any more
		<-Done(v.NewContext(w.Context()))
		if late := time.Since(s.EndsAt); late < 0 || late > time.Second {
			w.Errorf("closed %v after the end", late)
		}
	})
}

// Who waits for nothing else must not wait for ever.
func TestDoneIsClosedWhenTheRequestEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		v, _ := w.Authenticate(b.request())
		ctx, cancel := context.WithCancel(w.Context())
		done := Done(v.NewContext(ctx))
		cancel()
		<-done // synctest reports a deadlock otherwise
	})
}
