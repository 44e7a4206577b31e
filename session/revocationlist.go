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
// none that was issued under a lower global epoch. A ticket with a lower refresh epoch
// is not accepted either, but its session goes on: see mustRefresh.
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
	refresh  atomic.Pointer[epochEntry] // the refresh epoch: see mustRefresh
	entries  sync.Map                   // store.ID to revocationEntry
	watchers watchers                   // told after an end is entered

	mu          sync.Mutex // guards what follows, and every write to epoch, refresh and entries
	polled      time.Time  // when the last successful poll began
	polledFully time.Time  // the last one that read all of keep
	unfinished  *scan      // a poll that has not caught up; nil: none
	count       int        // of entries
	overflowed  bool       // a change was left out, and the refresh epoch has not risen since
	isNew       bool       // one of these was not left out before
	leftOut     time.Time  // the latest change that was left out, by the store's clock
	rose        time.Time  // when the refresh epoch was last seen to rise
	sweepAt     int        // the count at which expired entries are removed
	swept       time.Time  // when they were removed last
}

// maxListed bounds the memory of the list: about 20 MB. A change that finds no room is
// left out, and the refresh epoch takes its place: see mustRaise. What this node itself
// revokes always finds room: it takes a cookie of the session, or the app.
const maxListed = 100_000

// epochEntry is the highest epoch of one kind that this node has seen.
type epochEntry struct {
	epoch uint64
	until time.Time
}

// revocationEntry is what this node knows of one session, until its time is over.
type revocationEntry struct {
	revoked bool
	told    bool // the store has the revocation, too
	reload  uint64
	until   time.Time
}

func newRevocationList(w windows) *revocationList {
	l := &revocationList{keep: w.rememberRevocation, fullPoll: w.fullPoll}
	l.epoch.Store(&epochEntry{})
	l.refresh.Store(&epochEntry{})
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

// originEnded reports whether this node knows that the session is revoked from which an
// actor began an impersonation. A zero origin has not ended.
func (l *revocationList) originEnded(origin store.ID) bool {
	return !origin.IsZero() && l.entry(origin).revoked
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
	return l.epoch.Load().isAbove(globalEpoch)
}

// mustRefresh reports whether an access ticket with this refresh epoch takes the
// refresh path. Whoever has changed more rows than a page has raised that epoch
// afterwards. So a ticket from before does not count, whatever the list contains, and
// nobody is logged out: the next ticket has the new epoch.
func (l *revocationList) mustRefresh(refresh uint64) bool {
	return l.refresh.Load().isAbove(refresh)
}

func (e *epochEntry) isAbove(epoch uint64) bool {
	return epoch < e.epoch && time.Now().Before(e.until)
}

// pollOverlap is how far a poll reads back behind the previous one, for revocations
// that were committed late.
const pollOverlap = 5 * time.Second

// scan is one poll. It reads pages until it has caught up, in as many calls as it takes.
type scan struct {
	began time.Time // by this node's clock
	full  bool      // whether it reads all of keep
	back  time.Duration
	after store.Cursor
}

// nextScan returns the poll that has not caught up, or a new one. Only this node's clock
// is involved.
func (l *revocationList) nextScan() scan {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unfinished != nil {
		return *l.unfinished
	}
	now := time.Now()
	s := scan{began: now, full: now.Sub(l.polledFully) >= l.fullPoll, back: l.keep}
	if !s.full {
		s.back = min(s.back, now.Sub(l.polled)+pollOverlap)
	}
	return s
}

// advance moves a poll behind a page, and keeps it for the next call.
func (l *revocationList) advance(s *scan, page []store.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.after = page[len(page)-1].Cursor()
	s.back = l.keep // from now on the position limits the poll, and time passes
	kept := *s
	l.unfinished = &kept
}

// caughtUp ends a poll. Every other one that has not caught up is given up: this one has
// read what they have not.
func (l *revocationList) caughtUp(s scan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unfinished = nil
	l.polled = s.began
	if s.full {
		l.polledFully = s.began
	}
}

// poll asks the store for recent revocations, page by page. When the time of the call
// ends, the next poll goes on where this one stopped.
//
// Most polls read back to shortly before the previous one, for revocations that were
// committed late. Some read the whole time that an entry counts: for those that were
// committed very late, or stamped by the slower clock of a database that has been
// replaced since. A revocation is missed only if the database's clock jumps ahead
// by more than that; it then takes effect at the next refresh. If that clock was set
// back, stamps are in the future, and every poll reads them.
func (l *revocationList) poll(c *call) error {
	for s := l.nextScan(); ; {
		changes, err := c.changes(s.back, s.after, pageSize)
		if err != nil {
			return err
		}
		l.learn(changes)
		if len(changes.Sessions) < pageSize {
			l.caughtUp(s)
			break
		}
		l.advance(&s, changes.Sessions)
		if c.late() {
			break
		}
	}
	if l.mustRaise() {
		return c.refreshAll()
	}
	return nil
}

// mustRaise reports whether this node raises the refresh epoch, because changes found no
// room: at once for a new one. Polls read the same changes again and again. For these it
// waits until the last raise, of any node, is as old as the time between two full polls.
func (l *revocationList) mustRaise() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.overflowed && (l.isNew || time.Since(l.rose) >= l.fullPoll)
}

