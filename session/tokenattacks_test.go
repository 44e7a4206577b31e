package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// A device outlives what has approved it. So neither an access token nor a copied access cookie
// can approve one.
func TestTokens_ApprovalNeedsTheRefreshCookie(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d, p := w.beginDevice(), w.logProgramIn("acme-cli")
		login := session.Login{UserID: "1", Epoch: 1}
		v, err := w.Authenticate(p.request())
		if err != nil {
			t.Fatal(err)
		}
		byToken := p.request().WithContext(withVerdict(w.Context(), v))
		if err := w.Tokens().ApproveDevice(byToken, d.codes.UserCode, login); !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("by a token: %v; want ErrUserDisabled", err)
		}
		copied := without(d.user, refreshCookies...)
		if err := w.Tokens().ApproveDevice(page(copied), d.codes.UserCode, login); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("by a copied access cookie: %v; want ErrUnauthenticated", err)
		}
		other := w.node(withTokens) // which has not heard of the revocation
		if err := w.RevokeUser(w.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		if err := other.Tokens().ApproveDevice(page(d.user), d.codes.UserCode, login); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("by a session that is over: %v; want ErrUnauthenticated", err)
		}
		d.want("after all of these", session.ErrPending)
	})
}

// A logout is confirmed only if it has happened.
func TestManager_LogoutByATokenIsNeverConfirmedInVain(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		b, p := newBrowser(), w.logProgramIn("acme-cli")
		w.login(b, session.Login{})
		both := page(b)
		both.Header.Set("Authorization", "Bearer "+p.grant.AccessToken)
		if v, err := w.Logout(both); !errors.Is(err, session.ErrAmbiguous) || len(v.Cookies) > 0 {
			t.Errorf("with cookies and a token: %d cookies, %v; want none, ErrAmbiguous", len(v.Cookies), err)
		}
		if _, err := w.Logout(withToken("skat_x")); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("with a forged token: %v; want ErrUnauthenticated", err)
		}
		w.in(b)
		for name, end := range map[string]func(p *tokenClient) error{
			"Logout": func(p *tokenClient) error { _, err := w.Logout(p.request()); return err },
			"Revoke": func(p *tokenClient) error { return w.Tokens().Revoke(page(newBrowser()), p.name, p.grant.AccessToken) },
		} {
			p := w.logProgramIn("acme-cli")
			time.Sleep(10 * tokenTTL)
			if err := end(p); err != nil {
				t.Errorf("%s with an expired token: %v", name, err)
			}
			if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("after %s: %v; want ErrUnauthenticated", name, err)
			}
		}
	})
}

func TestTokens_ParallelGuessesAreLimited(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		calls := w.calls(func() {
			var all sync.WaitGroup
			for n := range 100 {
				all.Go(func() {
					code := fmt.Sprintf("BCDF%c%c%c%c", "GHJKLMNPQR"[n%10], "GHJKLMNPQR"[n/10], 'Q', 'Z')
					if _, err := w.Tokens().FindDevice(page(d.user), code); err == nil {
						t.Error("a guess is right")
					}
				})
			}
			all.Wait()
		})
		if calls > 10 {
			t.Errorf("100 parallel guesses: %d were looked up; want at most 10", calls)
		}
		time.Sleep(time.Minute)
		for range 30 { // what is right does not count
			if _, err := w.Tokens().FindDevice(page(d.user), d.codes.UserCode); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// With the keys somebody can seal any ticket. A cookie that says it is a token's is none.
func TestManager_CookieHasNoClient(t *testing.T) {
	for name, cfg := range map[string]session.Config{"with tokens": withTokens, "without": {}} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, cfg, func(w *testWorld) {
				b := newBrowser()
				s := w.login(b, session.Login{})
				id, err := store.ParseID(s.ID)
				if err != nil {
					t.Fatal(err)
				}
				for client, good := range map[string]bool{"": true, "acme-cli": false} {
					s.Client = client
					r := page(newBrowser())
					r.Header.Set("Cookie", accessCookie+"="+seal(t, codecFor(t, testWorldKey, "access"), accessCookie, session.AccessPayload(id, s)))
					if _, err := w.Authenticate(r); (err == nil) != good {
						t.Errorf("client %q: %v; want a session: %v", client, err, good)
					}
				}
			})
		})
	}
}

