package session

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config is what an app may choose. The zero Config is the safe one, and good
// for most.
type Config struct {
	_ [0]func() // named fields only

	// App names the app, in at most 32 small letters, digits and hyphens. It is
	// part of every key and of both cookies' names. Give apps that share a host
	// name different ones: browsers do not keep ports apart. Default: none, and
	// the cookies are called session and refresh, behind their prefix.
	App string

	// AccessTTL is how long the access cookie is believed without asking the
	// store, and so how long a revocation may take to reach a node that does not
	// Run. Default 2 minutes; from 1 second to 1 hour.
	//
	// All windows of the rotation scale with it. No honest user is logged out as
	// long as 0.9 AccessTTL exceeds a request's way to the store and twice the
	// answer's way back; where a browser lost its access cookie, 0.83 AccessTTL
	// must exceed both ways twice. A proxy that buffers slow uploads adds to the
	// way in. Below a minute a browser that crashes right after a refresh may
	// have to log in again: Chromium saves its cookies every 30 seconds.
	AccessTTL time.Duration

	// IdleTimeout is how long a session lives without a request. Default 30
	// minutes; at least twice AccessTTL.
	IdleTimeout time.Duration

	// AbsoluteTimeout is how long a session lives at most, however busy it is.
	// Default 12 hours; at least IdleTimeout.
	AbsoluteTimeout time.Duration

	// RememberIdleTimeout and RememberAbsoluteTimeout take their places for
	// logins with Remember. Default 30 and 90 days; a browser keeps no cookie
	// for more than 400.
	RememberIdleTimeout     time.Duration
	RememberAbsoluteTimeout time.Duration

	// MaxSessions is how many sessions a user may have at once; a login beyond
	// that ends the oldest, and before it those that never came back. Default 20;
	// negative: no limit.
	MaxSessions int

	// OnEvent, if not nil, is called for each Event, by the goroutine that serves
	// the request, by Run's, or by one that has found out whether the store
	// answers: it must be safe for concurrent use, and quick.
	OnEvent func(Event)

	// DangerouslyAllowHTTP makes cookies that travel without encryption, for
	// anyone on the way to copy, under names that any subdomain can overwrite.
	// It is meant for a loopback address.
	DangerouslyAllowHTTP bool
}

// withDefaults fills in what was left zero.
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
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 20
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	return c
}

func notInAppName(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r)
}

// maxCookieLife is the longest life that browsers grant a cookie (RFC 6265bis,
// section 5.6.1).
const maxCookieLife = 400 * 24 * time.Hour

// faults returns all that is wrong with a config whose defaults are filled in.
func (c Config) faults() error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("session: Config."+format, args...))
	}
	if len(c.App) > 32 || strings.ContainsFunc(c.App, notInAppName) {
		wrong("App is %q: use at most 32 small letters, digits and hyphens", c.App)
	}
	if c.AccessTTL < time.Second || c.AccessTTL > time.Hour {
		wrong("AccessTTL is %v: use 1s to 1h", c.AccessTTL)
	}
	for _, l := range []struct {
		prefix         string
		idle, absolute time.Duration
	}{
		{"", c.IdleTimeout, c.AbsoluteTimeout},
		{"Remember", c.RememberIdleTimeout, c.RememberAbsoluteTimeout},
	} {
		if l.idle < 2*c.AccessTTL {
			wrong("%sIdleTimeout is %v: use at least twice AccessTTL, %v", l.prefix, l.idle, 2*c.AccessTTL)
		}
		if l.absolute < l.idle {
			wrong("%sAbsoluteTimeout is %v: use at least the idle timeout, %v", l.prefix, l.absolute, l.idle)
		}
		if l.absolute > maxCookieLife {
			wrong("%sAbsoluteTimeout is %v: browsers keep no cookie longer than %v", l.prefix, l.absolute, maxCookieLife)
		}
	}
	return errors.Join(faults...)
}

// timeouts returns the idle and the absolute one of a session.
func (c Config) timeouts(remember bool) (idle, absolute time.Duration) {
	if remember {
		return c.RememberIdleTimeout, c.RememberAbsoluteTimeout
	}
	return c.IdleTimeout, c.AbsoluteTimeout
}

// keepFor is how long a row must outlive a confirmation, so that no ticket
// outlives its row: the confirmed ticket may be presented at its very end, and
// its child lives as long again.
func (c Config) keepFor(remember bool) time.Duration {
	idle, _ := c.timeouts(remember)
	return 2*idle + c.AccessTTL + time.Minute
}
