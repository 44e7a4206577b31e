package session

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// searchLarge adds the large worlds, which take some minutes.
var searchLarge = flag.Bool("search", false, "explore the large worlds of the state search, too")

// onlyIf skips a large world that was not asked for. make test asks for all of them.
func onlyIf(t *testing.T, large bool) {
	if large && !*searchLarge {
		t.Skip("a large world: run with -search")
	}
}

// searchLimit is more states than any of the worlds has. A search that reaches it is
// incomplete and proves nothing.
const searchLimit = 2_000_000

// searchResult is the result of a search: the number of states of a world without a
// fault, or a shortest path to a fault.
type searchResult struct {
	states int
	fault  searchFault
	run    []searchStep
}

// search explores a world breadth first.
func (w searchWorld) search(t *testing.T) searchResult {
	w.complete(t)
	type origin struct {
		from int32
		step searchStep
	}
	first := w.begin()
	first.canonical(&w)
	var (
		seen    = map[searchState]bool{first: true}
		states  = []searchState{first}
		origins = []origin{{from: -1}}
		found   = -1
	)
	for at := 0; at < len(states) && found < 0; at++ {
		if len(states) > searchLimit {
			t.Fatalf("not explored to the end: %d states", len(states))
		}
		w.next(states[at], func(step searchStep, s searchState) {
			s.canonical(&w)
			if seen[s] {
				return
			}
			seen[s] = true
			if s.fault != 0 && found < 0 {
				found = len(states)
			}
			states = append(states, s)
			origins = append(origins, origin{int32(at), step})
		})
	}
	r := searchResult{states: len(states)}
	if found >= 0 {
		r.fault = states[found].fault
		for at := int32(found); origins[at].from >= 0; at = origins[at].from {
			r.run = append(r.run, origins[at].step)
		}
		slices.Reverse(r.run)
	}
	return r
}

// complete sets the fields that a world left out to the real rules.
func (w *searchWorld) complete(t *testing.T) {
	if w.judge == nil {
		w.judge = searchRules.judge
	}
	if w.takes == nil {
		w.takes = (*store.Record).CanConfirm
	}
	if w.child == nil {
		w.child = searchChild
	}
	if w.after == 0 {
		w.after = 2 * w.access
	}
	if w.watch == 0 {
		w.watch = searchFalseLogout
		if w.thief > 0 {
			w.watch = searchBothPast | searchBothLive | searchUnnoticed
		}
	}
	w.searchOracle = newSearchOracle(t, w.access, w.judge, w.takes)
}

// mustHold explores a world without faults. The world must have at least the given
// number of states, because a world in which nothing can happen proves nothing.
func (w searchWorld) mustHold(t *testing.T, atLeast int) {
	t.Helper()
	began := time.Now()
	r := w.search(t)
	if r.fault != 0 {
		t.Fatalf("%v, after %d steps:\n%v", r.fault, len(r.run), r)
	}
	if r.states < atLeast {
		t.Errorf("explored %d states only, of at least %d", r.states, atLeast)
	}
	t.Logf("holds in all %d states (%v)", r.states, time.Since(began).Round(time.Millisecond))
}

// mustFail explores a world in which the given fault must be found.
func (w searchWorld) mustFail(t *testing.T, fault searchFault) {
	t.Helper()
	w.watch = fault
	r := w.search(t)
	if r.fault != fault {
		t.Fatalf("found nothing in %d states, but expected: %v", r.states, fault)
	}
	t.Logf("%v, after %d steps (%d states):\n%v", r.fault, len(r.run), r.states, r)
}

func (r searchResult) String() string {
	var b strings.Builder
	for i := 0; i < len(r.run); i++ {
		times := 1
		for ; i+1 < len(r.run) && r.run[i] == searchTick && r.run[i+1] == searchTick; i++ {
			times++
		}
		fmt.Fprintf(&b, "    %v", r.run[i])
		if times > 1 {
			fmt.Fprintf(&b, " (%d times)", times)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
