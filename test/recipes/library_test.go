package recipes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// library is what an app used for its logins before.
type library struct {
	oldLogins
	begin         beginLogin                                         // what the login does; epoch 0: before the column existed
	logout        func(w http.ResponseWriter, r *http.Request) error // what the logout does; nil: end
	mount         func(http.Handler) http.Handler                    // nil: nothing to mount
	endsForCopies bool                                               // the login is kept on the server
}

type beginLogin func(w http.ResponseWriter, r *http.Request, userID string, epoch uint64) error

// shop is an app of which several releases run side by side, on one store.
type shop struct {
	library
	*sessiontest.Kit
	guard *nethttp.Guard

	// original uses the old library alone, both takes either login, moving has logins in
	// sessions and moves the others, and moved knows nothing of the old library.
	original, both, moving, moved http.Handler
}

// newStore returns a shop without releases. Its user is ada.
func newStore(t *testing.T) *shop {
	t.Helper()
	return &shop{Kit: sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {Epoch: 1}})}
}

func newShop(t *testing.T, old library) *shop {
	t.Helper()
	s := newStore(t)
	s.library = old
	var err error
	if s.guard, err = nethttp.New(s.Sessions, nethttp.Config{}); err != nil {
		t.Fatal(err)
	}
	mount := s.mount
	if mount == nil {
		mount = func(next http.Handler) http.Handler { return next }
	}
	if s.logout == nil {
		s.logout = s.end
	}
	s.original = mount(s.pages(s.either, s.beginBefore, s.beginBefore, s.logoutBefore))
	s.both = mount(s.guard.Identify(s.pages(s.either, s.beginBoth, s.beginBoth, s.logoutBoth)))
	s.moving = mount(moveOver(s.guard, s.oldLogins, s.guard.Protect(s.pages(s.bySession, s.beginMoving, s.beginMoving, s.logoutBoth))))
	s.moved = s.guard.Protect(s.pages(s.bySession, s.beginMoved, s.renewMoved, s.guard.Logout))
	return s
}

// pages are the routes that all releases have. A login begins by begin, and goes on by renew
// after a change of the password.
func (s *shop) pages(user func(*http.Request) (string, error), begin, renew beginLogin, logout http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the login form") })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := begin(w, r, r.FormValue("user"), epochOf(r.FormValue("epoch"))); err != nil {
			s.guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, s.guard.ReturnTo(r, "/orders"), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", logout)
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		userID, err := user(r)
		if err != nil {
			s.guard.WriteError(w, r, err)
			return
		}
		epoch := epochOf(r.FormValue("epoch"))
		s.Users.SetUser(userID, store.User{Epoch: epoch}) // in an app: UPDATE users SET password_hash = ?, session_epoch = session_epoch + 1
		if err := renew(w, r, userID, epoch); err != nil {
			s.guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("POST /code", func(w http.ResponseWriter, r *http.Request) {
		if err := s.guard.StepUp(w, r, "otp"); err != nil {
			s.guard.WriteError(w, r, err)
		}
	})
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		userID, err := user(r)
		if err != nil {
			s.guard.WriteError(w, r, err)
			return
		}
		fmt.Fprintf(w, "%s of %s: %s", r.Method, userID, r.FormValue("item"))
	})
	return mux
}

func (s *shop) either(r *http.Request) (string, error) { return currentUser(s.guard, s.oldLogins, r) }

func (s *shop) bySession(r *http.Request) (string, error) {
	found, ok := session.FromContext(r.Context())
	if !ok {
		return "", session.ErrUnauthenticated
	}
	return found.UserID, nil
}

func (s *shop) beginBefore(w http.ResponseWriter, r *http.Request, userID string, _ uint64) error {
	return s.begin(w, r, userID, 0)
}

