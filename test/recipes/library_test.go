package recipes

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// library is what an app used for its logins before.
type library struct {
	oldLogins
	begin         func(w http.ResponseWriter, r *http.Request, userID string, epoch int64) error // epoch 0: before the column existed
	mount         func(http.Handler) http.Handler                                                // nil: nothing to mount
	endsForCopies bool                                                                           // the login is kept on the server
}

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
	s.original = mount(s.pages(s.find, s.loginBefore, s.logoutBefore))
	s.both = mount(s.guard.Identify(s.pages(s.either, s.loginBoth, s.logoutBoth)))
	s.moving = mount(moveOver(s.guard, s.oldLogins, s.guard.Protect(s.pages(s.bySession, s.loginMoving, s.logoutBoth))))
	s.moved = s.guard.Protect(s.pages(s.bySession, s.loginMoved, s.guard.Logout))
	return s
}

// pages are the routes that all releases have.
func (s *shop) pages(find func(*http.Request) (session.Login, bool), login, logout http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the login form") })
	mux.HandleFunc("POST /login", login)
	mux.HandleFunc("POST /logout", logout)
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		login, ok := find(r)
		if !ok {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		fmt.Fprintf(w, "%s of %s: %s", r.Method, login.UserID, r.FormValue("item"))
	})
	return mux
}

func (s *shop) either(r *http.Request) (session.Login, bool) {
	userID, ok := currentUser(r, s.oldLogins)
	return session.Login{UserID: userID}, ok
}

func (s *shop) bySession(r *http.Request) (session.Login, bool) {
	found, ok := session.FromContext(r.Context())
	return session.Login{UserID: found.UserID}, ok
}

func (s *shop) loginBefore(w http.ResponseWriter, r *http.Request) {
	if err := s.begin(w, r, r.FormValue("user"), 0); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/orders", http.StatusSeeOther)
}

func (s *shop) logoutBefore(w http.ResponseWriter, r *http.Request) {
	if err := s.end(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// loginBoth begins an old login, because the release before runs, too. It ends the session that
// the browser may have, so that a browser never has two users.
func (s *shop) loginBoth(w http.ResponseWriter, r *http.Request) {
	verdict, err := s.Sessions.Logout(r)
	if err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	verdict.SetCookies(w)
	epoch, _ := strconv.ParseInt(cmp.Or(r.FormValue("epoch"), "1"), 10, 64) // in an app: of the user's row
	if err := s.begin(w, r, r.FormValue("user"), epoch); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/orders", http.StatusSeeOther)
}

// logoutBoth ends whichever login the browser has.
func (s *shop) logoutBoth(w http.ResponseWriter, r *http.Request) {
	if err := s.end(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.guard.Logout(w, r)
}

// loginMoving begins a session, and ends the old login that the browser may have.
func (s *shop) loginMoving(w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1, Methods: []string{"pwd"}}); err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	if err := s.end(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, s.guard.ReturnTo(r, "/orders"), http.StatusSeeOther)
}

func (s *shop) loginMoved(w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Issue(w, r, session.Login{UserID: r.FormValue("user"), Epoch: 1, Methods: []string{"pwd"}}); err != nil {
		s.guard.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, s.guard.ReturnTo(r, "/orders"), http.StatusSeeOther)
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
