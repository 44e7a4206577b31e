package store

import (
	"context"
	"time"
)

// AuditLog keeps AuditEntries. session.Config.Audit takes one: that of sqlstore writes a table
// of the same database, and AuditFunc sends them anywhere else.
//
// Implementations must be safe for concurrent use.
type AuditLog interface {
	// Append adds entries, at most 100, the oldest first. After an error the same entries
	// come again, in this order or with others: one whose ID is known is left as it is.
	Append(ctx context.Context, entries []AuditEntry) error

	// Prune removes at most limit entries whose time is over. It returns how many it has
	// removed.
	Prune(ctx context.Context, limit int) (int, error)
}

// AuditFunc is an AuditLog that passes on each entry, and removes none. An error makes all
// entries of its Append come again, so that an entry may come twice: its ID then is the same.
type AuditFunc func(context.Context, AuditEntry) error

// Append calls f for each entry until the first error.
func (f AuditFunc) Append(ctx context.Context, entries []AuditEntry) error {
	for _, e := range entries {
		if err := f(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// Prune removes nothing.
func (AuditFunc) Prune(context.Context, int) (int, error) { return 0, nil }

// AuditEntry says who did what. It holds no secret. UserID, Actor, IP and UserAgent are
// personal data. Each text has at most 255 bytes, of UTF-8 without control characters.
type AuditEntry struct {
	ID     ID        // of the entry; two entries of one moment may have any order
	At     time.Time // by the store's clock, as far as the node knows it
	Action AuditAction

	UserID    string // whose session it is; empty: everybody's, or not known
	SessionID ID     // zero: more than one, or not known

	// Actor is who did it, if that is not UserID: who acts as UserID, the user of the session
	// in the context of the call, such as an administrator, or what session.WithActor says.
	// ActorSession is that user's session, of a call from a context, and not of what an actor's
	// own session does. Empty and zero: UserID did it, or nobody is known.
	Actor        string
	ActorSession ID

	IP, UserAgent string // of the request that caused it, as events have them
	Detail        string // why, or how; may be empty
}

// AuditAction names what was done. It is the text that the log keeps.
type AuditAction string

// What is logged. A refresh is not, and neither is a session whose time is over.
const (
	AuditLogin           AuditAction = "login"            // a session began; the detail says how the user proved who they are
	AuditLoginRefused    AuditAction = "login-refused"    // the store refused a user, for the reason in the detail
	AuditSessionEnded    AuditAction = "session-ended"    // one session was ended; the detail is the Reason
	AuditUserEnded       AuditAction = "user-ended"       // all sessions of a user were ended, but for those that the call excepts
	AuditExternalEnded   AuditAction = "external-ended"   // those that an identity provider calls by one id, which the detail has
	AuditAllEnded        AuditAction = "all-ended"        // every session of every user
	AuditPasswordChanged AuditAction = "password-changed" // the user's other sessions were ended
	AuditStepUp          AuditAction = "step-up"          // the user proved who they are by the method in the detail
	AuditForcedRefresh   AuditAction = "forced-refresh"   // the user's roles and attributes were read again
	AuditTheft           AuditAction = "theft"            // a superseded cookie or token was presented: the session was ended
	AuditSuspicion       AuditAction = "suspicion"        // a cookie may have been copied, for the reason in the detail
	AuditRevocationLost  AuditAction = "revocation-lost"  // the store was never told of an end: the session may go on
	AuditStoreDown       AuditAction = "store-down"       // an outage began, as one node saw it
	AuditStoreBack       AuditAction = "store-back"       // it ended
	AuditKeysSet         AuditAction = "keys-set"         // a node has begun to use the keys that the detail names
)
