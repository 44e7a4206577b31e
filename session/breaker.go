package session

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// How a store that does not answer is found out, and found back.
const (
	probeEvery = 500 * time.Millisecond // at the most
	openFor    = 2 * storeTimeout       // how long a probe that failed speaks for the store: the next takes storeTimeout
)

// breaker spares requests the wait for a store that does not answer: they are told
// so at once, which frees them, and the store's connections, for what can be done.
//
// A call that got no answer proves little: a row may be locked, or a user's row be
// broken. So it is followed by a probe, a question about nobody, and only a probe
// that gets no answer either opens the breaker. While it is open, the calls that it
// refuses start the probes that close it again. What the last one found grows old:
// where nobody has asked for a while, the next call finds out for itself.
//
// It is safe for concurrent use.
type breaker struct {
	probe func() error
	event func(Event)

	mu        sync.Mutex // guards what follows
	probed    time.Time  // when the last probe began
	answered  time.Time  // when the store last answered
	openUntil time.Time
	failed    error // what the last probe met with, that failed
	down      bool  // as the operator was told
}

var errOpen = errors.New("the store does not answer, and until it does it is not asked for each request")

// refusal returns nil if the store may be asked.
func (b *breaker) refusal() error {
	b.mu.Lock()
	open, failed := time.Now().Before(b.openUntil), b.failed
	b.mu.Unlock()
	if !open {
		return nil
	}
	b.suspect()
	return fmt.Errorf("%w: %w", errOpen, failed)
}

// suspect starts a probe, unless one was started a moment ago.
func (b *breaker) suspect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	began := time.Now()
	if began.Sub(b.probed) < probeEvery {
		return
	}
	b.probed = began
	go func() {
		if err := b.probe(); err != nil {
			b.silent(began, err)
		} else {
			b.spoke()
		}
	}()
}

// silent says that a probe got no answer.
func (b *breaker) silent(began time.Time, err error) {
	b.mu.Lock()
	late := began.Before(b.answered) // something else got one since
	news := !late && !b.down
	if !late {
		b.openUntil, b.failed, b.down = time.Now().Add(openFor), err, true
	}
	b.mu.Unlock()
	if news {
		b.event(Event{Kind: EventStoreDown, Err: err})
	}
}

// spoke says that the store has answered.
func (b *breaker) spoke() {
	b.mu.Lock()
	news := b.down
	b.answered, b.openUntil, b.down = time.Now(), time.Time{}, false
	b.mu.Unlock()
	if news {
		b.event(Event{Kind: EventStoreBack})
	}
}
