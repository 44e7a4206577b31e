package session

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// How often Run does what it does.
const (
	pollEvery  = time.Second
	retryEvery = time.Second
	pruneEvery = time.Minute

	pruneBatch = 500
	prunePause = 200 * time.Millisecond // between two batches
)

// Run learns of revocations by any node within about a second, repeats the
// logouts that the store has missed, and removes rows whose time is over, until
// ctx ends; it then returns ctx.Err(). Start it once per Manager: go
// sessions.Run(ctx). Without it all is still correct, but a revocation on another
// node takes up to AccessTTL to arrive, a logout while the store is down is not
// repeated, and nothing is cleaned up. The store's trouble does not end it.
func (m *Manager) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() { every(ctx, pollEvery, m.pollInTime) })
	loops.Go(func() { every(ctx, retryEvery, m.retryUndone) })
	loops.Go(func() { every(ctx, pruneEvery, m.prune) })
	loops.Wait()
	for _, id := range m.undone.left() {
		m.event(Event{Kind: EventUndone, SessionID: id.String()})
	}
	return ctx.Err()
}

// every does do now and then, until ctx ends. What fails is done again in its
// turn: a store that does not answer is spared by the breaker.
func every(ctx context.Context, interval time.Duration, do func(context.Context) error) {
	for {
		_ = do(ctx) // an event has told of it
		if !sleep(ctx, jitter(interval)) {
			return
		}
	}
}

// sleep reports whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// jitter returns d give or take a fifth, so that nodes do not march in step.
func jitter(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5) }

// poll asks the store for what has changed of late.
//
// It looks back to a while before the last poll, for revocations that were
// committed late, and now and then over a whole access lifetime and more: what was
// committed very late, or stamped by the slower clock of a database that another
// has replaced since, is in that. A revocation slips by only if the database's
// clock jumps ahead by more, and then acts at the next refresh. Where it was set
// back, stamps are in the future, and in every poll.
func (m *Manager) poll(ctx context.Context) error {
	back, looked := m.feed.lookBack()
	var changes Changes
	err := m.ask(ctx, func(ctx context.Context) (err error) {
		changes, err = m.store.Changes(ctx, back)
		return err
	})
	if err != nil {
		return err
	}
	m.compareClocks(changes.Now)
	m.feed.learn(changes)
	looked()
	return nil
}

func (m *Manager) pollInTime(ctx context.Context) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return m.poll(ctx)
}

// prune removes dead rows, a small batch at a time: any number of nodes may be at
// it, and nobody waits for them.
func (m *Manager) prune(ctx context.Context) error {
	for {
		var n int
		err := m.askInTime(ctx, func(ctx context.Context) (err error) {
			n, err = m.store.Prune(ctx, pruneBatch)
			return err
		})
		if err != nil {
			return err
		}
		if n < pruneBatch || !sleep(ctx, jitter(prunePause)) {
			return nil
		}
	}
}

// retryUndone tells the store of the logouts that it missed.
func (m *Manager) retryUndone(ctx context.Context) error {
	for id, reason := range m.undone.some(100) {
		err := m.askInTime(ctx, func(ctx context.Context) error {
			_, err := m.store.Revoke(ctx, id, "", reason)
			return err
		})
		if err != nil {
			return err
		}
		m.feed.revoked(id)
		m.undone.done(id)
	}
	return nil
}
