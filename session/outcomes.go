package session

import (
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// resolveOnce resolves a ticket once for all requests of a page load: those that
// wait for the same answer, and those that come shortly after it. Each of them
// still gets a child of its own.
//
// A request that joins another's statements waits no longer than its own deadline,
// because the other began earlier.
func (rs *resolver) resolveOnce(c *call, t refreshTicket) (outcome, error) {
	key, id := string(t.id[:]), t.sessionID()
	if o, ok := rs.outcomes.get(id, key); ok && rs.revoker.isCurrent(o.snap.Record) {
		if o, ok = rs.forClient(c.r, o); ok {
			return o, nil
		}
	}
	if o, ok := rs.refused(id, t); ok {
		return o, nil
	}
	flight := key + rs.looks(c.r)
	if c.background {
		flight += " background" // it writes less
	}
	result, err, _ := rs.flights.Do(flight, func() (any, error) {
		o, err := rs.resolve(c, t)
		if err == nil {
			rs.remember(id, t, o)
		}
		return o, err
	})
	if err != nil {
		return outcome{}, err
	}
	return result.(outcome), nil
}

// The keys of refusals, which hold for every ticket of a session, or for those that have
// ended by themselves.
const (
	anyTicket   = "any"
	endedTicket = "ended"
)

// refused returns the refusal of a moment ago that holds for a ticket.
func (rs *resolver) refused(id store.ID, t refreshTicket) (outcome, bool) {
	if o, ok := rs.refusals.get(id, anyTicket); ok {
		return o, true
	}
	o, ok := rs.refusals.get(id, endedTicket)
	return o, ok && !o.snap.Now.Before(t.expires)
}

// remember keeps an outcome that may be given again without asking. A straggler's is
// not: its short window is measured each time. Nor is one that was not recorded: a thief
// would send a request of the background before each of his others.
func (rs *resolver) remember(id store.ID, t refreshTicket, o outcome) {
	switch {
	case o.class == classStraggler || o.class == classDelayed || o.unrecorded:
	case o.class.goesOn() || o.class == classForeign:
		rs.outcomes.put(id, string(t.id[:]), o)
	case o.endedAlone():
		rs.refusals.put(id, endedTicket, o)
	default:
		rs.refusals.put(id, anyTicket, o)
	}
}

// outcomeCache holds the outcome of the ticket that was resolved last, for each
// session and for a moment. One ticket for each session, so that a confirmed child
// replaces its parent. It is safe for concurrent use.
type outcomeCache struct {
	keep time.Duration

	mu     sync.Mutex // guards what follows
	latest map[store.ID]cachedOutcome
	order  []cachedOutcome // the oldest first
}

type cachedOutcome struct {
	id  store.ID
	key string
	outcome
	at time.Time
}

func newOutcomeCache(keep time.Duration) *outcomeCache {
	return &outcomeCache{keep: keep, latest: map[store.ID]cachedOutcome{}}
}

func (c *outcomeCache) get(id store.ID, key string) (outcome, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, ok := c.latest[id]
	return cached.outcome, ok && cached.key == key && time.Since(cached.at) <= c.keep
}

func (c *outcomeCache) put(id store.ID, key string, o outcome) {
	now := time.Now()
	cached := cachedOutcome{id: id, key: key, outcome: o, at: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 && now.Sub(c.order[0].at) > c.keep {
		if old := c.order[0]; c.latest[old.id].at == old.at {
			delete(c.latest, old.id)
		}
		c.order = c.order[1:]
	}
	c.latest[id] = cached
	c.order = append(c.order, cached)
}
