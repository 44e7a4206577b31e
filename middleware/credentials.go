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
func BasicAuth(verify func(ctx context.Context, username, password string) (session.Login, error)) func(*http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		username, password, ok := r.BasicAuth()
		if !ok {
			return session.Login{}, fmt.Errorf("%w: no Basic credentials", session.ErrUnauthenticated)
		}
		return verify(r.Context(), username, password)
	}
}
