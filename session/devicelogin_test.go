package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// device is a device that logs in, and the browser of the user who approves it.
type device struct {
	w     *testWorld
	codes session.DeviceCodes
	user  *sessiontest.Browser
}

// beginDevice begins the login of a device of the client "tv". User "1" is logged in.
func (w *testWorld) beginDevice() *device {
	w.Helper()
	codes, err := w.Tokens().BeginDevice(fromDevice(), "tv")
	if err != nil {
		w.Fatal(err)
	}
	d := &device{w, codes, newBrowser()}
	w.login(d.user, session.Login{})
	return d
}

func fromDevice() *http.Request {
	r := page(newBrowser())
	r.RemoteAddr = "192.0.2.1:1"
	r.Header.Set("User-Agent", "tv/1")
	return r
}

func (d *device) poll() (session.Grant, error) {
	return d.w.Tokens().PollDevice(fromDevice(), "tv", d.codes.DeviceCode)
}

// want polls after the interval.
func (d *device) want(what string, want error) {
	d.w.Helper()
	time.Sleep(d.codes.Interval)
	if _, err := d.poll(); !errors.Is(err, want) {
		d.w.Errorf("%s: %v; want %v", what, err, want)
	}
}

// approve loads the page on which the user approves, and sends its form.
func (d *device) approve() error {
	d.w.in(d.user)
	return d.w.Tokens().ApproveDevice(page(d.user), d.codes.UserCode, session.Login{UserID: "1", Epoch: 1, Methods: []string{"pwd"}})
}

func TestTokens_DeviceGetsTokensOnceTheUserApproves(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		for range 3 {
			d.want("before", session.ErrPending)
		}
		found, err := w.Tokens().FindDevice(page(d.user), strings.ToLower(strings.ReplaceAll(d.codes.UserCode, "-", " ")))
		if err != nil || found.Client != "tv" || found.IP != "192.0.2.1" || found.UserAgent != "tv/1" || found.ExpiresAt.Sub(found.CreatedAt) != 10*time.Minute {
			t.Errorf("FindDevice: %+v, %v", found, err)
		}
		time.Sleep(time.Minute)
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
		g, err := d.poll()
		if err != nil {
			t.Fatal(err)
		}
		s := w.inByToken(withToken(g.AccessToken))
		if s.UserID != "1" || s.Client != "tv" || !s.HasMethod("pwd") || !s.HasRole("staff") {
			t.Errorf("the session is %+v", s)
		}
		// The user has proved who they are when they logged in, not when they said yes.
		if s.LoggedInWithin(time.Minute) {
			t.Errorf("AuthTime is %v, and it is %v", s.AuthTime, time.Now())
		}
		list, err := w.List(w.Context(), "1", "")
		if err != nil || len(list) != 2 || list[0].Client != "tv" || list[0].UserAgent != "tv/1" || list[0].IP != "192.0.2.1" {
			t.Errorf("the devices are %+v, %v", list, err)
		}
		// From here on it is a client like any other, and its code is worth nothing more.
		p := &tokenClient{w, "tv", g, w.Tokens()}
		for range 3 {
			w.expireTokens()
			p.mustRefresh()
		}
		if _, err := d.poll(); !errors.Is(err, session.ErrExpired) {
			t.Errorf("the code afterwards: %v; want ErrExpired", err)
		}
		p.mustRefresh()
	})
}

// The answer with the first tokens may be lost: the device asks again, and gets tokens that are
// as good. A copy of the code that comes after its refresh is a theft.
func TestTokens_DeviceMayLoseItsFirstAnswers(t *testing.T) {
	cfg := session.Config{TokenTTL: time.Minute}
	inTestWorld(t, cfg, func(w *testWorld) {
		d := w.beginDevice()
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
		p := &tokenClient{w: w, name: "tv", tokens: w.Tokens()}
		for range 3 {
			time.Sleep(5 * time.Second)
			var err error
			if p.grant, err = d.poll(); err != nil || p.grant.RefreshToken == "" {
				t.Fatalf("a refresh token: %v, %v", p.grant.RefreshToken != "", err)
			}
		}
		for range 2 {
			time.Sleep(time.Minute)
			p.mustRefresh()
		}
		if g, err := d.poll(); err != nil || g.RefreshToken != "" {
			t.Errorf("a question on its way meanwhile: a refresh token: %v, %v; want none", g.RefreshToken != "", err)
		}
		time.Sleep(time.Minute/12 + time.Millisecond)
		if _, err := d.poll(); !errors.Is(err, session.ErrReused) {
			t.Errorf("a copy of the code: %v; want ErrReused", err)
		}
		if err := p.refresh(); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("the device after that: %v; want ErrUnauthenticated", err)
		}
	})
}

