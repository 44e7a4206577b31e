package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

const (
	// storeTimeout bounds how long one public call waits for the store, all its
	// statements together.
	storeTimeout = 2 * time.Second

	// tries is how often a step is made that gets no definite answer.
	tries = 3

	// maxBackoff is the longest pause before a step is repeated.
	maxBackoff = 40 * time.Millisecond
)

// storeClient is the only user of the store. It owns the deadline, the retries, the
// breaker and the comparison of clocks. It is safe for concurrent use.
type storeClient struct {
	store    store.Store
	events   *events
	breaker  *breaker
	observer func(context.Context, Operation) (context.Context, func(error)) // Config.Observe

	// clockBehind says whether this node's clock is behind the store's by more
	// than clockTolerance, as the store last said.
	clockBehind atomic.Bool

	// lastSeen is the latest reading of the store's clock.
	lastSeen atomic.Pointer[clockReading]
}

func newStoreClient(s store.Store, e *events, cfg Config) *storeClient {
	c := &storeClient{store: s, events: e, observer: cfg.Observe}
	if cfg.Audit != nil {
		e.audit = &auditTrail{log: cfg.Audit, now: c.estimate, lost: e.auditLost, writing: make(chan struct{}, 1)}
	}
	c.breaker = &breaker{probe: c.probe, events: e}
	return c
}

// call is what one public call of the Manager asks of the store: any number of
// statements under one deadline. Not safe for concurrent use.
type call struct {
	*storeClient
	ctx    context.Context
	cancel context.CancelFunc
	r      *http.Request // that caused the call; may be nil

	background bool // see Manager.AuthenticateBackground
	audited    bool // the audit log has an entry to write
}

// begin starts a call. Its deadline does not end with ctx: a browser that
// closes must not leave the result of a write unknown.
func (c *storeClient) begin(ctx context.Context, r *http.Request) *call {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	return &call{storeClient: c, ctx: ctx, cancel: cancel, r: r}
}

// end ends a call. What it has done is in the audit log then, or waits for the log.
func (c *call) end() {
	c.cancel()
	if c.audited {
		c.events.audit.flush(c.ctx)
	}
}

// late reports whether three quarters of the call's time are over. A call of any number
// of steps then begins no more of them, so that the last one has the time to end.
func (c *call) late() bool {
	deadline, _ := c.ctx.Deadline()
	return time.Until(deadline) < storeTimeout/4
}

// raise reports an event that the call's request has caused.
func (c *call) raise(e Event) {
	c.events.tell(c.r, e)
	c.audit(e.entry())
}

// reportUnavailable reports that the store gave no definite answer.
func (c *call) reportUnavailable(why error) error {
	c.raise(Event{Kind: EventStoreError, Err: why})
	return unavailable(why)
}

// do makes one step against the store, and repeats it if there is no definite
// answer: a lost answer or a deadlock is usually over by then. Every step is safe to
// repeat. Every step but a probe passes through here: Config.Observe sees each. lost reports whether an earlier try may have done the step's
// work without an answer.
//
// name is the method of the store.
func do[T any](c *call, name string, step func(context.Context) (T, error)) (result T, lost bool, err error) {
	if err := c.breaker.refusal(); err != nil {
		return result, false, unavailable(err) // no event: the breaker has reported the outage once
	}
	result, lost, err = retry(c.ctx, func(ctx context.Context) (T, error) { return observed(ctx, c.storeClient, name, step) })
	if !isDefinite(err) {
		c.breaker.startProbe()
		return result, lost, c.reportUnavailable(err)
	}
	c.breaker.recordSuccess()
	return result, lost, err
}

func retry[T any](ctx context.Context, step func(context.Context) (T, error)) (result T, lost bool, err error) {
	for try := 1; ; try++ {
		if result, err = step(ctx); isDefinite(err) {
			return result, lost, err
		}
		lost = true
		// A random pause, so that two that met in a deadlock do not meet again.
		if try == tries || !sleep(ctx, rand.N(maxBackoff)) {
			return result, lost, err
		}
	}
}

