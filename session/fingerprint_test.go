package session_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// byAgent takes the whole user agent for what a client looks like.
func byAgent(require bool) session.Config {
	return session.Config{Fingerprint: (*http.Request).UserAgent, RequireFingerprint: require}
}

// from is a page load of the browser with another user agent.
func from(agent string, b *sessiontest.Browser) *http.Request {
	r := page(b)
	r.Header.Set("User-Agent", agent)
	r.RemoteAddr = "192.0.2.7:1234"
	return r
}

// loginFrom logs user "1" in with the user agent.
func (w *testWorld) loginFrom(agent string, b *sessiontest.Browser) session.Session {
	w.Helper()
	v, err := w.Issue(from(agent, b), session.Login{UserID: "1", Epoch: 1})
	if err != nil {
		w.Fatal(err)
	}
	b.Receive(v.Cookies)
	return v.Session()
}

// A refresh by a client with another fingerprint is reported, with what the app needs to tell
// the user, and served.
func TestFingerprint_OtherClientIsReported(t *testing.T) {
	inTestWorld(t, byAgent(false), func(w *testWorld) {
		b := newBrowser()
		s := w.loginFrom("Firefox", b)
		for i, c := range []struct {
			agent string
			want  int
		}{{"Firefox", 0}, {"Chrome", 1}, {"", 2}, {"Firefox", 2}} {
			w.expireAccess()
			v, err := w.Authenticate(from(c.agent, b))
			if err != nil {
				w.Fatalf("%q: %v", c.agent, err)
			}
			b.Receive(v.Cookies)
			if n := w.count(session.EventSuspicious); n != c.want {
				w.Errorf("after visit %d, from %q: %d events; want %d", i, c.agent, n, c.want)
			}
			if _, err := w.Authenticate(from("Opera", b)); err != nil || w.count(session.EventSuspicious) != c.want {
				w.Errorf("an access cookie is judged by the fingerprint: %v", err)
			}
		}
		e := w.eventsOf(session.EventSuspicious)[0]
		if e.SessionID != s.ID || e.UserID != "1" || e.IP != "192.0.2.7" || e.UserAgent != "Chrome" || e.LoginUserAgent != "Firefox" || e.Err == nil {
			w.Errorf("the event is %+v", e)
		}
	})
}

// With RequireFingerprint such a refresh is refused. It writes nothing, sets no cookie, and
// the client of the login goes on, in the same second.
func TestFingerprint_OtherClientIsRefusedIfTheAppSaysSo(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		s := w.loginFrom("Firefox", b)
		for range 4 {
			w.expireAccess()
			thief := b.Clone()
			for range 2 {
				row := *w.row(s.ID)
				n := w.calls(func() {
					if v, err := w.Authenticate(from("Chrome", thief)); !isUnauthenticated(err) || len(v.Cookies) != 0 {
						w.Errorf("got %v, %v, and %d cookies; want ErrUnauthenticated", v, err, len(v.Cookies))
					}
				}, "Confirm", "RecordLate", "RevokeReused", "Revoke")
				if after := w.row(s.ID); n != 0 || after.Generation != row.Generation || !after.RevokedAt.IsZero() {
					w.Errorf("the refusal has written: %d calls", n)
				}
				v, err := w.Authenticate(from("Firefox", b))
				if err != nil || v.Session().ID != s.ID {
					w.Fatalf("the client of the login: %v, %v", v, err)
				}
				b.Receive(v.Cookies)
			}
		}
		if n := w.count(session.EventSuspicious); n == 0 {
			w.Error("no event")
		}
	})
}

// A thief may ask as often as they like: it costs one statement a second.
func TestFingerprint_RefusalsShareOneStatement(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		w.loginFrom("Firefox", b)
		w.expireAccess()
		n := w.calls(func() {
			for i := range 20 {
				if _, err := w.Authenticate(from([]string{"Chrome", "Opera"}[i%2], b)); !isUnauthenticated(err) {
					w.Error(err)
				}
			}
		})
		if n != 1 {
			w.Errorf("20 refusals cost %d calls; want 1", n)
		}
		if _, err := w.Authenticate(from("Firefox", b)); err != nil {
			w.Errorf("the client of the login, in the same second: %v", err)
		}
		if _, err := w.Authenticate(from("Chrome", b)); !isUnauthenticated(err) {
			w.Errorf("the other client after it: %v", err)
		}
	})
}

// The login of the thief, in a browser with the copied cookies, ends no session of the
// victim. A login of the victim does.
func TestFingerprint_LoginEndsOnlySessionsOfTheSameClient(t *testing.T) {
	for agent, want := range map[string]bool{"Chrome": true, "Firefox": false} {
		t.Run(agent, func(t *testing.T) {
			inTestWorld(t, byAgent(true), func(w *testWorld) {
				b := newBrowser()
				s := w.loginFrom("Firefox", b)
				thief := b.Clone()
				w.loginFrom(agent, thief)
				if goesOn := w.row(s.ID).RevokedAt.IsZero(); goesOn != want {
					w.Errorf("the victim's session goes on: %v; want %v", goesOn, want)
				}
			})
		})
	}
}

