package session

// An Event tells an operator of something that happened to a session. It holds
// no user data and no secret.
type Event struct {
	Kind      EventKind
	SessionID string // may be empty
	Err       error  // for EventStoreTrouble
}

// EventKind names what happened.
type EventKind string

const (
	EventIssued       EventKind = "issued"        // a login
	EventRefreshed    EventKind = "refreshed"     // the store was asked, and the session goes on
	EventStraggler    EventKind = "straggler"     // a request in flight while its cookie was replaced was served
	EventReuse        EventKind = "reuse"         // a superseded refresh cookie was presented: that session was revoked
	EventAhead        EventKind = "ahead"         // the row was behind the cookie: the database has lost writes
	EventEnded        EventKind = "ended"         // a request came from a session that is over
	EventRevoked      EventKind = "revoked"       // a session was revoked here
	EventUndecodable  EventKind = "undecodable"   // a cookie that no key opens: an old key, another app's, or a forgery
	EventAmbiguous    EventKind = "ambiguous"     // two valid cookies of one name and different sessions
	EventStoreTrouble EventKind = "store-trouble" // the store gave no definite answer
)
