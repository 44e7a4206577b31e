package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// serve returns the status and the body of the page for r.
func (w *world) serve(r *http.Request) (int, string) {
	recorder := httptest.NewRecorder()
	w.app.ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

func TestLoginAs_LogsTheRequestIn(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	if code, _ := w.serve(r); code != http.StatusUnauthorized {
		t.Errorf("before the login: %d", code)
	}
	for _, userID := range []string{"1", "2", "1"} { // each in place of the one before
		s := sessiontest.LoginAs(t, w.sessions, r, userID)
		if code, body := w.serve(r); code != http.StatusOK || body != userID || s.UserID != userID {
			t.Errorf("as %s: %d, %q, %+v", userID, code, body, s)
		}
		if n := len(r.Cookies()); n != 4 {
			t.Errorf("the request has %d cookies; want 4: %s", n, r.Header.Get("Cookie"))
		}
		v, err := w.sessions.Authenticate(r)
		if err == nil {
			v, err = w.sessions.RequireLive(r, v)
		}
		if err != nil || v.Session().ID != s.ID {
			t.Errorf("as %s: RequireLive: %v, %v; want the new session", userID, v, err)
		}
		list, err := w.sessions.List(t.Context(), userID, "")
		if err != nil || len(list) != 1 || list[0].ID != s.ID {
			t.Errorf("%s has the sessions %+v, %v; want the new one alone", userID, list, err)
		}
	}
	if c, err := r.Cookie("theme"); err != nil || c.Value != "dark" {
		t.Errorf("the app's own cookie is %v, %v", c, err)
	}
}

func TestExpireAccess_LeavesAllOtherCookies(t *testing.T) {
	for _, cfg := range []session.Config{{}, {App: "shop"}, {DangerouslyAllowHTTP: true}, {App: "shop", DangerouslyAllowHTTP: true}} {
		w := newWorld(t)
		keys, err := session.ParseKeys(session.GenerateKey())
		if err != nil {
			t.Fatal(err)
		}
		if w.sessions, err = session.New(keys, w.store, cfg); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
		r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
		r.AddCookie(&http.Cookie{Name: "PHPsession", Value: "x"})
		sessiontest.LoginAs(t, w.sessions, r, "1")
		before := w.store.Calls()
		w.serve(r)
		if n := w.store.Calls() - before; n != 0 {
			t.Errorf("App %q: a request with an access cookie made %d calls", cfg.App, n)
		}
		sessiontest.ExpireAccess(r)
		var names []string
		for _, c := range r.Cookies() {
			names = append(names, c.Name)
		}
		if len(names) != 4 || names[0] != "theme" || names[1] != "PHPsession" || !strings.HasSuffix(names[2], "refresh-0") || !strings.HasSuffix(names[3], "refresh-1") {
			t.Errorf("App %q: the cookies %q are left", cfg.App, names)
		}
		if code, body := w.serve(r); code != http.StatusOK || body != "1" || w.store.Calls() == before {
			t.Errorf("App %q: the refresh says %d, %q after %d calls", cfg.App, code, body, w.store.Calls()-before)
		}
	}
}

func TestRevoke_EndsOnlyThatSession(t *testing.T) {
	w := newWorld(t)
	one := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	two := httptest.NewRequest(http.MethodGet, "https://app.test/", nil)
	s := sessiontest.LoginAs(t, w.sessions, one, "1")
	sessiontest.LoginAs(t, w.sessions, two, "1")
	sessiontest.Revoke(t, w.sessions, s)
	if code, _ := w.serve(one); code != http.StatusUnauthorized {
		t.Errorf("the session that was revoked: %d", code)
	}
	if code, _ := w.serve(two); code != http.StatusOK {
		t.Errorf("the user's other session: %d", code)
	}
}

// failingTB records the failure that a helper reports.
type failingTB struct {
	testing.TB
	fatal string
}

type stopped struct{}

func (f *failingTB) Helper() {}
func (f *failingTB) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	panic(stopped{})
}

// A helper that fails ends the test.
func TestHelpers_FailTheTestOnErrors(t *testing.T) {
	w := newWorld(t)
	b := sessiontest.NewBrowser(w.app)
	s := b.Login(t, w.sessions, session.Login{UserID: "1"})
	r := b.NewRequest(http.MethodGet, "/", nil)
	for name, c := range map[string]struct {
		do   func(t testing.TB)
		want error
	}{
		"LoginAs":       {func(t testing.TB) { sessiontest.LoginAs(t, w.sessions, r, "nobody") }, session.ErrUserDisabled},
		"Login":         {func(t testing.TB) { sessiontest.Login(t, w.sessions, r, session.Login{UserID: "1", Epoch: 9}) }, session.ErrUserDisabled},
		"Browser.Login": {func(t testing.TB) { b.Login(t, w.sessions, session.Login{UserID: "nobody"}) }, session.ErrUserDisabled},
		"Revoke": {func(t testing.TB) {
			other := s
			other.UserID = "2"
			sessiontest.Revoke(t, w.sessions, other)
		}, session.ErrNotFound},
	} {
		func() {
			tb := &failingTB{TB: t}
			defer func() {
				if _, ok := recover().(stopped); !ok || !strings.Contains(tb.fatal, c.want.Error()) {
					t.Errorf("%s: the test failed with %q; want %v", name, tb.fatal, c.want)
				}
			}()
			c.do(tb)
		}()
	}
	if code, body := w.serve(r); code != http.StatusOK || body != "1" {
		t.Errorf("the session that was there: %d, %q", code, body)
	}
	v, err := w.sessions.Authenticate(r)
	if err == nil {
		_, err = w.sessions.RequireLive(r, v)
	}
	if err != nil {
		t.Errorf("the session that was there: %v", err)
	}
}
