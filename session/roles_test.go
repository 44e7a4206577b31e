package session_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The access cookie after a ForceRefresh carries the store's counter, so it costs no
// more calls than any other.
func TestManager_AccessCookieAfterForceRefreshCostsNoCall(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		for _, role := range []string{"one", "two"} {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{role}})
			if err := w.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if s := w.in(b); !s.HasRole(role) {
				w.Errorf("roles %v; want %q", s.Roles, role)
			}
			time.Sleep(2 * time.Second) // longer than the store's answer is shared
			if n := w.calls(func() { w.in(b) }); n != 0 {
				w.Errorf("%d calls; want 0", n)
			}
		}
	})
}

// A session whose roles and attributes outgrow the access cookie is served from the row,
// complete, for as long as it lasts. The refresh cookie rotates as ever. The operator
// hears of it once a minute.
func TestManager_SessionThatOutgrowsTheCookieIsServedFromTheRow(t *testing.T) {
	for _, expired := range []time.Duration{0, 2 * time.Minute} { // a young ticket first, or one that gets a child
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			b := newBrowser()
			s := w.login(b, session.Login{})
			time.Sleep(expired)
			b.ExpireAccess()
			roles, attrs := []string{"staff", strings.Repeat("x", 4096)}, map[string]string{"name": strings.Repeat("y", 5000)}
			w.users.SetUser("1", store.User{Epoch: 1, Roles: roles, Attrs: attrs})
			generation, minutes := w.row(s.ID).Generation, 0
			for began := time.Now(); time.Since(began) < 40*time.Minute; time.Sleep(15 * time.Second) {
				var v session.Verdict
				n := w.calls(func() { v = w.answered(b) }, "Find")
				b.Receive(v.Cookies)
				got := v.Session()
				if n != 1 || got.ID != s.ID || !slices.Equal(got.Roles, roles) || !maps.Equal(got.Attrs, attrs) {
					w.Fatalf("after %v: %d reads, %d roles, %d attributes; want one read, and all of them", time.Since(began), n, len(got.Roles), len(got.Attrs))
				}
				if slices.Contains(cookieNames(v.Cookies), accessCookie) {
					w.Fatalf("after %v: an access cookie", time.Since(began))
				}
				if time.Since(began)%time.Minute == 0 {
					minutes++
				}
				if events := w.eventsOf(session.EventTooLarge); len(events) != minutes || events[0].SessionID != s.ID || events[0].UserID != "1" {
					w.Fatalf("after %v: events %+v; want one a minute, of the session", time.Since(began), events)
				}
			}
			if confirmed := w.row(s.ID).Generation - generation; confirmed < 15 {
				w.Errorf("%d refresh cookies were confirmed in 40 minutes; want one about every two minutes", confirmed)
			}
			w.users.SetUser("1", store.User{Epoch: 1})
			if got := w.in(b); got.ID != s.ID || valueOf(b, accessCookie) == "" {
				w.Errorf("session %s; want %s, with an access cookie again", got.ID, s.ID)
			}
		})
	}
}
