package session

import (
	"errors"
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

// byToken is Authenticate for a request with a token. It asks no store about a token that has
// expired, or whose session this node knows to be over: the client has a refresh token.
//
// A good token may not be accepted because this node's clock is wrong, or because everybody
// has to refresh. Many clients refresh by their clock alone, and not after a 401. So the store
// is asked, and what it says takes the place of the token's content.
func (m *Manager) byToken(r *http.Request) (Verdict, error) {
	token, err := m.tickets.token(r)
	if err != nil {
		return Verdict{}, err
	}
	t, ok := m.tickets.openAccessToken(r, token)
	switch {
	case !ok:
		return Verdict{}, unauthenticated("no key opens the access token")
	case m.accepts(t):
		return Verdict{ticket: t}, nil
	case !m.store.estimate().Before(t.ExpiresAt):
		return Verdict{}, unauthenticated("the access token has expired")
	case m.revocations.knowsEnd(t.id, t.globalEpoch):
		return Verdict{}, unauthenticated("the session of the access token is over")
	case IsPrefetch(r):
		return Verdict{}, unavailable(errPrefetch)
	}
	if _, refused := m.resolver.refusals.get(t.id, anyToken); refused {
		return Verdict{}, unauthenticated("the session of the access token is over, as the store has just said")
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	v, err := m.requireLive(c, Verdict{ticket: t}, refreshTicket{})
	if errors.Is(err, ErrUnauthenticated) {
		m.resolver.refusals.put(t.id, anyToken, outcome{})
	}
	if err != nil {
		return Verdict{}, err
	}
	v.ticket.ExpiresAt = t.ExpiresAt // the client knows no other end
	m.tickets.sealers.Load().tokens.cache.put(&cachedTicket{value: token[len(accessPrefix):], ticket: *v.ticket})
	return v, nil
}

// anyToken is the key of a refusal that holds for every access token of a session.
const anyToken = "token"

// token returns the request's access token. It refuses a request that also has cookies: a
// browser sends them for any site, and a token exempts a request from the check for that.
func (ts *tickets) token(r *http.Request) (string, error) {
	lines := r.Header["Authorization"]
	if len(lines) != 1 || ts.names.arePresent(r) {
		ts.wasRead(r, readAmbiguous)
		return "", ErrAmbiguous
	}
	token, _ := tokenIn(lines[0])
	return token, nil
}

// logoutToken ends the session of the request's access token, however old. The client must not
// believe that something has ended if nothing was.
func (m *Manager) logoutToken(c *call) error {
	token, err := m.tickets.token(c.r)
	if err != nil {
		return err
	}
	t, ok := m.tickets.openExpiredToken(c.r, token)
	if !ok {
		return unauthenticated("no key opens the access token")
	}
	if m.store.isLongPast(t.EndsAt) {
		return nil
	}
	return m.revoker.revokeSurely(c, []named{{id: t.id, userID: t.UserID}}, store.ReasonLogout)
}
