package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

func TestSession_HasRoleAsksForAnyOfTheRolesNamed(t *testing.T) {
	for _, c := range []struct {
		has  []string
		role string
		or   []string
		want bool
	}{
		{nil, "admin", nil, false},
		{nil, "", nil, false},
		{[]string{"admin"}, "admin", nil, true},
		{[]string{"staff", "admin"}, "admin", nil, true},
		{[]string{"admin"}, "root", []string{"admin"}, true},
		{[]string{"staff", "admin"}, "root", []string{"x", "admin"}, true},
		{[]string{"admin"}, "admin", []string{"root"}, true},
		{[]string{"staff"}, "admin", []string{"root", "x"}, false},
		{[]string{"admin"}, "adm", []string{"Admin", "administrator"}, false},
	} {
		if got := (session.Session{Roles: c.has}).HasRole(c.role, c.or...); got != c.want {
			t.Errorf("roles %q: HasRole(%q, %q) is %v; want %v", c.has, c.role, c.or, got, c.want)
		}
	}
}

// The age of a login comes from the store, and the time since then from the node's
// clock. A node with a wrong clock errs by at most the lifetime of an access cookie.
func TestSession_LoggedInWithinIsExact(t *testing.T) {
	const accessTTL = 2 * time.Minute
	for _, c := range []struct {
		name   string
		age    time.Duration // of the login when the store was asked
		since  time.Duration // by this node's clock; negative if it is behind
		within time.Duration
		want   bool
	}{
		{"just now", 0, 0, 1, true},
		{"never", 0, 0, 0, false},
		{"a moment before", 9 * time.Minute, time.Minute - 1, 10 * time.Minute, true},
		{"exactly then", 9 * time.Minute, time.Minute, 10 * time.Minute, false},
		{"by the store alone", 10 * time.Minute, 0, 10 * time.Minute, false},
		{"by the store alone, a moment before", 10*time.Minute - 1, 0, 10 * time.Minute, true},
		{"a clock that is behind makes no login younger", 10 * time.Minute, -time.Hour, 10 * time.Minute, false},
		{"a clock that is behind makes no login older", 10*time.Minute - 1, -time.Hour, 10 * time.Minute, true},
		{"a clock that is ahead counts for an access lifetime", 8 * time.Minute, 5 * time.Hour, 10*time.Minute + 1, true},
		{"but no longer", 8 * time.Minute, 5 * time.Hour, 10 * time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			issued := time.Now().Add(-c.since)
			s := session.Session{AuthTime: issued.Add(-c.age), IssuedAt: issued, ExpiresAt: issued.Add(accessTTL), EndsAt: issued.Add(time.Hour)}
			if got := s.LoggedInWithin(c.within); got != c.want {
				t.Errorf("%s: %v; want %v", c.name, got, c.want)
			}
		})
	}
}

// A refresh reads the time of the login from the store. It may differ from the
// beginning of the session, because the store may know a later or an earlier proof of
// the user's identity.
func TestManager_RefreshTakesTheTimeOfTheLoginFromTheStore(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		s := w.login(b, session.Login{})
		w.store.AgeLogin(s.ID, time.Hour)
		w.expireAccess()
		w.in(b)
		for range 2 { // from the store, and from the access cookie
			got := w.in(b)
			if want := s.AuthTime.Add(-time.Hour); !got.AuthTime.Equal(want) {
				w.Errorf("AuthTime %v; want %v", got.AuthTime, want)
			}
			if got.LoggedInWithin(time.Hour) || !got.LoggedInWithin(time.Hour+3*time.Minute) {
				w.Errorf("session %+v; want a login of an hour and two minutes ago", got)
			}
		}
	})
}
