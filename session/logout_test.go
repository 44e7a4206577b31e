package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// After a logout, neither a copied cookie nor an answer in flight revives the session.
func TestManager_LogoutIsFinal(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		time.Sleep(defaultAccessTTL)
		late, err := w.here.Authenticate(b.NewRequest("GET", "/", nil))
		if err != nil {
			w.Fatal(err)
		}
		answer := httptest.NewRecorder()
		late.SetCookies(answer) // the answer is still in flight
		b.Receive(late.Cookies)
		restored := b.Clone()
		if err := w.here.logout(b); err != nil {
			w.Fatal(err)
		}
		w.here.out(b)
		if n := len(w.here.eventsOf(session.EventUndecodable)); n != 0 {
			w.Errorf("%d events: a cookie that was emptied is none", n)
		}
		w.here.out(restored.Clone()) // at once: this node knows of the revocation
		time.Sleep(defaultAccessTTL)
		w.here.out(restored)
		w.here.DropStaleCookies(answer.Header(), late)
		if lines := answer.Header()["Set-Cookie"]; len(lines) != 0 {
			w.Errorf("the late answer still sets %q", lines)
		}
	})
}

// An answer of the store from before the logout is not served after it.
func TestManager_RefreshInFlightDoesNotOutliveTheLogout(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		b.ExpireAccess()
		w.here.store.After(func(_ context.Context, method string) error {
			if method == "Find" {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		answers := make(chan error)
		go func() {
			_, err := w.here.Authenticate(b.NewRequest("GET", "/", nil))
			answers <- err
		}()
		time.Sleep(50 * time.Millisecond)
		if _, err := w.here.Logout(b.NewRequest("POST", "/logout", nil)); err != nil {
			w.Fatal(err)
		}
		if err := <-answers; !errors.Is(err, session.ErrUnauthenticated) {
			w.Errorf("got %v; want ErrUnauthenticated", err)
		}
	})
}

// A logout always removes both cookies from the browser, even if the store fails: the
// access cookie is emptied and expires, the refresh cookie is deleted.
func TestManager_LogoutDeletesBothCookiesWhateverTheStoreSays(t *testing.T) {
	for name, prepare := range map[string]func(w *twoNodes){
		"it answers":          func(*twoNodes) {},
		"it is down":          func(w *twoNodes) { w.here.store.Fail(errStoreDown) },
		"it hangs":            func(w *twoNodes) { w.here.store.Delay(time.Hour) },
		"its answer got lost": func(w *twoNodes) { w.here.store.LoseAnswers(errStoreDown, "Revoke") },
	} {
		inTwoNodes(t, session.Config{}, func(w *twoNodes) {
			b := newBrowser()
			w.here.login(b, session.Login{})
			prepare(w)
			v, err := w.here.Logout(b.NewRequest("POST", "/logout", nil))
			if (err == nil) != (name == "it answers") {
				w.Errorf("%s: Logout returned %v", name, err)
			}
			if len(v.Cookies) != 3 || v.Cookies[0].Value != "" || v.Cookies[0].MaxAge != 1 || v.Cookies[1].MaxAge >= 0 || v.Cookies[2].MaxAge >= 0 || v.Session().ID != "" {
				w.Errorf("%s: got %v and the cookies %v", name, v, v.Cookies)
			}
			b.Receive(v.Cookies)
			time.Sleep(time.Second)
			if left := b.NewRequest("GET", "/", nil).Cookies(); len(left) != 0 {
				w.Errorf("%s: the browser keeps %v", name, left)
			}
		})
	}
	inTwoNodes(t, session.Config{}, func(w *twoNodes) { // without a session
		v, err := w.here.Logout(newBrowser().NewRequest("POST", "/logout", nil))
		if err != nil || len(v.Cookies) != 3 || w.here.store.Calls() != 0 {
			w.Errorf("without a session: got %v, cookies %v, %d calls", err, v.Cookies, w.here.store.Calls())
		}
	})
}

// After ForceRefresh the next request shows changed roles, and no request before it
// does. Each later request costs no store call.
func TestManager_ForceRefreshShowsChangedRolesAtTheNextRequest(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		for _, role := range []string{"one", "two"} {
			w.users.SetUser("1", store.User{Epoch: 1, Roles: []string{role}})
			if s := w.here.in(b); s.HasRole(role) {
				w.Fatal("the access cookie has the new roles too early")
			}
			if err := w.here.ForceRefresh(w.Context(), "1"); err != nil {
				w.Fatal(err)
			}
			if s := w.here.in(b); !s.HasRole("none", role) {
				w.Errorf("roles = %v; want %v", s.Roles, role)
			}
			if n := w.here.calls(func() { w.here.in(b) }); n != 0 {
				w.Errorf("the request after that made %d store calls; want 0", n)
			}
		}
	})
}

