package gin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
)

// writer checks the header of an answer before gin sends it. gin's WriteHeader sends nothing
// yet: a handler may set further headers after it.
type writer struct {
	gin.ResponseWriter
	core *nethttp.Core
	c    *gin.Context // whose Request knows the cookies
}

func (w *writer) begin() {
	if !w.Written() {
		w.core.Finish(w.c.Request)
	}
}

// WriteHeaderNow implements gin.ResponseWriter.
func (w *writer) WriteHeaderNow() {
	w.begin()
	w.ResponseWriter.WriteHeaderNow()
}

// Write implements http.ResponseWriter.
func (w *writer) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// WriteString implements gin.ResponseWriter.
func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	return w.ResponseWriter.WriteString(s)
}

// Flush implements http.Flusher. It sends the header, too.
func (w *writer) Flush() {
	w.begin()
	w.ResponseWriter.Flush()
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