// isDefinite reports whether the result of a step is an answer of the store.
func isDefinite(err error) bool { return err == nil || errors.Is(err, store.ErrUserDisabled) }

// probe finds out whether the store answers at all, by reading a session that
// does not exist.
func (c *storeClient) probe() error {
	call := c.begin(context.Background(), nil)
	defer call.end()
	_, _, err := retry(call.ctx, func(ctx context.Context) (store.Snapshot, error) { return c.read(ctx, store.ID{}) })
	return err
}

func (c *storeClient) read(ctx context.Context, id store.ID) (store.Snapshot, error) {
	snap, err := c.store.Find(ctx, id)
	if err == nil {
		c.compareClocks(snap.Now)
	}
	return snap, err
}

// compareClocks compares this node's clock with the store's. A node that is behind
// accepts no access tickets: one that comes from the future would become
// acceptable later, when its session may be over and the entry in the
// revocation list has expired.
func (c *storeClient) compareClocks(now time.Time) {
	c.clockBehind.Store(time.Until(now) > clockTolerance)
	c.lastSeen.Store(&clockReading{now, time.Now()})
}

// clockReading is what the store's clock showed, and when this node read it.
type clockReading struct{ shown, read time.Time }

// maxReadingAge is how long a reading of the store's clock counts without another one. If
// the clock was wrong for a moment, the store is asked again after that.
const maxReadingAge = time.Minute

// longPast is how long after the end of a refresh cookie no clock can make it good
// again.
const longPast = 24 * time.Hour

// isLongPast reports whether a time was long past when this node last read the store's
// clock.
func (c *storeClient) isLongPast(t time.Time) bool {
	seen := c.lastSeen.Load()
	return seen != nil && time.Since(seen.read) < maxReadingAge && seen.shown.Sub(t) > longPast
}

// estimate returns what the store's clock shows, as far as this node knows: its own clock, and
// the difference that it has seen last.
func (c *storeClient) estimate() time.Time {
	if seen := c.lastSeen.Load(); seen != nil {
		return seen.shown.Add(time.Since(seen.read))
	}
	return time.Now()
}

// present does find, and confirms p in the same step if the store can and p is the usual
// next ticket: see store.OneStep. confirmed is false for any other store.
func (c *call) present(p store.PresentedTicket) (snap store.Snapshot, confirmed bool, err error) {
	oneStep, ok := c.store.(store.OneStep)
	if !ok {
		snap, err = c.find(p.ID)
		return snap, false, err
	}
	snap, _, err = do(c, "FindAndConfirm", func(ctx context.Context) (snap store.Snapshot, err error) {
		if snap, confirmed, err = oneStep.FindAndConfirm(ctx, p); err == nil {
			c.compareClocks(snap.Now)
		}
		return snap, err
	})
	if err == nil {
		snap.Actor, err = c.actor(snap)
	}
	return snap, confirmed, err
}

// find reads a session, and of an impersonation also the session that it began from.
func (c *call) find(id store.ID) (store.Snapshot, error) {
	snap, err := c.findRow(id)
	if err == nil {
		snap.Actor, err = c.actor(snap)
	}
	return snap, err
}

// actor reads the session from which that of snap has begun. nil: there is none.
func (c *call) actor(snap store.Snapshot) (*store.Record, error) {
	if snap.Record == nil || snap.Record.ActorSession.IsZero() {
		return nil, nil
	}
	origin, err := c.findRow(snap.Record.ActorSession)
	return origin.Record, err
}

func (c *call) findRow(id store.ID) (store.Snapshot, error) {
	snap, _, err := do(c, "Find", func(ctx context.Context) (store.Snapshot, error) { return c.read(ctx, id) })
	return snap, err
}

// maxLoggedID is how much, in bytes, an event shows of a user id that the store refuses: the
// app may have it from outside.
const maxLoggedID = 255

