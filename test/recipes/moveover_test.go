package recipes

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"testing"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// oldLogins reads and ends the logins of the library that the app used before.
type oldLogins struct {
	// find verifies the old login of a request. ok is false if there is none.
	find func(r *http.Request) (login session.Login, ok bool)

	// end ends it when a session takes its place: in the browser, and on the server if the
	// library keeps it there.
	end func(w http.ResponseWriter, r *http.Request) error
}

// epochOf reads the epoch that the old login has kept, of any integer type. Logins without one
// began before the column session_epoch existed: they count as 1.
func epochOf(kept any) uint64 {
	epoch, _ := strconv.ParseUint(fmt.Sprint(kept), 10, 64)
	return max(epoch, 1)
}

// moveOver begins a session for each request that has an old login and no session, and ends an
// old login beside a session. Mount it around guard.Protect.
func moveOver(guard *nethttp.Guard, old oldLogins, next http.Handler) http.Handler {
	return guard.Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, ok := old.find(r)
		err := guard.Err(r)
		if !ok || session.IsPrefetch(r) || err != nil && !errors.Is(err, session.ErrUnauthenticated) {
			next.ServeHTTP(w, r)
			return
		}
		if err != nil { // no session. With one, a slow request has brought the old login back
			err = guard.Issue(w, r, login)
		}
		if err != nil && !errors.Is(err, session.ErrUserDisabled) {
			guard.WriteError(w, r, err) // the store does not answer: the old login stays
			return
		}
		// Also beside a session, and after a refusal: the user is disabled, or has a new password.
		if err := old.end(w, r); err != nil {
			slog.Warn("an old login did not end", "error", err)
		}
		next.ServeHTTP(w, r)
	}))
}

// currentUser is for the release before: its handlers accept a session, too. The error is for
// guard.WriteError: a redirect to the login page, or a 503 if the store does not answer.
func currentUser(guard *nethttp.Guard, old oldLogins, r *http.Request) (userID string, err error) {
	if s, ok := session.FromContext(r.Context()); ok {
		return s.UserID, nil
	}
	if login, ok := old.find(r); ok {
		return login.UserID, nil
	}
	return "", guard.Err(r)
}

func TestEpochOf_TakesEachType(t *testing.T) {
	for _, c := range []struct {
		kept any
		want uint64
	}{{nil, 1}, {0, 1}, {int32(3), 3}, {int64(3), 3}, {3, 3}, {uint32(3), 3}, {uint64(1 << 63), 1 << 63}, {"3", 3}, {-3, 1}} {
		if got := epochOf(c.kept); got != c.want {
			t.Errorf("%T %v: %d; want %d", c.kept, c.kept, got, c.want)
		}
	}
}
