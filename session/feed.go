package session

import (
	"sync"
	"sync/atomic"
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
//
// It is safe for concurrent use, and requests never wait.
type feed struct {
	keep  time.Duration             // how long after its last sight a mark can matter
	epoch atomic.Pointer[epochMark] // everybody's
	marks sync.Map                  // ID to mark

	mu      sync.Mutex    // guards what follows, and is held to write to the others
	look    time.Time     // when the last look at the store began that has succeeded
	farLook time.Time     // the last one over all of keep
	count   int           // of marks
	sweep   int           // how many marks there may be before the dead ones are looked for
	changed chan struct{} // closed and replaced whenever something new is learned
}

// epochMark is the highest of everybody's epochs that this node has seen.
type epochMark struct {
	epoch uint64
	until time.Time
}

// mark is what is known of one session. It is worth nothing after its time.
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
	f := &feed{keep: accessTTL + feedSlack, changed: make(chan struct{})}
	f.epoch.Store(&epochMark{})
	return f
}

// believes reports whether nothing is known against a session's access ticket
// with these two counters.
func (f *feed) believes(id ID, globalEpoch, reload uint64) bool {
	m := f.mark(id)
	return !m.revoked && reload >= m.reload && !f.everybodyIsOut(globalEpoch)
}

// over reports whether the session is known to be revoked.
func (f *feed) over(id ID, globalEpoch uint64) bool {
	return f.mark(id).revoked || f.everybodyIsOut(globalEpoch)
}

// mark returns what is known of a session, zero for nothing.
func (f *feed) mark(id ID) mark {
	if known, ok := f.marks.Load(id); ok {
		if m := known.(mark); time.Now().Before(m.until) {
			return m
		}
	}
	return mark{}
}

func (f *feed) everybodyIsOut(globalEpoch uint64) bool {
	e := f.epoch.Load()
	return globalEpoch < e.epoch && time.Now().Before(e.until)
}

// news returns a channel that is closed when something new is learned.
func (f *feed) news() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// lookOverlap is how far a look at the store goes back behind the last one.
const lookOverlap = 5 * time.Second

// farLookEvery is how often one goes over all that can matter: seldom enough that
// busy apps do not read each revocation over and over, and often enough that it
// is worth something to what shows late.
func (f *feed) farLookEvery() time.Duration { return f.keep / 12 }

// lookBack returns how far the next look is to go, and what to call when it has
// succeeded. Only this node's time between two looks goes into it.
func (f *feed) lookBack() (back time.Duration, looked func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	far := now.Sub(f.farLook) >= f.farLookEvery()
	back = f.keep
	if !far {
		back = min(back, now.Sub(f.look)+lookOverlap)
	}
	return back, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.look = now
		if far {
			f.farLook = now
		}
	}
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
	// A lower one is an older answer, or, when the mark has run out, what a
	// database has that has lost some: from there it will rise again.
	if known := f.epoch.Load(); c.GlobalEpoch >= known.epoch || time.Now().After(known.until) {
		f.epoch.Store(&epochMark{c.GlobalEpoch, time.Now().Add(f.keep)})
		if c.GlobalEpoch > known.epoch {
			f.tell()
		}
	}
	for _, change := range c.Sessions {
		f.add(change)
	}
}

func (f *feed) add(c Change) {
	if f.count >= f.sweep {
		f.marks.Range(func(id, m any) bool {
			if time.Now().After(m.(mark).until) {
				f.marks.Delete(id)
				f.count--
			}
			return true
		})
		f.sweep = 2*f.count + 64
	}
	old := f.mark(c.ID)
	m := mark{revoked: c.Revoked || old.revoked, reload: max(c.Reload, old.reload), until: time.Now().Add(f.keep)}
	if _, there := f.marks.Swap(c.ID, m); !there {
		f.count++
	}
	if m.revoked && !old.revoked {
		f.tell()
	}
}

// tell wakes those who wait for news.
func (f *feed) tell() {
	close(f.changed)
	f.changed = make(chan struct{})
}
