package session

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
)

// An Event tells an operator what happened to a session.
//
// No field holds a secret: nobody can make a cookie or a key from an Event, so it may
// be logged. UserID, IP and UserAgent are personal data: keep them only as long
// as your privacy policy allows. UserAgent is text of the client's choice:
// write it only where it is quoted. LogEvents leaves it out.
type Event struct {
	Kind      EventKind
	SessionID string // empty if no session is known
	UserID    string // empty if no user is known
	IP        string // the request's, see Config.ClientIP; empty if no request caused the event
	UserAgent string // the request's, at most 255 bytes; may be empty
	Err       error  // for EventStoreError and EventStoreDown
}

// EventKind names what happened. It is the text that logs and metrics show.
type EventKind string

// The meaning of each kind and its level stand in eventTable.
const (
	EventIssued         EventKind = "issued"
	EventRefreshed      EventKind = "refreshed"
	EventGrace          EventKind = "grace"
	EventReuse          EventKind = "reuse"
	EventStoreBehind    EventKind = "store-behind"
	EventEnded          EventKind = "ended"
	EventRevoked        EventKind = "revoked"
	EventUserRevoked    EventKind = "user-revoked"
	EventRevocationLost EventKind = "revocation-lost"
	EventUndecodable    EventKind = "undecodable"
	EventOldKey         EventKind = "old-key"
	EventAmbiguous      EventKind = "ambiguous"
	EventTooLarge       EventKind = "too-large"
	EventStoreError     EventKind = "store-error"
	EventStoreDown      EventKind = "store-down"
	EventStoreBack      EventKind = "store-back"
)

// eventTable holds every kind once: Debug for what happens all day, Info for logins
// and ends, Warn for what may be a theft or a fault, Error for a store that does
// not answer.
var eventTable = []struct {
	kind    EventKind
	level   slog.Level
	meaning string
}{
	{EventIssued, slog.LevelInfo, "a user logged in"},
	{EventRefreshed, slog.LevelDebug, "the store was asked, and the session goes on"},
	{EventGrace, slog.LevelDebug, "a request was served that was in flight while its refresh cookie was replaced"},
	{EventReuse, slog.LevelWarn, "a superseded refresh cookie was presented, and its session revoked: a theft, or a copied browser profile"},
	{EventStoreBehind, slog.LevelWarn, "the row was older than the refresh cookie: the database has lost writes"},
	{EventEnded, slog.LevelInfo, "a request came from a session that is over"},
	{EventRevoked, slog.LevelInfo, "this node revoked a session"},
	{EventUserRevoked, slog.LevelInfo, "Run has ended the rest of a user's sessions: see ErrUnfinished"},
	{EventRevocationLost, slog.LevelWarn, "a revocation never reached the store: the session may go on"},
	{EventUndecodable, slog.LevelInfo, "no key opens a cookie: an old key, another app's cookie, or a forgery"},
	{EventOldKey, slog.LevelInfo, "a key that is not the first one opened a cookie: see Manager.SetKeys"},
	{EventAmbiguous, slog.LevelWarn, "a request had two valid cookies of one name and different sessions"},
	{EventTooLarge, slog.LevelWarn, "a user's id, roles and attributes do not fit into a cookie: see ErrTooLarge"},
	{EventStoreError, slog.LevelError, "the store gave no definite answer to a request"},
	{EventStoreDown, slog.LevelError, "the store does not answer a probe either: requests that need it are refused at once"},
	{EventStoreBack, slog.LevelInfo, "the store answers again"},
}

// String returns the text of the kind.
func (k EventKind) String() string { return string(k) }

// Meaning returns one sentence that explains the kind to an operator. It is empty
// for a kind that this package does not have.
func (k EventKind) Meaning() string {
	for _, e := range eventTable {
		if e.kind == k {
			return e.meaning
		}
	}
	return ""
}

// Level returns the log level that LogEvents uses for the kind: Info for a kind
// that this package does not have.
func (k EventKind) Level() slog.Level {
	for _, e := range eventTable {
		if e.kind == k {
			return e.level
		}
	}
	return slog.LevelInfo
}

// LogEvents returns a function for Config.OnEvent that logs each event at the
// level of its kind, with the ids of session and user, the network address and
// the error. It does not log the user agent.
func LogEvents(log *slog.Logger) func(Event) {
	return func(e Event) {
		attrs := []slog.Attr{slog.String("kind", string(e.Kind))}
		for _, a := range []struct{ name, value string }{{"session", e.SessionID}, {"user", e.UserID}, {"ip", e.IP}} {
			if a.value != "" {
				attrs = append(attrs, slog.String(a.name, a.value))
			}
		}
		if e.Err != nil {
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		log.LogAttrs(context.Background(), e.Kind.Level(), "session", attrs...)
	}
}

// events counts events and passes them on. It is safe for concurrent use.
type events struct {
	counts   map[EventKind]*atomic.Uint64 // not changed after newEvents
	onEvent  func(Event)
	clientIP func(*http.Request) string
}

func newEvents(cfg Config) *events {
	e := &events{map[EventKind]*atomic.Uint64{}, cfg.OnEvent, cfg.ClientIP}
	for _, known := range eventTable {
		e.counts[known.kind] = new(atomic.Uint64)
	}
	return e
}

// raise counts e and passes it on. The request that caused it may be nil.
func (e *events) raise(r *http.Request, event Event) {
	if count := e.counts[event.Kind]; count != nil {
		count.Add(1)
	}
	if r != nil {
		event.IP, event.UserAgent = clip(e.clientIP(r), maxIP), clip(r.UserAgent(), maxUserAgent)
	}
	e.onEvent(event)
}

// remoteHost is the default of Config.ClientIP.
func remoteHost(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// Stats returns how many events of each kind this Manager has raised. Alert on
// EventReuse, EventStoreDown and EventRevocationLost, and on EventEnded or
// EventUndecodable far above their usual rate: then people are being logged out.
// It is safe for concurrent use, and cheap.
func (m *Manager) Stats() map[EventKind]uint64 {
	stats := make(map[EventKind]uint64, len(m.events.counts))
	for kind, n := range m.events.counts {
		stats[kind] = n.Load()
	}
	return stats
}
