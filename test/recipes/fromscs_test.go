package recipes

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/sessionkit/sessionkit/session"
)

// loginsOfSCS are those of an app that keeps "userID" in scs. It keeps "epoch" since the users
// table has the column session_epoch, which begins at 1.
func loginsOfSCS(old *scs.SessionManager) oldLogins {
	return oldLogins{
		find: func(r *http.Request) (session.Login, bool) {
			userID := old.GetString(r.Context(), "userID")
			return session.Login{UserID: userID, Epoch: epochOf(old.Get(r.Context(), "epoch"))}, userID != ""
		},
		end: func(_ http.ResponseWriter, r *http.Request) error {
			return old.Destroy(r.Context())
		},
	}
}

// beginSCS is the login, also at release 1, which has the epoch.
func beginSCS(old *scs.SessionManager, r *http.Request, userID string, epoch uint64) error {
	if err := old.RenewToken(r.Context()); err != nil {
		return err
	}
	old.Put(r.Context(), "userID", userID)
	old.Put(r.Context(), "epoch", epoch)
	return nil
}

// numberedLoginsOfSCS are those of an app that keeps the id as an int.
func numberedLoginsOfSCS(old *scs.SessionManager) oldLogins {
	logins := loginsOfSCS(old)
	logins.find = func(r *http.Request) (session.Login, bool) {
		userID := old.GetInt(r.Context(), "userID")
		return session.Login{UserID: strconv.Itoa(userID), Epoch: epochOf(old.Get(r.Context(), "epoch"))}, userID != 0
	}
	return logins
}

// loginsBesideACart leave what else is in the scs session where it is. The logout must be
// Destroy.
func loginsBesideACart(old *scs.SessionManager) oldLogins {
	logins := loginsOfSCS(old)
	logins.end = func(_ http.ResponseWriter, r *http.Request) error {
		old.Remove(r.Context(), "userID")
		return old.RenewToken(r.Context())
	}
	return logins
}

func newSCSShop(t *testing.T, old *scs.SessionManager, logins oldLogins) *shop {
	t.Helper()
	old.Cookie.Secure = true
	return newShop(t, library{
		oldLogins: logins,
		begin: func(_ http.ResponseWriter, r *http.Request, userID string, epoch uint64) error {
			err := beginSCS(old, r, userID, epoch)
			if epoch == 0 {
				old.Remove(r.Context(), "epoch")
			}
			return err
		},
		logout:        func(_ http.ResponseWriter, r *http.Request) error { return old.Destroy(r.Context()) },
		mount:         old.LoadAndSave,
		endsForCopies: true,
	})
}

func TestMoveOver_FromSCS(t *testing.T) {
	for name, logins := range map[string]func(*scs.SessionManager) oldLogins{"alone": loginsOfSCS, "with a cart": loginsBesideACart} {
		t.Run(name, func(t *testing.T) {
			testMoveOver(t, func(t *testing.T) *shop {
				old := scs.New()
				return newSCSShop(t, old, logins(old))
			})
			t.Run("a slow request brings no old login back", func(t *testing.T) {
				old := scs.New()
				s, ada := newSCSShop(t, old, logins(old)), newVisitor(t)
				slow := old.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					ada.isLoggedIn(true, s.moving, "at the move")
					old.Put(r.Context(), "item", "a book") // scs writes back the login, too
				}))
				ada.loginAt(s.both)
				ada.at(slow).Get("/")
				ada.isLoggedIn(true, s.moving, "after the slow request")
				if err := s.Sessions.RevokeUser(t.Context(), "ada"); err != nil {
					t.Fatal(err)
				}
				ada.isLoggedIn(false, s.moving, "after RevokeUser")
			})
		})
	}
}

func TestLoginsOfSCS_TakeNumbers(t *testing.T) {
	old := scs.New()
	logins := numberedLoginsOfSCS(old)
	old.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if login, ok := logins.find(r); ok {
			t.Errorf("a stranger is user %q", login.UserID)
		}
		old.Put(r.Context(), "userID", 7)
		old.Put(r.Context(), "epoch", 3)
		if login, ok := logins.find(r); !ok || login.UserID != "7" || login.Epoch != 3 {
			t.Errorf("user %q, epoch %d, %v; want 7, 3, true", login.UserID, login.Epoch, ok)
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestMoveOver_KeepsTheCartOfTheUserAlone(t *testing.T) {
	old := scs.New()
	s, ada := newSCSShop(t, old, loginsBesideACart(old)), newVisitor(t)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", func(_ http.ResponseWriter, r *http.Request) { old.Put(r.Context(), "item", r.FormValue("item")) })
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, old.GetString(r.Context(), "item")) })
	cart := old.LoadAndSave(mux)
	has := func(v visitor, want, when string) {
		t.Helper()
		if got, _ := io.ReadAll(v.at(cart).Get("/cart").Body); string(got) != want {
			t.Errorf("%s: %q is in the cart; want %q", when, got, want)
		}
	}

	ada.loginAt(s.original)
	ada.at(cart).PostForm("/cart", url.Values{"item": {"a book"}})
	known := ada.clone()
	ada.isLoggedIn(true, s.moving, "at the move")
	has(ada, "a book", "after the move")
	ada.at(cart).PostForm("/cart", url.Values{"item": {"a lamp"}})
	has(known, "", "with the cookie from before the move")
	ada.logoutAt(s.moving)
	has(ada, "", "after the logout")
}
