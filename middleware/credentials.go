package middleware

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sessionkit/sessionkit/session"
)

// BasicAuth returns Config.Credentials for HTTP Basic authentication (RFC 7617).
// verify checks the user name and the password, in constant time and throttled;
// it returns an error that Is session.ErrUnauthenticated if they are wrong, and
// any other if it cannot tell.
//
// Programs must send their credentials without being asked (curl -u, not curl
// --anyauth): a 401 of the guard's names no Basic, or browsers would ask for a
// password in a window of their own. For programs that wait to be asked, let
// Config.Answer set WWW-Authenticate.
func BasicAuth(verify func(ctx context.Context, username, password string) (session.Login, error)) func(*http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		username, password, ok := r.BasicAuth()
		if !ok {
			return session.Login{}, fmt.Errorf("%w: no Basic credentials", session.ErrUnauthenticated)
		}
		return verify(r.Context(), username, password)
	}
}