func (s *shop) logoutBefore(w http.ResponseWriter, r *http.Request) {
	if err := s.logout(w, r); err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// beginBoth begins an old login, because the release before runs, too. It ends the session that
// the browser may have, so that a browser never has two users.
func (s *shop) beginBoth(w http.ResponseWriter, r *http.Request, userID string, epoch uint64) error {
	verdict, err := s.Sessions.Logout(r)
	if err != nil {
		return err
	}
	verdict.SetCookies(w)
	return s.begin(w, r, userID, epoch)
}

// beginMoving begins a session, and ends the old login that the browser may have.
func (s *shop) beginMoving(w http.ResponseWriter, r *http.Request, userID string, epoch uint64) error {
	if err := s.beginMoved(w, r, userID, epoch); err != nil {
		return err
	}
	return s.end(w, r)
}

func (s *shop) beginMoved(w http.ResponseWriter, r *http.Request, userID string, epoch uint64) error {
	return s.guard.Issue(w, r, session.Login{UserID: userID, Epoch: epoch, Methods: []string{"pwd"}})
}

func (s *shop) renewMoved(w http.ResponseWriter, r *http.Request, _ string, epoch uint64) error {
	return s.guard.PasswordChanged(w, r, epoch)
}

// logoutBoth ends whichever login the browser has.
func (s *shop) logoutBoth(w http.ResponseWriter, r *http.Request) {
	if err := s.logout(w, r); err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	s.guard.Logout(w, r)
}

// visitor is a browser that a balancer sends to any of the releases.
type visitor struct {
	*testing.T
	*sessiontest.Browser
}

func newVisitor(t *testing.T) visitor { return visitor{t, sessiontest.NewBrowser(nil)} }

// clone returns a browser with a copy of the cookies.
func (v visitor) clone() visitor { return visitor{v.T, v.Browser.Clone()} }

func (v visitor) at(release http.Handler) *sessiontest.Browser {
	b := *v.Browser
	b.Transport = sessiontest.NewBrowser(release).Transport
	return &b
}

// loginAt logs ada in.
func (v visitor) loginAt(release http.Handler, fields ...string) {
	v.Helper()
	form := url.Values{"user": {"ada"}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	if answer := v.at(release).PostForm("/login", form); answer.StatusCode != http.StatusSeeOther {
		v.Fatalf("the login: %s", answer.Status)
	}
}

func (v visitor) logoutAt(release http.Handler) {
	v.Helper()
	if answer := v.at(release).PostForm("/logout", nil); answer.StatusCode != http.StatusSeeOther {
		v.Fatalf("the logout: %s", answer.Status)
	}
}

// isLoggedIn fails the test unless a release shows ada her orders, or its login page.
func (v visitor) isLoggedIn(want bool, release http.Handler, when string) {
	v.Helper()
	answer := v.at(release).Get("/orders")
	body, _ := io.ReadAll(answer.Body)
	switch {
	case want && (answer.StatusCode != http.StatusOK || string(body) != "GET of ada: "):
		v.Errorf("%s: %s %q; want the page", when, answer.Status, body)
	case !want && (answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location")[:6] != "/login"):
		v.Errorf("%s: %s %q; want a redirect to the login page", when, answer.Status, body)
	}
}

// testMoveOver rolls the releases out one after the other, with users who are logged in.
func testMoveOver(t *testing.T, newShop func(*testing.T) *shop) {
	t.Run("a user is moved and notices nothing", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.original)
		ada.isLoggedIn(true, s.both, "at the next release")
		ada.isLoggedIn(true, s.original, "back at the release before")
		ada.isLoggedIn(true, s.moving, "at the release that moves")
		ada.isLoggedIn(false, s.original, "with the old library alone")
		ada.isLoggedIn(true, s.both, "back at the release before")
		ada.isLoggedIn(true, s.moving, "again")
		if n := s.Store.Calls("Create"); n != 1 {
			t.Errorf("%d sessions have begun; want 1", n)
		}
		ada.isLoggedIn(true, s.moved, "without the old library")
	})
	t.Run("a session counts first", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.moving)
		ada.loginAt(s.original) // after a step back by two releases
		ada.isLoggedIn(true, s.moving, "with both")
		if n := s.Store.Calls("Create"); n != 1 {
			t.Errorf("%d sessions have begun; want 1", n)
		}
	})
	t.Run("an old login beside a session ends", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.moving)
		ada.loginAt(s.original)
		ada.isLoggedIn(true, s.moving, "with both")
		if err := s.Sessions.RevokeUser(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		ada.isLoggedIn(false, s.moving, "after RevokeUser")
	})
	t.Run("a login of the release before ends the session", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.moving)
		copied := ada.clone()
		answer := ada.at(s.both).PostForm("/login", url.Values{"user": {"ada"}})
		if !slices.ContainsFunc(answer.Cookies(), func(c *http.Cookie) bool { return c.MaxAge < 0 }) {
			t.Error("the login deletes no cookie of the session")
		}
		copied.isLoggedIn(false, s.moved, "a copy of the session")
		ada.isLoggedIn(true, s.both, "after the login")
	})
	t.Run("a form is not lost", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.original)
		answer := ada.at(s.moving).PostForm("/orders", url.Values{"item": {"a book"}})
		if body, _ := io.ReadAll(answer.Body); string(body) != "POST of ada: a book" {
			t.Errorf("%s %q", answer.Status, body)
		}
	})
	t.Run("logins of each release hold at its neighbours", func(t *testing.T) {
		s := newShop(t)
		releases := []http.Handler{s.original, s.both, s.moving, s.moved}
		for i, release := range releases {
			for j := max(i-1, 0); j <= min(i+1, 3); j++ {
				ada := newVisitor(t)
				ada.loginAt(release)
				ada.isLoggedIn(true, releases[j], fmt.Sprintf("logged in at release %d, visiting release %d", i, j))
			}
		}
	})
	t.Run("a logout ends both", func(t *testing.T) {
		s := newShop(t)
		for name, logout := range map[string]http.Handler{"both": s.both, "moving": s.moving} {
			for _, isMoved := range []bool{false, true} {
				ada := newVisitor(t)
				ada.loginAt(s.both)
				if isMoved {
					ada.isLoggedIn(true, s.moving, "before the logout")
				}
				ada.logoutAt(logout)
				for _, release := range []http.Handler{s.both, s.moving, s.moved} {
					ada.isLoggedIn(false, release, fmt.Sprintf("after a logout at %q, moved before: %v", name, isMoved))
				}
			}
		}
	})
	t.Run("a new password ends old logins", func(t *testing.T) {
		s, phone, laptop, tablet := newShop(t), newVisitor(t), newVisitor(t), newVisitor(t)
		phone.loginAt(s.original)
		tablet.loginAt(s.both)
		s.Users.SetUser("ada", store.User{Epoch: 2})
		laptop.loginAt(s.both, "epoch", "2")
		for range 2 {
			phone.isLoggedIn(false, s.moving, "a login from before the column existed")
			tablet.isLoggedIn(false, s.moving, "a login with the old epoch")
			laptop.isLoggedIn(true, s.moving, "a login with the new epoch")
		}
	})
	t.Run("who changes the password stays logged in", func(t *testing.T) {
		s := newShop(t)
		releases := []http.Handler{s.both, s.moving, s.moved}
		for i, release := range releases {
			for j := max(i-1, 0); j <= min(i+1, 2); j++ {
				for k := max(i-1, 0); k <= min(i+1, 2); k++ {
					when := fmt.Sprintf("the password changed at release %d after a visit of %d, visiting %d", i+1, j+1, k+1)
					s.Users.SetUser("ada", store.User{Epoch: 1})
					ada, other := newVisitor(t), newVisitor(t)
					ada.loginAt(releases[j])
					other.loginAt(releases[j])
					if answer := ada.at(release).PostForm("/password", url.Values{"epoch": {"2"}}); answer.StatusCode != http.StatusOK {
						t.Errorf("%s: %s to %s", when, answer.Status, answer.Header.Get("Location"))
					}
					for range 2 {
						ada.isLoggedIn(true, releases[k], when)
						ada.ExpireAccess()
					}
					other.ExpireAccess()
					other.isLoggedIn(false, s.moving, when+", another browser")
				}
			}
		}
	})
	t.Run("a form that needs the cookies of the session", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.both)
		if answer := ada.at(s.moving).PostForm("/code", nil); answer.StatusCode != http.StatusSeeOther {
			t.Errorf("in the request that moves: %s; want a redirect to the login page", answer.Status)
		}
		if answer := ada.at(s.moving).PostForm("/code", nil); answer.StatusCode != http.StatusOK {
			t.Errorf("sent again: %s; want 200", answer.Status)
		}
	})
	t.Run("a login leads back", func(t *testing.T) {
		s := newShop(t)
		for _, release := range []http.Handler{s.both, s.moving, s.moved} {
			answer := newVisitor(t).at(release).PostForm("/login", url.Values{"user": {"ada"}, "next": {"/orders?page=2"}})
			if got := answer.Header.Get("Location"); got != "/orders?page=2" {
				t.Errorf("to %s", got)
			}
		}
	})
	t.Run("a user who is banned is not moved", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.both)
		s.Users.SetUser("ada", store.User{Epoch: 1, Disabled: true})
		ada.isLoggedIn(false, s.moving, "banned")
	})
	t.Run("an outage ends no old login", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.original)
		s.Store.Fail(errors.New("connection refused"))
		if answer := ada.at(s.moving).Get("/orders"); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("in the outage: %s; want 503", answer.Status)
		}
		s.Store.Fail(nil)
		ada.isLoggedIn(true, s.moving, "after the outage")
	})
	t.Run("an outage is no logout at the release before", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.moving)
		ada.ExpireAccess()
		s.Store.Fail(errors.New("connection refused"))
		if answer := ada.at(s.both).Get("/orders"); answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("in the outage: %s; want 503", answer.Status)
		}
		s.Store.Fail(nil)
		ada.isLoggedIn(true, s.both, "after the outage")
	})
	t.Run("what ends a session is not undone", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.both)
		ada.isLoggedIn(true, s.moving, "before")
		if err := s.Sessions.RevokeUser(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		ada.isLoggedIn(false, s.moving, "after RevokeUser")
	})
	t.Run("a copy of the old login", func(t *testing.T) {
		s, ada := newShop(t), newVisitor(t)
		ada.loginAt(s.both)
		copied := ada.clone()
		ada.isLoggedIn(true, s.moving, "ada")
		copied.isLoggedIn(!s.endsForCopies, s.moving, "the copy")
	})
}