// One customer's IPv6 networks are counted together, and a refused login costs no statement.
func TestTokens_DeviceLoginsOfACustomerAreLimited(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		begin := func(ip string) error {
			r := fromDevice()
			r.RemoteAddr = ip
			_, err := w.Tokens().BeginDevice(r, "tv")
			return err
		}
		for n := range 250 {
			if err := begin(fmt.Sprintf("[2001:db8:1:%x::1]:1", n)); err != nil {
				t.Fatalf("login %d: %v", n, err)
			}
		}
		if calls := w.calls(func() {
			if err := begin("[2001:db8:1:ffff::1]:1"); !errors.Is(err, session.ErrSlowDown) {
				t.Errorf("another network of the customer: %v; want ErrSlowDown", err)
			}
		}); calls != 0 {
			t.Errorf("a refusal makes %d calls of the store; want none", calls)
		}
		if err := begin("[2001:db8:2::1]:1"); err != nil {
			t.Errorf("another customer: %v", err)
		}
	})
}

// A node's wrong clock costs statements, and refuses no token that is good.
func TestManager_WrongClockRefusesNoToken(t *testing.T) {
	for _, ahead := range []time.Duration{time.Minute, -11 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			inTestWorld(t, withTokens, func(w *testWorld) {
				w.store.SetClock(ahead)
				p := w.logProgramIn("acme-cli")
				for range 5 {
					time.Sleep(time.Minute)
					if calls := w.calls(func() { w.inByToken(p.request()) }); calls > 1 {
						t.Errorf("%d calls of the store; want at most 1", calls)
					}
				}
				time.Sleep(5 * time.Minute)
				if calls := w.calls(func() { w.outByToken("an expired token", p.request()) }); calls != 0 {
					t.Errorf("an expired token: %d calls of the store; want none", calls)
				}
			})
		})
	}
}

// Many clients refresh by their clock alone: a change of the user's rights does not put them out.
func TestManager_ForceRefreshRefusesNoToken(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{"admin"}})
		if err := w.ForceRefresh(w.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		for n, want := range []int{1, 0, 0} {
			calls := w.calls(func() {
				if s := w.inByToken(p.request()); !s.HasRole("admin") || !s.ExpiresAt.Equal(p.grant.Session.ExpiresAt) {
					t.Errorf("the session is %+v; want the roles of the row, and the end of the token", s)
				}
			})
			if calls != want {
				t.Errorf("request %d: %d calls of the store; want %d", n, calls, want)
			}
		}
		w.users.SetUser("1", store.User{Epoch: 1, Disabled: true})
		if err := w.ForceRefresh(w.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		calls := w.calls(func() {
			for range 100 {
				w.outByToken("a banned user", p.request())
			}
		})
		if calls != 1 {
			t.Errorf("100 requests of a banned user: %d calls of the store; want 1", calls)
		}
	})
}

// What an approval that fails half-way leaves behind is counted, or ends.
func TestTokens_ApprovalThatFailsLeavesNothing(t *testing.T) {
	cfg := withTokens
	cfg.MaxSessions = 1
	inTestWorld(t, cfg, func(w *testWorld) {
		d := w.beginDevice()
		time.Sleep(time.Second) // the browser's session is the older one
		lost := false
		w.store.After(func(_ context.Context, method string) error {
			if method == "DecideDeviceLogin" && !lost {
				lost = true
				return errStoreDown
			}
			return nil
		})
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
		if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 || w.count(session.EventIssued) != 2 {
			t.Errorf("%d devices, %d logins, %v; want 1 and 2", len(list), w.count(session.EventIssued), err)
		}
	})
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		w.store.Fail(errStoreDown, "DecideDeviceLogin")
		if err := d.approve(); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Fatal(err)
		}
		w.repairStore()
		w.in(d.user)
		if err := w.Tokens().DenyDevice(page(d.user), d.codes.UserCode); err != nil {
			t.Fatal(err)
		}
		if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 {
			t.Errorf("%d devices, %v; want the browser alone", len(list), err)
		}
	})
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		time.Sleep(10*time.Minute - time.Millisecond)
		w.store.Before(func(_ context.Context, method string) error {
			if method == "DecideDeviceLogin" {
				time.Sleep(2 * time.Millisecond)
			}
			return nil
		})
		err := d.approve()
		if list, _ := w.List(w.Context(), "1", ""); !errors.Is(err, session.ErrNotFound) || len(list) != 1 {
			t.Errorf("a code that expires meanwhile: %v, %d devices; want ErrNotFound, and the browser alone", err, len(list))
		}
	})
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		w.users.SetUser("1", store.User{Epoch: 1, Attrs: map[string]string{"name": strings.Repeat("x", 2500)}})
		err := d.approve()
		if list, _ := w.List(w.Context(), "1", ""); !errors.Is(err, session.ErrTooLarge) || len(list) != 1 {
			t.Errorf("a user who fits into no token: %v, %d devices; want ErrTooLarge, and the browser alone", err, len(list))
		}
	})
}