// create adds the row of a session and reads it back: its times, roles and epochs
// are the store's to decide. It reports a user whom the store refuses.
func (c *call) create(n store.NewSession) (store.Snapshot, error) {
	if _, _, err := do(c, "Create", func(ctx context.Context) (struct{}, error) { return struct{}{}, c.store.Create(ctx, n) }); err != nil {
		if errors.Is(err, ErrUserDisabled) {
			c.raise(Event{Kind: EventRefused, UserID: clip(n.UserID, maxLoggedID), Actor: n.Facts.Actor, Err: err})
		}
		return store.Snapshot{}, err
	}
	snap, _, err := do(c, "Find", func(ctx context.Context) (store.Snapshot, error) {
		snap, err := c.read(ctx, n.ID)
		if err == nil && snap.Record == nil {
			err = errDelayed // another database node may have it soon
		}
		return snap, err
	})
	return snap, err
}

func (c *call) confirm(p store.PresentedTicket) (bool, error) {
	done, _, err := do(c, "Confirm", func(ctx context.Context) (bool, error) { return c.store.Confirm(ctx, p) })
	return done, err
}

func (c *call) recordLate(p store.PresentedTicket) (bool, error) {
	done, _, err := do(c, "RecordLate", func(ctx context.Context) (bool, error) { return c.store.RecordLate(ctx, p) })
	return done, err
}

// revokeReused reports whether this call has revoked the session. lost reports
// whether it may have done so without an answer.
func (c *call) revokeReused(p store.PresentedTicket) (done, lost bool, err error) {
	return do(c, "RevokeReused", func(ctx context.Context) (bool, error) { return c.store.RevokeReused(ctx, p) })
}

// revoke reports whether this call has revoked the session, and lost whether it may have
// done so without an answer.
func (c *call) revoke(id store.ID, userID string, reason store.Reason) (done, lost bool, err error) {
	return do(c, "Revoke", func(ctx context.Context) (bool, error) { return c.store.Revoke(ctx, id, userID, reason) })
}

// revokeUser returns how many sessions were found: see store.Store.RevokeUser.
func (c *call) revokeUser(r store.UserRevocation) (int, error) {
	n, _, err := do(c, "RevokeUser", func(ctx context.Context) (int, error) { return c.store.RevokeUser(ctx, r) })
	return n, err
}

func (c *call) revokeAll() error {
	_, _, err := do(c, "RevokeAll", func(ctx context.Context) (struct{}, error) { return struct{}{}, c.store.RevokeAll(ctx) })
	return err
}

func (c *call) refreshAll() error {
	_, _, err := do(c, "RefreshAll", func(ctx context.Context) (struct{}, error) { return struct{}{}, c.store.RefreshAll(ctx) })
	return err
}

// reload returns how many sessions were found: see store.Store.Reload.
func (c *call) reload(userID string, limit int) (int, error) {
	n, _, err := do(c, "Reload", func(ctx context.Context) (int, error) { return c.store.Reload(ctx, userID, limit) })
	return n, err
}

func (c *call) update(id store.ID, data map[string]string) (bool, error) {
	done, _, err := do(c, "Update", func(ctx context.Context) (bool, error) { return c.store.Update(ctx, id, data) })
	return done, err
}

func (c *call) list(userID string, after store.ID, limit int) ([]store.Record, error) {
	records, _, err := do(c, "List", func(ctx context.Context) ([]store.Record, error) { return c.store.List(ctx, userID, after, limit) })
	return records, err
}

func (c *call) newest(userID string, nonInteractive bool, limit int) ([]store.Record, error) {
	records, _, err := do(c, "Newest", func(ctx context.Context) ([]store.Record, error) {
		return c.store.Newest(ctx, userID, nonInteractive, limit)
	})
	return records, err
}

func (c *call) changes(within time.Duration, after store.Cursor, limit int) (store.Changes, error) {
	changes, _, err := do(c, "Changes", func(ctx context.Context) (store.Changes, error) {
		return c.store.Changes(ctx, within, after, limit)
	})
	if err == nil {
		c.compareClocks(changes.Now)
	}
	return changes, err
}

func (c *call) prune(limit int) (int, error) {
	removed, _, err := do(c, "Prune", func(ctx context.Context) (int, error) { return c.store.Prune(ctx, limit) })
	return removed, err
}

// sleep reports whether ctx lasted for d.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
