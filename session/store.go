package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"
)

// ID names a session: the first 16 bytes of SHA-256 of the random root inside
// its refresh cookie. It may be shown, logged and stored: no cookie can be made
// from it, not even with the keys.
type ID [16]byte

// String returns the ID in 32 hexadecimal digits, as it stands in Session.ID.
func (id ID) String() string {
	var text [2 * len(id)]byte
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// IsZero reports whether id names no session.
func (id ID) IsZero() bool { return id == ID{} }

var errMalformedID = errors.New("session: a session id is 32 hexadecimal digits, in lower case")

// ParseID reads what ID.String wrote, and no other spelling of it.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != hex.EncodedLen(len(id)) {
		return ID{}, errMalformedID
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil || id.String() != text {
		return ID{}, errMalformedID
	}
	return id, nil
}

// Digest is SHA-256 of the id inside a refresh ticket. A store keeps digests
// only, so that a leaked database makes no cookie. The zero Digest stands for
// "none".
type Digest [sha256.Size]byte

// Reason says why a session was revoked.
type Reason string

const (
	ReasonLogout   Reason = "logout"   // its user logged out
	ReasonReplaced Reason = "replaced" // a newer login on the same browser took its place
	ReasonRevoked  Reason = "revoked"  // Revoke or RevokeUser
	ReasonLimit    Reason = "limit"    // the user had more sessions than Config.MaxSessions
	ReasonReuse    Reason = "reuse"    // a superseded refresh cookie was presented: theft
)

// NewSession is what a Store needs to know of a session that begins.
type NewSession struct {
	ID        ID
	UserID    string
	UserEpoch uint64 // must equal the user row's; 0: not checked
	Confirmed Digest // of the refresh ticket that the login answer carries, generation 0
	Lifetime  time.Duration
	KeepFor   time.Duration // how long the row must outlive this moment
	UserAgent string        // at most 255 bytes of valid UTF-8
	IP        string        // at most 45 bytes, may be empty
}

// Presented is a refresh ticket as a store sees it: an order number and two digests.
type Presented struct {
	ID         ID
	Generation uint64
	Digest     Digest        // of the ticket's own id
	Parent     Digest        // of the id of the ticket it was minted for
	KeepFor    time.Duration // how long the row must outlive this moment
}

// User is what a session needs of the row in the app's own users table.
type User struct {
	Epoch    uint64
	Disabled bool // true as well when the row is gone
	Roles    []string
	Attrs    map[string]string
}

// Record is a session's row joined with its user's, read in one statement.
// Every time in it is the store's clock, in microseconds.
type Record struct {
	ID          ID
	UserID      string
	UserEpoch   uint64 // the user's at login
	GlobalEpoch uint64 // everybody's at login
	Generation  uint64
	Confirmed   Digest    // the newest refresh ticket that a client has presented
	Previous    Digest    // the one before; zero: none
	ConfirmedAt time.Time // when Confirmed was first presented, or the login
	CreatedAt   time.Time
	AuthTime    time.Time // when the user last proved who they are
	EndsAt      time.Time // the absolute end; never moves
	Reload      uint64    // counts Store.Reload
	RevokedAt   time.Time // zero: not revoked
	Reason      Reason    // of the revocation
	UserAgent   string
	IP          string

	User User
}

// Takes is the condition of Store.Confirm: p is a child of the confirmed ticket,
// or the row is behind by more than one. Generations are compared by adding: a
// login is 0, and an unsigned number has nothing below that.
func (r *Record) Takes(p Presented) bool {
	return r.RevokedAt.IsZero() &&
		(r.Generation+1 < p.Generation || r.Generation+1 == p.Generation && r.Confirmed == p.Parent)
}

// Supersedes is the condition of Store.RevokeReused: p is neither the confirmed
// ticket nor one that Takes.
func (r *Record) Supersedes(p Presented) bool {
	return r.RevokedAt.IsZero() && !r.Takes(p) && !(r.Generation == p.Generation && r.Confirmed == p.Digest)
}

// Snapshot is what a store knew at one moment.
type Snapshot struct {
	Now         time.Time // the store's clock
	GlobalEpoch uint64    // everybody's now: sessions with a lower one are over
	Record      *Record   // nil: there is no such session
}

// Change is a session that was revoked or reloaded.
type Change struct {
	ID      ID
	Revoked bool
	Reload  uint64 // the row's counter
}

// Changes is what one look at a store's recent changes showed.
type Changes struct {
	Now         time.Time // the store's clock
	GlobalEpoch uint64
	Sessions    []Change
}

// A Store keeps one row per session beside the app's users table. It remembers,
// compares and swaps; it judges nothing. Package storetest holds this contract
// as tests.
//
// Every method is safe for concurrent use, on any number of nodes at once. Each
// is one atomic step, and harmless when it is repeated, because the caller
// repeats it when an answer was lost. Times are read from one clock, the store's
// own, never from a node's. A method returns soon after its context is done.
//
// Losing a race is not an error. Anything that is not a definite answer is one:
// it becomes a 503 and takes nothing from anybody. A user id that cannot be one
// of this store's names no user.
type Store interface {
	// Create adds the row of a new session, with generation 0 and the user's
	// and everybody's epoch as they stand. It returns an error that Is
	// ErrUserDisabled, and adds nothing, when the user does not exist, is
	// disabled, or has another epoch than a UserEpoch that is not 0. When the
	// row is already there, it is left as it is, and Create returns nil.
	Create(ctx context.Context, s NewSession) error

	// Find reads a session together with its user and the clock, in one
	// statement, from where writes go: never from a replica, never from an open
	// snapshot. No such session is not an error.
	Find(ctx context.Context, id ID) (Snapshot, error)

	// Confirm records that a ticket was presented: Previous takes Confirmed,
	// Confirmed takes p.Digest, Generation takes p.Generation, ConfirmedAt is
	// now. It does so only if the session is not revoked and the row either
	// stands one generation lower with p.Parent confirmed, or lower still. It
	// reports whether it did; false is a lost race or a repetition, never a verdict.
	Confirm(ctx context.Context, p Presented) (bool, error)

	// RevokeReused revokes the session of a superseded ticket, with
	// ReasonReuse, unless it is revoked, or the ticket is after all the
	// confirmed one or one that Confirm would take. Of many calls at once, one
	// reports true.
	RevokeReused(ctx context.Context, p Presented) (bool, error)

	// Revoke revokes one session, if it is userID's or userID is empty. It
	// reports whether it did: false where there is no such session, or it was
	// revoked before.
	Revoke(ctx context.Context, id ID, userID string, reason Reason) (bool, error)

	// RevokeUser revokes every session of the user but those in except.
	RevokeUser(ctx context.Context, userID string, except []ID, reason Reason) error

	// RevokeAll raises everybody's epoch. Its cost does not depend on the
	// number of sessions.
	RevokeAll(ctx context.Context) error

	// Reload raises the Reload counter of each live session of the user.
	Reload(ctx context.Context, userID string) error

	// List returns the user's sessions that are not over, in the order of
	// their creation, the newest first. Record.User is not filled in.
	List(ctx context.Context, userID string) ([]Record, error)

	// Changes returns the clock, everybody's epoch, and the sessions revoked or
	// reloaded within the given time before now.
	Changes(ctx context.Context, within time.Duration) (Changes, error)

	// Prune removes at most limit rows that have outlived every ticket of
	// theirs, and returns how many it removed, also when an error comes with it.
	// Fewer than limit means enough for now: another node may be at it.
	Prune(ctx context.Context, limit int) (int, error)
}
