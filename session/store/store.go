package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUserDisabled is the answer of Store.Create for a user who may not log in:
// the user is disabled, does not exist, or has another epoch than
// NewSession.UserEpoch.
var ErrUserDisabled = errors.New("session: the user may not log in")

// The reasons of ErrUserDisabled, for logs. An error that Is one of them also Is
// ErrUserDisabled. A user who is disabled is so whatever the epoch. Do not tell the reasons
// apart to whoever logs in.
var (
	ErrUserUnknown = fmt.Errorf("%w: no user has this id", ErrUserDisabled)
	ErrUserBanned  = fmt.Errorf("%w: the user is disabled", ErrUserDisabled)
	ErrEpochMoved  = fmt.Errorf("%w: the user's session epoch is not that of the login: it was raised after the app had read it, as after a new password", ErrUserDisabled)
)

// A Store keeps one row per session beside the app's users table. It stores rows and
// applies conditions. Package session makes all decisions.
//
// Every method is safe for concurrent use, on any number of nodes at once. Each is
// one atomic step and safe to repeat, because the caller repeats it when an answer
// was lost. All times come from one clock, the store's own, never from a node's. A
// method returns soon after its context is done.
//
// A lost race is not an error. An error that is not ErrUserDisabled means that the
// store has no definite answer: the request gets a 503, and nobody is logged out. A
// user id that this store cannot contain names no user.
type Store interface {
	// Create adds the row of a new session, with generation 0 and the current
	// epochs of the user and of everybody. It adds nothing and returns an error
	// that Is ErrUserUnknown when the user does not exist, ErrUserBanned when they
	// are disabled, and ErrEpochMoved when they have another epoch than a
	// UserEpoch other than 0. When the row exists already,
	// Create leaves it as it is and returns nil.
	Create(ctx context.Context, s NewSession) error

	// Find reads a session, its user and the clock in one statement. It reads where
	// writes go: never from a replica, never from an open snapshot. A session that
	// does not exist is not an error: Snapshot.Record is nil.
	Find(ctx context.Context, id ID) (Snapshot, error)

	// Confirm records that a client has presented a ticket: Previous becomes
	// Confirmed, Confirmed becomes p.Digest, Generation becomes p.Generation,
	// ConfirmedAt becomes now, and LateAt and LateBefore become zero. It does so only
	// if Record.CanConfirm holds. It reports whether it did; false means a lost race or
	// a repetition.
	Confirm(ctx context.Context, p PresentedTicket) (bool, error)

	// RecordLate records that a client has presented the confirmed ticket late:
	// LateBefore becomes LateAt, or zero if LateAt is after now, and LateAt becomes
	// now. It does so only if Record.IsLate holds. It reports whether it did; false
	// means a lost race or a repetition.
	RecordLate(ctx context.Context, p PresentedTicket) (bool, error)

	// RevokeReused revokes the session with ReasonReuse if Record.IsReuse holds. It
	// reports whether it did. Of many concurrent calls one reports true.
	RevokeReused(ctx context.Context, p PresentedTicket) (bool, error)

	// Revoke revokes one session if it belongs to userID, or if userID is
	// empty. It reports whether it did; false means that there is no such session,
	// or that it was revoked before. The row leaves at the end of Reason.RetainFor,
	// or when it would have left without the revocation, if that is earlier.
	Revoke(ctx context.Context, id ID, userID string, reason Reason) (bool, error)

	// RevokeUser revokes at most r.Limit of the sessions that r describes, each as
	// Revoke does. No statement changes more rows than that, whatever the number of
	// sessions. It returns how many sessions it found: all of them are revoked now,
	// by this call or by a concurrent one. Fewer than r.Limit means that none is
	// left.
	RevokeUser(ctx context.Context, r UserRevocation) (int, error)

	// RevokeAll raises the global epoch. Its cost does not depend on the number
	// of sessions.
	RevokeAll(ctx context.Context) error

	// RefreshAll raises the refresh epoch, and so makes every client ask the store
	// once. It ends no session. Its cost does not depend on the number of sessions.
	RefreshAll(ctx context.Context) error

	// Reload raises the Reload counter of at most limit live sessions of the user. It
	// returns how many it found. Fewer than limit means that each has been raised.
	Reload(ctx context.Context, userID string, limit int) (int, error)

	// Update replaces the Data of a session that is not revoked, and raises its Reload
	// counter as Reload does. It reports whether it did.
	Update(ctx context.Context, id ID, data map[string]string) (bool, error)

	// List returns at most limit of the user's live sessions, the newest first,
	// from the one that follows after. A zero after begins with the newest; one that
	// names no session gives an empty list. It may name a session that is over.
	// Record.User is empty.
	List(ctx context.Context, userID string, after ID, limit int) ([]Record, error)

	// Newest returns at most limit of the user's sessions that programs began, or
	// that they did not, the newest first. It leaves out only revoked sessions: those
	// that are over for another reason count until Prune removes them. So its
	// cost does not depend on how many sessions the user has. Record.User is empty.
	Newest(ctx context.Context, userID string, nonInteractive bool, limit int) ([]Record, error)

	// Changes returns the clock, both epochs of everybody, and a page of the
	// sessions that were revoked or reloaded within the given time before now: the
	// first limit of those that follow after, in the order of Cursor. Fewer than
	// limit means that no more follow. limit is at least 1.
	Changes(ctx context.Context, within time.Duration, after Cursor, limit int) (Changes, error)

	// Prune removes at most limit rows whose retention time is over. It returns
	// how many it removed, also when it returns an error. Fewer than limit means
	// that there are no more for now, or that another node is pruning.
	Prune(ctx context.Context, limit int) (int, error)
}

// A OneStep is a Store whose database can read and write in one statement, which spares
// each refresh one of its two round trips. It is optional: package session calls Find and
// Confirm of any other Store.
type OneStep interface {
	// FindAndConfirm returns what Find returns for p.ID, and also does what Confirm does if
	// Snapshot.IsNext holds of it. The snapshot shows the state before that. The result
	// reports whether it confirmed; false may also mean a lost race, and then the row has
	// changed since the snapshot. It is one atomic step: no other call changes the row
	// between its check and its write.
	FindAndConfirm(ctx context.Context, p PresentedTicket) (Snapshot, bool, error)
}
