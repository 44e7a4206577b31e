package nethttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// isBearer reports whether a program sends a token: the kit's, or anybody's without the header
// that all browsers send. A page that adds a token of its own to a request wants the answers
// of its library.
func isBearer(r *http.Request) bool {
	if session.HasToken(r) {
		return true
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && len(r.Header["Sec-Fetch-Site"]) == 0
}

// checkSite refuses requests of other sites as checkOrigin does, unless the session is that of
// a token. A browser sends no token by itself. Next to a cookie a token does not count, so it
// exempts no cookie.
func (c *Core) checkSite(r *http.Request) error {
	err := c.checkOrigin(r)
	if err == nil || !c.tokens || !session.HasToken(r) {
		return err
	}
	if v, failed := c.sessions.Authenticate(r); failed != nil || v.Session().Client == "" {
		return err
	}
	return nil
}

var errForBrowsers = errors.New("guard: a program with a token cannot change its session: this needs the refresh cookie of a browser")

// challenges holds the errors of refusals for a program that sends a token: RFC 6750, section
// 3.1, and RFC 9470, section 3.
var challenges = map[reason]string{
	unauthenticated: "invalid_token",
	ambiguous:       "invalid_request",
	forbidden:       "insufficient_scope",
	reauthenticate:  "insufficient_user_authentication",
}

// challenge sets what a program is asked for: each 401 names a scheme (RFC 9110, section
// 11.6.1), and for a token also a 400 or a 403 does (RFC 6750, section 3).
func (c *Core) challenge(h http.Header, r *http.Request, why reason, refusal *Refusal) {
	switch code := challenges[why]; {
	case c.tokens && code != "" && isBearer(r):
		text := fmt.Sprintf(`Bearer realm="app", error=%q, error_description=%q`, code, refusals[why].text)
		if old, ok := errors.AsType[tooOld](refusal.Err); ok {
			text += fmt.Sprintf(`, max_age=%q`, fmt.Sprint(int(old.limit.Seconds())))
		}
		h.Set("WWW-Authenticate", text)
	case refusal.Status != http.StatusUnauthorized || refusal.client().login != http.StatusUnauthorized:
	case c.tokens:
		h["Www-Authenticate"] = []string{"Cookie", `Bearer realm="app"`}
	default:
		h.Set("WWW-Authenticate", "Cookie")
	}
}
