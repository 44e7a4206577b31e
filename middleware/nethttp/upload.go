package nethttp

import (
	"io"
	"net/http"
	"time"
)

const (
	maxRefusedBody  = 32 << 20 // bytes
	refusedBodyTime = 30 * time.Second
)

// discardBody reads the body of a request that is about to be refused, within the two
// limits. Otherwise the server closes the connection while the browser still sends, and the
// browser shows a broken connection instead of the answer. Nginx shows a 502.
//
// It reads nothing if the client waits for the answer before it sends (RFC 9110, section
// 10.1.1), if the body is known to be too long, and if the time cannot be limited, because
// some middleware hides the server's writer. HTTP/2 needs none of it: there an answer may
// come before the end of the request.
func discardBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor > 1 || r.ContentLength > maxRefusedBody || r.Header.Get("Expect") != "" || !hasReadDeadline(w) {
		return
	}
	limit := refusedBodyTime
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		limit = min(limit, server.WriteTimeout/2) // then the answer must be written
	}
	// The server's own deadline for reading, if it is earlier, stays.
	timer := time.AfterFunc(limit, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) })
	defer timer.Stop()
	_, _ = io.CopyN(io.Discard, r.Body, maxRefusedBody) // on an error there is nothing more to read
}

// hasReadDeadline reports whether http.ResponseController can set a read deadline.
func hasReadDeadline(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case interface{ SetReadDeadline(time.Time) error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
