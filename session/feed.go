package session

import (
	"sync"
	"time"
)

// feed is what this node knows of recent revocations: the sessions whose access
// tickets are no longer believed. What is not believed goes the refresh path,
// and there the store judges; a mark alone ends nothing.
//
// No mark is a time, so no two clocks are ever compared. A revoked session's
// tickets are not believed again; a reloaded one's only if they carry the row's
// counter; below everybody's epoch none is.
//
// A mark counts until every ticket from before it has run out. It is not kept
// longer, so that a database that loses a revocation in a failover and the nodes
// that remember it do not disagree for ever.
type feed struct {
	keep time.Duration // how long after its last sight a mark can matter

	mu         sync.RWMutex // guards what follows
	epoch      uint64       // everybody's, the highest seen
	epochUntil time.Time
	marks      map[ID]mark
	sweep      int           // how many marks there may be before the dead ones are looked for
	changed    chan struct{} // closed and replaced whenever something new is learned
}

type mark struct {
	revoked bool
	reload  uint64
	until   time.Time
}

// feedSlack is added to the access lifetime, wherever it bounds how long a
// revocation must be remembered: for clocks that are off by clockTolerance, and
// for revocations that were committed late.
const feedSlack = time.Minute

func newFeed(accessTTL time.Duration) *feed {
	return &feed{keep: accessTTL + feedSlack, marks: map[ID]mark{}, changed: make(chan struct{})}
}

// believes reports whether nothing is known against a session's access ticket
// with these two counters.
func (f *feed) believes(id ID, globalEpoch, reload uint64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return !f.ended(id, globalEpoch) && reload >= f.marks[id].reload
}

// over reports whether the session is known to be revoked.
func (f *feed) over(id ID, globalEpoch uint64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ended(id, globalEpoch)
}

// ended is called with the lock held.
func (f *feed) ended(id ID, globalEpoch uint64) bool {
	if globalEpoch < f.epoch && time.Now().Before(f.epochUntil) {
		return true
	}
	m := f.marks[id]
	return m.revoked && time.Now().Before(m.until)
}

// news returns a channel that is closed when something new is learned.
func (f *feed) news() <-chan struct{} {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.changed
}

// revoked marks a session that was revoked here.
func (f *feed) revoked(id ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(Change{ID: id, Revoked: true})
}

// learn takes in what the store says of every node's recent revocations. An
// earlier mark is never weakened: the answer may be older than it.
func (f *feed) learn(c Changes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.GlobalEpoch >= f.epoch {
		if c.GlobalEpoch > f.epoch {
			f.tell()
		}
		f.epoch, f.epochUntil = c.GlobalEpoch, time.Now().Add(f.keep)
	}
	for _, change := range c.Sessions {
		f.add(change)
	}
}

func (f *feed) add(c Change) {
	now := time.Now()
	if len(f.marks) >= f.sweep {
		for id, m := range f.marks {
			if now.After(m.until) {
				delete(f.marks, id)
			}
		}
		f.sweep = 2*len(f.marks) + 64
	}
	old, m := f.marks[c.ID], mark{revoked: c.Revoked, reload: c.Reload, until: now.Add(f.keep)}
	m.revoked, m.reload = m.revoked || old.revoked, max(m.reload, old.reload)
	f.marks[c.ID] = m
	if m.revoked && !old.revoked {
		f.tell()
	}
}

// tell wakes those who wait for news.
func (f *feed) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}
