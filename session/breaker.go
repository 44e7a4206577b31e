package session

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	probeEvery = 500 * time.Millisecond // at most
	openFor    = 2 * storeTimeout       // a failed probe counts for this long: the next one takes up to storeTimeout
)

// breaker spares requests the wait for a store that does not answer. It refuses
// them at once, which frees them, and the store's connections, for other work.
//
// A call without an answer proves little: a row may be locked, or one user's row be
// broken. So a probe follows, which reads a session that does not exist. Only a
// probe without an answer opens the breaker. While the breaker is open, the calls
// that it refuses start the probes that close it again. The result of a probe
// expires: if nobody has called for a while, the next call goes through.
//
// It is safe for concurrent use.
type breaker struct {
	probe  func() error
	events *events

	mu        sync.Mutex // guards what follows
	probed    time.Time  // when the last probe began
	answered  time.Time  // when the store last answered
	openUntil time.Time
	failure   error // of the last probe that failed
	down      bool  // as the operator was told
}

var errOpen = errors.New("it does not answer, and until it does, requests do not wait for it")

// refusal returns nil if the store may be asked.
func (b *breaker) refusal() error {
	b.mu.Lock()
	open, failure := time.Now().Before(b.openUntil), b.failure
	b.mu.Unlock()
	if !open {
		return nil
	}
	b.startProbe()
	return fmt.Errorf("%w: %w", errOpen, failure)
}

// startProbe starts a probe, unless one began a moment ago.
func (b *breaker) startProbe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	began := time.Now()
	if began.Sub(b.probed) < probeEvery {
		return
	}
	b.probed = began
	go func() {
		if err := b.probe(); err != nil {
			b.recordFailure(began, err)
		} else {
			b.recordSuccess()
		}
	}()
}

// recordFailure opens the breaker, unless the store has answered another call since the
// probe began.
func (b *breaker) recordFailure(began time.Time, err error) {
	b.mu.Lock()
	outdated := began.Before(b.answered)
	news := !outdated && !b.down
	if !outdated {
		b.openUntil, b.failure, b.down = time.Now().Add(openFor), err, true
	}
	b.mu.Unlock()
	if news {
		b.events.raise(nil, Event{Kind: EventStoreDown, Err: err})
	}
}

// recordSuccess closes the breaker.
func (b *breaker) recordSuccess() {
	b.mu.Lock()
	news := b.down
	b.answered, b.openUntil, b.down = time.Now(), time.Time{}, false
	b.mu.Unlock()
	if news {
		b.events.raise(nil, Event{Kind: EventStoreBack})
	}
}

// isDown reports whether the operator was told last that the store is down.
func (b *breaker) isDown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}
