package middleware

import (
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"strings"

	"github.com/labstack/echo/v4"
)

// errTimeout refuses what runs within echo's Timeout. After the time is over, that lets the
// handler go on with a Context that echo has given to the next request: a login that ends
// then logs in whoever has sent that one.
var errTimeout = errors.New("middleware: echo's Timeout is around this handler. It can give the session of one user to another: use echo's ContextTimeout")

// isInTimeout reports whether the code of a request runs within echo's Timeout. That uses a
// writer of net/http's, as http.TimeoutHandler around the whole Echo does, which is harmless.
// So the stack decides; it is read only if there is such a writer.
func isInTimeout(c echo.Context) bool {
	w := c.Response().Writer
	for {
		t, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = t.Unwrap()
	}
	if w == nil || reflect.TypeOf(w).String() != "*http.timeoutWriter" {
		return false
	}
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "echo/v4/middleware.echoHandlerFuncWrapper") {
			return true
		}
		if !more {
			return false
		}
	}
}

// checkTimeout returns an error within echo's Timeout, and logs the first one with slog's
// default logger.
func (g *Guard) checkTimeout(c echo.Context) error {
	if !isInTimeout(c) {
		return nil
	}
	g.timeout.Do(func() { slog.Error(errTimeout.Error()) })
	return echo.ErrInternalServerError.WithInternal(errTimeout)
}

// mayBegin returns an error if the answer to a request cannot carry cookies safely.
func (g *Guard) mayBegin(c echo.Context) error {
	if err := g.checkTimeout(c); err != nil {
		return err
	}
	if c.Response().Committed {
		return tooLate()
	}
	return nil
}
