package nethttp

import (
	"net/http"
	"strings"
)

// checkOrigin refuses requests of other sites that have an unsafe method or open a
// WebSocket. A WebSocket begins with a GET, a browser sends the cookies with it, also for
// a page of another host of this site, and CORS does not apply to it (RFC 6455, section
// 10.2).
func (c *Core) checkOrigin(r *http.Request) error {
	if isWebSocket(r) {
		return c.checkOriginAsUnsafe(r)
	}
	return c.cfg.CrossOrigin.Check(r)
}

func (c *Core) checkOriginAsUnsafe(r *http.Request) error {
	unsafe := *r
	unsafe.Method = http.MethodPost
	return c.cfg.CrossOrigin.Check(&unsafe)
}

// isWebSocket reports whether a request opens a WebSocket (RFC 6455, section 4.1). A
// server may be more tolerant than the RFC, so anything that names the protocol counts.
func isWebSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		if strings.Contains(strings.ToLower(line), "websocket") {
			return true
		}
	}
	return false
}
