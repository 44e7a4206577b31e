package main

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// Every call of a request counts, whatever the manager does with the store.
func TestCountingStore_CountsTheCallsOfRequestsOnly(t *testing.T) {
	users := store.NewMemory()
	users.SetUser("1", store.User{Epoch: 1})
	inner := sessiontest.NewStore(users)
	var total atomic.Int64
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(keys, countingStore{inner, &total}, session.Config{})
	if err != nil {
		t.Fatal(err)
	}

	for _, counted := range []bool{false, true} {
		ctx := t.Context()
		if counted {
			ctx = context.WithValue(ctx, statementsKey{}, new(atomic.Int64))
		}
		before := inner.Calls()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		r := httptest.NewRequest("GET", "https://app.test/", nil).WithContext(ctx)
		s := sessiontest.LoginAs(t, sessions, r, "1")
		sessiontest.ExpireAccess(r)
		v, err := sessions.Authenticate(r)
		must(err)
		_, err = sessions.RequireLive(r, v)
		must(err)
		_, err = sessions.List(ctx, "1")
		must(err)
		must(sessions.ForceRefresh(ctx, "1"))
		must(sessions.Revoke(ctx, "1", s.ID))
		must(sessions.RevokeUser(ctx, "1"))
		must(sessions.RevokeAll(ctx))

		calls := int64(inner.Calls() - before)
		if calls < 10 {
			t.Errorf("%d calls: this test proves little", calls)
		}
		if want := map[bool]int64{true: calls}[counted]; total.Load() != want || statementsOf(ctx) != want {
			t.Errorf("counted %t: %d in total, %d of the request; want %d", counted, total.Load(), statementsOf(ctx), want)
		}
	}
}

func TestAnswersNameTheirStatements(t *testing.T) {
	_, server := testServer(t)
	b := newBrowser(t, server)
	b.login(ada, adaPassword)
	if got := b.get("/").Header.Get("Statements"); got != "0" {
		t.Errorf("with a good access cookie: Statements is %q; want 0", got)
	}
	b.ExpireAccess()
	refreshed := b.get("/")
	if got := refreshed.Header.Get("Statements"); got != "1" && got != "2" {
		t.Errorf("without: Statements is %q; want 1 or 2", got)
	}
	refreshed.shows(t, 200, "<strong>"+refreshed.Header.Get("Statements")+" statement", "was no longer accepted")
}
