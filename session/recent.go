package session

import (
	"context"
	"sync"
	"time"
)

// share settles a ticket once for all the requests of a page load: those that
// wait for the same answer, and those that come right after it. Each of them
// still mints a child of its own.
func (m *Manager) share(ctx context.Context, t refreshTicket, prefetch bool) (outcome, error) {
	key := string(t.id[:])
	if prefetch {
		key += "p"
	}
	id := t.sessionID()
	if o, ok := m.recent.get(id, key); ok && m.stillGood(o) {
		return o, nil
	}
	result, err, _ := m.flights.Do(key, func() (any, error) {
		ctx, cancel := limited(ctx)
		defer cancel()
		o, err := m.settle(ctx, t, prefetch)
		if err == nil {
			m.recent.put(id, key, o)
		}
		return o, err
	})
	if err != nil {
		return outcome{}, err
	}
	return result.(outcome), nil
}

// stillGood reports whether this node knows of no revocation that is newer than
// what the store said, or that the store has yet to be told of.
func (m *Manager) stillGood(o outcome) bool {
	row := o.snap.Record
	return m.feed.believes(row.ID, row.GlobalEpoch, row.Reload) && !m.undone.has(row.ID)
}

// recent remembers, for a moment, how the ticket of a session that was settled
// last came out. It holds one ticket per session, so that a confirmed child ends
// the memory of its parent.
type recent struct {
	keep time.Duration

	mu      sync.Mutex // guards what follows
	settled map[ID]settled
	order   []settled // oldest first: what has aged is at the front
}

type settled struct {
	id  ID
	key string
	outcome
	at time.Time
}

func newRecent(keep time.Duration) *recent {
	return &recent{keep: keep, settled: map[ID]settled{}}
}

func (r *recent) get(id ID, key string) (outcome, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.settled[id]
	return s.outcome, ok && s.key == key && time.Since(s.at) <= r.keep
}

// put remembers what may be answered again without asking: not a refusal, and
// not a straggler, whose window is short enough to be measured each time.
func (r *recent) put(id ID, key string, o outcome) {
	switch o.class {
	case classSame, classNext, classAhead, classYoung:
	default:
		return
	}
	now := time.Now()
	s := settled{id: id, key: key, outcome: o, at: now}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && now.Sub(r.order[0].at) > r.keep {
		if old := r.order[0]; r.settled[old.id].at == old.at {
			delete(r.settled, old.id)
		}
		r.order = r.order[1:]
	}
	r.settled[id] = s
	r.order = append(r.order, s)
}
