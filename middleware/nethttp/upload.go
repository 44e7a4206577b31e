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
// some middleware hides the server's writer.
func discardBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength > maxRefusedBody || r.Header.Get("Expect") != "" || !hasReadDeadline(w) {
		return
	}
	// The server's own deadline, if it is earlier, stays.
	timer := time.AfterFunc(refusedBodyTime, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) })
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
