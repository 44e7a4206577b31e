package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// countdown is a cookie's clock as a page shows it.
type countdown struct {
	At    time.Time
	Left  int // seconds
	Total int
}

func newCountdown(from, to time.Time) countdown {
	return countdown{
		At:    to,
		Left:  max(0, int(time.Until(to).Seconds())),
		Total: max(1, int(to.Sub(from).Seconds())),
	}
}

// home is the inspector, and a word of welcome to those who are nobody yet.
func (a *app) home(c echo.Context) error {
	s, ok := session.FromContext(c.Request().Context())
	if !ok {
		return render(c, http.StatusOK, "welcome", "Welcome", nil)
	}
	return render(c, http.StatusOK, "inspector", "Inspector", struct {
		Access, End countdown
		Statements  int64
		Requests    []spent
	}{
		Access:     newCountdown(s.IssuedAt, s.ExpiresAt),
		End:        newCountdown(s.AuthTime, s.EndsAt),
		Statements: costOf(c.Request().Context()),
		Requests:   a.costs.list(s.ID),
	})
}

// apiSession says to programs who they are. statements is what the requests of
// this process have cost the session store so far; what the feed and the
// clean-up ask once in a while is not among them.
func (a *app) apiSession(c echo.Context) error {
	s := current(c)
	roles := s.Roles
	if roles == nil {
		roles = []string{}
	}
	return c.JSON(http.StatusOK, map[string]any{
		"user_id":    s.UserID,
		"session_id": s.ID,
		"roles":      roles,
		"auth_time":  s.AuthTime,
		"issued_at":  s.IssuedAt,
		"expires_at": s.ExpiresAt,
		"statements": a.db.counter.requests.Load(),
	})
}

// health is for whoever routes requests to this process. A ping is not counted.
func (a *app) health(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), time.Second)
	defer cancel()
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	if err := a.db.sessions.PingContext(ctx); err != nil {
		slog.Warn("the session store does not answer", "error", err)
		return c.JSON(http.StatusServiceUnavailable, map[string]string{"status": "the session store does not answer"})
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}
