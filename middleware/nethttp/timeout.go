package nethttp

import (
	"net/http"
	"reflect"
	"runtime"
	"strings"
)

// RunsApart reports whether a timeout middleware runs the code of a request in a goroutine of
// its own, within a framework that uses its contexts again. After the time is over, the
// handler goes on with a context that the framework has given to the next request: a login
// that ends then logs in whoever has sent that one. Guards for such frameworks refuse these
// requests.
//
// serve is the function that serves a request, as runtime.Frame names it. A timeout around the
// whole framework, such as http.TimeoutHandler, is harmless: serve runs in its goroutine. The
// stack is read if the writer, or one that it unwraps to, is that of a timeout. If the session
// is to change, it is also read if a guard of this Core has admitted r: then serve has called
// that guard, and must have called this code, too.
func (c *Core) RunsApart(w http.ResponseWriter, r *http.Request, serve string, change bool) bool {
	_, admitted := c.stateOf(r)
	if !(admitted && change) && !hasTimeout(w) {
		return false
	}
	callers := make([]uintptr, 1024) // serve is near the bottom
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if frame.Function == serve {
			return false
		}
		if !more {
			return true
		}
	}
}

// hasTimeout reports whether the type of a writer, or of one below it, or its package, is
// named after a timeout, as in net/http and the middleware that is known.
func hasTimeout(w http.ResponseWriter) bool {
	for w != nil {
		if strings.Contains(reflect.TypeOf(w).String(), "imeout") {
			return true
		}
		below, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = below.Unwrap()
	}
	return false
}