func TestFingerprint_LoginNeedsTheRowsOfTheSessionsThatItEnds(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		s := w.loginFrom("Firefox", b)
		var began atomic.Bool
		w.store.Before(func(_ context.Context, method string) error {
			if method == "Create" {
				began.Store(true)
			}
			if method == "Find" && !began.Load() {
				return errStoreDown
			}
			return nil
		})
		if v, err := w.Issue(from("Chrome", b), session.Login{UserID: "1", Epoch: 1}); !isUnavailable(err) {
			w.Errorf("got %v, %v; want ErrStoreUnavailable", v, err)
		}
		w.repairStore()
		if !w.row(s.ID).RevokedAt.IsZero() || w.count(session.EventIssued) != 1 {
			w.Error("a session has begun or ended")
		}
	})
}

// A superseded cookie is a theft, whatever its client looks like.
func TestFingerprint_ReuseByAnotherClientEndsTheSession(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		w.loginFrom("Firefox", b)
		thief := b.Clone()
		for range 2 {
			w.expireAccess()
			v, err := w.Authenticate(from("Firefox", b))
			if err != nil {
				w.Fatal(err)
			}
			b.Receive(v.Cookies)
		}
		w.expireAccess()
		if _, err := w.Authenticate(from("Chrome", thief)); !isUnauthenticated(err) {
			w.Error(err)
		}
		if w.count(session.EventReuse) != 1 {
			w.Error("no event of a theft")
		}
	})
}

// RequireLive, Update and StepUp ask the store, so they see what the client looks like.
func TestFingerprint_IsRequiredWhereverTheStoreIsAsked(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		b := newBrowser()
		w.loginFrom("Firefox", b)
		time.Sleep(time.Second)
		for _, c := range []struct {
			agent string
			want  func(error) bool
		}{{"Chrome", isUnauthenticated}, {"Firefox", func(err error) bool { return err == nil }}} {
			r := from(c.agent, b)
			v, err := w.Authenticate(r)
			if err != nil {
				w.Fatal(err)
			}
			if _, err := w.RequireLive(r, v); !c.want(err) {
				w.Errorf("%s: RequireLive: %v", c.agent, err)
			}
			if v, err := w.Update(r, nil); !c.want(err) {
				w.Errorf("%s: Update: %v", c.agent, err)
			} else {
				b.Receive(v.Cookies)
			}
			if _, err := w.StepUp(from(c.agent, b), "otp"); !c.want(err) {
				w.Errorf("%s: StepUp: %v", c.agent, err)
			}
		}
	})
}

// A row from before the app took fingerprints, and a request of which the app cannot say
// anything at the login, have none. Nothing is compared.
func TestFingerprint_SessionWithoutOneIsNotCompared(t *testing.T) {
	inTestWorld(t, byAgent(true), func(w *testWorld) {
		before, unknown := newBrowser(), newBrowser()
		plain := w.node(session.Config{})
		plain.login(before, session.Login{})
		w.loginFrom("", unknown)
		w.expireAccess()
		for _, b := range []*sessiontest.Browser{before, unknown} {
			if _, err := w.Authenticate(from("Chrome", b)); err != nil {
				w.Error(err)
			}
		}
		if n := w.count(session.EventSuspicious); n != 0 {
			w.Errorf("%d events", n)
		}
	})
}

// Both clients ask at the same moment, and each gets its own answer.
func TestFingerprint_ClientsShareNoAnswerThatIsUnderWay(t *testing.T) {
	for _, first := range []string{"Firefox", "Chrome"} {
		t.Run(first+" comes first", func(t *testing.T) {
			inTestWorld(t, byAgent(true), func(w *testWorld) {
				b := newBrowser()
				w.loginFrom("Firefox", b)
				w.expireAccess()
				w.store.Delay(500*time.Millisecond, "Find")
				errs := map[string]error{}
				var mu sync.Mutex
				var both sync.WaitGroup
				for _, agent := range []string{"Firefox", "Chrome"} {
					both.Go(func() {
						if agent != first {
							time.Sleep(100 * time.Millisecond)
						}
						_, err := w.Authenticate(from(agent, b))
						mu.Lock()
						defer mu.Unlock()
						errs[agent] = err
					})
				}
				both.Wait()
				if errs["Firefox"] != nil || !isUnauthenticated(errs["Chrome"]) {
					w.Errorf("the errors are %v", errs)
				}
			})
		})
	}
}
