package store

import (
	"maps"
	"slices"
	"time"
)

// Reason says why a session was revoked. It is stored as text.
type Reason string

const (
	ReasonLogout   Reason = "logout"   // the user logged out
	ReasonReplaced Reason = "replaced" // a newer login in the same browser replaced it
	ReasonRevoked  Reason = "revoked"  // the app called Revoke or RevokeUser
	ReasonLimit    Reason = "limit"    // a newer login of the user was beyond a limit of sessions
	ReasonReuse    Reason = "reuse"    // a superseded refresh cookie was presented: a theft
)

// RetainRevoked is how long the row of a revoked session is kept, unless it leaves
// earlier anyway. Every node must be able to read of the revocation until each access
// ticket of the session has expired, and a minute longer. Nodes may be configured
// differently, so this is the longest access lifetime that session.Config accepts, and
// a minute. After that a missing row says the same as a revoked one: the session is
// over.
const RetainRevoked = time.Hour + time.Minute

// RetainFor returns how long the row of a session that is revoked for this reason is
// kept at most. The row of a theft stays as long as it would have without the
// revocation, so that its user can be told whenever they return: for it RetainFor
// returns a century. A revocation never extends the time that a row is kept.
func (r Reason) RetainFor() time.Duration {
	if r == ReasonReuse {
		return 100 * 365 * 24 * time.Hour
	}
	return RetainRevoked
}

// NewSession holds what Store.Create needs to know about a session that begins.
type NewSession struct {
	ID        ID
	UserID    string
	UserEpoch uint64        // must equal the epoch in the user's row; 0: not checked
	Confirmed Digest        // digest of the ticket in the answer to the login, generation 0
	Lifetime  time.Duration // until the absolute end
	RetainFor time.Duration // the row is kept at least this long from now
	UserAgent string        // at most 255 bytes of valid UTF-8
	IP        string        // at most 45 bytes, may be empty

	// CreatedAt is when the session began that this one goes on from, by the store's clock:
	// what ends that one by its age then ends this one, too. Zero: it begins now.
	CreatedAt time.Time

	// AuthAge is how long ago the user proved who they are: AuthTime is now less this.
	AuthAge time.Duration

	// IdleTimeout is the session's own idle timeout; zero: the configuration's.
	IdleTimeout time.Duration

	// Fingerprint is a digest of what the client looked like; zero: none was taken.
	Fingerprint Digest

	// Live is the digest of a value that only holders of the session's bearer tokens
	// know; zero: it has none.
	Live Digest

	// NonInteractive says that a program logged in. It never changes.
	NonInteractive bool

	Facts
}

// Bounds of Facts, in bytes.
const (
	MaxMethods    = 255 // of all methods together, and one for each but the first
	MaxActor      = 255 // a user id
	MaxExternalID = 255
	MaxClient     = 255
	MaxData       = 1024 // as JSON
)

// Facts are what the app says of a session at its login. A store keeps them as they are. Only
// Data changes later: see Store.Update.
type Facts struct {
	// Methods are how the user has proved who they are. They are not empty and contain
	// no comma.
	Methods []string

	// Actor is the id of the user who acts as the session's user; empty: nobody else
	// does.
	Actor string

	// ActorSession is the session from which the actor has begun this one, which is over
	// when that is; zero: there is no Actor.
	ActorSession ID

	// ExternalID is what an identity provider calls the session; empty: there is none.
	// Many sessions may have the same.
	ExternalID string

	// Client names the program that holds the session's tokens; empty: a browser holds its
	// cookies.
	Client string

	// Data are other values of the app's; nil: there are none.
	Data map[string]string
}

// clone returns a copy that shares nothing with f.
func (f Facts) clone() Facts {
	f.Methods, f.Data = slices.Clone(f.Methods), maps.Clone(f.Data)
	return f
}

// PresentedTicket is a refresh ticket as a store sees it: a generation and two
// digests.
type PresentedTicket struct {
	ID         ID
	Generation uint64
	Digest     Digest        // of the ticket's own id
	Parent     Digest        // of the id of the ticket that it was minted for
	RetainFor  time.Duration // the row is kept at least this long from now

	// Lowest is the lowest generation of a row that has lost writes since the ticket
	// was minted. No client can have come further ahead of a row.
	Lowest uint64

	// LateAfter is how long after the last presentation of the confirmed ticket another
	// one is late.
	LateAfter time.Duration

	// SupersededAfter is the time after which two late presentations of the parent
	// show that another client has the ticket's parent.
	SupersededAfter time.Time

	// From and Until bound the time, by the store's clock, in which OneStep.FindAndConfirm
	// confirms the ticket: from From on, and before Until. Other methods ignore them.
	From, Until time.Time
}

// UserRevocation says which sessions Store.RevokeUser revokes: those of a user, or those
// with an external id.
type UserRevocation struct {
	UserID     string
	ExternalID string // in place of UserID, which is then empty

	Except []ID      // these stay
	Before time.Time // by the store's clock: sessions that began later stay; zero: none does
	Reason Reason
	Limit  int // how many sessions one call revokes at most; below 1: none
}

// User holds what a session needs to know about its user, read from the app's own
// users table.
type User struct {
	Epoch    uint64 // the app raises it to end all sessions of the user
	Disabled bool   // true as well when the row is gone
	Gone     bool   // the row is gone: the user was deleted. Set by Store.Find
	Roles    []string
	Attrs    map[string]string
}

