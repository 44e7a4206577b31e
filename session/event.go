package session

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// An Event tells an operator what happened to a session.
//
// No field holds a secret: nobody can make a cookie or a key from an Event, so it may
// be logged. UserID, Actor, IP and the user agents are personal data: keep them only as
// long as your privacy policy allows. A user agent is text of the client's choice:
// write it only where it is quoted. LogEvents leaves both out.
type Event struct {
	Kind      EventKind
	SessionID string // empty if no session is known
	UserID    string // empty if no user is known
	Actor     string // who acts as UserID, see Login.Actor; empty if nobody does, or it is not known
	IP        string // the request's, see Config.ClientIP; empty if no request caused the event
	UserAgent string // the request's, at most 255 bytes, see Config.UserAgent; may be empty
	Err       error  // for EventRefused, EventStoreError, EventStoreDown, EventSuspicious, EventMisconfigured, EventAuditLost, and EventEnded of a deleted user

	// Detail says how the user has logged in, for EventIssued, and why the session was revoked,
	// for EventRevoked: a store.Reason. It may be empty.
	Detail string

	// LoginUserAgent is the user agent at the login of the session, at most 255 bytes,
	// for EventReuse and EventSuspicious. With IP the app can tell UserID: somebody has used a copy of
	// your login on this device, from this address. The request may be the thief's or
	// the user's own: the second of the two is the one that is noticed.
	LoginUserAgent string
}

// eventOf returns an event of the session that a row describes.
func eventOf(kind EventKind, row *store.Record) Event {
	return Event{Kind: kind, SessionID: row.ID.String(), UserID: row.UserID, Actor: row.Actor}
}

// EventKind names what happened. It is the text that logs and metrics show.
type EventKind string

// The meaning of each kind and its level stand in eventTable: a new kind is a line here
// and a row there.
const (
	EventIssued         EventKind = "issued"
	EventRefused        EventKind = "refused"
	EventRefreshed      EventKind = "refreshed"
	EventGrace          EventKind = "grace"
	EventSuspicious     EventKind = "suspicious"
	EventReuse          EventKind = "reuse"
	EventStoreBehind    EventKind = "store-behind"
	EventEnded          EventKind = "ended"
	EventRevoked        EventKind = "revoked"
	EventRevocationLost EventKind = "revocation-lost"
	EventUndecodable    EventKind = "undecodable"
	EventOldKey         EventKind = "old-key"
	EventAmbiguous      EventKind = "ambiguous"
	EventTooLarge       EventKind = "too-large"
	EventStoreError     EventKind = "store-error"
	EventStoreDown      EventKind = "store-down"
	EventStoreBack      EventKind = "store-back"
	EventMisconfigured  EventKind = "misconfigured"
	EventAuditLost      EventKind = "audit-lost"
)

// rate says how often an event of a kind reaches OnEvent, and a log. Stats counts
// each, whatever the rate.
type rate int

const (
	each                rate = iota
	loggedOncePerSecond      // a stranger can cause any number: LogEvents writes one a second and says how many it left out
	raisedOncePerMinute      // a fault of the app, which each request would repeat: OnEvent is called at most once a minute
)

