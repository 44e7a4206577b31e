// Package drill runs several processes of the example under load and injects one fault
// after the other. It records all answers to browsers and all changes of the rows, and
// package history checks them.
//
// By default it is a short test with a few faults. The full drill takes a quarter of an
// hour and is started from the root of the repository:
//
//	make drill
//
// With the flag -postgres it runs on PostgreSQL in place of MariaDB; make test-postgres
// does that.
//
// It needs a database server, see package dbtest, and fails without one.
// It uses only the loopback interface. All processes end with the test.
package drill

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

var (
	full    = flag.Bool("full", false, "run all faults and all loads, in a quarter of an hour")
	soaking = flag.Duration("soak", 0, "run the load for this time, with a fault every two minutes; 0: do not")
	seedArg = flag.Uint64("seed", 0, "the seed of a run to repeat, as far as the scheduling allows; 0: a random one")
)

func TestMain(m *testing.M) {
	flag.Parse()
	say("The drill, %s: %s, %d cores, seed %d.\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), chosen())
	nodetest.Main(m)
}

// chosen returns the seed of all tests of a run.
var chosen = sync.OnceValue(func() uint64 { return cmp.Or(*seedArg, rand.Uint64()) })

func seed(t *testing.T) uint64 {
	t.Logf("seed %d", chosen())
	return chosen()
}

// say prints a line of the report of a full run, also without -v.
func say(format string, args ...any) {
	if *full || *soaking > 0 {
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
}

// parallelIfShort runs short tests in parallel. Full tests run alone, because they measure.
func parallelIfShort(t *testing.T) {
	if !*full && *soaking == 0 {
		t.Parallel()
	}
}

// inFull returns whole in a full run, and short otherwise.
func inFull[T any](whole, short T) T {
	if *full {
		return whole
	}
	return short
}

// accessTTL is short, so that most requests are refreshes. Nobody is logged out as long as
// the network delay plus twice the time of an answer stay below it. It is longer in short
// runs, because other tests run in parallel.
func accessTTL() time.Duration { return inFull(2*time.Second, 3*time.Second) }
