package session_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// live returns the indexes of the sessions that are not revoked.
func (w *testWorld) live(sessions []session.Session) (live []int) {
	w.Helper()
	for i, s := range sessions {
		if w.row(s.ID).Reason == "" {
			live = append(live, i)
		}
	}
	return live
}

func TestManager_LoginBeyondTheLimitEndsTheRightSession(t *testing.T) {
	for _, c := range []struct {
		name     string
		max      int
		cameBack []int // the sessions that were refreshed before the last login
		last     session.Login
		want     []int // the live ones of five, the last being 4
	}{
		{"four of one", 1, nil, session.Login{}, []int{4}},
		{"one, never came back", 4, nil, session.Login{}, []int{1, 2, 3, 4}},
		{"none too many", 5, nil, session.Login{}, []int{0, 1, 2, 3, 4}},
		{"one, all came back", 4, []int{0, 1, 2, 3}, session.Login{}, []int{1, 2, 3, 4}},
		{"one, the newest never came back", 4, []int{0, 1, 2}, session.Login{}, []int{0, 1, 2, 4}},
		{"one, two never came back", 4, []int{0, 2}, session.Login{}, []int{0, 2, 3, 4}},
		{"no limit", -1, nil, session.Login{}, []int{0, 1, 2, 3, 4}},
		{"a program ends none", 4, nil, session.Login{NonInteractive: true}, []int{0, 1, 2, 3, 4}},
		{"another user's login ends none", 4, nil, session.Login{UserID: "2"}, []int{0, 1, 2, 3, 4}},
	} {
		inTestWorld(t, session.Config{MaxSessions: c.max}, func(w *testWorld) {
			var sessions []session.Session
			browsers := map[int]*sessiontest.Browser{}
			for i := range 4 {
				browsers[i] = newBrowser()
				sessions = append(sessions, w.login(browsers[i], session.Login{}))
				time.Sleep(time.Second)
			}
			w.expireAccess()
			for _, i := range c.cameBack {
				w.in(browsers[i])
			}
			w.expireAccess()
			for _, i := range slices.Backward(c.cameBack) { // presents the child, the oldest session last
				w.in(browsers[i])
				time.Sleep(time.Second)
			}
			sessions = append(sessions, w.login(newBrowser(), c.last))
			if got := w.live(sessions); !slices.Equal(got, c.want) {
				w.Errorf("%s: sessions %v are live; want %v", c.name, got, c.want)
			}
			for i, s := range sessions {
				if reason := w.row(s.ID).Reason; !slices.Contains(c.want, i) && reason != store.ReasonLimit {
					w.Errorf("%s: session %d was ended for %q; want %q", c.name, i, reason, store.ReasonLimit)
				}
			}
		})
	}
}

// Without a limit, a login needs no list of sessions.
func TestManager_WithoutLimitLoginReadsNoList(t *testing.T) {
	inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
		for range 30 {
			w.login(newBrowser(), session.Login{})
		}
		if n := w.store.Calls("Newest", "List", "Revoke"); n != 0 {
			w.Errorf("%d calls of Newest, List and Revoke; want 0", n)
		}
		if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 30 {
			w.Errorf("%d sessions, %v; want 30", len(list), err)
		}
	})
}

// One login revokes a bounded number of sessions and leaves the rest to the next one. A
// limit that was lowered must not make a login slow.
func TestManager_OneLoginEndsAtMostTwentySessions(t *testing.T) {
	inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
		for range 50 {
			w.login(newBrowser(), session.Login{})
		}
		limited := w.node(session.Config{MaxSessions: 3})
		for _, want := range []int{31, 12, 3, 3} {
			time.Sleep(time.Second)
			b := newBrowser()
			limited.login(b, session.Login{})
			if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != want {
				w.Errorf("%d sessions, %v; want %d", len(list), err, want)
			}
			limited.in(b)
		}
	})
}

// A login succeeds even if the limit cannot be enforced.
func TestManager_LoginSucceedsIfTheLimitCannotBeEnforced(t *testing.T) {
	for _, method := range []string{"Newest", "Revoke"} {
		inTestWorld(t, session.Config{MaxSessions: 1}, func(w *testWorld) {
			var sessions []session.Session
			for range 3 {
				w.store.Fail(errStoreDown, method)
				b := newBrowser()
				sessions = append(sessions, w.login(b, session.Login{}))
				w.in(b)
				w.repairStore()
			}
			sessions = append(sessions, w.login(newBrowser(), session.Login{}))
			if got := w.live(sessions); !slices.Equal(got, []int{3}) {
				w.Errorf("%s failed: after the next login sessions %v are live; want the last", method, got)
			}
		})
	}
}

