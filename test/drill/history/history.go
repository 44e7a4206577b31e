// Package history judges what happened while sessions were under load and under
// faults. It knows nothing of how the kit works inside: what browsers did and what
// they were answered is one log, what became of the rows is another, and Check
// says where the two contradict the promises of the kit.
//
// The method is that of Jepsen: every operation is written down with when it
// began and when it ended, and one whose answer is unknown may have happened or
// not. A history is good if there is a way in which all of it can have happened.
package history

import (
	"cmp"
	"time"
)

// Kind is what an operation was.
type Kind string

const (
	Login   Kind = "login"
	Use     Kind = "use"     // a request with an access cookie
	Refresh Kind = "refresh" // a request whose access cookie has run out, or was lost
	Logout  Kind = "logout"
	Revoke  Kind = "revoke" // of the session, by its user elsewhere or an administrator

	// What the drill itself did to a session.
	Steal  Kind = "steal"  // its refresh cookie is in the hands of two from now on
	Delete Kind = "delete" // its row was deleted
)

// Outcome is what an operation's browser knows of it.
type Outcome string

const (
	OK          Outcome = "ok"
	Refused     Outcome = "refused"     // nobody's: 401, or sent to the login page
	Unavailable Outcome = "unavailable" // 503: it may have happened, or not
	Unknown     Outcome = "unknown"     // no answer: it may have happened, or not
	Other       Outcome = "other"       // an answer that there should not be
)

// Op is one operation of a browser.
type Op struct {
	Jar     int // whose cookies
	Kind    Kind
	User    string // of the jar's login
	Session string // of the jar's login
	Target  string // the session that it is to end; "": the jar's own
	Began   time.Time
	Ended   time.Time // the answer came, or was given up
	Outcome Outcome
	Cookies bool // the answer sets cookies
	Renewed bool // and a refresh cookie that has reached the jar is among them
	Got     *Identity
}

// ends is the session that a logout, say, is about.
func (op Op) ends() string { return cmp.Or(op.Target, op.Session) }

// Identity is who the answer is for, as it says itself.
type Identity struct {
	User, Session       string
	IssuedAt, ExpiresAt time.Time // of the access ticket that the answer rests on
}

// Change is what happened to a row.
type Change string

const (
	Created   Change = "created"
	Confirmed Change = "confirmed" // another refresh cookie is the confirmed one
	Revoked   Change = "revoked"
	Unrevoked Change = "unrevoked"
	Deleted   Change = "deleted"
	Restored  Change = "restored" // the drill put an older copy in its place
)

// Entry is one change of a row, in the order in which they were made.
type Entry struct {
	At         time.Time // by the database's clock: when the statement began
	Change     Change
	Session    string
	User       string
	Generation uint64 // after it
	Revoked    bool   // after it
	Reason     string // of the revocation
}

// History is all that is known.
type History struct {
	Ops    []Op
	Rows   []Entry
	Events map[string][]string // kind to sessions: what the nodes have logged
	Bounds Bounds
}

// Bounds are the times that the kit promises.
type Bounds struct {
	Access time.Duration // life of an access cookie
	Idle   time.Duration // life of a refresh cookie
	Feed   time.Duration // until every node knows of a revocation
	Memory time.Duration // for how long a node answers a refresh again without asking
	Store  time.Duration // for how long a statement may go on after its request was given up
	Slack  time.Duration // of a busy machine, and of times in hundredths of a second
}

// Rule is a promise.
type Rule string

const (
	D1 Rule = "D1" // nothing is served for a session after its end
	D2 Rule = "D2" // every end has a cause
	D3 Rule = "D3" // generations only grow, and none is confirmed twice
	D4 Rule = "D4" // an answer is for the user who logged in
	D5 Rule = "D5" // the store's trouble ends no session, and sets no cookie
	D6 Rule = "D6" // no access cookie is good for longer than it says
	D7 Rule = "D7" // nothing happens to a row that nobody can have asked for
)

// Violation is a promise that was not kept.
type Violation struct {
	Rule    Rule
	Session string
	At      time.Time
	What    string
}

func (v Violation) String() string {
	return string(v.Rule) + ": session " + v.Session + ", " + v.At.UTC().Format("15:04:05.000") + ": " + v.What
}
