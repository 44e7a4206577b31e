package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Without Run all seems to work, on one node and without an outage. The operator hears of it
// once. A Manager that has not refreshed a session for anybody may be that of a program.
func TestManager_ForgottenRunIsAWarning(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(w *testWorld)
		want int
	}{
		"never called": {func(*testWorld) {}, 1},
		"called":       {func(w *testWorld) { w.Cleanup(w.run()) }, 0},
		"called, and over": {func(w *testWorld) {
			ctx, end := context.WithCancel(w.Context())
			end()
			_ = w.Manager.Run(ctx)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				w.login(b, session.Login{Epoch: 1})
				time.Sleep(59 * time.Second)
				b.ExpireAccess()
				w.in(b)
				time.Sleep(time.Minute)
				w.login(newBrowser(), session.Login{Epoch: 1})
				w.in(b)
				if n := w.count(session.EventMisconfigured); n != 0 {
					w.Errorf("%d events before a refresh a minute after New; want none", n)
				}
				c.run(w)
				for range 3 {
					w.expireAccess()
					w.in(b)
				}
				events := w.eventsOf(session.EventMisconfigured)
				if len(events) != c.want {
					w.Fatalf("%d events; want %d", len(events), c.want)
				}
				for _, e := range events {
					if !strings.Contains(e.Err.Error(), "Run was never called") {
						w.Errorf("the event says %q", e.Err)
					}
				}
			})
		})
	}
}
