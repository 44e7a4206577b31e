package sessiontest

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// LoginAs is Login for a user of whom the test needs no more than the id.
func LoginAs(t testing.TB, sessions *session.Manager, r *http.Request, userID string) session.Session {
	t.Helper()
	return Login(t, sessions, r, session.Login{UserID: userID})
}

// Login begins a session and puts its cookies into r, which replace those of an earlier
// login. So a handler behind a guard of the same Manager sees the user, also behind
// RequireLive. The user must be in the Manager's store, which also has the roles and the
// attributes. Login.Methods, Login.Data and the like are the session's facts. If Login.Epoch
// is 0, the user's epoch is not checked, which session.EventMisconfigured reports. The test
// fails if Issue returns an error.
func Login(t testing.TB, sessions *session.Manager, r *http.Request, login session.Login) session.Session {
	t.Helper()
	v := issue(t, sessions, r, login)
	for _, c := range v.Cookies {
		removeCookies(r, func(name string) bool { return name == c.Name })
		if c.MaxAge >= 0 { // else it deletes
			r.AddCookie(c)
		}
	}
	return v.Session()
}

// issue begins a session, or fails the test and says what to do.
func issue(t testing.TB, sessions *session.Manager, r *http.Request, login session.Login) session.Verdict {
	t.Helper()
	v, err := sessions.Issue(r, login)
	if err != nil {
		t.Fatalf("sessiontest: logging in user %q: %v%s", login.UserID, err, remedy(err))
	}
	return v
}

// remedy says what a test has to change so that its login succeeds.
func remedy(err error) string {
	switch {
	case errors.Is(err, store.ErrUserUnknown):
		return ": put the user into the store first, with Kit.Users.SetUser or a row of your users table"
	case errors.Is(err, store.ErrUserBanned):
		return ": log the user in before the ban, or, to see the refusal, let a Browser send your login form"
	case errors.Is(err, store.ErrEpochMoved):
		return ": leave Login.Epoch at 0, or set it to the user's"
	case errors.Is(err, session.ErrStoreUnavailable):
		return ": log in before the outage begins, or end it with Store.Fail(nil)"
	}
	return ""
}

// LoginWithToken begins a session of a program, and puts its access token into r in place of
// cookies: see session.Tokens. If login.Client is empty, the client is "sessiontest". The
// Manager needs Config.TokenTTL. The test fails if Tokens.Issue returns an error.
func LoginWithToken(t testing.TB, sessions *session.Manager, r *http.Request, login session.Login) session.Session {
	t.Helper()
	if login.Client == "" {
		login.Client = "sessiontest"
	}
	g, err := sessions.Tokens().Issue(r, login)
	if err != nil {
		t.Fatalf("sessiontest: logging in user %q with a token: %v%s", login.UserID, err, remedy(err))
	}
	r.Header.Del("Cookie")
	r.Header.Set("Authorization", "Bearer "+g.AccessToken)
	return g.Session
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

// Revoke revokes a session, as the user can do on another device. Its next request is
// refused. The test fails if Manager.Revoke returns an error.
func Revoke(t testing.TB, sessions *session.Manager, s session.Session) {
	t.Helper()
	if err := sessions.Revoke(t.Context(), s.UserID, s.ID); err != nil {
		remedy := ""
		if errors.Is(err, session.ErrNotFound) {
			remedy = ": give Revoke the session that Login has returned, and the same Manager"
		}
		t.Fatalf("sessiontest: revoking session %q: %v%s", s.ID, err, remedy)
	}
}
