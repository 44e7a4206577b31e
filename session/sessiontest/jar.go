package sessiontest

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of browsers (RFC 6265bis, sections 5.6 and 5.6.1).
const (
	maxCookieBytes = 4096
	maxCookieLife  = 400 * 24 * time.Hour
)

// Jar stores cookies by the rules of browsers (RFC 6265bis, section 5.7): cookie
// prefixes, Secure, Domain, Path, Max-Age, Expires and the size limit. As in a browser,
// all ports of a host share their cookies. SameSite and public suffixes are not
// implemented.
//
// The zero Jar is empty and ready to use. It implements http.CookieJar and is safe for
// concurrent use.
type Jar struct {
	mu          sync.Mutex // guards what follows
	cookies     map[cookieKey]keptCookie
	created     int // counts the cookies, for their order
	keepExpired bool
}

// cookieKey identifies a cookie: a new cookie replaces the one with the same key. A
// host-only cookie and one of the domain have different keys.
type cookieKey struct {
	name, domain, path string
	hostOnly           bool
}

type keptCookie struct {
	value   string
	secure  bool
	expires time.Time // zero: until the browser is closed
	created int
}

// SetCookies implements http.CookieJar. It drops each cookie that a browser
// would drop; see Set.
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		_ = j.Set(u, c) // a browser reports no error, either
	}
}

// Set stores a cookie of an answer from u, or deletes the stored cookie if the new one
// has expired. If a browser would drop the cookie, Set returns the reason and leaves
// the jar unchanged.
func (j *Jar) Set(u *url.URL, c *http.Cookie) error {
	key := cookieKey{name: c.Name, domain: strings.TrimPrefix(strings.ToLower(c.Domain), "."), path: c.Path}
	kept := keptCookie{value: c.Value, secure: c.Secure}
	host := hostOf(u)
	if key.domain == "" {
		key.domain, key.hostOnly = host, true
	}
	if !strings.HasPrefix(key.path, "/") {
		key.path = defaultPath(u)
	}
	switch {
	case c.Name == "" || len(c.Name)+len(c.Value) > maxCookieBytes:
		return errors.New("the cookie has no name, or is longer than 4096 bytes")
	case !inDomain(host, key.domain, key.hostOnly):
		return errors.New("the cookie's Domain is another host")
	case c.Secure && !trustworthy(u):
		return errors.New("a Secure cookie came over plain HTTP")
	}
	if err := prefixFault(c); err != nil {
		return err
	}

	now := time.Now()
	switch {
	case c.MaxAge < 0: // net/http's form of Max-Age=0
		kept.expires = now
	case c.MaxAge > 0:
		seconds := min(c.MaxAge, int(maxCookieLife/time.Second)) // a longer one overflows time.Duration
		kept.expires = now.Add(time.Duration(seconds) * time.Second)
	case !c.Expires.IsZero():
		kept.expires = c.Expires
		if latest := now.Add(maxCookieLife); kept.expires.After(latest) {
			kept.expires = latest
		}
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cookies == nil {
		j.cookies = map[cookieKey]keptCookie{}
	}
	if !trustworthy(u) && j.shadows(key, now) {
		return errors.New("plain HTTP may not overwrite or shadow a Secure cookie")
	}
	old, replaces := j.cookies[key]
	if !kept.expires.IsZero() && !now.Before(kept.expires) {
		delete(j.cookies, key)
		return nil
	}
	if kept.created = old.created; !replaces {
		j.created++
		kept.created = j.created
	}
	j.cookies[key] = kept
	return nil
}

// shadows reports whether a cookie would replace a Secure cookie or be sent together
// with it (RFC 6265bis, section 5.7). j.mu must be held.
func (j *Jar) shadows(key cookieKey, now time.Time) bool {
	for other, c := range j.cookies {
		if c.secure && j.alive(c, now) && other.name == key.name && inPath(key.path, other.path) &&
			(inDomain(key.domain, other.domain, false) || inDomain(other.domain, key.domain, false)) {
			return true
		}
	}
	return false
}

// alive reports whether a cookie is still sent. j.mu must be held.
func (j *Jar) alive(c keptCookie, now time.Time) bool {
	return j.keepExpired || c.expires.IsZero() || now.Before(c.expires)
}

// prefixFault returns the rule of its name's prefix that a cookie violates, or nil.
// Browsers compare the prefixes without regard to case.
func prefixFault(c *http.Cookie) error {
	name := strings.ToLower(c.Name)
	switch {
	case strings.HasPrefix(name, "__host-") && !(c.Secure && c.Domain == "" && c.Path == "/"):
		return errors.New("the prefix __Host- needs Secure, Path=/ and no Domain")
	case (strings.HasPrefix(name, "__host-http-") || strings.HasPrefix(name, "__http-")) && !(c.Secure && c.HttpOnly):
		return errors.New("the prefix Http- needs Secure and HttpOnly")
	case strings.HasPrefix(name, "__secure-") && !c.Secure:
		return errors.New("the prefix __Secure- needs Secure")
	}
	return nil
}

// Cookies implements http.CookieJar. It returns the cookies that a browser sends to u
// now, those with longer paths first, and older ones before newer ones.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie {
	type found struct {
		cookieKey
		keptCookie
	}
	host, path, now := hostOf(u), cmp.Or(u.Path, "/"), time.Now()
	j.mu.Lock()
	var send []found
	for key, c := range j.cookies {
		if j.alive(c, now) && inDomain(host, key.domain, key.hostOnly) && inPath(path, key.path) && (!c.secure || trustworthy(u)) {
			send = append(send, found{key, c})
		}
	}
	j.mu.Unlock()
	slices.SortFunc(send, func(a, b found) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), cmp.Compare(a.created, b.created))
	})
	cookies := make([]*http.Cookie, len(send))
	for i, c := range send {
		cookies[i] = &http.Cookie{Name: c.name, Value: c.value}
	}
	return cookies
}

// Clone returns an independent jar with the same cookies. It models a thief's copy, or
// a backup of the browser's profile.
func (j *Jar) Clone() *Jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	return &Jar{cookies: maps.Clone(j.cookies), created: j.created, keepExpired: j.keepExpired}
}

// CloneIgnoringExpiry is Clone for a client that ignores Max-Age and Expires and sends
// its cookies for ever. A deletion still removes a cookie. It tests that the server
// checks the age of a cookie itself.
func (j *Jar) CloneIgnoringExpiry() *Jar {
	clone := j.Clone()
	clone.keepExpired = true
	return clone
}

// Delete removes the cookies for whose name match returns true. It models a browser
// that has too many cookies. match must not call the Jar.
func (j *Jar) Delete(match func(name string) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.cookies, func(key cookieKey, _ keptCookie) bool { return match(key.name) })
}

func hostOf(u *url.URL) string { return strings.ToLower(u.Hostname()) }

// trustworthy reports whether browsers send Secure cookies to u. They trust loopback
// hosts without TLS.
func trustworthy(u *url.URL) bool {
	host := hostOf(u)
	return u.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

func inDomain(host, domain string, hostOnly bool) bool {
	return host == domain || !hostOnly && net.ParseIP(host) == nil && strings.HasSuffix(host, "."+domain)
}

// inPath reports whether path matches the cookie path "of" (RFC 6265bis, section 5.1.4).
func inPath(path, of string) bool {
	return path == of || strings.HasPrefix(path, of) && (strings.HasSuffix(of, "/") || path[len(of)] == '/')
}

func defaultPath(u *url.URL) string {
	if i := strings.LastIndexByte(u.Path, '/'); i > 0 {
		return u.Path[:i]
	}
	return "/"
}
