package session

import (
	"errors"
	"fmt"
)

// There are two classes of failure. A definite answer is one of the
// errors below. Every other error says that no answer could be had: the store's
// trouble, which is a 503 and never a logout.
var (
	// ErrUnauthenticated says that the request belongs to no session: no cookie,
	// none that can be read, or one whose session is over. The text of the error
	// that Is it tells which, for logs.
	ErrUnauthenticated = errors.New("session: unauthenticated")

	// ErrUserDisabled says that the user may not log in: disabled, unknown, or
	// with another session_epoch than Login.Epoch, as after a password change.
	ErrUserDisabled = errors.New("session: the user may not log in")

	// ErrNotFound says that the user has no such session.
	ErrNotFound = errors.New("session: no such session")

	// ErrTooLarge says that a user's id, roles and attributes do not fit into the
	// access cookie: browsers drop a longer one without a word.
	ErrTooLarge = errors.New("session: the user's id, roles and attributes do not fit into a cookie of 4096 bytes: give the user fewer")
)

func unauthenticated(why string) error {
	return fmt.Errorf("%w: %s", ErrUnauthenticated, why)
}
