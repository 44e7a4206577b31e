package token

import (
	"context"
	"net/http"
	"net/url"
)

// SecretAuth returns a function for Config.Client or Config.Service that reads the id and the
// secret of a client from the Authorization header, or from the form (RFC 6749, section 2.3.1).
// verify compares the secret in constant time. It gets an empty one from clients that can keep
// none, such as a mobile app or a command line: let those in by their id, and no others. It
// returns ErrInvalidClient if the client is unknown or the secret wrong, ErrUnauthorizedClient
// if the client may not use this endpoint, and another error if it cannot tell. The function is
// safe for concurrent use if verify is.
func SecretAuth(verify func(ctx context.Context, id, secret string) error) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		id, secret, err := clientOf(r)
		if err != nil {
			return "", err
		}
		return id, verify(r.Context(), id, secret)
	}
}

// clientOf returns the id and the secret in a request.
func clientOf(r *http.Request) (id, secret string, err error) {
	id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if r.Header.Get("Authorization") == "" {
		if id == "" {
			return "", "", ErrInvalidClient
		}
		return id, secret, nil
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return "", "", ErrInvalidClient
	}
	if secret != "" { // RFC 6749, section 2.3
		return "", "", invalidRequest("the client proves who it is in two ways")
	}
	name, errName := url.QueryUnescape(name)
	password, errPassword := url.QueryUnescape(password)
	switch {
	case errName != nil || errPassword != nil || name == "":
		return "", "", ErrInvalidClient
	case id != "" && id != name:
		return "", "", invalidRequest("client_id is not the client of the Authorization header")
	}
	return name, password, nil
}
