package session

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// revocationList is what this node knows of recent revocations: the sessions whose
// access tickets it does not accept. What it does not accept takes the refresh path,
// where the store decides. An entry alone ends nothing.
//
// No entry is a time, so no two clocks are compared. Tickets of a revoked session
// are not accepted again; those of a reloaded one only with the row's counter; and
// none that was issued under a lower global epoch.
//
// An entry counts until every ticket issued before it has expired. It is not kept
// longer, so that a database that loses a revocation in a failover and the nodes
// that remember it do not disagree for ever.
//
// It is safe for concurrent use, and requests never wait for it.
type revocationList struct {
	keep     time.Duration              // how long an entry counts
	fullPoll time.Duration              // how often a poll reads all of keep
	epoch    atomic.Pointer[epochEntry] // the global one
	entries  sync.Map                   // store.ID to revocationEntry
	watchers watchers                   // told after an end is entered

	mu          sync.Mutex // guards what follows, and every write to epoch and entries
	polled      time.Time  // when the last successful poll began
	polledFully time.Time  // the last one that read all of keep
	count       int        // of entries
	sweepAt     int        // the count at which expired entries are removed
}

// epochEntry is the highest global epoch that this node has seen.
type epochEntry struct {
	epoch uint64
	until time.Time
}

// revocationEntry is what this node knows of one session, until its time is over.
type revocationEntry struct {
	revoked bool
	reload  uint64
	until   time.Time
}

func newRevocationList(w windows) *revocationList {
	l := &revocationList{keep: w.rememberRevocation, fullPoll: w.fullPoll}
	l.epoch.Store(&epochEntry{})
	return l
}

// accepts reports whether nothing is known against an access ticket of the session
// with these two counters.
func (l *revocationList) accepts(id store.ID, globalEpoch, reload uint64) bool {
	e := l.entry(id)
	return !e.revoked && reload >= e.reload && !l.everybodyIsOut(globalEpoch)
}

// knowsEnd reports whether this node knows that the session is revoked.
func (l *revocationList) knowsEnd(id store.ID, globalEpoch uint64) bool {
	return l.entry(id).revoked || l.everybodyIsOut(globalEpoch)
}

// entry returns what is known of a session; zero: nothing.
func (l *revocationList) entry(id store.ID) revocationEntry {
	if known, ok := l.entries.Load(id); ok {
		if e := known.(revocationEntry); time.Now().Before(e.until) {
			return e
		}
	}
	return revocationEntry{}
}

func (l *revocationList) everybodyIsOut(globalEpoch uint64) bool {
	e := l.epoch.Load()
	return globalEpoch < e.epoch && time.Now().Before(e.until)
}

// pollOverlap is how far a poll reads back behind the previous one, for revocations
// that were committed late.
const pollOverlap = 5 * time.Second

// nextPoll returns how far back the next poll must read, and a function to call when it
// has succeeded. Only this node's clock is involved.
func (l *revocationList) nextPoll() (back time.Duration, succeeded func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	full := now.Sub(l.polledFully) >= l.fullPoll
	back = l.keep
	if !full {
		back = min(back, now.Sub(l.polled)+pollOverlap)
	}
	return back, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.polled = now
		if full {
			l.polledFully = now
		}
	}
}

// poll asks the store for recent revocations.
//
// Most polls read back to shortly before the previous one, for revocations that were
// committed late. Some read the whole time that an entry counts: for those that were
// committed very late, or stamped by the slower clock of a database that has been
// replaced since. A revocation is missed only if the database's clock jumps ahead
// by more than that; it then takes effect at the next refresh. If that clock was set
// back, stamps are in the future, and every poll reads them.
func (l *revocationList) poll(c *call) error {
	back, succeeded := l.nextPoll()
	changes, err := c.changes(back)
	if err != nil {
		return err
	}
	l.learn(changes)
	succeeded()
	return nil
}

// revoked enters a session that this node has revoked.
func (l *revocationList) revoked(id store.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(store.Change{ID: id, Revoked: true})
}

// learn enters the answer of a poll. It never weakens an entry: the answer may be
// older than it.
func (l *revocationList) learn(c store.Changes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Ignore a lower epoch: the answer is stale. Once our entry has expired,
	// accept it: the database lost writes in a failover.
	if known := l.epoch.Load(); c.GlobalEpoch >= known.epoch || time.Now().After(known.until) {
		l.epoch.Store(&epochEntry{c.GlobalEpoch, time.Now().Add(l.keep)})
		if c.GlobalEpoch > known.epoch {
			l.watchers.wakeAll()
		}
	}
	for _, change := range c.Sessions {
		l.add(change)
	}
}

func (l *revocationList) add(c store.Change) {
	if l.count >= l.sweepAt {
		l.sweep()
	}
	old := l.entry(c.ID)
	e := revocationEntry{revoked: c.Revoked || old.revoked, reload: max(c.Reload, old.reload), until: time.Now().Add(l.keep)}
	if _, known := l.entries.Swap(c.ID, e); !known {
		l.count++
	}
	if e.revoked && !old.revoked {
		l.watchers.wake(c.ID)
	}
}

// sweep removes the expired entries. It runs each time the count has doubled, so that
// adding an entry costs a constant time on average.
func (l *revocationList) sweep() {
	now := time.Now()
	l.entries.Range(func(id, e any) bool {
		if now.After(e.(revocationEntry).until) {
			l.entries.Delete(id)
			l.count--
		}
		return true
	})
	l.sweepAt = 2*l.count + 64
}
