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

// Verdict is what a Manager decided about a request, and the cookies that say so.
// It is a value. The zero Verdict is a request without a session, and without cookies.
type Verdict struct {
	// Cookies are to be set in the answer, before its first byte. They count also
	// when an error came with the Verdict: then they spare the store the next requests
	// of a session that is over. They take nothing from a newer login.
	Cookies []*http.Cookie

	ticket   *accessTicket // nil: no session. Shared, and never changed
	asked    time.Time     // when the store was asked for what the cookies rest on
	child    bool          // after a refresh, not a login: windows.deliverChild limits its refresh cookie
	verified bool          // by credentials in this request: RequireLive asks for no refresh cookie
}

// Session returns the session of the request. It is zero if an error came with the
// Verdict, and after Logout. Each call returns a copy of its own.
func (v Verdict) Session() (s Session) {
	var room [fewRoles]string
	if v.ticket != nil {
		s.Roles = v.ticket.copy(&s, room[:0])
	}
	return s
}

// SetCookies writes the cookies into the header of the answer, and no-store with
// them, in place of what the header says to caches: a Set-Cookie does not keep an
// answer out of a cache (RFC 9111, section 7.3). Without cookies it does nothing.
// Call it before the first byte of the answer.
//
// It replaces cookies of the same names in the header: of two, a browser keeps the
// last.
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

// DropStaleCookies removes those of the Verdict's cookies from the header of an
// answer that may no longer be sent. Call it right before the first byte, if the
// handler had time of its own after SetCookies. It removes
//
//   - every cookie, if the session was revoked or reloaded since the Verdict, so
//     that a late answer does not bring back what a logout has ended;
//   - the refresh cookie, if more than a quarter of the access lifetime has passed
//     since the store was asked. Its siblings may be in use by now, and it would
//     look stolen. The browser keeps the cookie that it has, as after a lost answer.
//
// It leaves the cookies of a newer Verdict, such as a login's, as they are.
func (m *Manager) DropStaleCookies(h http.Header, v Verdict) {
	if len(v.Cookies) == 0 {
		return
	}
	keep, lines := m.tickets.sendable(v, m.revocations), h["Set-Cookie"]
	for _, c := range v.Cookies {
		own := c.String()
		lines = slices.DeleteFunc(lines, func(line string) bool { return line == own })
		newer := slices.ContainsFunc(lines, func(line string) bool { return setsCookie(line, c.Name) })
		if slices.Contains(keep, c) && !newer {
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

// keepFromCaches says no-store to every cache, also to those that obey a header
// field of their own first, such as a CDN's (RFC 9213) or nginx's.
func keepFromCaches(h http.Header) {
	h.Set("Cache-Control", "no-store")
	for name := range h {
		switch lower := strings.ToLower(name); {
		case strings.HasSuffix(lower, "-cache-control"), lower == "surrogate-control", lower == "x-accel-expires":
			delete(h, name)
		}
	}
}

// setsCookie reports whether a line of Set-Cookie sets the cookie of that name.
func setsCookie(line, name string) bool {
	return len(line) > len(name) && line[:len(name)] == name && line[len(name)] == '='
}

// Format prints the session id, whatever the verb, and never a cookie.
func (v Verdict) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.text()) }

// MarshalText returns what Format prints.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.text()), nil }

// LogValue returns what Format prints.
func (v Verdict) LogValue() slog.Value { return slog.StringValue(v.text()) }

func (v Verdict) text() string {
	if v.ticket == nil {
		return "no session"
	}
	return "session " + v.ticket.ID
}
