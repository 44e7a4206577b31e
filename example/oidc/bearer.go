// Package oidc shows how programs log in with an ID token of an identity provider in
// place of a password. The app does not use it: read it when you need it.
//
// It makes a function for the Credentials of a guard's configuration. A person is
// different: they log in on the provider's page and come back with a code, and that
// ends in Guard.Issue, like any login.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/sessionkit/sessionkit/session"
)

// Bearer returns Config.Credentials for requests that carry an ID token as
// "Authorization: Bearer ...".
//
// The verifier, for example from Verifier, checks the signature (with the provider's keys
// and an algorithm that was agreed on), the issuer, the expiry and the audience. Skip
// none of them. Without the audience, oidc.Config.ClientID, a token that the provider has
// issued for another app logs in here too.
//
// login finds the app's own user for the provider's subject, and returns a Login with the
// user's id and session_epoch. It returns an error that Is session.ErrUnauthenticated if
// there is no such user, and any other error if it cannot tell. It must not look for the e-mail address of the token: an address can change its
// owner and may be unverified. A provider never gives a subject to a second user.
//
// Bearer reads this header only. No form, link or image of another site can make a
// browser send it, and a script of another site only if CORS allows it. A browser sends
// a cookie by itself, and a query is in every log.
//
// The session that begins outlives the token, and its AuthTime is now, even if the user
// logged in at the provider long ago. go-oidc does not tell a wrong signature from keys
// that it cannot fetch, so a provider that is down causes a 401. Nobody loses a cookie
// by that.
func Bearer(verifier *oidc.IDTokenVerifier, login func(ctx context.Context, subject string) (session.Login, error)) func(*http.Request) (session.Login, error) {
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
		return login(r.Context(), token.Subject)
	}
}

// fetchEvery is the shortest time between two fetches of the provider's keys.
const fetchEvery = 10 * time.Second

// Verifier returns a verifier for Bearer. It accepts ID tokens that the provider has
// issued for clientID, the app's own id at the provider.
//
// go-oidc fetches the provider's keys whenever none of those that it holds fits a token:
// the provider may have a new key. But every stranger can write such a token. So
// Verifier fetches the keys at most once in 10 seconds; in between, such a token is
// refused at once. A token of a new key is accepted 10 seconds later at most. The same
// holds when the provider is down. The verifier is safe for concurrent use.
func Verifier(ctx context.Context, provider *oidc.Provider, clientID string) *oidc.IDTokenVerifier {
	client := &http.Client{Transport: &keyFetches{base: http.DefaultTransport}, Timeout: 5 * time.Second}
	return provider.VerifierContext(oidc.ClientContext(ctx, client), &oidc.Config{ClientID: clientID})
}

var errFetchedRecently = errors.New("the provider's keys have just been fetched")

// keyFetches passes on one request in fetchEvery, and refuses the others.
type keyFetches struct {
	base http.RoundTripper
	mu   sync.Mutex // guards next
	next time.Time
}

func (k *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Response == nil && !k.begin() { // a redirect belongs to a request that was passed on
		return nil, errFetchedRecently
	}
	return k.base.RoundTrip(r)
}

func (k *keyFetches) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Before(k.next) {
		return false
	}
	k.next = now.Add(fetchEvery)
	return true
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
