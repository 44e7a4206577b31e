package main

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/sessionkit/sessionkit/session/token"
)

// secretVariable is where the secret of the client billing may be set.
const secretVariable = "TOUR_BILLING_SECRET"

// client is a program that may use the endpoints of OAuth.
type client struct {
	name    string // for people
	secret  string // empty: the program is in the hands of its users, and can keep none
	service bool   // one of the app's own: it asks what tokens are worth, and gets none
}

const (
	commandLine  = "cli"
	shortestSafe = 20 // characters of a secret that nobody guesses, as those of rand.Text
)

// clients are known by their client_id. A larger app has a table of them in its database, with
// the hashes of the secrets.
type clients map[string]client

func newClients(secret string) (clients, error) {
	if len(secret) < shortestSafe {
		return nil, fmt.Errorf("%s has %d characters: use %d or more, of openssl rand -base64 32", secretVariable, len(secret), shortestSafe)
	}
	return clients{
		commandLine: {name: "Command line"},
		"billing":   {name: "Billing", secret: secret, service: true},
	}, nil
}

// verify returns a function for token.SecretAuth that lets the services in, or all others. The
// rate of attempts has no limit, because a secret of this length cannot be guessed.
func (c clients) verify(service bool) func(ctx context.Context, id, secret string) error {
	return func(_ context.Context, id, secret string) error {
		found, ok := c[id]
		switch {
		case !ok || subtle.ConstantTimeCompare([]byte(secret), []byte(found.secret)) != 1:
			return token.ErrInvalidClient
		case found.service != service:
			return token.ErrUnauthorizedClient
		}
		return nil
	}
}
