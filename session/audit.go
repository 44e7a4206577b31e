package session

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/sessionkit/sessionkit/session/store"
)

const (
	auditBatch   = 100 // entries in one Append
	auditTimeout = time.Second
	maxAuditText = 255 // bytes

	// maxAuditPending bounds the memory that an outage of the log takes: about 10 MB.
	maxAuditPending = 10_000
)

// auditTrail passes entries on to Config.Audit, in their order. An entry is written before the
// call returns that has caused it. If the log fails, entries wait in memory, and are tried again
// once a second, by Run or by the next call with an entry. It is safe for concurrent use.
type auditTrail struct {
	log  store.AuditLog
	lost func(store.AuditEntry, error) // told of an entry that is not written
	now  func() time.Time              // by the store's clock

	writing chan struct{} // has room for the one who appends

	mu      sync.Mutex // guards what follows
	pending []store.AuditEntry
	written int       // how many of them, the first ones, an Append has at this moment
	closed  bool      // Run has ended, and tries no more
	failure error     // of the last Append; nil: it has succeeded
	again   time.Time // when the next Append is due after it
}

// add takes in an entry, which flush then writes. It sets ID and At.
func (a *auditTrail) add(e store.AuditEntry) {
	e.ID = random16()
	e.At = a.now()
	binary.BigEndian.PutUint64(e.ID[:], uint64(e.At.UnixMicro())) // the table grows at its end
	for _, text := range []*string{&e.UserID, &e.Actor, &e.IP, &e.UserAgent, &e.Detail} {
		*text = strings.Map(withoutControl, clip(*text, maxAuditText))
	}
	a.mu.Lock()
	full, failure := len(a.pending) >= maxAuditPending, a.failure
	if !full {
		a.pending = append(a.pending, e)
	}
	a.mu.Unlock()
	if full {
		a.lost(e, fmt.Errorf("%d entries wait already: %w", maxAuditPending, cmp.Or(failure, errAuditSlow)))
	}
}

// withoutControl drops the control characters that clip leaves. U+009B, for example, begins a
// command of a terminal.
func withoutControl(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// flush writes what is pending, within auditTimeout. Several calls at once share one Append.
// ctx gives values alone.
func (a *auditTrail) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	select {
	case a.writing <- struct{}{}:
		defer func() { <-a.writing }()
	case <-ctx.Done(): // Run, or the next call, writes it
		return
	}
	for ctx.Err() == nil {
		batch := a.due()
		if len(batch) == 0 {
			return
		}
		err := a.log.Append(ctx, batch)
		a.mu.Lock()
		a.failure, a.written = err, 0
		if err != nil {
			a.again = time.Now().Add(retryEvery)
		} else {
			if a.pending = a.pending[len(batch):]; len(a.pending) == 0 {
				a.pending = nil // frees what an outage has taken
			}
		}
		giveUp := err != nil && a.closed
		a.mu.Unlock()
		if giveUp {
			a.giveUp()
		}
	}
}

// due returns the entries to append now. It is a copy: a log may do with it what it likes.
func (a *auditTrail) due() []store.AuditEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure != nil && time.Now().Before(a.again) && !a.closed { // after Run no later try is certain
		return nil
	}
	a.written = min(len(a.pending), auditBatch)
	return slices.Clone(a.pending[:a.written])
}

// close makes a last try, and reports each entry that is still pending. What a call writes at
// this moment is left to it.
func (a *auditTrail) close(ctx context.Context) {
	a.mu.Lock()
	a.again, a.closed = time.Time{}, true
	a.mu.Unlock()
	a.flush(ctx)
	a.giveUp()
}

// giveUp reports each entry that is still pending, and that no Append has.
func (a *auditTrail) giveUp() {
	a.mu.Lock()
	left, failure := a.pending[a.written:], a.failure
	a.pending = a.pending[:a.written:a.written] // what follows must not go where left is
	a.mu.Unlock()
	for _, e := range left {
		a.lost(e, fmt.Errorf("Run has ended: %w", cmp.Or(failure, errAuditSlow)))
	}
}

