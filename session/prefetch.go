package session

import (
	"net/http"
	"strings"
)

// IsPrefetch reports whether a browser sends the request for a page that the user has
// not opened yet, and may never open: to fetch or to render it in advance, or to show
// a preview of it. Then Sec-Purpose, X-Sec-Purpose, Purpose or X-Purpose names prefetch
// or preview, as in "Sec-Purpose: prefetch;prerender".
//
// A hover over a link in a Turbo frame is an ordinary request: on the click Turbo puts the
// answer into the frame, whatever it is, and asks for no other one. So X-Sec-Purpose does not
// count beside Turbo-Frame.
//
// Any client can send or leave out these headers, so a prefetch must get nothing that
// another request would not get. It is safe for concurrent use.
func IsPrefetch(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose"} {
		if name == "X-Sec-Purpose" && r.Header.Get("Turbo-Frame") != "" {
			continue
		}
		lines := r.Header[name]
		for _, line := range lines[:min(len(lines), maxPurposeLines)] {
			line = line[:min(len(line), maxPurpose)]
			for token := range strings.FieldsFuncSeq(line, separatesTokens) {
				if strings.EqualFold(token, "prefetch") || strings.EqualFold(token, "preview") {
					return true
				}
			}
		}
	}
	return false
}

// maxPurpose is how much of such a header is read, in bytes, and maxPurposeLines how many
// lines of it. Whoever hides the token behind them sends an ordinary request.
const (
	maxPurpose      = 256
	maxPurposeLines = 4
)

// separatesTokens reports whether a character ends a token in a list of items with
// parameters (RFC 9651, section 3.1).
func separatesTokens(c rune) bool { return strings.ContainsRune(",;= \t", c) }
