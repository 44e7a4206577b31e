package session

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// checkSetup raises events for faults of the setup that only requests show.
func (m *Manager) checkSetup(r *http.Request) {
	m.checkHost(r)
	m.checkKeyUse()
}

// checkHost raises an event if cookies travel without encryption to a host that is not
// loopback. The Host of a request is text of the client's choice, so nothing is refused
// for it.
func (m *Manager) checkHost(r *http.Request) {
	if m.cfg.DangerouslyAllowHTTP && !isLoopback(r.Host) {
		m.events.raise(r, Event{Kind: EventMisconfigured, Err: errPlainHTTP})
	}
}

// BrowserKeepsCookies reports whether the browser that sends a form will store the Manager's
// cookies. It does not if the page was opened without HTTPS, on a host that is not loopback,
// unless Config.DangerouslyAllowHTTP is set: a login would succeed, and lead back to the login
// page. Of a request that does not show this it reports true. It is safe for concurrent use.
//
// A proxy may end TLS, so only the browser knows: by the Origin of the form. It sends
// Sec-Fetch-Site only to a host from which it also stores such cookies.
func (m *Manager) BrowserKeepsCookies(r *http.Request) bool {
	if m.cfg.DangerouslyAllowHTTP || r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != "" {
		return true
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err != nil || origin.Scheme != "http" || isLoopback(origin.Host)
}

// isLoopback reports whether a Host, with or without a port, names this machine for
// every client: localhost and the names below it (RFC 6761, section 6.3), 127.0.0.0/8
// and ::1. An empty one names no host, as in HTTP/1.0, and counts as loopback.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
