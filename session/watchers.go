package session

import (
	"slices"
	"sync"

	"github.com/sessionkit/sessionkit/session/store"
)

// watchers are the calls of Done that wait for news of their sessions. A revocation
// wakes those of its own session only, so that its cost does not grow with the number
// of streams on the node. The zero value has none. It is safe for concurrent use.
type watchers struct {
	mu sync.Mutex // guards what follows
	of map[store.ID]map[chan<- struct{}]bool
}

// add returns a channel that receives when there is news of one of the sessions, or of all
// sessions, and a function that ends this. News that comes while the last is unread is
// not counted. A zero id names no session.
func (ws *watchers) add(ids ...store.ID) (news <-chan struct{}, stop func()) {
	ids = slices.DeleteFunc(ids, store.ID.IsZero)
	ch := make(chan struct{}, 1)
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.of == nil {
		ws.of = map[store.ID]map[chan<- struct{}]bool{}
	}
	for _, id := range ids {
		if ws.of[id] == nil {
			ws.of[id] = map[chan<- struct{}]bool{}
		}
		ws.of[id][ch] = true
	}
	return ch, func() {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		for _, id := range ids {
			delete(ws.of[id], ch)
			if len(ws.of[id]) == 0 {
				delete(ws.of, id)
			}
		}
	}
}

// wake tells the watchers of one session.
func (ws *watchers) wake(id store.ID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	tell(ws.of[id])
}

// wakeAll tells the watchers of all sessions.
func (ws *watchers) wakeAll() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, those := range ws.of {
		tell(those)
	}
}

// tell never waits: a channel that is full holds news already.
func tell(those map[chan<- struct{}]bool) {
	for ch := range those {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