func TestTokens_DeviceIsToldOfRefusalAndEnd(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		if err := w.Tokens().DenyDevice(page(d.user), d.codes.UserCode); err != nil {
			t.Fatal(err)
		}
		d.want("refused", session.ErrDenied)
		if _, err := d.poll(); !errors.Is(err, session.ErrDenied) { // some clients send each question twice, and believe the second answer
			t.Errorf("refused, asked again at once: %v; want ErrDenied", err)
		}
		if err := d.approve(); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("approved after that: %v; want ErrNotFound", err)
		}

		d = w.beginDevice()
		time.Sleep(10*time.Minute - 2*time.Second)
		if err := d.approve(); err != nil {
			t.Errorf("approved at the last moment: %v", err)
		}
		late := w.beginDevice()
		d.want("fetched a moment later", nil)

		time.Sleep(10 * time.Minute)
		late.want("after the end", session.ErrExpired)
		if err := late.approve(); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("approved after the end: %v; want ErrNotFound", err)
		}
	})
}

// A device that asks too often is told so, each time for 5 seconds more, and does not cost more
// and more statements (RFC 8628, section 3.5).
func TestTokens_ImpatientDeviceIsSlowedDown(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		d.want("the first question", session.ErrPending)
		time.Sleep(3 * time.Second)
		if _, err := d.poll(); !errors.Is(err, session.ErrSlowDown) {
			t.Errorf("after 3 seconds: %v; want ErrSlowDown", err)
		}
		d.want("after 5 seconds, when 10 are due", session.ErrSlowDown)
		time.Sleep(15 * time.Second)
		if _, err := d.poll(); !errors.Is(err, session.ErrPending) {
			t.Errorf("after 15 seconds: %v; want ErrPending", err)
		}
		// 5 seconds may become 4 on the way.
		other := w.beginDevice()
		other.want("the first question", session.ErrPending)
		time.Sleep(4 * time.Second)
		if _, err := other.poll(); !errors.Is(err, session.ErrPending) {
			t.Errorf("after 4 seconds: %v; want ErrPending", err)
		}

		reads, writes := 0, 0
		for range 1000 { // within 100 seconds
			time.Sleep(100 * time.Millisecond)
			reads += w.calls(func() {
				writes += w.calls(func() {
					if _, err := d.poll(); !errors.Is(err, session.ErrSlowDown) && !errors.Is(err, session.ErrPending) {
						t.Fatal(err)
					}
				}, "RecordPoll")
			}, "FindDeviceLogin")
		}
		if reads > 202 || writes > 15 {
			t.Errorf("1000 questions in 100 seconds cost %d reads and %d writes; want at most two reads a second, and 15 writes", reads, writes)
		}
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := d.poll(); err != nil {
			t.Errorf("approved: %v; want tokens at once", err)
		}
	})
}

// A code that the kit has not given out costs no statement.
func TestTokens_ForgedDeviceCodeCostsNoStatement(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		p := w.logProgramIn("tv")
		if calls := w.calls(func() {
			for name, code := range map[string]string{
				"nothing": "", "nonsense": "skdc_x", "without its beginning": strings.TrimPrefix(d.codes.DeviceCode, "skdc_"),
				"a refresh token": "skdc_" + strings.TrimPrefix(p.grant.RefreshToken, "skrt_"),
			} {
				if _, err := w.Tokens().PollDevice(fromDevice(), "tv", code); !errors.Is(err, session.ErrUnauthenticated) {
					t.Errorf("%s: %v; want ErrUnauthenticated", name, err)
				}
			}
			if _, err := w.Tokens().PollDevice(fromDevice(), "other", d.codes.DeviceCode); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("another client: %v; want ErrUnauthenticated", err)
			}
			if _, err := w.Tokens().Refresh(fromDevice(), "tv", "skrt_"+strings.TrimPrefix(d.codes.DeviceCode, "skdc_")); !errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("a device code as a refresh token: %v", err)
			}
		}); calls != 0 {
			t.Errorf("%d calls of the store; want none", calls)
		}
	})
}

