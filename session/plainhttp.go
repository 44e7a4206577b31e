package session

import (
	"net"
	"net/http"
	"net/netip"
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
