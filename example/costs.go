package main

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// spent is what one request cost in statements of the session store.
type spent struct {
	Method, Path string
	Statements   int64
	At           time.Time
}

// costLog remembers the last requests of each session, for the inspector. Like
// the throttle's limiter it forgets by halves, so that its memory is bounded.
type costLog struct {
	mu         sync.Mutex // guards both maps
	young, old map[string][]spent
}

const (
	requestsShown = 8
	sessionsShown = 1000 // in each of the two maps
)

func newCostLog() *costLog { return &costLog{young: make(map[string][]spent)} }

func (l *costLog) add(sessionID string, s spent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.last(sessionID)
	if _, ok := l.young[sessionID]; !ok && len(l.young) >= sessionsShown {
		l.old, l.young = l.young, make(map[string][]spent)
	}
	// A new slice each time: an old one may be on its way into a page.
	l.young[sessionID] = append([]spent{s}, before[:min(len(before), requestsShown-1)]...)
}

// list returns the newest first. The caller must not change it.
func (l *costLog) list(sessionID string) []spent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last(sessionID)
}

// last needs l.mu.
func (l *costLog) last(sessionID string) []spent {
	if list, ok := l.young[sessionID]; ok {
		return list
	}
	return l.old[sessionID]
}

// measure counts what each request costs. It stands before the guard, because
// that is where the cost is.
func (a *app) measure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cost := withCost(c.Request().Context())
		c.SetRequest(c.Request().WithContext(ctx))
		err := next(c)
		if s, ok := session.FromContext(c.Request().Context()); ok {
			a.costs.add(s.ID, spent{
				Method:     c.Request().Method,
				Path:       c.Request().URL.Path,
				Statements: cost.Load(),
				At:         time.Now(),
			})
		}
		return err
	}
}
