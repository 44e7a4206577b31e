package nethttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/sessionkit/sessionkit/session"
)

// response wraps a request's writer and checks the header before the first byte, however
// the handler writes. Caches then do not keep an answer with cookies, and a late answer
// does not restore a session that has ended.
type response struct {
	http.ResponseWriter
	sessions *session.Manager

	// http.TimeoutHandler behind a guard answers while the handler still runs.
	mu      sync.Mutex // guards what follows
	verdict session.Verdict
	begun   bool
}

// setCookies sets the Verdict's cookies in the answer, and returns the writer for the
// handler.
func (st *state) setCookies(w http.ResponseWriter) http.ResponseWriter {
	if len(st.verdict.Cookies) == 0 {
		return w
	}
	w = st.watch(w)
	st.writer.mu.Lock()
	st.writer.verdict = st.verdict
	st.writer.mu.Unlock()
	st.verdict.SetCookies(w)
	return w
}

// watch returns a writer that checks the header of the answer.
func (st *state) watch(w http.ResponseWriter) http.ResponseWriter {
	if st.writer != nil {
		return w
	}
	st.own = response{ResponseWriter: w, sessions: st.core.sessions}
	st.writer = &st.own
	return st.writer
}

// Watch returns a writer for the handler of a request that Admit has admitted. It checks the
// header also if Issue sets cookies later, so a guard needs it whose Issue cannot put a new
// writer in place of the handler's.
func (c *Core) Watch(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if st, ok := c.stateOf(r); ok {
		return st.watch(w)
	}
	return w
}

// Finish checks the header of an answer that bypasses the guard's writer: an empty one,
// which the server sends without calling a writer, and one that another middleware writes
// to its own writer. Call Finish after the handler, also after a panic. It may also be called
// any number of times before the first byte.
func (c *Core) Finish(r *http.Request) {
	if st, ok := c.stateOf(r); ok && st.writer != nil {
		st.writer.checkHeader()
	}
}

// checkHeader may be called any number of times before the first byte.
func (w *response) checkHeader() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check()
}

// check is checkHeader while w.mu is held.
func (w *response) check() {
	if w.begun || len(w.verdict.Cookies) == 0 {
		return
	}
	h := w.Header()
	w.sessions.DropStaleCookies(h, w.verdict)
	if !varies(h, "Cookie") {
		vary(h, byCookie)
	}
}

func (w *response) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check()
	w.begun = true
}

func (w *response) WriteHeader(code int) {
	// An informational answer is not final (RFC 9110, section 15.2).
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.begin()
	} else {
		w.checkHeader()
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom, so that net/http can send files with sendfile.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, src)
}

// Flush implements http.Flusher. It sends the header, too.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is the method that http.ResponseController calls.
func (w *response) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for code that does not use http.ResponseController.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The values of two headers of most answers, shared to save allocations. The slices have
// no spare capacity, so that an append copies them.
var (
	byCookie               = []string{"Cookie"}
	byCredentials          = []string{"Authorization"}
	byDestination          = []string{"Sec-Fetch-Dest"}
	byCookieAndDestination = []string{"Cookie, Sec-Fetch-Dest"}
	noStore                = []string{"no-store"}
)

// varies reports whether the answer's Vary includes a request header.
func varies(h http.Header, by string) bool {
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, by) {
				return true
			}
		}
	}
	return false
}

// vary adds one of the values above to the answer's Vary.
func vary(h http.Header, by []string) {
	if len(h["Vary"]) == 0 {
		h["Vary"] = by
	} else {
		h.Add("Vary", by[0])
	}
}
