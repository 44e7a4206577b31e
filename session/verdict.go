package session

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Verdict is what was decided about a request, and the cookies that say so. The
// zero Verdict is nobody, without cookies.
type Verdict struct {
	// Cookies are to be set in the answer, before its first byte. They count
	// also when an error came with the verdict: then they delete what a session
	// that is over has left. That is for page loads only: a program's late
	// request must not delete the cookies of a newer login.
	Cookies []*http.Cookie

	manager *Manager      // whose verdict it is; nil where nothing is granted
	ticket  *accessTicket // who it is; nil: nobody
	decided time.Time     // or when the store was asked for what it rests on
	child   bool          // the refresh cookie answers another one
}

// Session is who the request belongs to. It is zero where an error came with the
// verdict, and after Logout. Each call returns a copy of its own.
func (v Verdict) Session() (s Session) {
	var room [fewRoles]string
	if v.ticket != nil {
		s.Roles = v.ticket.copy(&s, room[:0])
	}
	return s
}

// SetCookies writes the verdict's cookies into the answer's header, and no-store
// with them, in place of whatever the header said to caches: a Set-Cookie does not
// keep an answer out of them (RFC 9111, section 7.3). Without cookies it does
// nothing. Call it before the answer's first byte.
//
// Cookies of the same names that the header already sets are replaced: of two a
// browser keeps the last, and no reader knows which.
func (v Verdict) SetCookies(w http.ResponseWriter) {
	if len(v.Cookies) == 0 {
		return
	}
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return slices.ContainsFunc(v.Cookies, func(c *http.Cookie) bool { return setsCookie(line, c.Name) })
	})
	for _, c := range v.Cookies {
		h.Add("Set-Cookie", c.String())
	}
	keepFromCaches(h)
}

// keepFromCaches says no-store to every cache: also to those that would rather
// obey a field of their own, as a CDN's (RFC 9213) or nginx's.
func keepFromCaches(h http.Header) {
	h.Set("Cache-Control", "no-store")
	for name := range h {
		switch lower := strings.ToLower(name); {
		case strings.HasSuffix(lower, "-cache-control"), lower == "surrogate-control", lower == "x-accel-expires":
			delete(h, name)
		}
	}
}

func setsCookie(line, name string) bool {
	return len(line) > len(name) && line[:len(name)] == name && line[len(name)] == '='
}

// Resend brings the answer's header up to date: call it again right before the
// first byte leaves, when the handler had time of its own. It takes back
//
//   - every cookie, if the session was revoked or reloaded since the verdict, so
//     that a late answer brings back nothing that a logout has ended;
//   - the refresh cookie, if more than a quarter of the access lifetime has
//     passed since the store was asked. Its siblings may have been used by now,
//     and it would look stolen. The browser keeps the cookie that it has, which
//     is as good as a lost answer.
//
// What another verdict has set since, such as a login's, stays.
func (v Verdict) Resend(h http.Header) {
	if len(v.Cookies) == 0 {
		return
	}
	keep, lines := v.cookiesNow(), h["Set-Cookie"]
	for _, c := range v.Cookies {
		own := c.String()
		lines = slices.DeleteFunc(lines, func(line string) bool { return line == own })
		another := slices.ContainsFunc(lines, func(line string) bool { return setsCookie(line, c.Name) })
		if slices.Contains(keep, c) && !another {
			lines = append(lines, own)
		}
	}
	if len(lines) == 0 {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = lines
	keepFromCaches(h)
}

func (v Verdict) cookiesNow() []*http.Cookie {
	m := v.manager
	if m == nil || len(v.Cookies) == 0 {
		return v.Cookies
	}
	if !m.feed.believes(v.ticket.id, v.ticket.globalEpoch, v.ticket.reload) {
		return nil
	}
	if v.child && time.Since(v.decided) > m.cfg.AccessTTL/4 {
		return slices.DeleteFunc(slices.Clone(v.Cookies), func(c *http.Cookie) bool { return c.Name == m.names.refresh })
	}
	return v.Cookies
}

// Format prints whose session it is, whatever the verb, and no cookie.
func (v Verdict) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.text()) }

// MarshalText returns what Format prints.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.text()), nil }

// LogValue returns what Format prints.
func (v Verdict) LogValue() slog.Value { return slog.StringValue(v.text()) }

func (v Verdict) text() string {
	if v.ticket == nil {
		return "nobody"
	}
	return "session " + v.ticket.ID
}