// pruneAudit removes entries whose time is over. What fails is left to the next time.
func (c *call) pruneAudit(limit int) (int, error) { return c.events.audit.log.Prune(c.ctx, limit) }

func (a *auditTrail) size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pending)
}

// audited says what the log calls an event; empty: the log has another entry for it, or none.
// The detail is the event's Reason or error.
func (e Event) audited() store.AuditAction {
	switch e.Kind {
	case EventIssued:
		return store.AuditLogin
	case EventRefused:
		return store.AuditLoginRefused
	case EventRevoked:
		if e.SessionID == "" {
			return store.AuditUserEnded
		}
		return store.AuditSessionEnded
	case EventReuse:
		return store.AuditTheft
	case EventSuspicious:
		return store.AuditSuspicion
	case EventRevocationLost:
		return store.AuditRevocationLost
	case EventStoreDown:
		return store.AuditStoreDown
	case EventStoreBack:
		return store.AuditStoreBack
	}
	return ""
}

// entry describes an event for the log.
func (e Event) entry() store.AuditEntry {
	id, _ := store.ParseID(e.SessionID) // zero if it has none
	detail := e.Detail
	if detail == "" && e.Err != nil {
		detail = e.Err.Error()
	}
	return store.AuditEntry{Action: e.audited(), UserID: e.UserID, SessionID: id, Actor: e.Actor, IP: e.IP, UserAgent: e.UserAgent, Detail: detail}
}

// audit logs what a call has done. flush then writes it at the end of the call.
func (c *call) audit(e store.AuditEntry) {
	if c.events.audit == nil || e.Action == "" {
		return
	}
	if c.r != nil {
		e.IP, e.UserAgent = c.events.client(c.r)
	} else {
		e = byActor(c.ctx, e)
	}
	c.events.audit.add(e)
	c.audited = true
}

// auditLater logs what no call has done.
func (e *events) auditLater(entry store.AuditEntry) {
	if e.audit != nil && entry.Action != "" {
		e.audit.add(entry)
	}
}

// auditLost reports an entry that is not written.
func (e *events) auditLost(entry store.AuditEntry, err error) {
	event := Event{
		Kind: EventAuditLost, UserID: entry.UserID, Actor: entry.Actor, IP: entry.IP, UserAgent: entry.UserAgent,
		Err: fmt.Errorf("%s, %s: %w", entry.Action, entry.At.UTC().Format(time.RFC3339), err),
	}
	if !entry.SessionID.IsZero() {
		event.SessionID = entry.SessionID.String()
	}
	e.tell(nil, event)
}

var errAuditSlow = errors.New("the audit log does not keep up")

// actorKey is where a context carries what WithActor says.
type actorKey struct{}

// WithActor returns a context that says who calls Revoke, RevokeUser, RevokeExternal, RevokeAll
// or ForceRefresh, for Config.Audit: a job, or an operator. Without it, it is the user of the
// session in the context, or whoever acts as them.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// byActor adds who makes a call that no request has caused.
func byActor(ctx context.Context, e store.AuditEntry) store.AuditEntry {
	actor, _ := ctx.Value(actorKey{}).(string)
	if t, ok := ticketIn(ctx); ok && actor == "" {
		if actor = cmp.Or(t.Actor, t.UserID); t.id != e.SessionID {
			e.ActorSession = t.id
		}
	}
	if actor != "" && actor != e.UserID {
		e.Actor = actor
	}
	return e
}

// loginDetail says how a session began.
func loginDetail(login Login) string {
	var parts []string
	if len(login.Methods) > 0 {
		parts = append(parts, "by "+strings.Join(login.Methods, ","))
	}
	switch {
	case login.Client != "":
		parts = append(parts, "tokens for "+login.Client)
	case login.NonInteractive:
		parts = append(parts, "a program")
	case login.Remember:
		parts = append(parts, "remembered")
	}
	return strings.Join(parts, ", ")
}
