package guard

import (
	"net/http"
	"slices"
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

// Finish completes the header of an answer that the handler left empty: the
// server sends it without calling the writer. On other answers it does nothing.
func Finish(w http.ResponseWriter) {
	if w, ok := w.(*response); ok {
		w.begin()
	}
}

// begin may be called any number of times before the first byte.
func (w *response) begin() {
	if w.begun {
		return
	}
	h := w.Header()
	w.verdict.Resend(h)
	if !slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(v, "Cookie") }) {
		h.Add("Vary", "Cookie")
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

// Unwrap lets http.ResponseController reach what lies below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
