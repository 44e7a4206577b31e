package drill

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/nodetest"
)

// lasting is how long a fault lasts.
func lasting() time.Duration { return inFull(15*time.Second, 4*time.Second) }

// faults is what goes wrong.
var faults = []scenario{
	{
		name: "database stopped", short: true, direct: true,
		fault: func(w *world) {
			w.trouble(func() { w.server.Stop(w) }, lasting(), func() { w.server.Restart(w) })
		},
	},
	{
		name: "database silent",
		fault: func(w *world) {
			w.trouble(func() { w.toxic("timeout", both, map[string]any{"timeout": 0}) }, lasting(), w.noToxics)
		},
	},
	{
		name: "3 % of answers reset", short: true, served: 0.995,
		fault: func(w *world) {
			w.breaks(func(r *rand.Rand, _ []byte, statement bool) nodetest.Cut {
				if !statement && r.Float64() < 0.03 {
					return nodetest.CutBefore
				}
				return nodetest.NoCut
			})
			time.Sleep(2 * lasting())
			w.breaks(nil)
		},
		also: func(w *world, r *result) { w.breaksWere(inFull[int64](30, 2)) },
	},
	{
		name: "reset right after an UPDATE", short: true,
		fault: func(w *world) {
			w.breaks(afterUpdates(0.3))
			time.Sleep(lasting())
			w.breaks(nil)
		},
		also: func(w *world, r *result) { w.breaksWere(inFull[int64](100, 10)) },
	},
	{
		name: "node killed", short: true, breaksOff: true,
		fault: func(w *world) {
			for i := range inFull(10, 2) {
				n := w.c.Nodes[i%len(w.c.Nodes)]
				n.Kill(w.T)
				time.Sleep(500 * time.Millisecond)
				n.Start(w.T)
				time.Sleep(time.Second)
			}
		},
	},
}

// afterUpdates breaks so large a part of the connections on which a row was just
// changed: the statement has arrived, and nobody will know what became of it.
func afterUpdates(part float64) nodetest.Rule {
	return func(r *rand.Rand, packet []byte, statement bool) nodetest.Cut {
		if statement && bytes.Contains(packet, []byte("UPDATE `sessions` SET")) && r.Float64() < part {
			return nodetest.CutAfter
		}
		return nodetest.NoCut
	}
}

// breaksWere checks that enough connections were broken to say anything.
func (w *world) breaksWere(least int64) {
	w.Helper()
	var before, after, lost int64
	for _, way := range w.ways {
		before, after, lost = before+way.breaker.Before.Load(), after+way.breaker.After.Load(), lost+way.breaker.Lost.Load()
	}
	if before+after+lost < least {
		w.Errorf("%d connections broken; too few to say anything", before+after+lost)
	}
	w.Logf("connections broken: %d before a statement arrived, %d after, %d on the answer's way back", before, after, lost)
}

// TestNobodyIsLoggedOutByAFault puts the nodes under load and under one fault
// after the other, and checks the history of each.
func TestNobodyIsLoggedOutByAFault(t *testing.T) {
	for _, s := range faults {
		if !s.short && !*full {
			continue
		}
		t.Run(s.name, s.run)
	}
	say("%v\n", &results)
}