// The first revocation that fails ends the attempt, to spare a store that has errors.
func TestManager_LimitStopsAtTheFirstFailure(t *testing.T) {
	inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
		for range 10 {
			w.login(newBrowser(), session.Login{})
			time.Sleep(time.Second)
		}
		limited := w.node(session.Config{MaxSessions: 1})
		limited.store.Fail(errStoreDown, "Revoke")
		if n := limited.calls(func() { limited.login(newBrowser(), session.Login{}) }, "Revoke"); n != 3 {
			w.Errorf("%d calls of Revoke; want 3, the tries for one session", n)
		}
	})
}

// A login revokes only sessions that are older than itself. If the database's clock was
// set back, there may be none.
func TestManager_LoginNeverEndsItself(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		var old []session.Session
		for range 3 {
			old = append(old, w.login(newBrowser(), session.Login{}))
		}
		node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, newest: func(list []store.Record) []store.Record {
			for i := range list {
				if slices.ContainsFunc(old, func(s session.Session) bool { return s.ID == list[i].ID.String() }) {
					list[i].CreatedAt = list[i].CreatedAt.Add(time.Hour)
				}
			}
			slices.SortStableFunc(list, func(a, b store.Record) int { return b.CreatedAt.Compare(a.CreatedAt) })
			return list
		}}, session.Config{MaxSessions: 3})
		b := newBrowser()
		s := node.login(b, session.Login{})
		node.in(b)
		if got := w.live(append(old, s)); !slices.Equal(got, []int{0, 1, 2, 3}) {
			w.Errorf("sessions %v are live; want all four", got)
		}
	})
}

// A list that comes from another database server may lack the new session. The limit is
// then applied to the sessions in the list.
func TestManager_LimitHoldsForAListThatLacksTheNewSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		var sessions []session.Session
		for range 3 {
			sessions = append(sessions, w.login(newBrowser(), session.Login{}))
			time.Sleep(time.Second)
		}
		node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, newest: func(list []store.Record) []store.Record {
			return list[1:]
		}}, session.Config{MaxSessions: 2})
		sessions = append(sessions, node.login(newBrowser(), session.Login{}))
		if got := w.live(sessions); !slices.Equal(got, []int{1, 2, 3}) {
			w.Errorf("sessions %v are live; want all but the oldest", got)
		}
	})
}

// Two logins at the same time both find one session too many. Neither revokes the
// other.
func TestManager_TwoLoginsAtOnceDoNotEndEachOther(t *testing.T) {
	for apart := range 8 {
		t.Run(fmt.Sprint(apart, " ms apart"), func(t *testing.T) {
			inTestWorld(t, session.Config{MaxSessions: 1}, func(w *testWorld) {
				w.store.Before(func(_ context.Context, method string) error {
					if method == "Create" || method == "Newest" || method == "Revoke" {
						time.Sleep(time.Millisecond)
					}
					return nil
				})
				first, second := newBrowser(), newBrowser()
				var both sync.WaitGroup
				for i, b := range []*sessiontest.Browser{first, second} {
					both.Go(func() {
						time.Sleep(time.Duration(i*apart) * time.Millisecond)
						v, err := w.Issue(page(b), session.Login{UserID: "1"})
						if err != nil {
							w.Error(err)
						}
						b.Receive(v.Cookies)
					})
				}
				both.Wait()
				if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 {
					w.Errorf("%d sessions are left, %v; want 1", len(list), err)
				}
				if apart > 0 {
					w.in(second)
				}
			})
		})
	}
}

// Enforcing the limit shares the two seconds of the login.
func TestManager_LoginWithManySessionsWaitsTwoSecondsAtMost(t *testing.T) {
	inTestWorld(t, session.Config{MaxSessions: -1}, func(w *testWorld) {
		for range 50 {
			w.login(newBrowser(), session.Login{})
		}
		limited := w.node(session.Config{MaxSessions: 3})
		b := newBrowser()
		limited.login(b, session.Login{Remember: true})
		limited.store.Delay(450*time.Millisecond, "Revoke")
		start := time.Now()
		limited.login(b, session.Login{})
		if took := time.Since(start); took > 2*time.Second {
			w.Errorf("the login took %v; want 2 s at most", took)
		}
	})
}

