package session

import (
	"math"
	"net/http"
	"slices"
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
	cookies := slices.DeleteFunc(r.CookiesNamed(name), func(c *http.Cookie) bool { return c.Value == "" }) // cleared
	cookies = slices.CompactFunc(cookies, func(a, b *http.Cookie) bool { return a.Value == b.Value })
	if len(cookies) > maxCandidates {
		return best, readAmbiguous
	}
	var of ID
	for _, c := range cookies {
		t, id, ok := open(c.Value)
		switch {
		case !ok && verdict == readNone:
			verdict = readUndecodable
		case !ok:
		case verdict == readGood && id != of:
			var none T
			return none, readAmbiguous
		case verdict != readGood || newer(t, best):
			best, of, verdict = t, id, readGood
		}
	}
	return best, verdict
}
