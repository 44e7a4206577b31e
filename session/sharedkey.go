package session

import (
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/sessionkit/sessionkit/session/store"
)

// keyGroup is shared by the Managers of this process that open the cookies of one key.
type keyGroup struct {
	// last is the Manager that served a request last, since a Manager joined the group;
	// nil: none.
	last atomic.Pointer[weak.Pointer[Manager]]
}

// keyGroups finds a group by a digest of the key, of Config.App and of the name of the
// access cookie. Nobody can compute a key from a digest. A group lives as long as one of
// its Managers, and keeps none of them.
var keyGroups = struct {
	sync.Mutex
	of map[string]weak.Pointer[keyGroup]
}{of: map[string]weak.Pointer[keyGroup]{}}

// joinKeyGroup returns the group of a digest, and begins it anew: Managers that served
// before, as in an earlier test, may be out of use.
func joinKeyGroup(digest string) *keyGroup {
	keyGroups.Lock()
	defer keyGroups.Unlock()
	if g := keyGroups.of[digest].Value(); g != nil {
		g.last.Store(nil)
		return g
	}
	g := new(keyGroup)
	keyGroups.of[digest] = weak.Make(g)
	runtime.AddCleanup(g, forgetKeyGroup, digest)
	return g
}

func forgetKeyGroup(digest string) {
	keyGroups.Lock()
	defer keyGroups.Unlock()
	if keyGroups.of[digest].Value() == nil { // and not begun again meanwhile
		delete(keyGroups.of, digest)
	}
}

// joinKeyGroups puts the Manager into the groups of its keys, and out of all others.
func (m *Manager) joinKeyGroups(keys Keys) error {
	var groups []*keyGroup
	for _, master := range keys.masters {
		digest, err := derive(master, m.cfg.App, "in use|"+m.tickets.names.access)
		if err != nil {
			return fmt.Errorf("session: deriving a digest of a key: %w", err)
		}
		groups = append(groups, joinKeyGroup(string(digest)))
	}
	m.keyGroups.Store(&groups)
	return nil
}

// checkKeyUse raises an event when two Managers of this process open the same cookies,
// look for their sessions in different stores, and both serve requests. A user id means
// another user there: the customer 1 of one app would be the administrator 1 of the
// other until the access cookie expires. Nodes of one app that share a store are no
// fault, as in tests; neither is a Manager that serves no longer.
//
// It sees one process only. Two processes with one key and one name are not noticed.
func (m *Manager) checkKeyUse() {
	for _, g := range *m.keyGroups.Load() {
		if g.last.Load() == m.self {
			continue
		}
		if last := g.last.Swap(m.self); last != nil {
			if other := last.Value(); other != nil && differ(m.store.store, other.store.store) {
				m.events.raise(nil, Event{Kind: EventMisconfigured, Err: errSharedKey})
			}
		}
	}
}

// differ reports whether two Managers ask different stores, behind wrappers that have a
// method Unwrap, such as sessiontest.Store. Stores that cannot be compared are not
// called different.
func differ(a, b store.Store) bool {
	a, b = unwrap(a), unwrap(b)
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a != b
}

func unwrap(s store.Store) store.Store {
	for {
		wrapper, ok := s.(interface{ Unwrap() store.Store })
		if !ok {
			return s
		}
		s = wrapper.Unwrap()
	}
}
