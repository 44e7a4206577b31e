// Package history checks what happened to sessions under load and during faults. It is
// independent of the implementation of the kit. One log has the requests and answers of
// the browsers, another has the changes of the rows. Check reports where they break the
// guarantees of the kit.
//
// The method is that of Jepsen: each operation is recorded with its begin and its end, and
// an operation whose answer is unknown may have happened or not. A history is valid if
// there is an order of events that explains all of it.
package history

import (
	"cmp"
	"time"
)

// Kind is the kind of an operation.
type Kind string

const (
	Login   Kind = "login"
	Use     Kind = "use"     // a request with an access cookie
	Refresh Kind = "refresh" // a request without a valid access cookie
	Logout  Kind = "logout"
	Revoke  Kind = "revoke" // of a session, from another device of the user or by an administrator

	// Operations of the drill itself.
	Steal  Kind = "steal"  // two clients have the refresh cookie from now on
	Delete Kind = "delete" // its row was deleted
)

// Outcome is the outcome of an operation as its browser sees it.
type Outcome string

const (
	OK          Outcome = "ok"
	Refused     Outcome = "refused"     // not authenticated: 401, or a redirect to the login page
	Unavailable Outcome = "unavailable" // 503: it may have happened, or not
	Unknown     Outcome = "unknown"     // no answer: it may have happened, or not
	Other       Outcome = "other"       // an unexpected answer
)

// Op is one operation of a browser.
type Op struct {
	Jar     int // the number of the browser
	Kind    Kind
	User    string // of the jar's login
	Session string // of the jar's login
	Target  string // the session that the operation ends; "": the session of the jar
	Began   time.Time
	Ended   time.Time // when the answer arrived, or the request failed
	Outcome Outcome
	Cookies bool // the answer sets cookies
	Renewed bool // the jar has stored a refresh cookie of the answer
	Got     *Identity
}

// ends returns the session that a logout or a revocation ends.
func (op Op) ends() string { return cmp.Or(op.Target, op.Session) }

// Identity is the user and the session that an answer names.
type Identity struct {
	User, Session       string
	IssuedAt, ExpiresAt time.Time // of the access ticket of the answer
}

// Change is a kind of change of a row.
type Change string

const (
	Created   Change = "created"
	Confirmed Change = "confirmed" // another ticket was confirmed
	Revoked   Change = "revoked"
	Unrevoked Change = "unrevoked"
	Deleted   Change = "deleted"
	Restored  Change = "restored" // the drill restored an older copy
)

// Entry is one change of a row.
type Entry struct {
	At         time.Time // when the row changed, by the clock of the database
	Change     Change
	Session    string
	User       string
	Generation uint64 // after the change
	Revoked    bool   // after the change
	Reason     string // of the revocation
}

// History is the input of Check.
type History struct {
	Ops    []Op
	Rows   []Entry             // those of one row in the order of the changes
	Events map[string][]string // events that the nodes have logged: kind to session ids
	Bounds Bounds
}

// Bounds are the times that the kit guarantees.
type Bounds struct {
	Access time.Duration // lifetime of an access cookie
	Idle   time.Duration // lifetime of a refresh cookie
	Feed   time.Duration // until every node knows of a revocation
	Memory time.Duration // for how long a node answers a refresh from its outcome cache
	Store  time.Duration // for how long the database may still execute a statement after its request has ended
	Slack  time.Duration // for a busy machine, and for times rounded to hundredths of a second
}

// Rule is a guarantee of the kit.
type Rule string

const (
	D1 Rule = "D1" // nothing is served for a session after its end
	D2 Rule = "D2" // every end has a cause
	D3 Rule = "D3" // generations only grow, and none is confirmed twice
	D4 Rule = "D4" // an answer is for the user who logged in
	D5 Rule = "D5" // a store error ends no session and sets no cookie
	D6 Rule = "D6" // no access cookie is accepted after its expiry
	D7 Rule = "D7" // every confirmation has a request that can have caused it
)

// Violation is a broken rule.
type Violation struct {
	Rule    Rule
	Session string
	At      time.Time
	What    string
}

func (v Violation) String() string {
	return string(v.Rule) + ": session " + v.Session + ", " + v.At.UTC().Format("15:04:05.000") + ": " + v.What
}