// Record is a session's row together with its user's row, read in one statement.
//
// A new column is a field here, and in NewSession if a login sets it, which the Manager's
// newSession fills. Memory.Create copies it. In sqlstore it is a line of each schema and of
// the lists in rows.go; package storetest compares what the stores do with it.
//
// All times come from the store's clock and have a resolution of one microsecond.
type Record struct {
	ID          ID
	UserID      string
	UserEpoch   uint64 // the user's epoch at login
	GlobalEpoch uint64 // the global epoch at login
	Generation  uint64
	Confirmed   Digest    // of the newest refresh ticket that a client has presented
	Previous    Digest    // of the ticket confirmed before that; zero: none
	ConfirmedAt time.Time // when Confirmed was presented first, or the login
	LateAt      time.Time // when Confirmed was last presented late; zero: not since ConfirmedAt
	LateBefore  time.Time // the late presentation before that; zero: there was none
	CreatedAt   time.Time // the login, or that of the session that this one goes on from
	AuthTime    time.Time // when the user last proved who they are
	EndsAt      time.Time // the absolute end, which never moves
	Reload      uint64    // how often Store.Reload or Store.Update was called for the session
	RevokedAt   time.Time // zero: not revoked
	Reason      Reason    // of the revocation
	UserAgent   string
	IP          string

	NonInteractive bool          // a program logged in: limited apart from the other sessions
	IdleTimeout    time.Duration // the session's own; zero: the configuration's
	Fingerprint    Digest        // of what the client looked like at the login; zero: none was taken
	Live           Digest        // of what only holders of the session's bearer tokens know; zero: it has none

	Facts
	User User
}

// LastSeenAt returns when a client last presented a ticket that was written down.
func (r *Record) LastSeenAt() time.Time {
	last := r.ConfirmedAt
	for _, t := range []time.Time{r.LateAt, r.LateBefore} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// CanConfirm is the condition of Store.Confirm: the session is not revoked, and
//
//   - p is a child of the confirmed ticket, and that was not presented late twice after
//     p.SupersededAfter, or
//   - the row is behind p by more than one generation, but not below p.Lowest.
//
// Generations are compared by adding, never by subtracting: they are unsigned, and
// a login has generation 0.
func (r *Record) CanConfirm(p PresentedTicket) bool {
	switch {
	case !r.RevokedAt.IsZero() || p.Generation <= r.Generation || r.Generation < p.Lowest:
		return false
	case p.Generation == r.Generation+1:
		return p.Parent == r.Confirmed && (r.LateBefore.IsZero() || !r.LateBefore.After(p.SupersededAfter))
	default:
		return true
	}
}

// IsConfirmed reports whether p is the confirmed ticket.
func (r *Record) IsConfirmed(p PresentedTicket) bool {
	return r.Generation == p.Generation && r.Confirmed == p.Digest
}

// IsReuse is the condition of Store.RevokeReused: the session is not revoked, and p
// is neither the confirmed ticket nor one that CanConfirm accepts.
func (r *Record) IsReuse(p PresentedTicket) bool {
	return r.RevokedAt.IsZero() && !r.CanConfirm(p) && !r.IsConfirmed(p)
}

// IsLate is the condition of Store.RecordLate: the session is not revoked, p is the
// confirmed ticket, and more than p.LateAfter has passed since it was confirmed and
// since it was last presented late. A LateAt after now does not count: the database
// has failed over to one with a slower clock.
func (r *Record) IsLate(p PresentedTicket, now time.Time) bool {
	since := func(t time.Time) bool { return now.Sub(t) > p.LateAfter }
	return r.RevokedAt.IsZero() && r.IsConfirmed(p) && since(r.ConfirmedAt) &&
		(r.LateAt.IsZero() || r.LateAt.After(now) || since(r.LateAt))
}

// Snapshot is the answer of Store.Find: the state at one moment.
type Snapshot struct {
	Now          time.Time // the store's clock
	GlobalEpoch  uint64    // sessions that began under a lower one are over
	RefreshEpoch uint64    // raised by Store.RefreshAll
	Record       *Record   // nil: there is no such session

	// Actor is the row of Record.ActorSession. A Store leaves it nil: package session
	// reads it by another Find.
	Actor *Record
}

// IsNext is the condition of OneStep.FindAndConfirm, which holds for most refreshes: p is a
// child of the confirmed ticket, now is between p.From and p.Until, and the session is live.
// It does not hold for a session with an idle timeout of its own, whose row is kept for
// another time, nor for one that began from another session, whose row must be read as well.
func (s Snapshot) IsNext(p PresentedTicket) bool {
	r := s.Record
	return r != nil && r.CanConfirm(p) &&
		p.Generation == r.Generation+1 &&
		!s.Now.Before(p.From) &&
		s.Now.Before(p.Until) &&
		s.Now.Before(r.EndsAt) &&
		r.GlobalEpoch >= s.GlobalEpoch &&
		r.User.Epoch == r.UserEpoch &&
		!r.User.Disabled &&
		r.IdleTimeout == 0 &&
		r.ActorSession.IsZero()
}

// Cursor is a position among the changes, which are ordered by their time and then by
// the id of the session. The zero Cursor comes before all of them.
type Cursor struct {
	At time.Time
	ID ID
}

// Change is a session that was revoked or reloaded.
type Change struct {
	ID      ID
	At      time.Time // of the latest change, by the store's clock
	Revoked bool
	Reload  uint64 // the row's counter
}

// Cursor returns the position of the change.
func (c Change) Cursor() Cursor { return Cursor{c.At, c.ID} }

// Changes is the answer of Store.Changes.
type Changes struct {
	Now          time.Time // the store's clock
	GlobalEpoch  uint64
	RefreshEpoch uint64
	Sessions     []Change // in the order of Cursor
}
