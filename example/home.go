package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// countdown is a clock as a page shows it.
type countdown struct {
	Name  string
	Note  string
	Over  string // takes the note's place when no time is left
	At    time.Time
	Left  int // seconds
	Total int
}

func newCountdown(name, note, over string, from, to time.Time) countdown {
	return countdown{
		Name:  name,
		Note:  note,
		Over:  over,
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
	requests := a.costs.list(s.ID)
	return render(c, http.StatusOK, "inspector", "Inspector", struct {
		Clocks     []countdown
		Statements int64
		Requests   []spent
		Live       string // where the requests after these are told
	}{
		Clocks: []countdown{
			newCountdown("Access cookie", "When it runs out, the next request asks your row, and renews both cookies.",
				"It has run out: reload, and the next request renews it.", s.IssuedAt, s.ExpiresAt),
			newCountdown("Refresh cookie", "It begins anew whenever the row is asked. If you stay away for longer, you log in again.",
				"It has run out: the next request asks you to log in.", s.IssuedAt, a.idleEnd(s)),
			newCountdown("Session", "However busy you are, this is its end.",
				"It is over: the next request asks you to log in.", s.AuthTime, s.EndsAt),
		},
		Statements: costOf(c.Request().Context()),
		Requests:   requests,
		Live:       liveAfter(requests),
	})
}

// idleEnd is when the session is over if nothing more is asked for. Only the
// refresh cookie itself knows to the second: after a request that needed no new
// one, this is a little more than is left.
func (a *app) idleEnd(s session.Session) time.Time {
	idle := a.refreshTTL
	if s.EndsAt.Sub(s.AuthTime) > a.maxLifetime {
		idle = rememberIdle
	}
	if end := s.IssuedAt.Add(idle); end.Before(s.EndsAt) {
		return end
	}
	return s.EndsAt
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