// eventTable holds every kind once: Debug for what happens all day, Info for logins
// and ends, Warn for what may be a theft or a fault, Error for a store that does
// not answer.
var eventTable = []struct {
	kind    EventKind
	level   slog.Level
	rate    rate
	meaning string
}{
	{EventIssued, slog.LevelInfo, each, "a user logged in"},
	{EventRefused, slog.LevelInfo, loggedOncePerSecond, "the store refused a login that the app allowed: the error says whether the user is unknown or disabled, or has another session epoch"},
	{EventRefreshed, slog.LevelDebug, each, "the store was asked, and the session goes on"},
	{EventGrace, slog.LevelDebug, each, "a request was served that was in flight while its refresh cookie was replaced"},
	{EventSuspicious, slog.LevelWarn, each, "a refresh cookie may have been copied: the error says what looks like it"},
	{EventReuse, slog.LevelWarn, each, "a superseded refresh cookie or token was presented, and its session revoked: a theft, or a copied browser profile"},
	{EventStoreBehind, slog.LevelWarn, each, "the row was older than the refresh cookie: the database has lost writes"},
	{EventEnded, slog.LevelInfo, each, "a request came from a session that is over; the error says so if the user no longer exists"},
	{EventRevoked, slog.LevelInfo, each, "this node revoked a session, or the rest of a user's sessions after ErrUnfinished"},
	{EventRevocationLost, slog.LevelWarn, each, "a revocation never reached the store: the session may go on"},
	{EventUndecodable, slog.LevelInfo, loggedOncePerSecond, "no key opens a cookie or a token: an old key, another app's cookie, or a forgery"},
	{EventOldKey, slog.LevelInfo, loggedOncePerSecond, "a key that is not the first one opened a cookie or a token: see Manager.SetKeys"},
	{EventAmbiguous, slog.LevelWarn, loggedOncePerSecond, "a request had two valid cookies of one name and different sessions, or a token beside cookies"},
	{EventTooLarge, slog.LevelWarn, each, "a user's id, roles and attributes, and the facts of the session, do not fit into the access cookie: a login is refused, and a session that has begun asks the store for each request (once a minute for each session)"},
	{EventStoreError, slog.LevelError, each, "the store gave no definite answer to a request"},
	{EventStoreDown, slog.LevelError, each, "the store does not answer a probe either: requests that need it are refused at once"},
	{EventStoreBack, slog.LevelInfo, each, "the store answers again"},
	{EventMisconfigured, slog.LevelWarn, raisedOncePerMinute, "a request has shown a fault of the app's setup, which the error names (once a minute for each fault)"},
	{EventAuditLost, slog.LevelError, each, "an entry never reached Config.Audit: the event has whose session it concerns, and the error says what was done"},
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

func (k EventKind) rate() rate {
	for _, e := range eventTable {
		if e.kind == k {
			return e.rate
		}
	}
	return each
}

// LogEvents returns a function for Config.OnEvent that logs each event at the
// level of its kind, with the ids of session, user and actor, the network address
// and the error. It does not log the user agent.
//
// Of the kinds that a stranger can cause at will (EventUndecodable, EventAmbiguous,
// EventOldKey, EventRefused) it writes at most one line a second for each kind. The attribute
// omitted of the next line is the number of events that were left out before it. To
// see each of them, use a function of your own: OnEvent receives them all.
//
// The function is safe for concurrent use.
func LogEvents(log *slog.Logger) func(Event) {
	pace := newPace(loggedOncePerSecond, time.Second)
	return func(e Event) {
		due, omitted := pace.due(e)
		if !due {
			return
		}
		attrs := []slog.Attr{slog.String("kind", string(e.Kind))}
		for _, a := range []struct{ name, value string }{{"session", e.SessionID}, {"user", e.UserID}, {"actor", e.Actor}, {"ip", e.IP}} {
			if a.value != "" {
				attrs = append(attrs, slog.String(a.name, a.value))
			}
		}
		if e.Detail != "" {
			attrs = append(attrs, slog.String("detail", e.Detail))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		if omitted > 0 {
			attrs = append(attrs, slog.Int("omitted", omitted))
		}
		log.LogAttrs(context.Background(), e.Kind.Level(), "session", attrs...)
	}
}

// events counts events and passes them on. It is safe for concurrent use.
type events struct {
	counts    map[EventKind]*atomic.Uint64 // not changed after newEvents
	pace      *pace
	onEvent   func(Event)
	clientIP  func(*http.Request) string
	userAgent func(*http.Request) string
	audit     *auditTrail // nil: there is no audit log
}

func newEvents(cfg Config) *events {
	e := &events{map[EventKind]*atomic.Uint64{}, newPace(raisedOncePerMinute, time.Minute), cfg.OnEvent, cfg.ClientIP, cfg.UserAgent, nil}
	for _, known := range eventTable {
		e.counts[known.kind] = new(atomic.Uint64)
	}
	return e
}

// raise reports an event that no call has caused. The request may be nil.
func (e *events) raise(r *http.Request, event Event) {
	e.tell(r, event)
	e.auditLater(event.entry())
}

// tell counts an event and passes it on, as often as its rate allows. The request that caused
// it may be nil.
func (e *events) tell(r *http.Request, event Event) {
	if count := e.counts[event.Kind]; count != nil {
		count.Add(1)
	}
	if due, _ := e.pace.due(event); !due {
		return
	}
	if r != nil {
		event.IP, event.UserAgent = e.client(r)
	}
	e.onEvent(event)
}

// client returns what is known of the client of a request.
func (e *events) client(r *http.Request) (ip, userAgent string) {
	return clip(e.clientIP(r), maxIP), clip(e.userAgent(r), maxUserAgent)
}

// remoteHost is the default of Config.ClientIP.
func remoteHost(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// Stats returns how many events of each kind have happened to this Manager, those
// that OnEvent was spared included. Alert on
// EventReuse, EventStoreDown and EventRevocationLost, and on EventEnded or
// EventUndecodable far above their usual rate: then people are being logged out.
//
// It is safe for concurrent use, and cheap. It counts events and measures nothing.
func (m *Manager) Stats() map[EventKind]uint64 {
	stats := make(map[EventKind]uint64, len(m.events.counts))
	for kind, n := range m.events.counts {
		stats[kind] = n.Load()
	}
	return stats
}
