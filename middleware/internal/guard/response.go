package guard

import (
	"bufio"
	"net"
	"net/http"
	"strings"

	"github.com/sessionkit/sessionkit/session"
)

// response stands before a request's writer when the answer sets cookies, and
// sees to the header at the first byte, however the handler writes: whatever it
// did to the header meanwhile, cookies and caches are kept apart, and an answer
// that comes too late brings nothing back.
type response struct {
	http.ResponseWriter
	verdict session.Verdict
	begun   bool
}

// setCookies writes the verdict's cookies into the answer, and returns the
// writer that looks after them.
func (st *state) setCookies(w http.ResponseWriter) http.ResponseWriter {
	if len(st.verdict.Cookies) == 0 {
		return w
	}
	if st.writer == nil {
		st.writer = &response{ResponseWriter: w}
		w = st.writer
	}
	st.writer.verdict = st.verdict
	st.verdict.SetCookies(w)
	return w
}

// Finish sees to the header of an answer to r that the guard's writer may not see:
// one that is left empty, which the server sends without calling any writer, and
// one that is written past it, by a middleware that has put its own writer back.
// It may be called any number of times, before the first byte.
func (g *Guard) Finish(r *http.Request) {
	if st, ok := r.Context().Value(stateKey{g}).(*state); ok && st.writer != nil {
		st.writer.begin()
	}
}

// begin may be called any number of times before the first byte.
func (w *response) begin() {
	if w.begun {
		return
	}
	h := w.Header()
	w.verdict.Resend(h)
	if !variesByCookie(h) {
		varyByCookie(h)
	}
}

func (w *response) WriteHeader(code int) {
	w.begin()
	// An informational answer (RFC 9110, section 15.2) is not yet the answer.
	w.begun = w.begun || code >= 200 || code == http.StatusSwitchingProtocols
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	w.begin()
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Flush sends the header, too.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *response) FlushError() error {
	w.begin()
	w.begun = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack is for code that asks the writer itself, and not http.ResponseController.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach what lies below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The values of two headers that most answers carry. They have no room to grow,
// so that whoever adds a value makes a slice of their own.
var (
	byCookie = []string{"Cookie"}
	noStore  = []string{"no-store"}
)

func variesByCookie(h http.Header) bool {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Cookie") {
				return true
			}
		}
	}
	return false
}

func varyByCookie(h http.Header) {
	if len(h["Vary"]) == 0 {
		h["Vary"] = byCookie
	} else {
		h.Add("Vary", "Cookie")
	}
}
