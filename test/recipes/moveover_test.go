package recipes

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// oldLogins reads and ends the logins of the library that the app used before.
type oldLogins struct {
	// find verifies the old login of a request. ok is false if there is none.
	find func(r *http.Request) (login session.Login, ok bool)

	// end ends it: in the browser, and on the server if the library keeps it there.
	end func(w http.ResponseWriter, r *http.Request) error
}

// moveOver begins a session for each request that has an old login and no session. Mount it
// around guard.Protect.
func moveOver(guard *nethttp.Guard, old oldLogins, next http.Handler) http.Handler {
	return guard.Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, ok := old.find(r)
		if !ok || session.IsPrefetch(r) || !errors.Is(guard.Err(r), session.ErrUnauthenticated) {
			next.ServeHTTP(w, r)
			return
		}
		err := guard.Issue(w, r, login)
		if err != nil && !errors.Is(err, session.ErrUserDisabled) {
			guard.WriteError(w, r, err) // the store does not answer: the old login stays
			return
		}
		// Also after a refusal: the user is disabled, or has a new password.
		if err := old.end(w, r); err != nil {
			slog.Warn("an old login did not end", "error", err)
		}
		next.ServeHTTP(w, r)
	}))
}

// currentUser is for the release before: its handlers accept a session, too.
func currentUser(r *http.Request, old oldLogins) (userID string, ok bool) {
	if s, ok := session.FromContext(r.Context()); ok {
		return s.UserID, true
	}
	login, ok := old.find(r)
	return login.UserID, ok
}
