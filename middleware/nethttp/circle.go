package nethttp

import (
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// setupFault says that a redirect to the login page would come back here, until the browser
// gives up. It takes the place of the redirect. It is for who sets the app up, so the client
// sees it, too.
type setupFault string

func (f setupFault) Error() string { return "guard: " + string(f) }

const (
	loginAsks    setupFault = "The login page itself asks for a login. Register it at Config.LoginPath, as the router sees that path. Mount the guard so that it runs after the router: with echo, Use and not Pre. If a proxy or http.StripPrefix takes a part of the path away, set Config.Prefix. On a host that is not a default one, open the login page in Config.Public."
	loginSendsOn setupFault = "The login page sends on a user who is logged in, although it was asked to confirm who they are. Let it show its form if its query has reauth=1."
)

// circle returns the fault, or "", that makes a redirect to the login page come back here.
func (c *Core) circle(r *http.Request, who *client) setupFault {
	switch {
	case who.login != http.StatusSeeOther:
		return ""
	case c.isLogin(r):
		return loginAsks
	case isDocument(r) && c.sessionID(r) != "" && c.returns.tooMany(c.sessionID(r)+" "+r.URL.RequestURI()):
		return loginSendsOn
	default:
		return ""
	}
}

// isLogin reports whether a redirect to the login page leads to this request. Middleware may
// have changed the path before the guard, so the path that was asked for counts, too. A proxy
// may have changed it before this app. Then the login page is asked to return to itself.
func (c *Core) isLogin(r *http.Request) bool {
	query := r.URL.Query()
	if isSamePage(r.URL.Path, c.cfg.LoginPath, query) {
		return true
	}
	if asked, err := url.ParseRequestURI(r.RequestURI); err == nil && isSamePage(asked.Path, c.cfg.Prefix+c.cfg.LoginPath, query) {
		return true
	}
	next, err := url.Parse(query.Get("next"))
	return err == nil && next.Path == c.cfg.Prefix+r.URL.Path && strings.HasSuffix(strings.TrimSuffix(next.Path, "/"), c.cfg.LoginPath)
}

// isSamePage reports whether a path is that of the login page. One with a slash at its end is
// another page, unless middleware redirects to it: then it comes with the login page's query.
func isSamePage(path, login string, query url.Values) bool {
	return path == login || path == login+"/" && (query.Has("next") || query.Has("reauth"))
}

// isDocument reports whether a browser may load a page of its own, not one within a frame.
func isDocument(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

func (c *Core) sessionID(r *http.Request) string {
	if st, ok := c.stateOf(r); ok {
		return st.verdict.Session().ID
	}
	return ""
}

// Browsers follow some twenty redirects, so they ask ten times for a page, on two nodes five
// times for each. Nobody opens one page five times in ten seconds.
const (
	maxReturns  = 4
	returnsTime = 10 * time.Second
)

// returns counts how often a page has asked for a newer login within a moment. A login page
// that sends on whoever is logged in makes a circle of two pages, and nothing in a request
// shows it. It is safe for concurrent use.
//
// It has a few places. Pages that share one may hide a circle from it.
type returns struct {
	seed maphash.Seed

	mu     sync.Mutex // guards places
	places [64]struct {
		page  uint64 // a hash
		count int
		since time.Time
	}
}

// tooMany counts a page of a session, and reports whether it was too often.
func (rs *returns) tooMany(page string) bool {
	hash, now := maphash.String(rs.seed, page), time.Now()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	at := &rs.places[hash%uint64(len(rs.places))]
	if at.page != hash || now.Sub(at.since) > returnsTime {
		at.page, at.count, at.since = hash, 0, now
	}
	at.count++
	return at.count > maxReturns
}
