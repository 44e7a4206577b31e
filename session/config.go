package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// Config is what an app may choose. The zero Config is safe, and right for most
// apps.
type Config struct {
	_ [0]func() // named fields only

	// App names the app, in at most 32 lower-case letters, digits and hyphens. It
	// is part of every key and of the names of the cookies. Give apps that share a
	// host name different names: browsers do not keep ports apart. Give apps that share
	// a key different names too, or each accepts the other's users as its own. Default: empty;
	// the cookies are then called session, refresh-0 and refresh-1, after the prefix
	// __Host-Http-, or sessionkit- with DangerouslyAllowHTTP.
	App string

	// AccessTTL is how long the access cookie is accepted without asking the
	// store. It is also how long a revocation may take to reach a node without
	// Run. Default 2 minutes; 1 second to 1 hour.
	//
	// All windows of the rotation scale with it. No honest user is logged out as
	// long as 0.9 AccessTTL exceeds the time of a request to the store plus twice
	// the time of the answer back. After a browser has lost its access cookie,
	// 0.83 AccessTTL must exceed twice the sum of both. A proxy that buffers slow uploads
	// adds to the first. One answer may come later than that, however late, if the
	// others arrive within a twelfth of AccessTTL. Below a minute, a browser that
	// crashes right after a refresh may have to log in again: Chromium saves its
	// cookies every 30 seconds.
	AccessTTL time.Duration

	// IdleTimeout is how long a session lives without a request. Default 30
	// minutes; at least twice AccessTTL.
	IdleTimeout time.Duration

	// AbsoluteTimeout is how long a session lives at most, however busy it is.
	// Default 12 hours; at least IdleTimeout.
	AbsoluteTimeout time.Duration

	// RememberIdleTimeout and RememberAbsoluteTimeout replace these two for logins
	// with Remember. Default 30 and 90 days; browsers keep no cookie longer than
	// 400 days.
	RememberIdleTimeout     time.Duration
	RememberAbsoluteTimeout time.Duration

	// TokenTTL is how long an access token is accepted without asking the store, for clients
	// that are not browsers: see Tokens. It is what AccessTTL is for cookies. 0: the app has no
	// such clients, and a token means nothing. 1 second to 1 hour; 10 minutes suit most apps.
	// Many clients ask for a new token 10 seconds before the old one expires.
	TokenTTL time.Duration

	// TokenIdleTimeout and TokenAbsoluteTimeout are to tokens what IdleTimeout and
	// AbsoluteTimeout are to cookies. Default 30 and 90 days; at most 400 days.
	TokenIdleTimeout     time.Duration
	TokenAbsoluteTimeout time.Duration

	// MaxSessions is how many sessions a user may have at once. A login beyond
	// it ends sessions that never came back, and then the oldest, at most 20. Default 20;
	// negative: no limit. It does not count the sessions of programs, which have a limit
	// of their own: see Login.NonInteractive.
	MaxSessions int

	// Fingerprint returns what the client of a request looks like, such as its platform and
	// browser, in words that an update of the browser does not change:
	// nethttp.BrowserFamily does. The row keeps a digest of it from the login on. A refresh by
	// a client with another fingerprint raises EventSuspicious. That is a sign of a copied
	// cookie, and no proof: a thief can imitate a browser. Empty: unknown. It must be safe for
	// concurrent use. Default: none.
	Fingerprint func(r *http.Request) string

	// RequireFingerprint refuses such a refresh, too, and RequireLive, Update and StepUp
	// with it. The session goes on for the client with the fingerprint of the login. If the
	// other client logs in with these cookies in its browser, the session does not end
	// either. An access cookie counts until it expires, whoever sends it. Refusals within a
	// second share one event.
	RequireFingerprint bool

	// MayImpersonate decides whether the user of actor, which is the request's session, may
	// act as another user: see Login.Actor. It returns nil if they may, ErrUserDisabled if
	// not, and any other error if it cannot tell; Issue returns the error. Issue has 2 seconds
	// for it and its statements. It is asked once: an actor who loses the right goes on until
	// the impersonation ends, so call RevokeUser for the actor. It must be safe for
	// concurrent use. Default: nobody may.
	MayImpersonate func(r *http.Request, actor Session, userID string) error

	// ClientIP returns the network address of a request, for events and for the
	// list of devices; the kit keeps at most 45 bytes of it. Default: the host of
	// r.RemoteAddr, which behind a proxy is the proxy's. It must be safe for
	// concurrent use.
	//
	// MaskIP shortens it. What is empty is not kept; but the logins of devices are counted by
	// network: see Tokens.BeginDevice. Login.IP is kept as it is.
	ClientIP func(r *http.Request) string

	// UserAgent returns the user agent of a request, for the same; the kit keeps at most 255
	// bytes of it. Default: r.UserAgent(). Let it return an empty text to keep none: Fingerprint
	// does without. It must be safe for concurrent use.
	UserAgent func(r *http.Request) string

	// KeepClientFor is how long after the login the row of a session has the address and the
	// user agent: Run then empties both, within about an hour and a quarter. The session goes
	// on; the list of devices shows neither any more, and an event of a theft no LoginUserAgent.
	// Each node reads all rows once an hour, 500 at a time. The audit log keeps what it has
	// until it is pruned. 0: as long as the row; at least an hour. The store must be a
	// store.ClientForgetter, which sqlstore is.
	KeepClientFor time.Duration

	// OnEvent, if not nil, is called for each Event, by the goroutine of the request
	// or by a goroutine of the Manager. It must be safe for concurrent use, and
	// quick: the request waits for it. A stranger can cause any number of some kinds.
	// Faults of the setup, which each request repeats, reach it at most once a minute.
	OnEvent func(Event)

	// Audit, if not nil, gets an entry for each login, each end and each theft, and for what
	// else store.AuditAction lists: who did what to which session, and why. sqlstore has one
	// that writes a table. It is apart from OnEvent, which is for operators.
	//
	// An entry is written before the call returns that has caused it, and no call fails or waits
	// for more than a second because of the log. If it fails, up to 10,000 entries wait in
	// memory, and are tried again once a second, by Run or by the next call with an entry. What
	// does not fit, or is left when Run ends, is lost, and raises EventAuditLost. What waits
	// when the process crashes is lost, and no event reports it. The log's methods must return
	// when their context ends: calls wait for them. Run prunes the log.
	Audit store.AuditLog

	// Observe, if not nil, is called when an Operation begins, and the function that it returns
	// when it ends, with its error or nil: for metrics and traces. The context that it returns
	// is that of the operation, also for the statements of the database; it must descend from
	// the one that it gets. Both must be safe for concurrent use, and quick. The modules
	// metrics/sessionotel and metrics/sessionprom have such functions, and ObserveAll joins two.
	Observe func(context.Context, Operation) (context.Context, func(error))

	// DangerouslyAllowHTTP makes cookies that travel without encryption: anyone on
	// the way can copy them, and any subdomain can overwrite them. It is meant for a
	// loopback address: a request that names another host raises EventMisconfigured, at
	// most once a minute.
	DangerouslyAllowHTTP bool
}