// A token of a session that ended long ago costs no statement.
func TestTokens_LongPastTokenCostsNothing(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		time.Sleep(92 * 24 * time.Hour)
		w.login(newBrowser(), session.Login{}) // the node has seen the store's clock
		if calls := w.calls(func() {
			_, loggedOut := w.Logout(p.request())
			if err := errors.Join(loggedOut, w.Tokens().Revoke(page(newBrowser()), p.name, p.grant.AccessToken), w.Tokens().Revoke(page(newBrowser()), p.name, p.grant.RefreshToken)); err != nil {
				t.Error(err)
			}
		}); calls != 0 {
			t.Errorf("%d calls of the store; want none", calls)
		}
	})
}

// A store that does not answer uses up no tries, and is told to the device.
func TestTokens_OutageOfADeviceLoginIsNoAnswer(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		for _, method := range []string{"RecordPoll", "FindUserCode"} {
			w.store.Fail(errStoreDown, method)
			if _, err := d.poll(); method == "RecordPoll" && (!errors.Is(err, session.ErrStoreUnavailable) || errors.Is(err, session.ErrPending)) {
				t.Errorf("%v; want ErrStoreUnavailable alone", err)
			}
			for range 11 {
				if _, err := w.Tokens().FindDevice(page(d.user), d.codes.UserCode); errors.Is(err, session.ErrSlowDown) {
					t.Fatalf("with %s down: %v", method, err)
				}
			}
			w.repairStore()
		}
	})
}

// A database node that lags is no refusal.
func TestTokens_LaggingNodeEndsNoDeviceLogin(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
		lags := &laggingStore{Store: w.users}
		other, err := session.New(testWorldKeys(t, testWorldKey), lags, withTokens)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := other.Tokens().PollDevice(fromDevice(), "tv", d.codes.DeviceCode); !errors.Is(err, session.ErrStoreUnavailable) {
			t.Errorf("%v; want ErrStoreUnavailable", err)
		}
	})
}

// laggingStore has the logins of devices, and no sessions yet.
type laggingStore struct{ store.Store }

func (s *laggingStore) Unwrap() store.Store { return s.Store }

func (s *laggingStore) Find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	snap, err := s.Store.Find(ctx, id)
	snap.Record = nil
	return snap, err
}

func TestTokens_IntrospectionHasTheTimesOfTheToken(t *testing.T) {
	cfg := withTokens
	cfg.TokenAbsoluteTimeout = 40 * 24 * time.Hour
	inTestWorld(t, cfg, func(w *testWorld) {
		p := w.logProgramIn("acme-cli")
		time.Sleep(5 * time.Minute)
		s, err := w.Tokens().Introspect(page(newBrowser()), p.grant.AccessToken)
		if err != nil || !s.IssuedAt.Equal(p.grant.Session.IssuedAt) || !s.ExpiresAt.Equal(p.grant.Session.ExpiresAt) {
			t.Errorf("%v to %v, %v; want %v to %v", s.IssuedAt, s.ExpiresAt, err, p.grant.Session.IssuedAt, p.grant.Session.ExpiresAt)
		}
		time.Sleep(20 * 24 * time.Hour)
		p.mustRefresh()
		if s, err = w.Tokens().Introspect(page(newBrowser()), p.grant.RefreshToken); err != nil || !s.ExpiresAt.Equal(s.EndsAt) {
			t.Errorf("a refresh token ends at %v, its session at %v, %v", s.ExpiresAt, s.EndsAt, err)
		}
	})
}

// A token that is made on a page proves no new login.
func TestTokens_TokenOfABrowserIsNoNewLogin(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		time.Sleep(90 * time.Second)
		for user, want := range map[string]bool{"1": false, "2": true} { // user "2" has just proved who they are
			login := session.Login{UserID: user, Client: "acme-cli"}
			if !want {
				login.AuthTime = s.AuthTime
			}
			g, err := w.Tokens().Issue(page(b), login)
			if err != nil || g.Session.LoggedInWithin(time.Minute) != want {
				t.Errorf("user %s: a recent login: %v, %v; want %v", user, g.Session.LoggedInWithin(time.Minute), err, want)
			}
		}
	})
}
