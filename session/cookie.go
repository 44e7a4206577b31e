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

// cookieNames are the names of the cookies.
//
// The refresh cookie has two names. The ticket of a generation travels under the name
// for its parity, so an answer that arrives very late never replaces a ticket that is
// newer by one generation. The browser presents both cookies, and the ticket of the
// higher generation counts. The first ticket of a session has both names: a late answer
// of the session before it can replace only one of them.
//
// A new kind of cookie needs a name here and in all and cleared, a ticket (ticket.go), a
// sealer with keys of its own (sealers), and a method of tickets that reads or mints it.
//
// Browsers that know the prefix __Host-Http- store such a cookie only if a server
// set it, with Secure, HttpOnly, Path=/ and no Domain. Browsers that do not know it
// apply the rules of __Host-, which it begins with.
type cookieNames struct {
	access  string
	refresh [2]string // the index is a ticket's generation modulo 2
	secure  bool
}

func namesFor(app string, secure bool) cookieNames {
	prefix := "sessionkit-" // scs and others call theirs session, too
	if secure {
		prefix = "__Host-Http-"
	}
	if app != "" {
		prefix += app + "-"
	}
	return cookieNames{
		access:  prefix + "session",
		refresh: [2]string{prefix + "refresh-0", prefix + "refresh-1"},
		secure:  secure,
	}
}

// refreshFor returns the name of the refresh cookie for a ticket of a generation.
func (n cookieNames) refreshFor(generation uint64) string { return n.refresh[generation%2] }

// all returns the name of every cookie of the Manager's.
func (n cookieNames) all() [3]string { return [...]string{n.access, n.refresh[0], n.refresh[1]} }

// isRefresh reports whether a name is one of the refresh cookie's.
func (n cookieNames) isRefresh(name string) bool { return slices.Contains(n.refresh[:], name) }

// cookie makes one of the cookies. It always sets SameSite: browsers send a
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

// deleted makes the cookie that deletes one. It must satisfy the rules of the prefix like
// any other cookie, or browsers ignore it.
func (n cookieNames) deleted(name string) *http.Cookie {
	c := n.cookie(name, "", 0)
	c.MaxAge = -1 // written as Max-Age=0
	return c
}

// cleared makes the cookies that delete all of them.
//
// The access cookie is emptied and expires a second later. Chromium keeps pages for
// the back button, no-store ones too. It drops them when an HttpOnly cookie is set,
// but not when one is deleted (seen in version 156).
func (n cookieNames) cleared() []*http.Cookie {
	return []*http.Cookie{n.cookie(n.access, "", time.Second), n.deleted(n.refresh[0]), n.deleted(n.refresh[1])}
}

// arePresent reports whether a request has one of the cookies, good or not. An emptied
// cookie counts as absent.
func (n cookieNames) arePresent(r *http.Request) bool {
	for _, name := range n.all() {
		for value := range cookieValues(r.Header, name) {
			if value != "" {
				return true
			}
		}
	}
	return false
}

// withoutRefresh returns the cookies except the refresh cookies.
func (n cookieNames) withoutRefresh(cookies []*http.Cookie) []*http.Cookie {
	return slices.DeleteFunc(slices.Clone(cookies), func(c *http.Cookie) bool { return n.isRefresh(c.Name) })
}

// maxCandidates bounds the work for a request with many cookies of one name.
const maxCandidates = 4

// reading is the result of reading a request's cookies of one name.
type reading int

const (
	readNone        reading = iota // absent
	readUndecodable                // present, but no key opens it
	readGood
	readAmbiguous // valid ones of different sessions, or more than maxCandidates
)

// opener returns the ticket in the value of a cookie, and its session. readNone: the
// value counts as absent.
type opener[T any] func(name, value string) (T, store.ID, reading)

// readCookie returns the one ticket in the request's cookies of a name.
//
// The order of cookies means nothing (RFC 6265, section 4.2.2): an attacker on a
// sibling domain or another port can put a cookie before ours. So all are opened, and
// a valid one counts only if there is no valid one of another session. Of one
// session the newest counts.
func readCookie[T any](r *http.Request, name string, open opener[T], newer func(a, b T) bool) (best T, verdict reading) {
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
		t, id, got := open(name, value)
		switch {
		case got != readGood:
			verdict = max(verdict, got)
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
// does not read what follows the first maxPairs pairs. It is the only reader of the
// cookies of a request, as Verdict.SetCookies is the only writer of those of an answer.
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