// Programs and browsers are counted apart. The limit of programs holds whatever
// Config.MaxSessions is.
func TestManager_ProgramsHaveALimitOfTheirOwn(t *testing.T) {
	for _, most := range []int{-1, 0, 2} {
		inTestWorld(t, session.Config{MaxSessions: most}, func(w *testWorld) {
			var browsers, programs []session.Session
			for range 2 {
				browsers = append(browsers, w.login(newBrowser(), session.Login{}))
				time.Sleep(time.Second)
			}
			for n := 1; n <= 23; n++ {
				programs = append(programs, w.login(newBrowser(), session.Login{NonInteractive: true}))
				if live := w.live(programs); len(live) != min(n, 20) || live[0] != max(n-20, 0) {
					w.Fatalf("MaxSessions %d: after %d logins of programs %v are live; want the last 20", most, n, live)
				}
				time.Sleep(time.Second)
			}
			if reason := w.row(programs[0].ID).Reason; reason != store.ReasonLimit {
				w.Errorf("MaxSessions %d: a program's session was ended for %q; want %q", most, reason, store.ReasonLimit)
			}
			if live := w.live(browsers); len(live) != 2 {
				w.Errorf("MaxSessions %d: of two browsers %v are live after the logins of programs", most, live)
			}
			for range 22 {
				w.login(newBrowser(), session.Login{})
				time.Sleep(time.Second)
			}
			if live := w.live(programs); len(live) != 20 {
				w.Errorf("MaxSessions %d: after the logins of browsers %d programs are live; want 20", most, len(live))
			}
		})
	}
}

// Sessions that are over may have rows, and these count, so that no user can have very
// many rows. They are revoked before any that goes on.
func TestManager_LimitRevokesSessionsThatAreOverFirst(t *testing.T) {
	for name, end := range map[string]func(w *testWorld){
		"by the user's epoch": func(w *testWorld) { w.users.SetUser("1", store.User{Epoch: 2}) },
		"by RevokeAll": func(w *testWorld) {
			if err := w.RevokeAll(w.Context()); err != nil {
				w.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{MaxSessions: 3}, func(w *testWorld) {
				var sessions []session.Session
				for range 3 {
					b := newBrowser()
					sessions = append(sessions, w.login(b, session.Login{}))
					w.expireAccess()
					w.in(b)
					w.expireAccess()
					w.in(b) // presents the child: this browser came back
				}
				end(w)
				for range 4 { // these never come back
					sessions = append(sessions, w.login(newBrowser(), session.Login{}))
					time.Sleep(time.Second)
				}
				if got := w.live(sessions); !slices.Equal(got, []int{4, 5, 6}) {
					w.Errorf("sessions %v are not revoked; want the last three", got)
				}
				for i, s := range sessions[:3] {
					if n := len(w.live(sessions[:3])); n != 0 {
						w.Fatalf("%d of the sessions that are over are not revoked", n)
					}
					if at, last := w.row(s.ID).RevokedAt, w.row(sessions[3].ID).RevokedAt; !at.Before(last) {
						w.Errorf("session %d, which is over, was revoked at %v; the first that goes on at %v", i, at, last)
					}
				}
			})
		})
	}
}

// A session that has reached its end goes before an older one that goes on.
func TestManager_LimitRevokesAnEndedSessionBeforeAnOlderOne(t *testing.T) {
	inTestWorld(t, session.Config{MaxSessions: 2, AbsoluteTimeout: 30 * time.Minute}, func(w *testWorld) {
		sessions := []session.Session{w.login(newBrowser(), session.Login{Remember: true})}
		time.Sleep(time.Minute)
		sessions = append(sessions, w.login(newBrowser(), session.Login{}))
		time.Sleep(30 * time.Minute)
		sessions = append(sessions, w.login(newBrowser(), session.Login{}))
		if got := w.live(sessions); !slices.Equal(got, []int{0, 2}) {
			w.Errorf("sessions %v are not revoked; want the first and the last", got)
		}
	})
}

// What a login reads does not depend on how many sessions the user has.
func TestManager_LoginReadsABoundedNumberOfRows(t *testing.T) {
	for _, c := range []struct {
		max     int
		program bool
		want    int
	}{
		{3, false, 3 + 1 + 20},
		{0, false, 20 + 1 + 20},
		{3, true, 20 + 1 + 20},
		{-1, true, 20 + 1 + 20},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			for i := range 100 { // in the store: a Manager would end them
				n := store.NewSession{ID: store.ID{byte(i + 1)}, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour, NonInteractive: c.program}
				if err := w.users.Create(w.Context(), n); err != nil {
					w.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			read := -1
			node := newTestWorld(w.T, w.users, &alteredStore{Store: w.users, newest: func(list []store.Record) []store.Record {
				read = len(list)
				return list
			}}, session.Config{MaxSessions: c.max})
			node.login(newBrowser(), session.Login{NonInteractive: c.program})
			if read != c.want || node.store.Calls("List") != 0 {
				w.Errorf("MaxSessions %d, a program %t: read %d rows; want %d", c.max, c.program, read, c.want)
			}
		})
	}
}
