package drill

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// lasting is the duration of a fault.
func lasting() time.Duration { return inFull(15*time.Second, 3*time.Second) }

// faults are the scenarios of the drill.
var faults = []scenario{
	{
		name: "database stopped", short: true, direct: true,
		fault: func(w *world) {
			w.outage(func() { w.server.Stop(w) }, lasting(), func() { w.server.Restart(w) })
		},
	},
	{
		name: "database silent",
		fault: func(w *world) {
			w.outage(func() { w.toxic("timeout", both, map[string]any{"timeout": 0}) }, lasting(), w.noToxics)
		},
	},
	{
		name: "database killed and restarted, 5 times", direct: true,
		fault: func(w *world) {
			for range 5 {
				w.outage(func() { w.server.Kill(w) }, time.Second, func() { w.server.Restart(w) })
				time.Sleep(2 * time.Second)
			}
		},
	},
	{name: "answers take 0.1 s longer", fault: slow(100 * time.Millisecond), served: 0.999},
	{name: "answers take 1 s longer", fault: slow(time.Second), ttl: 5 * time.Second},
	{name: "answers take 3 s longer", fault: slow(3 * time.Second)},
	{
		name: "answers reset at random", short: true, served: 0.995,
		fault: breaking(func(r *rand.Rand, _ []byte, statement bool) nodetest.Cut {
			if !statement && r.Float64() < inFull(0.03, 0.1) {
				return nodetest.CutBefore
			}
			return nodetest.NoCut
		}),
		also: func(w *world, r *result) { w.breaksWere(inFull[int64](30, 2)) },
	},
	{
		name: "reset right after an UPDATE", short: true, texts: true,
		fault: breaking(afterUpdates(inFull(0.3, 0.5))),
		also:  func(w *world, r *result) { w.breaksWere(inFull[int64](100, 4)) },
	},
	{
		name: "database read-only",
		fault: func(w *world) {
			w.outage(func() { run(w, w.db, onThis().readOnly...) }, lasting(), func() { run(w, w.db, onThis().writable...) })
		},
	},
	{name: "rows locked by another client", fault: locked, store: time.Minute},
	{name: "deadlocks", fault: deadlocks, served: 0.99},
	{name: "rows deleted", fault: deleted},
	{
		name: "table gone",
		fault: func(w *world) {
			w.outage(func() { w.do("ALTER TABLE sessions RENAME TO sessions_gone") }, lasting(), func() { w.do("ALTER TABLE sessions_gone RENAME TO sessions") })
		},
	},
	{name: "too many connections", fault: func(w *world) { onThis().tooManyConnections(w) }, direct: true},
	{name: "rows replaced by a copy 10 s old", fault: replaced, also: wasAhead},
	{name: "nodes killed", short: true, breaksOff: true, fault: killed, served: 0.99},
	{name: "nodes drained", fault: drained, served: 0.999},
	{name: "browsers disconnect during a request", breaksOff: true, fault: gone, also: nothingStays},
	{name: "a node's clock an hour fast, then slow", clocks: true, fault: clockSet, served: 0.999},
}

// TestNobodyIsLoggedOutByAFault runs each scenario and checks its history.
func TestNobodyIsLoggedOutByAFault(t *testing.T) {
	begin := time.Now()
	for _, s := range faults {
		if s.short || *full {
			t.Run(s.name, s.run)
		}
	}
	say("%v\n\nAll faults took %v.\n", &results, time.Since(begin).Round(time.Second))
}