// withDefaults replaces zero values by their defaults.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.AccessTTL, 2 * time.Minute},
		{&c.IdleTimeout, 30 * time.Minute},
		{&c.AbsoluteTimeout, 12 * time.Hour},
		{&c.RememberIdleTimeout, 30 * 24 * time.Hour},
		{&c.RememberAbsoluteTimeout, 90 * 24 * time.Hour},
		{&c.TokenIdleTimeout, 30 * 24 * time.Hour},
		{&c.TokenAbsoluteTimeout, 90 * 24 * time.Hour},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 20
	}
	if c.ClientIP == nil {
		c.ClientIP = remoteHost
	}
	if c.UserAgent == nil {
		c.UserAgent = (*http.Request).UserAgent
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.Observe == nil {
		c.Observe = unobserved
	}
	return c
}

func notInAppName(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r)
}

// maxCookieLife is how long browsers keep a cookie at most (RFC 6265bis, section
// 5.6.1).
const maxCookieLife = 400 * 24 * time.Hour

// faults names every fault of a Config whose defaults are filled in.
func (c Config) faults() error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: Config."+format, args...))
	}
	if len(c.App) > 32 || strings.ContainsFunc(c.App, notInAppName) {
		wrong("App is %q: use at most 32 lower-case letters, digits and hyphens", c.App)
	}
	if c.AccessTTL < shortestAccess || c.AccessTTL > longestAccess {
		wrong("AccessTTL is %v: use 1s to 1h", c.AccessTTL)
	}
	if c.TokenTTL != 0 && (c.TokenTTL < shortestAccess || c.TokenTTL > longestAccess) {
		wrong("TokenTTL is %v: use 1s to 1h, or 0 if there are no tokens", c.TokenTTL)
	}
	if c.KeepClientFor != 0 && c.KeepClientFor < forgetEvery {
		wrong("KeepClientFor is %v: use at least %v, because rows are looked at once an hour, or 0 to keep all", c.KeepClientFor, forgetEvery)
	}
	if c.RequireFingerprint && c.Fingerprint == nil {
		wrong("RequireFingerprint is set, and Fingerprint is not: set it, for example to nethttp.BrowserFamily")
	}
	for _, l := range []struct {
		prefix         string
		idle, absolute time.Duration
		name           string // of the access lifetime
		access         time.Duration
	}{
		{"", c.IdleTimeout, c.AbsoluteTimeout, "AccessTTL", c.AccessTTL},
		{"Remember", c.RememberIdleTimeout, c.RememberAbsoluteTimeout, "AccessTTL", c.AccessTTL},
		{"Token", c.TokenIdleTimeout, c.TokenAbsoluteTimeout, "TokenTTL", c.TokenTTL},
	} {
		if shortest := windowsFor(l.access).shortestIdle; l.idle < shortest {
			wrong("%sIdleTimeout is %v: use at least twice %s, %v", l.prefix, l.idle, l.name, shortest)
		}
		if l.absolute < l.idle {
			wrong("%sAbsoluteTimeout is %v: use at least the idle timeout, %v", l.prefix, l.absolute, l.idle)
		}
		if l.absolute > maxCookieLife {
			wrong("%sAbsoluteTimeout is %v: use at most %v, which is how long browsers keep a cookie", l.prefix, l.absolute, maxCookieLife)
		}
	}
	return errors.Join(faults...)
}

// idle returns the idle timeout of the session of a ticket. own is the session's own; 0: it
// has none.
func (c Config) idle(t refreshTicket, own time.Duration) time.Duration {
	idle, _ := c.timeouts(t)
	if own > 0 {
		idle = min(idle, own)
	}
	return idle
}

// longestLife returns the longest life of a session.
func (c Config) longestLife() time.Duration {
	longest := max(c.AbsoluteTimeout, c.RememberAbsoluteTimeout)
	if c.TokenTTL > 0 {
		longest = max(longest, c.TokenAbsoluteTimeout)
	}
	return longest
}

// timeouts returns the idle and the absolute timeout of the session of a ticket.
func (c Config) timeouts(t refreshTicket) (idle, absolute time.Duration) {
	switch {
	case t.client != "":
		return c.TokenIdleTimeout, c.TokenAbsoluteTimeout
	case t.remember:
		return c.RememberIdleTimeout, c.RememberAbsoluteTimeout
	default:
		return c.IdleTimeout, c.AbsoluteTimeout
	}
}
