package session

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// maxPending bounds the memory that a long outage takes. Each entry is one logout.
const maxPending = 100_000

// pendingRevocations holds the revocations that the store has yet to be told of. It is
// safe for concurrent use.
type pendingRevocations struct {
	mu      sync.Mutex // guards entries
	entries map[store.ID]pendingRevocation
}

type pendingRevocation struct {
	reason store.Reason
	until  time.Time // after which the session has ended by itself
}

// add reports whether the revocation is held: false means that there was no room.
func (p *pendingRevocations) add(id store.ID, reason store.Reason, until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, held := p.entries[id]; !held && len(p.entries) >= maxPending {
		return false
	}
	if p.entries == nil {
		p.entries = map[store.ID]pendingRevocation{}
	}
	p.entries[id] = pendingRevocation{reason, until}
	return true
}

func (p *pendingRevocations) all() []store.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.entries))
}

// some returns up to n of them, in no order. It drops those whose time is over.
func (p *pendingRevocations) some(n int) map[store.ID]store.Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	some := map[store.ID]store.Reason{}
	for id, e := range p.entries {
		if time.Now().After(e.until) {
			delete(p.entries, id)
		} else if len(some) < n {
			some[id] = e.reason
		}
	}
	return some
}

func (p *pendingRevocations) has(id store.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.entries[id]
	return ok
}

func (p *pendingRevocations) done(id store.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.entries, id)
}

func (p *pendingRevocations) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.entries)
}
