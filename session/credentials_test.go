package session_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// bare is a request with an Authorization header and no cookies.
func bare(authorization string) *http.Request { return withCredential(newBrowser(), authorization) }

func withCredential(b *sessiontest.Browser, authorization string) *http.Request {
	r := page(b)
	r.Header.Set("Authorization", authorization)
	return r
}

// program is the login of a program as user "1".
var program = session.Login{UserID: "1", NonInteractive: true}

const credential = "Basic YWRhOnJpZ2h0"

// issue logs in, and returns the session and whether the answer has cookies.
func (w *testWorld) issue(r *http.Request, login session.Login) (id string, cookies bool) {
	w.Helper()
	v, err := w.Issue(r, login)
	if err != nil {
		w.Fatalf("Issue: %v", err)
	}
	if s := v.Session(); s.UserID != login.UserID {
		w.Fatalf("the session belongs to %q; want %q", s.UserID, login.UserID)
	}
	return v.Session().ID, len(v.Cookies) > 0
}

// A program that keeps no cookies begins one session, not one with each request.
func TestManager_SameCredentialIsAnsweredByOneSession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		first, cookies := w.issue(bare(credential), program)
		if !cookies {
			w.Error("the answer that begins the session has no cookies")
		}
		for i := range 49 {
			time.Sleep(time.Second)
			if id, cookies := w.issue(bare(credential), program); id != first || cookies {
				w.Fatalf("request %d: session %s, cookies %t; want %s and none", i+2, id, cookies, first)
			}
		}
		if n := w.store.Calls("Create"); n != 1 {
			w.Errorf("50 requests made %d rows; want 1", n)
		}
		if n := w.store.Calls(); n != 3 {
			w.Errorf("50 requests made %d calls of the store; want those of the first, 3", n)
		}
		if n := w.count(session.EventIssued); n != 1 {
			w.Errorf("%d events of a login; want 1", n)
		}
	})
}

func TestManager_OnlyTheSameCredentialAndLoginShareASession(t *testing.T) {
	for _, c := range []struct {
		name          string
		authorization string
		login         session.Login
		shared        bool
	}{
		{"the same", credential, program, true},
		{"another password", "Basic YWRhOm90aGVy", program, false},
		{"no credential", "", program, false},
		{"another user", credential, session.Login{UserID: "2", NonInteractive: true}, false},
		{"another epoch", credential, session.Login{UserID: "1", Epoch: 1, NonInteractive: true}, false},
		{"Remember", credential, session.Login{UserID: "1", Remember: true, NonInteractive: true}, false},
		{"another address", credential, session.Login{UserID: "1", IP: "192.0.2.9", NonInteractive: true}, false},
		{"a login in a browser", credential, session.Login{UserID: "1"}, false},
	} {
		inTestWorld(t, session.Config{}, func(w *testWorld) {
			first, _ := w.issue(bare(credential), program)
			for range 2 {
				id, cookies := w.issue(bare(c.authorization), c.login)
				if (id == first) != c.shared {
					w.Errorf("%s: shares the session: %t; want %t", c.name, id == first, c.shared)
				}
				if cookies == c.shared {
					w.Errorf("%s: cookies: %t; want %t", c.name, cookies, !c.shared)
				}
				if !c.shared {
					break
				}
			}
		})
	}
}

// A node remembers only what it has begun itself.
func TestManager_AnotherNodeBeginsASessionOfItsOwn(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		here, _ := w.issue(bare(credential), program)
		if there, cookies := w.node(session.Config{}).issue(bare(credential), program); there == here || !cookies {
			w.Errorf("another node: the same session: %t, cookies: %t; want a new one with cookies", there == here, cookies)
		}
	})
}

// A program that sends cookies keeps them. It begins a session of its own, which
// replaces the one that its cookies name.
func TestManager_ProgramThatSendsCookiesBeginsASession(t *testing.T) {
	for name, arrange := range map[string]func(w *testWorld, b *sessiontest.Browser){
		"good cookies":               func(*testWorld, *sessiontest.Browser) {},
		"an expired access cookie":   func(w *testWorld, b *sessiontest.Browser) { b.ExpireAccess() },
		"an undecodable cookie":      func(w *testWorld, b *sessiontest.Browser) { *b = *newBrowser(); give(b, accessCookie, "x") },
		"an emptied cookie":          func(w *testWorld, b *sessiontest.Browser) { *b = *newBrowser(); give(b, accessCookie, "") },
		"cookies of another session": func(w *testWorld, b *sessiontest.Browser) { w.login(b, session.Login{UserID: "2"}) },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				b := newBrowser()
				v, err := w.Issue(withCredential(b, credential), program)
				if err != nil {
					w.Fatal(err)
				}
				b.Receive(v.Cookies)
				arrange(w, b)
				if id, cookies := w.issue(withCredential(b, credential), program); id == v.Session().ID || !cookies {
					w.Errorf("the same session: %t, cookies: %t; want a new one with cookies", id == v.Session().ID, cookies)
				}
			})
		})
	}
}

