package middleware

import (
	"errors"
	"log/slog"

	"github.com/labstack/echo/v4"
)

// errTimeout refuses what runs within a timeout middleware: see nethttp.Core.RunsApart.
var errTimeout = errors.New("middleware: a timeout middleware is around this handler, such as echo's Timeout. It can give the session of one user to another: use echo's ContextTimeout, or http.TimeoutHandler around the whole Echo")

// checkTimeout returns an error within a timeout middleware, and logs the first one with slog's
// default logger.
func (g *Guard) checkTimeout(c echo.Context, change bool) error {
	if !g.core.RunsApart(c.Response().Writer, c.Request(), "github.com/labstack/echo/v4.(*Echo).ServeHTTP", change) {
		return nil
	}
	g.timeout.Do(func() { slog.Error(errTimeout.Error()) })
	return echo.ErrInternalServerError.WithInternal(errTimeout)
}

// mayBegin returns an error if the answer to a request cannot carry cookies safely.
func (g *Guard) mayBegin(c echo.Context) error {
	if err := g.checkTimeout(c, true); err != nil {
		return err
	}
	if c.Response().Committed {
		return tooLate()
	}
	return nil
}
