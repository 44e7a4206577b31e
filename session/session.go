package session

import (
	"slices"
	"time"
)

// Session says who a request belongs to. It is a value: a change to it changes no
// other Session, and nothing in the store. All times come from the store's clock, in
// hundredths of a second.
type Session struct {
	ID     string // names the session; safe to show and to log
	UserID string
	Roles  []string          // from the user's row, as of IssuedAt
	Attrs  map[string]string // other values of the user's row that the app asked for, as of IssuedAt

	AuthTime  time.Time // when the user last proved who they are
	IssuedAt  time.Time // when the store was last asked
	ExpiresAt time.Time // when the store must be asked again
	EndsAt    time.Time // the absolute end

	Methods    []string          // how the user has proved who they are: see Login.Methods
	Actor      string            // the user who acts as UserID: see Login.Actor; empty: nobody does
	ExternalID string            // what an identity provider calls the session; empty: nothing
	Client     string            // names the program that holds the session's tokens: see Tokens; empty: a browser holds its cookies
	Data       map[string]string // see Login.Data and Manager.Update
}

// HasRole reports whether the session has the role, or one of the others.
func (s Session) HasRole(role string, or ...string) bool {
	return slices.Contains(s.Roles, role) ||
		slices.ContainsFunc(or, func(r string) bool { return slices.Contains(s.Roles, r) })
}

// HasMethod reports whether the user has proved who they are by the method or by one of
// the others. It is false if the session has an Actor.
func (s Session) HasMethod(method string, or ...string) bool {
	return s.Actor == "" && (slices.Contains(s.Methods, method) ||
		slices.ContainsFunc(or, func(m string) bool { return slices.Contains(s.Methods, m) }))
}

// LoggedInWithin reports whether the user proved who they are less than d ago. It is
// false if the session has an Actor. A node with a wrong clock is off by at most the
// lifetime of the access cookie.
func (s Session) LoggedInWithin(d time.Duration) bool {
	return s.Actor == "" && s.authAge() < d
}

// authAge is how long ago the user proved who they are.
func (s Session) authAge() time.Duration { return s.IssuedAt.Sub(s.AuthTime) + s.sinceIssued() }

// sinceIssued is the time since the store was asked. It is measured by this node's
// clock, unlike all times of a session, so it is limited to the lifetime of the
// access cookie.
func (s Session) sinceIssued() time.Duration {
	return min(max(time.Since(s.IssuedAt), 0), s.ExpiresAt.Sub(s.IssuedAt))
}
