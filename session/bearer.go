package session

import (
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session/store"
)

// A token begins with a few letters that tell its kind. They tell it from the tokens of
// others, such as an identity provider's, and let scanners find one in a repository.
const (
	accessPrefix  = "skat_"
	refreshPrefix = "skrt_"
	devicePrefix  = "skdc_"
)

// The names that the seals of tokens cover.
const (
	accessToken  = "access_token"
	refreshToken = "refresh_token"
	deviceCode   = "device_code"
)

// HasToken reports whether a request carries an access token of a Manager's, good or not:
// "Authorization: Bearer" (RFC 6750, section 2.1) and a token that begins as the kit's do. It
// does not look for tokens in a form or in a URL, which end up in logs.
func HasToken(r *http.Request) bool {
	for _, line := range r.Header["Authorization"] {
		if _, ok := tokenIn(line); ok {
			return true
		}
	}
	return false
}

// tokenIn returns the access token in a line of Authorization. The name of the scheme is not
// case-sensitive (RFC 9110, section 11.1).
func tokenIn(line string) (string, bool) {
	scheme, token, _ := strings.Cut(line, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	token = strings.TrimLeft(token, " ")
	return token, strings.HasPrefix(token, accessPrefix)
}

// isByToken reports whether a token, not a cookie, says who a request belongs to.
func (m *Manager) isByToken(r *http.Request) bool { return m.cfg.TokenTTL > 0 && HasToken(r) }

// byToken is Authenticate for a request with a token. It asks no store: the client has a
// refresh token to do that with.
func (m *Manager) byToken(r *http.Request) (Verdict, error) {
	t, err := m.tickets.token(r)
	if err != nil {
		return Verdict{}, err
	}
	if !m.accepts(t) {
		return Verdict{}, unauthenticated("the access token has expired, or its session is over")
	}
	return Verdict{ticket: t}, nil
}

// token returns the ticket in the request's access token, accepted or not. Next to the token
// there may be no other sign of who the request belongs to: a cookie would be sent by a
// browser for any site, and a token exempts a request from the check for that.
func (ts *tickets) token(r *http.Request) (*accessTicket, error) {
	lines := r.Header["Authorization"]
	if len(lines) != 1 || ts.names.arePresent(r) {
		ts.wasRead(r, readAmbiguous)
		return nil, ErrAmbiguous
	}
	value, _ := tokenIn(lines[0])
	t, ok := ts.openAccessToken(r, value)
	if !ok {
		return nil, unauthenticated("no key opens the access token")
	}
	return t, nil
}

// logoutToken ends the session of the request's access token.
func (m *Manager) logoutToken(c *call) error {
	t, err := m.tickets.token(c.r)
	if err != nil {
		return nil // as without a cookie: nothing is known that could end
	}
	return m.revoker.revokeSurely(c, []named{{id: t.id, userID: t.UserID}}, store.ReasonLogout)
}
