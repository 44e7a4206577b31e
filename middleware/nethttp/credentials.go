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
// dialog. For programs that wait for a challenge, let Answer set WWW-Authenticate.
//
// Browsers do not log in by Basic credentials, with a challenge or without one. Any site
// can have a link to http://user:password@app/, and the browser sends these credentials
// also with the XMLHttpRequests of the page that the link opens. So verify is not called
// for a request with Sec-Fetch-Site, which all browsers have sent since 2023.
func BasicAuth(verify func(ctx context.Context, username, password string) (session.Login, error)) func(*http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		if len(r.Header["Sec-Fetch-Site"]) > 0 {
			return session.Login{}, fmt.Errorf("%w: a browser may send Basic credentials of a link", session.ErrUnauthenticated)
		}
		username, password, ok := r.BasicAuth()
		if !ok {
			return session.Login{}, fmt.Errorf("%w: no Basic credentials", session.ErrUnauthenticated)
		}
		return verify(r.Context(), username, password)
	}
}
