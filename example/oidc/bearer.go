// Package oidc shows how programs come in with an ID token of an identity
// provider, in place of a password: what to put into middleware.Config.Credentials.
//
// A person logs in at the provider's own page and comes back with a code, which
// is another matter: that ends, like any login, in Guard.Issue.
package oidc

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/sessionkit/sessionkit/session"
)

// Bearer returns Config.Credentials for requests that carry an ID token as
// "Authorization: Bearer ...".
//
// The verifier checks the signature, with the provider's keys and an algorithm
// that was agreed on; the issuer; the expiry; and the audience. None of these may
// be skipped. Least of all the audience, oidc.Config.ClientID: without it, a
// token that some other app was given for one of its users opens this one, too.
//
// userID finds the app's own id of the user whom the provider calls subject. It
// returns an error that Is session.ErrUnauthenticated if there is none, and any
// other if it cannot tell. It must not go by the token's e-mail address: that may
// change hands, or never have been verified, where the subject is never given
// twice.
//
// The token is taken from this header and from nowhere else. No form, link or
// image of another site's can make a browser send it, and a script of theirs
// only where CORS allows it. A token in a cookie would come along by itself, and
// one in the query would be in every log.
//
// Two things to know. What is issued is a session like any other: it outlives the
// token, and its AuthTime is now, however old the token's own login is. And
// go-oidc does not tell keys that it could not fetch from a wrong signature, so
// that a provider that is down is a 401 here, to which nobody's cookies are lost.
func Bearer(verifier *oidc.IDTokenVerifier, userID func(ctx context.Context, subject string) (string, error)) func(*http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		raw, ok := bearer(r)
		if !ok {
			return session.Login{}, fmt.Errorf("%w: no bearer token", session.ErrUnauthenticated)
		}
		token, err := verifier.Verify(r.Context(), raw)
		if err != nil {
			return session.Login{}, fmt.Errorf("%w: %w", session.ErrUnauthenticated, err)
		}
		if token.Subject == "" {
			return session.Login{}, fmt.Errorf("%w: the token names no subject", session.ErrUnauthenticated)
		}
		id, err := userID(r.Context(), token.Subject)
		if err != nil {
			return session.Login{}, err
		}
		return session.Login{UserID: id}, nil
	}
}

// bearer returns the token of a header as in RFC 6750, section 2.1. The scheme's
// name is read in any case (RFC 9110, section 11.1).
func bearer(r *http.Request) (string, bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false // whose token counts, when there are two?
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
