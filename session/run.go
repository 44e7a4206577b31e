package session

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	pollEvery  = time.Second
	retryEvery = time.Second
	pruneEvery = time.Minute

	pruneBatch = 500
	prunePause = 200 * time.Millisecond // between two batches
)

// Run does the Manager's background work until ctx ends, and then returns ctx.Err(). It
// learns of revocations on other nodes within about a second, repeats the
// revocations that the store has missed, finishes what RevokeUser has begun, removes
// rows whose time is over, empties what Config.KeepClientFor says, and writes what
// Config.Audit has missed. Start it once for each Manager: go sessions.Run(ctx). A store
// that does not answer does not end it.
//
// Without Run no session is wrongly accepted for longer than AccessTTL, but a
// revocation on another node takes that long, a logout while the store is down is
// not repeated, a RevokeUser may stay unfinished, and dead rows stay. EventMisconfigured
// says once that it was never called.
func (m *Manager) Run(ctx context.Context) error {
	m.runOrWarned.Store(true)
	var loops sync.WaitGroup
	loops.Go(func() { repeat(ctx, pollEvery, m.poll) })
	loops.Go(func() { repeat(ctx, retryEvery, m.revoker.retry) })
	loops.Go(func() { repeat(ctx, retryEvery, m.revoker.finishUsers) })
	loops.Go(func() { repeat(ctx, pruneEvery, func(ctx context.Context) { m.prune(ctx, (*call).prune) }) })
	if m.events.audit != nil {
		loops.Go(func() { repeat(ctx, retryEvery, m.events.audit.flush) })
		loops.Go(func() {
			repeat(ctx, pruneEvery, func(ctx context.Context) { m.prune(ctx, (*call).pruneAudit) })
		})
	}
	if m.cfg.KeepClientFor > 0 {
		loops.Go(func() { repeat(ctx, forgetEvery, m.forgetClients) })
	}
	if _, err := m.store.deviceLogins(); err == nil && m.cfg.TokenTTL > 0 {
		loops.Go(func() { repeat(ctx, pruneEvery, func(ctx context.Context) { m.prune(ctx, (*call).pruneDeviceLogins) }) })
	}
	loops.Wait()
	for _, id := range m.revoker.pending.all() {
		m.events.raise(nil, Event{Kind: EventRevocationLost, SessionID: id.String()})
	}
	for _, u := range m.revoker.unfinished.all() {
		e := Event{Kind: EventRevocationLost, UserID: u.UserID}
		m.events.tell(nil, e)
		m.events.auditLater(u.entry(e))
	}
	if m.events.audit != nil {
		m.events.audit.close(ctx)
	}
	return ctx.Err()
}

// runWithin is how long after New a Manager that serves requests may be without Run.
const runWithin = time.Minute

// checkRun raises an event if Run was forgotten. A refresh asks, because it happens in every
// app and does not happen in a program that only ends sessions.
func (m *Manager) checkRun(r *http.Request) {
	if !m.runOrWarned.Load() && time.Since(m.made) >= runWithin && m.runOrWarned.CompareAndSwap(false, true) {
		m.events.raise(r, Event{Kind: EventMisconfigured, Err: errNoRun})
	}
}

// repeat calls work about once in each interval, until ctx ends. work returns at its
// first error: an event reports it, and the breaker spares a store that does not answer.
func repeat(ctx context.Context, interval time.Duration, work func(context.Context)) {
	for {
		work(ctx)
		if !sleep(ctx, jitter(interval)) {
			return
		}
	}
}

// jitter returns d plus or minus up to a fifth, so that nodes do not work in step.
func jitter(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5) }

// poll asks the store for recent revocations.
func (m *Manager) poll(ctx context.Context) {
	c := m.store.begin(ctx, nil)
	defer c.end()
	_ = m.revocations.poll(c)
}

// prune removes dead rows in small batches. Any number of nodes may prune at once, and
// no request waits for them.
func (m *Manager) prune(ctx context.Context, batch func(c *call, limit int) (int, error)) {
	for {
		n, err := m.pruneOnce(ctx, batch)
		if err != nil || n < pruneBatch || !sleep(ctx, jitter(prunePause)) {
			return
		}
	}
}

func (m *Manager) pruneOnce(ctx context.Context, batch func(c *call, limit int) (int, error)) (int, error) {
	c := m.store.begin(ctx, nil)
	defer c.end()
	return batch(c, pruneBatch)
}
