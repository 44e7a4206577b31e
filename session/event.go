package session

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// An Event tells an operator of something that happened to a session. It holds
// no user data and no secret.
type Event struct {
	Kind      EventKind
	SessionID string // may be empty
	Err       error  // for EventStoreTrouble and EventStoreDown
}

// EventKind names what happened.
type EventKind string

const (
	EventIssued       EventKind = "issued"        // a login
	EventRefreshed    EventKind = "refreshed"     // the store was asked, and the session goes on
	EventStraggler    EventKind = "straggler"     // a request in flight while its cookie was replaced was served
	EventReuse        EventKind = "reuse"         // a superseded refresh cookie was presented: that session was revoked
	EventAhead        EventKind = "ahead"         // the row was behind the cookie: the database has lost writes
	EventEnded        EventKind = "ended"         // a request came from a session that is over
	EventRevoked      EventKind = "revoked"       // a session was revoked here
	EventUndone       EventKind = "undone"        // a logout that the store never learned of: the session may go on
	EventUndecodable  EventKind = "undecodable"   // a cookie that no key opens: an old key, another app's, or a forgery
	EventOldKey       EventKind = "old-key"       // a cookie was opened by a key that is not the first: see Manager.SetKeys
	EventAmbiguous    EventKind = "ambiguous"     // two valid cookies of one name and different sessions
	EventTooLarge     EventKind = "too-large"     // a user's id, roles and attributes do not fit into a cookie: see ErrTooLarge
	EventStoreTrouble EventKind = "store-trouble" // the store gave no definite answer
	EventStoreDown    EventKind = "store-down"    // nor does it answer a probe: until it does, what needs it is refused at once
	EventStoreBack    EventKind = "store-back"    // it answers again
)

var eventKinds = []EventKind{
	EventIssued, EventRefreshed, EventStraggler, EventReuse, EventAhead, EventEnded, EventRevoked, EventUndone,
	EventUndecodable, EventOldKey, EventAmbiguous, EventTooLarge, EventStoreTrouble, EventStoreDown, EventStoreBack,
}

// LogEvents returns a function for Config.OnEvent that logs each event: at
// level Debug what belongs to any day, Info logins and ends, Warn what may be a
// theft or a fault, Error the store's trouble.
func LogEvents(log *slog.Logger) func(Event) {
	return func(e Event) {
		attrs := []slog.Attr{slog.String("kind", string(e.Kind))}
		if e.SessionID != "" {
			attrs = append(attrs, slog.String("session", e.SessionID))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		log.LogAttrs(context.Background(), e.Kind.level(), "session", attrs...)
	}
}

func (k EventKind) level() slog.Level {
	switch k {
	case EventRefreshed, EventStraggler:
		return slog.LevelDebug
	case EventReuse, EventAhead, EventAmbiguous, EventUndone, EventTooLarge:
		return slog.LevelWarn
	case EventStoreTrouble, EventStoreDown:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// counters count events. The map is never written to after it is made.
type counters map[EventKind]*atomic.Uint64

func newCounters() counters {
	c := counters{}
	for _, kind := range eventKinds {
		c[kind] = new(atomic.Uint64)
	}
	return c
}

// event counts e, and hands it on.
func (m *Manager) event(e Event) {
	m.counters[e.Kind].Add(1)
	m.cfg.OnEvent(e)
}

// Stats returns how many events of each kind this Manager has raised. Alarm on
// EventReuse, which is a theft or a copied browser profile, on EventStoreDown and
// EventUndone, and on EventEnded or EventUndecodable far above their usual rate,
// which is people being logged out. It is safe for concurrent use, and cheap.
func (m *Manager) Stats() map[EventKind]uint64 {
	stats := make(map[EventKind]uint64, len(m.counters))
	for kind, n := range m.counters {
		stats[kind] = n.Load()
	}
	return stats
}
