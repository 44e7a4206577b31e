package session

import (
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// cookieNames are the names of the two cookies.
//
// Browsers that know the prefix __Host-Http- store such a cookie only if a server
// set it, with Secure, HttpOnly, Path=/ and no Domain. Browsers that do not know it
// apply the rules of __Host-, which it begins with.
type cookieNames struct {
	access, refresh string
	secure          bool
}

func namesFor(app string, secure bool) cookieNames {
	prefix := ""
	if secure {
		prefix = "__Host-Http-"
	}
	if app != "" {
		prefix += app + "-"
	}
	return cookieNames{access: prefix + "session", refresh: prefix + "refresh", secure: secure}
}

// cookie makes one of the two cookies. It always sets SameSite: browsers send a
// cookie without it with cross-site POSTs for its first two minutes, which is the
// access cookie's whole life. It uses Max-Age, not Expires: the browser's clock may be
// wrong.
func (n cookieNames) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   max(1, int(math.Ceil(life.Seconds()))),
		Secure:   n.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// cleared makes the cookies that delete both. A deletion must satisfy the rules of the
// prefix like any other cookie, or browsers ignore it.
//
// The access cookie is emptied and expires a second later. Chromium keeps pages for
// the back button, no-store ones too. It drops them when an HttpOnly cookie is set,
// but not when one is deleted (seen in version 156).
func (n cookieNames) cleared() []*http.Cookie {
	access, refresh := n.cookie(n.access, "", time.Second), n.cookie(n.refresh, "", 0)
	refresh.MaxAge = -1 // written as Max-Age=0
	return []*http.Cookie{access, refresh}
}

// withoutRefresh returns the cookies except the refresh cookie.
func (n cookieNames) withoutRefresh(cookies []*http.Cookie) []*http.Cookie {
	return slices.DeleteFunc(slices.Clone(cookies), func(c *http.Cookie) bool { return c.Name == n.refresh })
}

// maxCandidates bounds the work for a request with many cookies of one name.
const maxCandidates = 4

// reading is the result of reading a request's cookies of one name.
type reading int

const (
	readNone reading = iota // absent
	readGood
	readUndecodable // present, but no key opens it
	readAmbiguous   // valid ones of different sessions, or more than maxCandidates
)

// readCookie returns the one ticket in the request's cookies of a name.
//
// The order of cookies means nothing (RFC 6265, section 4.2.2): an attacker on a
// sibling domain or another port can put a cookie before ours. So all are opened, and
// a valid one counts only if there is no valid one of another session. Of one
// session the newest counts.
func readCookie[T any](r *http.Request, name string, open func(value string) (T, store.ID, bool), newer func(a, b T) bool) (best T, verdict reading) {
	var none T
	var of store.ID
	candidates, last := 0, ""
	for value := range cookieValues(r.Header, name) {
		if value == "" || value == last { // emptied, or sent twice
			continue
		}
		last = value
		if candidates++; candidates > maxCandidates {
			return none, readAmbiguous
		}
		t, id, ok := open(value)
		switch {
		case !ok && verdict == readNone:
			verdict = readUndecodable
		case !ok:
		case verdict == readGood && id != of:
			return none, readAmbiguous
		case verdict != readGood || newer(t, best):
			best, of, verdict = t, id, readGood
		}
	}
	return best, verdict
}

// maxPairs is how many pairs of a Cookie header are read: as many as net/http accepts
// by default. Browsers send a few hundred at most. Without the bound a header of a
// megabyte of semicolons would cost milliseconds for each name that is looked for.
const maxPairs = 3000

// cookieValues yields the values of the request's cookies of a name, as
// http.Request.CookiesNamed does (RFC 6265, section 4.2.1), without allocating. It
// does not read what follows the first maxPairs pairs.
func cookieValues(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		pairs := 0
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if pairs++; pairs > maxPairs {
					return
				}
				its, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
				if !ok || strings.TrimRight(its, " \t") != name {
					continue
				}
				if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
				if !yield(value) {
					return
				}
			}
		}
	}
}
