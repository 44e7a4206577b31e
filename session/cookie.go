package session

import (
	"iter"
	"math"
	"net/http"
	"strings"
	"time"
)

// cookieNames are the names of the two cookies.
//
// Browsers that know the prefix __Host-Http- store such a cookie only if a
// server set it, with Secure, HttpOnly, Path=/ and no Domain; those that do not
// know it yet apply the rules of __Host-, which it begins with.
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

// cookie makes one of the two cookies. SameSite is always written: browsers send
// a cookie without it along with cross-site POSTs for its first two minutes,
// which is this one's whole life. Max-Age, not Expires: the browser's clock may
// be wrong.
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

// cleared makes the cookies that take both away. A deletion must satisfy the
// rules of the prefix like any other cookie, or browsers ignore it.
//
// The access cookie is not deleted but emptied, and gone a second later: of the
// pages that it keeps for the back button, no-store ones too, Chromium lets go
// when an HttpOnly cookie is set, and not when one is deleted (seen in 156).
func (n cookieNames) cleared() []*http.Cookie {
	access, refresh := n.cookie(n.access, "", time.Second), n.cookie(n.refresh, "", 0)
	refresh.MaxAge = -1 // written as Max-Age=0
	return []*http.Cookie{access, refresh}
}

// maxCandidates bounds the work that a request full of cookies of one name makes.
const maxCandidates = 4

// reading is what became of a request's cookies of one name.
type reading int

const (
	readNone reading = iota // absent
	readGood
	readUndecodable // present, and no key opens it
	readAmbiguous   // valid ones of different sessions, or too many to look at
)

// readCookie finds the one ticket that the cookies of a name carry.
//
// Their order says nothing (RFC 6265, section 4.2.2): an attacker on a sibling
// domain or another port can put his before ours. So all of them are opened, and
// a valid one counts only if no valid one of another session stands beside it.
// Of one session the newest counts.
func readCookie[T any](r *http.Request, name string, open func(value string) (T, ID, bool), newer func(a, b T) bool) (best T, verdict reading) {
	var none T
	var of ID
	candidates, last := 0, ""
	for value := range cookieValues(r.Header, name) {
		if value == "" || value == last { // cleared, or sent twice
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

// cookieValues yields what the request's cookies of a name hold, as
// [http.Request.CookiesNamed] finds them (RFC 6265, section 4.2.1), but makes
// nothing on the way.
func cookieValues(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
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
