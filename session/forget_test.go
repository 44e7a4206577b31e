package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// The address and the user agent leave the row in time, and nothing else happens to the session.
func TestManager_KeepsClientsForATime(t *testing.T) {
	cfg := session.Config{KeepClientFor: 3 * time.Hour, AbsoluteTimeout: 24 * time.Hour}
	inTestWorld(t, cfg, func(w *testWorld) {
		defer w.run()()
		b := newBrowser()
		s := w.login(b, session.Login{Remember: true, IP: "192.0.2.7"})
		w.visits(b, 3*time.Hour)
		if row := w.row(s.ID); row.IP != "192.0.2.7" {
			t.Fatalf("after 3 hours the row has the address %q; want it kept", row.IP)
		}
		w.visits(b, 75*time.Minute)
		if row := w.row(s.ID); row.IP != "" || row.UserAgent != "" {
			t.Errorf("after 4 hours and a quarter the row has %q and %q; want neither", row.IP, row.UserAgent)
		}
		if got := w.in(b); got.ID != s.ID {
			t.Errorf("the browser is in the session %s; want %s", got.ID, s.ID)
		}
		if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 || list[0].IP != "" {
			t.Errorf("the devices are %+v, %v; want one without an address", list, err)
		}
	})
}

// visits comes back every 10 minutes for a time.
func (w *testWorld) visits(b *sessiontest.Browser, d time.Duration) {
	w.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(10*time.Minute, time.Until(end)))
		w.in(b)
	}
}

// More rows than one batch has are all reached, with a pause between two batches, and a store that
// fails for a while makes the walk go on from where it was.
func TestManager_ForgetsClientsInBatchesAlsoAfterAnOutage(t *testing.T) {
	inTestWorld(t, session.Config{KeepClientFor: time.Hour, IdleTimeout: 10 * time.Hour}, func(w *testWorld) {
		const logins = 1100
		for i := range logins {
			n := store.NewSession{ID: store.ID{byte(i >> 8), byte(i), 1}, UserID: "1", Lifetime: 20 * time.Hour, RetainFor: 20 * time.Hour, IP: "192.0.2.7", UserAgent: "agent"}
			if err := w.users.Create(w.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		left := func() (n int) {
			list, err := w.users.List(w.Context(), "1", store.ID{}, 2*logins)
			if err != nil || len(list) != logins {
				t.Fatal(len(list), err)
			}
			for _, r := range list {
				if r.IP != "" || r.UserAgent != "" {
					n++
				}
			}
			return n
		}
		time.Sleep(time.Hour + time.Second)
		stop := w.run()
		time.Sleep(100 * time.Millisecond) // before the second batch
		if n := left(); n != logins-500 {
			t.Errorf("%d have a client after the first batch; want %d", n, logins-500)
		}
		w.store.Fail(errors.New("outage"), "ForgetClients")
		time.Sleep(10 * time.Second)
		w.repairStore()
		calls := w.store.Calls("ForgetClients")
		time.Sleep(2 * time.Minute)
		stop()
		if n := left(); n != 0 {
			t.Errorf("%d have a client after the walk; want none", n)
		}
		if n := w.store.Calls("ForgetClients") - calls; n != 2 {
			t.Errorf("%d calls after the outage; want 2, for the two batches that were left", n)
		}
	})
}

func TestNew_KeepClientForNeedsAStoreThatForgets(t *testing.T) {
	memory := store.NewMemory()
	for name, c := range map[string]struct {
		store store.Store
		keep  time.Duration
		want  string
	}{
		"a store that cannot":   {struct{ store.Store }{memory}, time.Hour, "store.ClientForgetter"},
		"a store that need not": {struct{ store.Store }{memory}, 0, ""},
		"a store that can":      {memory, time.Hour, ""},
		"a wrapper of it":       {wrapper{struct{ store.Store }{memory}, memory}, time.Hour, ""},
		"less than an hour":     {memory, time.Hour - 1, "Config.KeepClientFor"},
		"less than nothing":     {memory, -time.Hour, "Config.KeepClientFor"},
	} {
		_, err := session.New(testWorldKeys(t, testWorldKey), c.store, session.Config{KeepClientFor: c.keep})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

type wrapper struct {
	store.Store
	inner store.Store
}

func (w wrapper) Unwrap() store.Store { return w.inner }