// A login replaces the session of the same browser. It keeps Remember if the user is
// the same.
func TestManager_LoginReplacesTheBrowsersSession(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		const remembered, plain = 90 * 24 * time.Hour, 12 * time.Hour
		b := newBrowser()
		first := w.here.login(b, session.Login{Remember: true})
		time.Sleep(10 * time.Minute)
		if s := w.here.in(b); s.LoggedInWithin(5 * time.Minute) {
			w.Error("ten minutes count as five")
		}
		old := b.Clone()
		second := w.here.login(b, session.Login{})
		if second.ID == first.ID || !second.LoggedInWithin(time.Second) {
			w.Errorf("the new session is %+v", second)
		}
		if life := second.EndsAt.Sub(second.AuthTime); life != remembered {
			w.Errorf("Remember was lost: the session lives %v", life)
		}
		if list, err := w.here.List(w.Context(), "1", ""); err != nil || len(list) != 1 || list[0].ID != second.ID {
			w.Errorf("devices: %+v, %v; want the new one alone", list, err)
		}
		// A request of the old session that arrives late must not delete the cookies of
		// the new one.
		v, err := w.here.Authenticate(old.NewRequest("GET", "/", nil))
		b.Receive(v.Cookies)
		if !errors.Is(err, session.ErrUnauthenticated) || w.here.in(b).ID != second.ID {
			w.Errorf("got %v, cookies %v; want a refusal that leaves the new refresh cookie alone", err, v.Cookies)
		}
		other := w.here.login(b, session.Login{UserID: "2"})
		if life := other.EndsAt.Sub(other.AuthTime); life != plain {
			w.Errorf("another user of the browser was remembered unasked: the session lives %v", life)
		}
	})
}

// The list identifies each device by data that its user can recognize.
func TestManager_ListDescribesEachDevice(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		r := b.NewRequest(http.MethodPost, "/login", nil)
		r.Header.Set("User-Agent", "Agent/1\x01 \xff"+string(make([]byte, 300)))
		r.RemoteAddr = "[2001:db8::1]:1234"
		v, err := w.here.Issue(r, session.Login{UserID: "1"})
		if err != nil {
			w.Fatal(err)
		}
		b.Receive(v.Cookies)
		start := time.Now().UTC()
		for range 2 {
			time.Sleep(defaultAccessTTL)
			w.here.in(b)
		}
		list, err := w.here.List(w.Context(), "1", "")
		if err != nil || len(list) != 1 {
			w.Fatalf("got %v, %v", list, err)
		}
		want := session.Device{
			ID: v.Session().ID, UserAgent: "Agent/1 ", IP: "2001:db8::1",
			CreatedAt: start, LastSeenAt: start.Add(2 * defaultAccessTTL), AuthTime: start,
		}
		if !reflect.DeepEqual(list[0], want) {
			w.Errorf("info = %+v; want %+v", list[0], want)
		}
		second := w.here.login(newBrowser(), session.Login{})
		if list, err := w.here.List(w.Context(), "1", ""); err != nil || len(list) != 2 || list[0].ID != second.ID {
			w.Errorf("got %+v, %v; want the newest first", list, err)
		}
		if list, err := w.here.List(w.Context(), "2", ""); err != nil || len(list) != 0 {
			w.Errorf("another user's devices: %+v, %v", list, err)
		}
	})
}
