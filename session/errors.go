package session

import (
	"errors"
	"fmt"

	"github.com/sessionkit/sessionkit/session/store"
)

var (
	// ErrUnauthenticated says that the request belongs to no session: it has no
	// cookie, none that can be opened, or one whose session is over. The text of
	// the error that wraps it says which, for logs.
	ErrUnauthenticated = errors.New("session: unauthenticated")

	// ErrReused says that the session was ended because a superseded refresh cookie or token was
	// presented: somebody may have copied it. An error that Is ErrReused also Is
	// ErrUnauthenticated.
	ErrReused = fmt.Errorf("%w: the session was ended because a superseded refresh cookie or token was presented: somebody may have copied it", ErrUnauthenticated)

	// ErrAmbiguous says that a request with a token has cookies of the kit, too, or a second
	// Authorization header. An error that Is ErrAmbiguous also Is ErrUnauthenticated.
	ErrAmbiguous = fmt.Errorf("%w: the request has a token, and cookies or a second Authorization header: which of them counts is not known", ErrUnauthenticated)

	// ErrUserDisabled says that the user may not log in: the user is disabled or
	// unknown, or has another session_epoch than Login.Epoch, as after a change
	// of the password.
	ErrUserDisabled = store.ErrUserDisabled

	// ErrNotFound says that the user has no such session.
	ErrNotFound = errors.New("session: the user has no such session")

	// ErrTooLarge says that the user's id, roles and attributes, and what the login says of
	// the session, do not fit into the access cookie. The login, or the Update, is refused:
	// browsers drop a longer cookie silently. A session whose user outgrows the cookie later goes on: see
	// Manager.Authenticate.
	ErrTooLarge = errors.New("session: the user's id, roles and attributes, and the methods and data of the session, do not fit into a cookie of 4096 bytes: give the user or the session fewer")

	// ErrUnfinished says that RevokeUser has ended only some of the user's sessions in
	// its time. Run goes on with the rest, and raises EventRevoked with the user's id alone at the end. The
	// text of the error that wraps it says how many have ended.
	ErrUnfinished = errors.New("session: not all sessions have ended yet")

	// ErrStoreUnavailable says that the store gave no definite answer in time. Answer
	// 503, and log nobody out: the next request may succeed. Errors that are
	// none of this package's errors are the caller's own mistakes.
	ErrStoreUnavailable = errors.New("session: the store is unavailable")
)

func unauthenticated(why string) error {
	return fmt.Errorf("%w: %s", ErrUnauthenticated, why)
}

func unavailable(why error) error {
	return fmt.Errorf("%w: %w", ErrStoreUnavailable, why)
}

// unfinished says that a RevokeUser goes on in Run. why is the store's error, if it had
// one.
func unfinished(ended int, why error) error {
	err := fmt.Errorf("%w: %d have, and Run goes on", ErrUnfinished, ended)
	if why != nil {
		err = fmt.Errorf("%w: %w", err, why)
	}
	return err
}

// Reasons of ErrStoreUnavailable where the store did answer, or was not asked.
var (
	errPrefetch          = errors.New("a prefetch never asks it")
	errContended         = errors.New("the session's row kept changing")
	errDelayed           = errors.New("the login of a moment ago is not in the store yet")
	errTooManyUnfinished = errors.New("too many calls of RevokeUser are unfinished: call it again later")
	errStraggler         = errors.New("the browser has been given a newer refresh cookie a moment ago")
	errStale             = errors.New("the store's answer is older than a revocation that this node knows of")
)

// Faults of the app's setup, for EventMisconfigured. Each says what to do.
var (
	errEpochUnchecked = errors.New("a login did not pass the user's session_epoch, so a password that is changed meanwhile does not stop it: set Login.Epoch")
	errLargeCookie    = errors.New("an access cookie of more than 2,000 bytes: proxies such as nginx may answer such a login with 502; raise their proxy_buffer_size to 8 KB, or let the session carry fewer roles, attributes and data (said once)")
	errPlainHTTP      = errors.New("Config.DangerouslyAllowHTTP is set, and a request names a host that is not loopback: anyone on the way can copy the cookies")
	errNoRun          = errors.New("Manager.Run was never called: a logout on another node counts here after up to AccessTTL, a logout while the store is down is not repeated, and dead rows stay; call go sessions.Run(ctx) at the start (said once)")
	errSharedKey      = errors.New("two Managers of this process have one key and one Config.App, but different stores: each accepts the other's users as its own; give them different Apps, or the same store")
)

// What EventSuspicious may say.
var (
	errRepeated    = errors.New("one refresh cookie was presented three times or more, long after each other: by a copy of it, or by a client that stores no cookies")
	errFingerprint = errors.New("the client has another fingerprint than at the login of its session: see Config.Fingerprint")
)

// errUserGone is what EventEnded says of a deleted user.
var errUserGone = errors.New("the user no longer exists: call RevokeUser before a user is deleted")