func TestTokens_UserCodesCannotBeGuessed(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		asked := 0
		for n := range 40 {
			code := fmt.Sprintf("BCDF%c%c%c%c", "GHJK"[n%4], "LMNP"[n/4%4], 'Q', "RSTV"[n/16])
			calls := w.calls(func() {
				if _, err := w.Tokens().FindDevice(page(d.user), code); err == nil {
					t.Fatal("a guess is right, or no code is looked for")
				}
			})
			asked += calls
		}
		if asked != 10 {
			t.Errorf("40 wrong codes: %d were looked up; want 10", asked)
		}
		if err := d.approve(); !errors.Is(err, session.ErrSlowDown) {
			t.Errorf("the right one after that: %v; want ErrSlowDown", err)
		}
		time.Sleep(time.Minute)
		if err := d.approve(); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

func TestTokens_UserCodeIsReadAsItIsTyped(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		d := w.beginDevice()
		code := d.codes.UserCode
		if len(code) != 9 || code[4] != '-' || strings.Trim(code, "BCDFGHJKLMNPQRSTVWXZ-") != "" {
			t.Errorf("the code is %q", code)
		}
		if calls := w.calls(func() {
			for _, wrong := range []string{"", "-", code + "B", code[1:], strings.Replace(code, "-", "A", 1), strings.Repeat("-", 1000) + code, "ÄÖÜß"} {
				if _, err := w.Tokens().FindDevice(page(d.user), wrong); !errors.Is(err, session.ErrNotFound) {
					t.Errorf("%.20q: %v; want ErrNotFound", wrong, err)
				}
			}
		}); calls != 0 {
			t.Errorf("%d calls of the store for what is no code; want none", calls)
		}
		for _, right := range []string{code, strings.ToLower(code), " " + strings.ReplaceAll(code, "-", "") + " "} {
			if _, err := w.Tokens().FindDevice(page(d.user), right); err != nil {
				t.Errorf("%q: %v", right, err)
			}
		}
	})
}

// Only the user of the request's session approves, and for themselves.
func TestTokens_ApprovalNeedsTheUser(t *testing.T) {
	cfg := withTokens
	cfg.MayImpersonate = func(*http.Request, session.Session, string) error { return nil }
	inTestWorld(t, cfg, func(w *testWorld) {
		d := w.beginDevice()
		login := session.Login{UserID: "1"}
		if err := w.Tokens().ApproveDevice(page(newBrowser()), d.codes.UserCode, login); !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("without a session: %v; want ErrUnauthenticated", err)
		}
		if err := w.Tokens().ApproveDevice(page(d.user), d.codes.UserCode, session.Login{UserID: "2"}); err == nil {
			t.Error("for another user: no error")
		}
		if err := w.Tokens().ApproveDevice(page(d.user), d.codes.UserCode, session.Login{UserID: "1", Epoch: 7}); !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("with an old epoch: %v; want ErrUserDisabled", err)
		}
		actor := newBrowser()
		w.login(actor, session.Login{UserID: "2"})
		v, err := w.Issue(page(actor), session.Login{UserID: "1", Actor: "2"})
		if err != nil {
			t.Fatal(err)
		}
		actor.Receive(v.Cookies)
		if err := w.Tokens().ApproveDevice(page(actor), d.codes.UserCode, login); !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("in an impersonation: %v; want ErrUserDisabled", err)
		}
		if _, err := w.Tokens().Issue(page(actor), session.Login{UserID: "1", Client: "acme-cli"}); !errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("a token in an impersonation: %v; want ErrUserDisabled", err)
		}
		d.want("after all of these", session.ErrPending)
		if err := d.approve(); err != nil {
			t.Fatal(err)
		}
	})
}

// A store that loses an answer, or fails between two steps, leaves an approval that can be
// repeated, and never a device that is approved without a session.
func TestTokens_ApprovalMayBeRepeated(t *testing.T) {
	for _, method := range []string{"Create", "Find", "DecideDeviceLogin", "FindUserCode"} {
		for _, lost := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, the answer lost %v", method, lost), func(t *testing.T) {
				inTestWorld(t, withTokens, func(w *testWorld) {
					d := w.beginDevice()
					if lost {
						w.store.LoseAnswers(errStoreDown, method)
					} else {
						w.store.Fail(errStoreDown, method)
					}
					if err := d.approve(); !errors.Is(err, session.ErrStoreUnavailable) {
						t.Fatalf("%v; want ErrStoreUnavailable", err)
					}
					w.repairStore()
					// What was decided already is not found again: the device has its answer.
					if err := d.approve(); err != nil && !(errors.Is(err, session.ErrNotFound) && method == "DecideDeviceLogin" && lost) {
						t.Fatalf("again: %v", err)
					}
					d.want("afterwards", nil)
					if got := w.count(session.EventReuse); got != 0 {
						t.Errorf("%d thefts", got)
					}
				})
			})
		}
	}
}

