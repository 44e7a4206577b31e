package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// All store calls of one method share its two seconds, also if the first answer is
// outdated and the row is read again.
func TestManager_SecondReadSharesTheTwoSecondsOfTheCall(t *testing.T) {
	for _, c := range []struct {
		delay time.Duration // of each store call
		took  time.Duration // the whole call
		good  bool
	}{
		{900 * time.Millisecond, 1800 * time.Millisecond, true},
		{1500 * time.Millisecond, 2 * time.Second, false},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			w.login(b, session.Login{})
			w.expireAccess()
			other := w.node(session.Config{})
			slow := func(ctx context.Context, method string) error {
				if method != "Find" {
					return nil
				}
				timer := time.NewTimer(c.delay)
				defer timer.Stop()
				select {
				case <-timer.C:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			w.store.After(slow)
			reading := make(chan error)
			start := time.Now()
			go func() {
				_, err := w.visit(b)
				reading <- err
			}()
			time.Sleep(c.delay / 2) // the row was read, and the answer is in flight
			if err := errors.Join(other.ForceRefresh(w.Context(), "1"), w.ForceRefresh(w.Context(), "2")); err != nil {
				w.Fatal(err) // the second call polls and so learns of the first
			}
			err := <-reading
			if took := time.Since(start); took != c.took || (err == nil) != c.good || err != nil && !errors.Is(err, session.ErrStoreUnavailable) {
				w.Errorf("store calls of %v: %v after %v; want success %v after %v", c.delay, err, took, c.good, c.took)
			}
		})
	}
}

// Every method returns ErrStoreUnavailable if the store gave no answer, and only then.
// An invalid argument is the caller's mistake and not a 503.
func TestManager_ErrStoreUnavailableIsOnlyForStoreErrors(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		w.store.Fail(errStoreDown)
		expired := b.Clone()
		expired.ExpireAccess()
		ctx := w.Context()
		for name, call := range map[string]func() error{
			"Authenticate": func() error { _, err := w.Authenticate(page(expired)); return err },
			"Issue":        func() error { _, err := w.Issue(page(newBrowser()), session.Login{UserID: "1"}); return err },
			"Logout":       func() error { _, err := w.Logout(page(b)); return err },
			"Revoke":       func() error { return w.Revoke(ctx, "1", s.ID) },
			"RevokeUser":   func() error { return w.RevokeUser(ctx, "1") },
			"RevokeAll":    func() error { return w.RevokeAll(ctx) },
			"ForceRefresh": func() error { return w.ForceRefresh(ctx, "1") },
			"RequireLive":  func() error { return requireLive(w.Manager, b) },
			"List":         func() error { _, err := w.List(ctx, "1"); return err },
		} {
			if err := call(); !errors.Is(err, session.ErrStoreUnavailable) || !errors.Is(err, errStoreDown) {
				w.Errorf("%s: %v; want ErrStoreUnavailable and its cause", name, err)
			}
		}
		w.repairStore()
		for name, err := range map[string]error{
			"an id to spare that is none": w.RevokeUser(ctx, "1", "x"),
			"no such session":             w.Revoke(ctx, "1", "x"),
			"a Verdict without a session": liveError(w.RequireLive(page(b), session.Verdict{})),
		} {
			if err == nil || errors.Is(err, session.ErrStoreUnavailable) {
				w.Errorf("%s: %v; want an error that is not ErrStoreUnavailable", name, err)
			}
		}
	})
}