// A session that a node remembers for a credential ends as it does for its cookies.
func TestManager_EndOfASessionEndsItsCredentialsReuse(t *testing.T) {
	for name, end := range map[string]func(w *testWorld, id string) error{
		"Revoke":       func(w *testWorld, id string) error { return w.Revoke(w.Context(), "1", id) },
		"RevokeUser":   func(w *testWorld, _ string) error { return w.RevokeUser(w.Context(), "1") },
		"RevokeAll":    func(w *testWorld, _ string) error { return w.RevokeAll(w.Context()) },
		"ForceRefresh": func(w *testWorld, _ string) error { return w.ForceRefresh(w.Context(), "1") },
		"Revoke on another node": func(w *testWorld, id string) error {
			stop := w.run()
			defer stop()
			err := w.node(session.Config{}).Revoke(w.Context(), "1", id)
			time.Sleep(2 * time.Second)
			return err
		},
		"the limit": func(w *testWorld, _ string) error {
			for range 20 {
				time.Sleep(time.Second)
				w.issue(bare(""), program)
			}
			return nil
		},
		"time": func(w *testWorld, _ string) error { w.expireAccess(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, session.Config{}, func(w *testWorld) {
				first, _ := w.issue(bare(credential), program)
				if err := end(w, first); err != nil {
					w.Fatal(err)
				}
				second, cookies := w.issue(bare(credential), program)
				if second == first || !cookies {
					w.Errorf("the same session: %t, cookies: %t; want a new one with cookies", second == first, cookies)
				}
				if third, cookies := w.issue(bare(credential), program); third != second || cookies {
					w.Errorf("afterwards the same session: %t, cookies: %t; want the same without", third == second, cookies)
				}
			})
		})
	}
}

// A remembered session never lets a user in whom the store would refuse, once its
// sessions are revoked.
func TestManager_BannedUserIsNotLetInByACredentialsReuse(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.issue(bare(credential), program)
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		for range 2 {
			if v, err := w.Issue(bare(credential), program); !errors.Is(err, session.ErrUserDisabled) || v.Session().ID != "" {
				w.Errorf("got %v, %v; want ErrUserDisabled", v, err)
			}
		}
	})
}

// A session is remembered until shortly before its access cookie would expire.
func TestManager_CredentialsReuseLastsAsLongAsTheAccessCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		v, err := w.Issue(bare(credential), program)
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Until(v.Session().ExpiresAt) - time.Millisecond)
		if id, _ := w.issue(bare(credential), program); id != v.Session().ID {
			w.Error("a new session a millisecond before the end")
		}
		time.Sleep(time.Millisecond)
		if id, _ := w.issue(bare(credential), program); id == v.Session().ID {
			w.Error("the same session at the end")
		}
	})
}

func TestManager_ParallelRequestsWithOneCredentialShareASession(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.store.Delay(100 * time.Millisecond)
		var mu sync.Mutex // guards what follows
		ids, withCookies := map[string]int{}, 0
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				v, err := w.Issue(bare(credential), program)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					w.Errorf("Issue: %v", err)
				}
				ids[v.Session().ID]++
				if len(v.Cookies) > 0 {
					withCookies++
				}
			})
		}
		all.Wait()
		if len(ids) != 1 || withCookies != 1 || w.store.Calls("Create") != 1 {
			w.Errorf("50 requests: %d sessions, %d answers with cookies, %d rows; want one of each", len(ids), withCookies, w.store.Calls("Create"))
		}
	})
}

// A request that has waited for a session which has ended meanwhile begins its own.
func TestManager_RequestDoesNotShareASessionThatHasEndedMeanwhile(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.store.Delay(time.Second, "Newest") // the row exists by then
		var both sync.WaitGroup
		issue := func(v *session.Verdict) {
			var err error
			if *v, err = w.Issue(bare(credential), program); err != nil {
				w.Errorf("Issue: %v", err)
			}
		}
		var one, two session.Verdict
		both.Go(func() { issue(&one) })
		time.Sleep(100 * time.Millisecond)
		both.Go(func() { issue(&two) })
		time.Sleep(100 * time.Millisecond)
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			w.Fatal(err)
		}
		both.Wait()
		first, second := one.Session().ID, two.Session().ID
		if first == second || w.row(second) == nil || w.row(second).Reason != "" {
			w.Errorf("the second request shares the session: %t; want a session of its own", first == second)
		}
	})
}

// Errors are not remembered.
func TestManager_FailedLoginOfAProgramIsNotRemembered(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		w.store.Fail(errStoreDown)
		if _, err := w.Issue(bare(credential), program); !errors.Is(err, session.ErrStoreUnavailable) {
			w.Errorf("the store is down: %v; want ErrStoreUnavailable", err)
		}
		w.repairStore()
		id, cookies := w.issue(bare(credential), program)
		if !cookies {
			w.Error("the answer that begins the session has no cookies")
		}
		w.store.Before(func(context.Context, string) error { return errStoreDown })
		if again, _ := w.issue(bare(credential), program); again != id {
			w.Errorf("while the store is down: session %s; want %s", again, id)
		}
	})
}