// What another user, or a refusal, does between the two steps of an approval counts.
func TestTokens_ApprovalMayLoseARace(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		other  func(d *device, other *sessiontest.Browser) error
		device error
		user   string
	}{
		"another user approves": {"Create", func(d *device, other *sessiontest.Browser) error {
			return d.w.Tokens().ApproveDevice(page(other), d.codes.UserCode, session.Login{UserID: "2"})
		}, nil, "2"},
		"another user refuses": {"DecideDeviceLogin", func(d *device, other *sessiontest.Browser) error {
			return d.w.Tokens().DenyDevice(page(other), d.codes.UserCode)
		}, session.ErrDenied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inTestWorld(t, withTokens, func(w *testWorld) {
				d, other := w.beginDevice(), newBrowser()
				w.login(other, session.Login{UserID: "2"})
				raced := false
				w.store.Before(func(_ context.Context, method string) error {
					if method == c.method && !raced {
						raced = true
						return c.other(d, other)
					}
					return nil
				})
				if err := d.approve(); !errors.Is(err, session.ErrNotFound) || !raced {
					t.Errorf("%v, raced %v; want ErrNotFound", err, raced)
				}
				w.store.Before(nil)
				g, err := d.poll()
				if !errors.Is(err, c.device) || g.Session.UserID != c.user {
					t.Errorf("the device is told %v, and is user %q; want %v, %q", err, g.Session.UserID, c.device, c.user)
				}
				if list, err := w.List(w.Context(), "1", ""); err != nil || len(list) != 1 {
					t.Errorf("user 1 has the devices %+v, %v; want the browser alone", list, err)
				}
			})
		})
	}
}

// One network cannot fill the table, and does not keep others out.
func TestTokens_DeviceLoginsOfANetworkAreLimited(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		begin := func(ip string) error {
			r := fromDevice()
			r.RemoteAddr = ip
			_, err := w.Tokens().BeginDevice(r, "tv")
			return err
		}
		for n := range 50 {
			if err := begin(fmt.Sprintf("[2001:db8:0:1::%x]:1", n)); err != nil {
				t.Fatalf("login %d: %v", n, err)
			}
		}
		if err := begin("[2001:db8:0:1:ffff::]:1"); !errors.Is(err, session.ErrSlowDown) {
			t.Errorf("another address of the network: %v; want ErrSlowDown", err)
		}
		for _, ip := range []string{"[2001:db8:0:2::1]:1", "192.0.2.1:1", "[::ffff:192.0.2.2]:1", "nonsense"} {
			if err := begin(ip); err != nil {
				t.Errorf("from %s: %v", ip, err)
			}
		}
		time.Sleep(10 * time.Minute)
		if err := begin("[2001:db8:0:1::1]:1"); err != nil {
			t.Errorf("after their end: %v", err)
		}
	})
}

func TestTokens_DeviceNeedsAClientAndAStore(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		for _, client := range []string{"", strings.Repeat("x", 256), "\xff"} {
			if _, err := w.Tokens().BeginDevice(fromDevice(), client); err == nil || errors.Is(err, session.ErrStoreUnavailable) {
				t.Errorf("client %.5q: %v; want an error", client, err)
			}
		}
		plain, err := session.New(testWorldKeys(t, testWorldKey), struct{ store.Store }{w.users}, withTokens)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Tokens().BeginDevice(fromDevice(), "tv"); err == nil || !strings.Contains(err.Error(), "store.DeviceLogins") {
			t.Errorf("a store without device logins: %v; want an error that names them", err)
		}
	})
}

// Run removes the logins that have ended.
func TestRun_PrunesDeviceLogins(t *testing.T) {
	inTestWorld(t, withTokens, func(w *testWorld) {
		stop := w.run()
		defer stop()
		d := w.beginDevice()
		time.Sleep(13 * time.Minute)
		if n := w.store.Calls("PruneDeviceLogins"); n < 10 {
			t.Errorf("%d calls; want one a minute", n)
		}
		if n, err := w.users.PruneDeviceLogins(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("%d are left, %v", n, err)
		}
		d.want("a removed one", session.ErrExpired)
	})
}

func TestDeviceCodes_PrintNothing(t *testing.T) {
	codes := session.DeviceCodes{DeviceCode: "secret", UserCode: "secret"}
	text, err := codes.MarshalText()
	if printed := fmt.Sprintf("%v %+v %#v", codes, codes, &codes) + string(text); err != nil || strings.Contains(printed, "secret") {
		t.Errorf("printed %s, %v", printed, err)
	}
}
