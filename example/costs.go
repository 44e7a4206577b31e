package main

import (
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// spent is what one request cost in statements of the session store.
type spent struct {
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Statements int64     `json:"statements"`
	At         time.Time `json:"at"`

	// Order is higher for what came later, also after a restart, or on another
	// node whose clock is about right.
	Order int64 `json:"-"`
}

// costLog remembers the last requests of each session, for the inspector, and
// tells who watches of new ones. Like the throttle's limiter it forgets by
// halves, so that its memory is bounded.
type costLog struct {
	mu         sync.Mutex // guards what follows
	young, old map[string][]spent
	order      int64 // of the last one
	watchers   map[string]map[chan struct{}]bool
}

const (
	requestsShown = 8
	sessionsShown = 1000 // in each of the two maps

	// A session is one browser's, and that has six connections to a host where
	// there is no HTTP/2. Six streams would leave none for the pages.
	watchersPerSession = 4
)

func newCostLog() *costLog {
	return &costLog{young: make(map[string][]spent), watchers: make(map[string]map[chan struct{}]bool)}
}

func (l *costLog) add(sessionID string, s spent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order = max(l.order+1, s.At.UnixMicro())
	s.Order = l.order
	before := l.last(sessionID)
	if _, ok := l.young[sessionID]; !ok && len(l.young) >= sessionsShown {
		l.old, l.young = l.young, make(map[string][]spent)
	}
	// A new slice each time: an old one may be on its way into a page.
	l.young[sessionID] = append([]spent{s}, before[:min(len(before), requestsShown-1)]...)
	for news := range l.watchers[sessionID] {
		select {
		case news <- struct{}{}:
		default: // it has not looked yet, and will see this one too
		}
	}
}

// watch returns a channel that holds something whenever there may be requests
// that since has not returned yet. What they are stays here: a watcher that is
// slow misses the oldest, and takes no memory. False says that the session has
// too many watchers. The caller must call stop.
func (l *costLog) watch(sessionID string) (news <-chan struct{}, stop func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.watchers[sessionID]
	if len(all) >= watchersPerSession {
		return nil, nil, false
	}
	if all == nil {
		all = make(map[chan struct{}]bool)
		l.watchers[sessionID] = all
	}
	mine := make(chan struct{}, 1)
	all[mine] = true
	return mine, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if delete(all, mine); len(all) == 0 {
			delete(l.watchers, sessionID)
		}
	}, true
}

// since returns the requests after one, the oldest first.
func (l *costLog) since(sessionID string, order int64) []spent {
	list := slices.Clone(l.list(sessionID))
	list = slices.DeleteFunc(list, func(s spent) bool { return s.Order <= order })
	slices.Reverse(list)
	return list
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
// that is where the cost is. The stream that tells of the requests is none of
// them: it would tell of itself.
func (a *app) measure(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cost := withCost(c.Request().Context())
		c.SetRequest(c.Request().WithContext(ctx))
		err := next(c)
		if s, ok := session.FromContext(c.Request().Context()); ok && c.Path() != livePath {
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