// revoking enters a session that this node is about to revoke. That holds here even if the
// store does not answer.
func (l *revocationList) revoking(id store.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(store.Change{ID: id, Revoked: true}, false)
}

// revoked enters a session that is revoked in the store.
func (l *revocationList) revoked(id store.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(store.Change{ID: id, Revoked: true}, true)
}

// isRevoked reports whether a session is known to be revoked in the store.
func (l *revocationList) isRevoked(id store.ID) bool { return l.entry(id).told }

// reloaded enters a session whose row this node has reloaded.
func (l *revocationList) reloaded(id store.ID, reload uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(store.Change{ID: id, Reload: reload}, false)
}

// learn enters the answer of a poll. It never weakens an entry: the answer may be
// older than it.
func (l *revocationList) learn(c store.Changes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rise(&l.epoch, c.GlobalEpoch) {
		l.watchers.wakeAll()
	}
	if l.rise(&l.refresh, c.RefreshEpoch) {
		// It has risen after every change of an earlier page.
		l.overflowed, l.isNew, l.rose = false, false, time.Now()
	}
	for _, change := range c.Sessions {
		if _, known := l.entries.Load(change.ID); !known && !l.hasRoom() {
			l.overflowed = true
			if change.At.After(l.leftOut) {
				l.isNew, l.leftOut = true, change.At
			}
			continue
		}
		l.add(change, change.Revoked)
	}
}

// rise enters an epoch, and reports whether it has risen. It ignores a lower one: the
// answer is stale. Once the entry has expired, it accepts a lower one: the database lost
// writes in a failover.
func (l *revocationList) rise(entry *atomic.Pointer[epochEntry], epoch uint64) bool {
	known := entry.Load()
	if epoch < known.epoch && !time.Now().After(known.until) {
		return false
	}
	entry.Store(&epochEntry{epoch, time.Now().Add(l.keep)})
	return epoch > known.epoch
}

// hasRoom reports whether the list holds fewer changes than it may. When it is full, it
// looks for expired entries, but rarely, because that reads them all.
func (l *revocationList) hasRoom() bool {
	if l.count >= maxListed && time.Since(l.swept) >= pollEvery {
		l.sweep()
	}
	return l.count < maxListed
}

// add enters a change. told says whether the store has the revocation.
func (l *revocationList) add(c store.Change, told bool) {
	if l.count >= l.sweepAt {
		l.sweep()
	}
	old := l.entry(c.ID)
	e := revocationEntry{
		revoked: c.Revoked || old.revoked,
		told:    told || old.told,
		reload:  max(c.Reload, old.reload),
		until:   time.Now().Add(l.keep),
	}
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
	l.sweepAt, l.swept = 2*l.count, now
}

// size returns how many entries the list has. Some may be over: see sweep.
func (l *revocationList) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
