package nethttp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/sessionkit/sessionkit/session"
)

// BasicAuth returns a function for Config.Credentials that reads HTTP Basic
// authentication (RFC 7617). verify must check the user name and the password in constant
// time, and limit the rate of attempts. It returns an error that Is
// session.ErrUnauthenticated if they are wrong, and another error if it cannot check
// them. The function is safe for concurrent use if verify is.
//
// Programs must send their credentials with the first request (curl -u, not curl
// --anyauth). The guard's 401 does not name Basic: browsers would then open a password
// dialog. For programs that wait for a challenge, let Answer set WWW-Authenticate. Browsers'
// page loads do not log in by credentials, with a challenge or without one: any site can
// have a link to http://user:password@app/.
func BasicAuth(verify func(ctx context.Context, username, password string) (session.Login, error)) func(*http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		username, password, ok := r.BasicAuth()
		if !ok {
			return session.Login{}, fmt.Errorf("%w: no Basic credentials", session.ErrUnauthenticated)
		}
		return verify(r.Context(), username, password)
	}
}
