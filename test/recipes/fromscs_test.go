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

func TestMoveOver_FromSCS(t *testing.T) {
	old := scs.New()
	old.Cookie.Secure = true
	testMoveOver(t, func(t *testing.T) *shop {
		return newShop(t, library{
			oldLogins: loginsOfSCS(old),
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
}
