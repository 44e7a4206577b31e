package session

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// undone holds the revocations that the store could not be told of.
type undone struct {
	mu      sync.Mutex // guards reasons
	reasons map[ID]undoneRevocation
}

type undoneRevocation struct {
	reason Reason
	until  time.Time // after which the session is over by itself
}

// maxUndone bounds the memory that a long outage may take; each holds one logout.
const maxUndone = 100_000

// add reports whether there was room.
func (u *undone) add(id ID, reason Reason, until time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.reasons) >= maxUndone {
		return false
	}
	if u.reasons == nil {
		u.reasons = map[ID]undoneRevocation{}
	}
	u.reasons[id] = undoneRevocation{reason, until}
	return true
}

// left returns those that are not done.
func (u *undone) left() []ID {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.reasons))
}

// some returns up to n of them, in no order.
func (u *undone) some(n int) map[ID]Reason {
	u.mu.Lock()
	defer u.mu.Unlock()
	some := map[ID]Reason{}
	for id, r := range u.reasons {
		if time.Now().After(r.until) {
			delete(u.reasons, id)
		} else if len(some) < n {
			some[id] = r.reason
		}
	}
	return some
}

// has reports whether a revocation is held.
func (u *undone) has(id ID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.reasons[id]
	return ok
}

func (u *undone) done(id ID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.reasons, id)
}
