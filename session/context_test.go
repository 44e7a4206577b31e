package session_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func TestNewContext_CarriesTheSession(t *testing.T) {
	want := session.Session{
		ID: "0a", UserID: "1", Roles: []string{"staff", "admin"}, Attrs: map[string]string{"name": "Ada"},
		AuthTime: time.Unix(1, 0), IssuedAt: time.Unix(2, 0), ExpiresAt: time.Unix(3, 0), EndsAt: time.Unix(4, 0),
	}
	ctx := want.NewContext(t.Context())
	if got, ok := session.FromContext(ctx); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("FromContext: %+v, %v; want %+v", got, ok, want)
	}
	if got, ok := session.FromContext(t.Context()); ok || !reflect.DeepEqual(got, session.Session{}) {
		t.Errorf("FromContext without a session: %+v, %v; want none", got, ok)
	}
}

func TestVerdict_ValueCarriesTheSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		want := w.login(b, session.Login{})
		v, err := w.visit(b)
		if err != nil {
			w.Fatal(err)
		}
		if got, ok := session.FromContext(withVerdict(w.Context(), v)); !ok || !reflect.DeepEqual(got, want) {
			w.Errorf("FromContext: %+v, %v; want %+v", got, ok, want)
		}
	})
}

// The users of an outer guard may be others than those of an inner one. A request that
// is unauthenticated for the inner guard must not get the session of the outer guard.
func TestVerdict_UnauthenticatedHidesTheSessionOfAnOuterGuard(t *testing.T) {
	outer := session.Session{UserID: "1"}.NewContext(t.Context())
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		inner := withVerdict(outer, session.Verdict{})
		if s, ok := session.FromContext(inner); ok {
			w.Errorf("FromContext: %+v; want no session", s)
		}
		if !closed(w.Done(inner)) {
			w.Error("Done is open; want it closed, because there is no session")
		}
	})
}

// guardContext is the context of a guard that calls Verdict.Value.
type guardContext struct {
	context.Context
	v *session.Verdict
}

func (c guardContext) Value(key any) any {
	if value := c.v.Value(key); value != nil {
		return value
	}
	return c.Context.Value(key)
}

func TestVerdict_ValueReturnsOnlyTheSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		want := w.login(b, session.Login{})
		v, err := w.visit(b)
		if err != nil {
			w.Fatal(err)
		}
		type key struct{}
		ctx := guardContext{context.WithValue(w.Context(), key{}, "the app's"), &v}
		if got, ok := session.FromContext(ctx); !ok || got.ID != want.ID {
			w.Errorf("FromContext: %+v, %v; want session %s", got, ok, want.ID)
		}
		if got := ctx.Value(key{}); got != "the app's" {
			w.Errorf("another value of the context is %v; want that of the app", got)
		}
	})
}

func TestVerdict_CopiesShareNothing(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		w.expireAccess()
		one, two := w.answered(b), w.answered(b)
		spoil := func(s session.Session, ok bool) {
			w.Helper()
			if !ok || len(s.Roles) != 1 {
				w.Fatalf("session %+v, %v; want one with a role", s, ok)
			}
			s.Roles[0], s.Attrs["name"] = "admin", "Mallory"
		}
		spoil(one.Session(), true)
		ctx := withVerdict(w.Context(), one)
		spoil(session.FromContext(ctx))
		b.Receive(two.Cookies)
		three := w.answered(b) // from the access cookie
		spoil(three.Session(), true)
		four := w.answered(b)
		again, _ := session.FromContext(ctx)
		for _, s := range []session.Session{one.Session(), again, two.Session(), three.Session(), four.Session()} {
			if !reflect.DeepEqual(s.Roles, []string{"staff"}) || s.Attrs["name"] != "Ada" {
				w.Errorf("a change of another copy arrived: %+v", s)
			}
		}
	})
}
