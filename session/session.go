package session

import (
	"slices"
	"time"
)

// Session is who a request belongs to. It is a value: changing one changes no
// other, and nothing in the store.
type Session struct {
	ID     string // names the session; safe to show and to log
	UserID string
	Roles  []string          // as they stood in the user's row at IssuedAt
	Attrs  map[string]string // what else of the user's row the app asked for

	AuthTime  time.Time // when the user last proved who they are
	IssuedAt  time.Time // when the store was last asked
	ExpiresAt time.Time // when the store must be asked again
	EndsAt    time.Time // when the session is over whatever happens
}

// HasRole reports whether the session has the role, or one of the others named.
func (s Session) HasRole(role string, or ...string) bool {
	return slices.Contains(s.Roles, role) ||
		slices.ContainsFunc(or, func(r string) bool { return slices.Contains(s.Roles, r) })
}

// LoggedInWithin reports whether the user proved who they are less than d ago.
// A node whose clock is wrong asks for a password a little early, not for ever.
func (s Session) LoggedInWithin(d time.Duration) bool {
	return s.IssuedAt.Sub(s.AuthTime)+s.sinceIssued() < d
}

// sinceIssued is the time since the store was asked. Only that goes by this
// node's clock, all of a session's times being the store's; so it never counts
// for more than the session's access lifetime.
func (s Session) sinceIssued() time.Duration {
	return min(max(time.Since(s.IssuedAt), 0), s.ExpiresAt.Sub(s.IssuedAt))
}
