package sessiontest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
)

// LoginAs begins a session of a user and puts both its cookies into r. They replace the
// cookies of an earlier login, so a handler behind a guard of the same Manager sees the
// user, also behind RequireLive. The user must be in the Manager's store. The user's
// epoch is not checked, which session.EventMisconfigured reports. The test fails if
// Issue returns an error.
func LoginAs(t testing.TB, sessions *session.Manager, r *http.Request, userID string) session.Session {
	t.Helper()
	v, err := sessions.Issue(r, session.Login{UserID: userID})
	if err != nil {
		t.Fatalf("sessiontest: logging in user %q: %v", userID, err)
	}
	for _, c := range v.Cookies {
		removeCookies(r, func(name string) bool { return name == c.Name })
		if c.MaxAge >= 0 { // else it deletes
			r.AddCookie(c)
		}
	}
	return v.Session()
}

// ExpireAccess removes the access cookie from r, as a browser does when its Max-Age is
// over: the request takes the refresh path. See Browser.ExpireAccess.
func ExpireAccess(r *http.Request) { removeCookies(r, isAccessCookie) }

func removeCookies(r *http.Request, match func(name string) bool) {
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		if !match(c.Name) {
			r.AddCookie(c)
		}
	}
}

// isAccessCookie reports whether name is that of an access cookie, for every App and
// prefix.
func isAccessCookie(name string) bool {
	return strings.HasSuffix(name, "-session")
}

// Revoke revokes a session, as the user can do on another device. The test fails if
// Manager.Revoke returns an error.
func Revoke(t testing.TB, sessions *session.Manager, s session.Session) {
	t.Helper()
	if err := sessions.Revoke(t.Context(), s.UserID, s.ID); err != nil {
		t.Fatalf("sessiontest: revoking session %s: %v", s.ID, err)
	}
}
