package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
)

// credentials is the one place that judges a password, at a login, before a
// change of it, and where a program sends it with a request: with the throttle,
// and in the same time for users there are and users there are not.
type credentials struct {
	users     *userTable
	passwords *hasher
	throttle  *throttle
}

// errWrong is the same for a wrong password and an unknown user.
var errWrong = errors.New("wrong e-mail or password")

// throttledError says that there were too many failures.
type throttledError struct{ wait time.Duration }

func (e throttledError) Error() string { return fmt.Sprintf("too many failed logins: wait %v", e.wait) }

// ofRequest finds the user of a program that sends its password with a request
// (curl -u). Browsers never do so by themselves: nothing here asks them to.
func (c *credentials) ofRequest(r *http.Request) (session.Login, error) {
	return sessionmw.BasicAuth(func(ctx context.Context, email, password string) (session.Login, error) {
		ip := clientIP(r)
		found, err := c.check(ctx, email, password, ip)
		if _, throttled := errors.AsType[throttledError](err); throttled || errors.Is(err, errWrong) {
			// A throttled password is taken for a wrong one. Any other error would
			// become a 503, which says that the server is in trouble and the login
			// still good, when it was not even looked at; and a client that keeps
			// asking after a 503 does what it is told.
			return session.Login{}, fmt.Errorf("%w: %w", session.ErrUnauthenticated, err)
		}
		if err != nil {
			return session.Login{}, err
		}
		return session.Login{UserID: found.SessionUser(), Epoch: found.epoch, IP: ip}, nil
	})(r)
}

// check returns the user whose password it is. Otherwise the error is errWrong,
// a throttledError, or one that Is errUnavailable. Whether the user is disabled
// is not asked here: the session store does, at that very moment.
func (c *credentials) check(ctx context.Context, email, password, ip string) (login, error) {
	email, valid := normalEmail(email)
	if !valid {
		email = "" // nobody's; it goes the same way
	}
	// Ask first, so that an attack costs neither statements nor hashes.
	if wait := c.throttle.wait(email, ip); wait > 0 {
		return login{}, throttledError{wait}
	}
	found, err := c.users.byEmail(ctx, email)
	if err != nil && !errors.Is(err, errNoUser) {
		return login{}, err
	}

	release, err := c.passwords.acquire(ctx)
	if err != nil {
		return login{}, err
	}
	defer release()
	// Ask again: many at once may have passed the first look before one of them
	// failed. Now only the holders of a turn can, and those are few.
	if wait := c.throttle.wait(email, ip); wait > 0 {
		return login{}, throttledError{wait}
	}
	ok, err := c.passwords.matches(password, found.hash)
	if err != nil {
		return login{}, fmt.Errorf("users.password_hash of user %d: %w", found.ID, err)
	}
	if !ok || len(password) > maxPassword {
		c.throttle.failed(email, ip)
		return login{}, errWrong
	}
	return found, nil
}
