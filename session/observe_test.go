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
	"github.com/sessionkit/sessionkit/session/store"
)

// observations records what Config.Observe is told: an operation, below the one that its
// context belongs to, and how it ended.
type observations struct {
	mu   sync.Mutex // guards seen
	seen []string
}

type operationKey struct{}

func (o *observations) observe(ctx context.Context, op session.Operation) (context.Context, func(error)) {
	name := strings.TrimSuffix(fmt.Sprintf("%s %s", op.Kind, op.Call), " ")
	if above, ok := ctx.Value(operationKey{}).(string); ok {
		name = above + " > " + name
	}
	return context.WithValue(ctx, operationKey{}, name), func(err error) {
		how := "done"
		switch {
		case errors.Is(err, session.ErrUnauthenticated):
			how = "over"
		case err != nil:
			how = "failed"
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.seen = append(o.seen, name+": "+how)
	}
}

// take returns what has been seen since the last call.
func (o *observations) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := o.seen
	o.seen = nil
	return seen
}

func TestConfigObserve_SeesEachOperationAndItsCallsOfTheStore(t *testing.T) {
	var o observations
	inTestWorld(t, session.Config{Observe: o.observe, TokenTTL: time.Minute}, func(w *testWorld) {
		w.expect(&o, "a login", func() { w.login(newBrowser(), session.Login{}) },
			"login > store Create: done", "login > store Find: done", "login > store Newest: done", "login: done")
		b := newBrowser()
		w.login(b, session.Login{})
		o.take()
		w.expect(&o, "a request with a good access cookie", func() { w.in(b) })
		w.expireAccess()
		w.expect(&o, "a refresh", func() { w.in(b) }, "refresh > store FindAndConfirm: done", "refresh: done")

		var g session.Grant
		w.expect(&o, "a token's login", func() {
			var err error
			if g, err = w.Tokens().Issue(page(newBrowser()), session.Login{UserID: "1", Client: "cli"}); err != nil {
				t.Fatal(err)
			}
		}, "login > store Create: done", "login > store Find: done", "login > store Newest: done", "login: done")
		w.expect(&o, "a token's refresh", func() {
			if _, err := w.Tokens().Refresh(page(newBrowser()), "cli", g.RefreshToken); err != nil {
				t.Fatal(err)
			}
		}, "refresh > store FindAndConfirm: done", "refresh: done")

		w.expireAccess()
		w.store.Fail(errStoreDown)
		w.expect(&o, "an outage", func() { w.visit(b) },
			"refresh > store FindAndConfirm: failed", "refresh > store FindAndConfirm: failed", "refresh > store FindAndConfirm: failed", "refresh: failed")
		w.repairStore()
		o.take()

		if err := w.RevokeUser(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		w.expect(&o, "a poll", func() {}, "store RevokeUser: done", "store Changes: done")
		w.expect(&o, "a session that is over", func() { w.out(b) }, "refresh > store FindAndConfirm: done", "refresh: over")
	})
}

func (w *testWorld) expect(o *observations, what string, do func(), want ...string) {
	w.Helper()
	do()
	if got := o.take(); !slices.Equal(got, want) {
		w.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestManagerState(t *testing.T) {
	inTestWorld(t, session.Config{TokenTTL: time.Minute}, func(w *testWorld) {
		want := func(what string, want session.State) {
			t.Helper()
			if got := w.State(); got != want {
				t.Errorf("%s: %+v; want %+v", what, got, want)
			}
		}
		want("at the start", session.State{})
		b := newBrowser()
		w.login(b, session.Login{})
		w.in(b)
		want("with a session", session.State{CachedTickets: 1})
		if _, err := w.Tokens().Issue(page(newBrowser()), session.Login{UserID: "1", Client: "cli"}); err != nil {
			t.Fatal(err)
		}
		want("with a token", session.State{CachedTickets: 2})

		w.store.Fail(errStoreDown)
		if _, err := w.Logout(page(b)); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // for the probe
		want("after a logout in an outage", session.State{StoreDown: true, Revocations: 1, PendingRevocations: 1, CachedTickets: 2})
		if err := w.RevokeExternal(t.Context(), "sid", time.Now()); !errors.Is(err, session.ErrUnfinished) {
			t.Fatal(err)
		}
		want("after a provider's logout in an outage", session.State{StoreDown: true, Revocations: 1, PendingRevocations: 1, UnfinishedRevocations: 1, CachedTickets: 2})

		w.repairStore()
		defer w.run()()
		time.Sleep(3 * time.Second)
		want("after the outage", session.State{Revocations: 1, CachedTickets: 2})
	})
}

func TestOutcomeOf_NamesTheKindsOfErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want session.Outcome
	}{
		{nil, "ok"},
		{session.ErrUnauthenticated, "over"},
		{session.ErrReused, "over"},
		{fmt.Errorf("login: %w", store.ErrUserBanned), "refused"},
		{session.ErrTooLarge, "refused"},
		{fmt.Errorf("%w: %w", session.ErrStoreUnavailable, errStoreDown), "unavailable"},
		{errStoreDown, "error"},
		{context.Canceled, "error"},
	} {
		if got := session.OutcomeOf(c.err); got != c.want {
			t.Errorf("%v: %q; want %q", c.err, got, c.want)
		}
	}
}
