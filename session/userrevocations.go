package session

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

const (
	// pageSize is how many rows one statement changes at most, and how many changes
	// one statement of a poll reads: so few that no other statement waits for it
	// noticeably.
	pageSize = 1000

	// revokePause is the pause between two statements of a RevokeUser that Run
	// finishes, so that other statements get their turn.
	revokePause = 50 * time.Millisecond

	// maxUnfinished bounds how many calls of RevokeUser Run finishes at once.
	maxUnfinished = 1000
)

// userRevocation is a RevokeUser in progress.
type userRevocation struct {
	store.UserRevocation
	ended int // how many sessions have ended so far
}

// key tells apart the calls that Run finishes. Calls with the same user and the same
// exceptions are one.
func (u userRevocation) key() string { return fmt.Sprintf("%q%q%x", u.UserID, u.ExternalID, u.Except) }

// entry is the entry of an event of the call. The event does not have the id of RevokeExternal.
func (u userRevocation) entry(e Event) store.AuditEntry {
	entry := e.entry()
	if u.ExternalID == "" {
		return entry
	}
	if entry.Detail = u.ExternalID; entry.Action == store.AuditUserEnded {
		entry.Action = store.AuditExternalEnded
	}
	return entry
}

// revokeBatch revokes the next sessions of the user. It reports whether all have ended
// and every node can know.
func (rv *revoker) revokeBatch(c *call, u *userRevocation) (done bool, err error) {
	n, err := c.revokeUser(u.UserRevocation)
	if err != nil {
		return false, err
	}
	u.ended += n
	if n < u.Limit {
		if u.ended > u.Limit {
			// Every node reads the changes in pages, which takes a while. Raised last,
			// because a session that is still live gets a ticket with the new epoch.
			err = c.refreshAll()
		}
		return err == nil, err
	}
	if u.Before.IsZero() {
		// Whoever logs in from now on stays logged in, however long this takes.
		snap, err := c.find(store.ID{})
		if err != nil {
			return false, err
		}
		u.Before = snap.Now
		// If the store's clock has been set back, sessions may have begun after now.
		for _, nonInteractive := range []bool{false, true} {
			newest, err := c.newest(u.UserID, nonInteractive, 1)
			if err != nil {
				u.Before = time.Time{}
				return false, err
			}
			if len(newest) > 0 && newest[0].CreatedAt.After(u.Before) {
				u.Before = newest[0].CreatedAt
			}
		}
	}
	return false, nil
}

// revokeUser revokes batch after batch. If the time of the call ends first, Run
// finishes the rest. If the store has not answered at all, Run does so only for a call that
// spares later logins: the others know no time at which to stop.
func (rv *revoker) revokeUser(c *call, u userRevocation) error {
	for {
		done, err := rv.revokeBatch(c, &u)
		switch {
		case done:
			return nil
		case err != nil && u.Before.IsZero():
			return err
		case err == nil && !c.late():
			continue
		case !rv.unfinished.add(u):
			return unavailable(errTooManyUnfinished)
		}
		return unfinished(u.ended, err)
	}
}

// finishUsers goes on with the calls of RevokeUser whose time has ended.
func (rv *revoker) finishUsers(ctx context.Context) {
	for _, u := range rv.unfinished.all() {
		if rv.finishUser(ctx, u) != nil {
			return
		}
	}
}

func (rv *revoker) finishUser(ctx context.Context, u userRevocation) error {
	for {
		done, err := rv.nextBatch(ctx, &u)
		if rv.unfinished.update(u, done) {
			e := Event{Kind: EventRevoked, UserID: u.UserID, Detail: string(u.Reason)}
			rv.store.events.tell(nil, e)
			rv.store.events.auditLater(u.entry(e))
		}
		if done || err != nil {
			return err
		}
		if !sleep(ctx, jitter(revokePause)) {
			return ctx.Err()
		}
	}
}

// nextBatch is revokeBatch in a call of its own.
func (rv *revoker) nextBatch(ctx context.Context, u *userRevocation) (done bool, err error) {
	c := rv.store.begin(ctx, nil)
	defer c.end()
	return rv.revokeBatch(c, u)
}

// unfinishedRevocations holds the calls of RevokeUser that Run has yet to finish. It is
// safe for concurrent use.
type unfinishedRevocations struct {
	mu      sync.Mutex // guards entries
	entries map[string]userRevocation
}

// add reports whether u is held: false means that there was no room. If the same call
// is held already, the later of both takes its place.
func (p *unfinishedRevocations) add(u userRevocation) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	held, ok := p.entries[u.key()]
	if !ok && len(p.entries) >= maxUnfinished {
		return false
	}
	if p.entries == nil {
		p.entries = map[string]userRevocation{}
	}
	if held.Before.After(u.Before) {
		u.Before = held.Before
	}
	u.ended += held.ended
	p.entries[u.key()] = u
	return true
}

// all returns a copy of what is held. Its order is random, so that one call that always
// fails does not keep the others waiting.
func (p *unfinishedRevocations) all() map[string]userRevocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.entries)
}

// update records the progress of a call, and reports whether it is finished and no
// longer held. It stays if it was made again meanwhile: then later logins must end too.
func (p *unfinishedRevocations) update(u userRevocation, done bool) (finished bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.entries[u.key()]
	if done && !held.Before.After(u.Before) {
		delete(p.entries, u.key())
		return true
	}
	held.ended = max(held.ended, u.ended)
	p.entries[u.key()] = held
	return false
}

func (p *unfinishedRevocations) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.entries)
}
