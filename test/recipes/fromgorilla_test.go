package recipes

import (
	"net/http"
	"testing"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/sessionkit/sessionkit/session"
)

// loginsOfGorilla are those of an app that keeps "userID" in a cookie of gorilla/sessions, and
// "epoch" since the users table has the column session_epoch, which begins at 1.
func loginsOfGorilla(old sessions.Store) oldLogins {
	return oldLogins{
		find: func(r *http.Request) (session.Login, bool) {
			s, err := old.Get(r, "session")
			if err != nil { // a cookie that cannot be read is no login
				return session.Login{}, false
			}
			userID, ok := s.Values["userID"].(string)
			return session.Login{UserID: userID, Epoch: epochOf(s.Values["epoch"])}, ok
		},
		end: func(w http.ResponseWriter, r *http.Request) error {
			s, err := old.Get(r, "session")
			if err != nil {
				return err
			}
			s.Options.MaxAge = -1
			return s.Save(r, w)
		},
	}
}

func TestMoveOver_FromGorillaSessions(t *testing.T) {
	old := sessions.NewCookieStore(securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32))
	old.Options.Secure = true
	testMoveOver(t, func(t *testing.T) *shop {
		return newShop(t, library{
			oldLogins: loginsOfGorilla(old),
			begin: func(w http.ResponseWriter, r *http.Request, userID string, epoch uint64) error {
				s, err := old.New(r, "session")
				if err != nil {
					return err
				}
				s.Values["userID"] = userID
				if epoch != 0 {
					s.Values["epoch"] = epoch
				}
				return s.Save(r, w)
			},
		})
	})
}
