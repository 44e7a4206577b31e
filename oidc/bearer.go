package oidc

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// Bearer is Config.Credentials of a guard for programs that send an ID token of the provider
// as "Authorization: Bearer ...". It asks Config.User for the app's user.
//
// The token must be signed by the provider, issued by Config.Issuer for Config.ClientID, and
// not expired. A token for another app is refused: whoever has got one from a user of theirs
// could log in here. So are logout tokens, and access tokens that say what they are. Until it expires, it can be sent any number of times, by whoever has it;
// the session that begins outlives it. So let programs log in with it once, and keep the
// cookies; without cookies, see session.Login.NonInteractive.
//
// Bearer reads this header only. No form, link or image of another site can make a browser
// send it, and a script of another site only if CORS allows it. A browser sends a cookie by
// itself, and a query is in every log.
//
// An error that Is session.ErrUnauthenticated says that there is no good token, or that the
// provider's keys cannot be fetched. Any other one is that of Config.User, or Is ErrUnavailable:
// the guard answers 503. The access tokens of session.Tokens begin in a way of their own, and
// never come here.
func (p *Provider) Bearer(r *http.Request) (session.Login, error) {
	raw, ok := bearer(r)
	if !ok {
		return session.Login{}, fmt.Errorf("%w: no bearer token", session.ErrUnauthenticated)
	}
	found, err := p.found.get()
	if err != nil {
		return session.Login{}, err
	}
	id, err := found.strangers.Verify(r.Context(), raw)
	if err != nil {
		return session.Login{}, fmt.Errorf("%w: %w", session.ErrUnauthenticated, brief(err))
	}
	if !isType(raw, "id_token+jwt") {
		return session.Login{}, fmt.Errorf("%w: the token is a JWT of another type", session.ErrUnauthenticated)
	}
	who, claims, err := p.identify(id)
	if err == nil && claims.hasEvents {
		err = fmt.Errorf("%w: the token is about an event, such as a logout", ErrInvalid)
	}
	if err != nil {
		return session.Login{}, fmt.Errorf("%w: %w", session.ErrUnauthenticated, err)
	}
	login, err := p.cfg.User(r.Context(), who)
	if err != nil {
		return session.Login{}, err
	}
	return p.complete(login, claims), nil
}

// bearer returns the token of the header (RFC 6750, section 2.1). The name of the scheme
// is not case-sensitive (RFC 9110, section 11.1).
func bearer(r *http.Request) (string, bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false // two headers: it is not clear which one counts
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
