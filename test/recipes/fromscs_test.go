package recipes

import (
	"net/http"
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
			epoch := max(old.GetInt64(r.Context(), "epoch"), 1)
			return session.Login{UserID: userID, Epoch: uint64(epoch)}, userID != ""
		},
		end: func(_ http.ResponseWriter, r *http.Request) error {
			return old.Destroy(r.Context())
		},
	}
}

// loginsBesideACart leave what else is in the scs session where it is.
func loginsBesideACart(old *scs.SessionManager) oldLogins {
	logins := loginsOfSCS(old)
	logins.end = func(_ http.ResponseWriter, r *http.Request) error {
		old.Remove(r.Context(), "userID")
		return nil
	}
	return logins
}

func TestMoveOver_FromSCS(t *testing.T) {
	for name, logins := range map[string]func(*scs.SessionManager) oldLogins{"alone": loginsOfSCS, "with a cart": loginsBesideACart} {
		t.Run(name, func(t *testing.T) {
			testMoveOver(t, func(t *testing.T) *shop {
				old := scs.New()
				old.Cookie.Secure = true
				return newShop(t, library{
					oldLogins: logins(old),
					begin: func(_ http.ResponseWriter, r *http.Request, userID string, epoch int64) error {
						if err := old.RenewToken(r.Context()); err != nil {
							return err
						}
						old.Put(r.Context(), "userID", userID)
						if epoch != 0 {
							old.Put(r.Context(), "epoch", epoch)
						}
						return nil
					},
					mount:         old.LoadAndSave,
					endsForCopies: true,
				})
			})
		})
	}
}
