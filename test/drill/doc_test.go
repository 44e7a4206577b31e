// Package drill puts several processes of the example under load and under one
// fault after the other, writes down all that browsers were answered and all that
// became of the rows, and has package history judge it.
//
// In short, with a few faults, it is a test like any other. In full it takes a
// quarter of an hour, and is started from the repository's root:
//
//	make drill
//
// It needs a database server, see package dbtest, and fails without one.
// Everything is on the loopback interface, bounded in number and time, and ends
// with the test.
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
	full    = flag.Bool("full", false, "all faults and all loads, in a quarter of an hour")
	soaking = flag.Duration("soak", 0, "for how long to surf with faults every two minutes; 0: not at all")
	seedArg = flag.Uint64("seed", 0, "of a run that is to be repeated, as far as schedules allow; 0: another one each time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	say("The drill, %s: %s, %d cores, seed %d.\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), chosen())
	nodetest.Main(m)
}

// chosen is the seed of all tests of a run.
var chosen = sync.OnceValue(func() uint64 { return cmp.Or(*seedArg, rand.Uint64()) })

func seed(t *testing.T) uint64 {
	t.Logf("seed %d", chosen())
	return chosen()
}

// say prints what a full run has to tell, with or without -v.
func say(format string, args ...any) {
	if *full || *soaking > 0 {
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
}

// beside lets short tests run side by side: alone are those whose figures count.
func beside(t *testing.T) {
	if !*full && *soaking == 0 {
		t.Parallel()
	}
}

// inFull is the first where the drill is run in full.
func inFull[T any](whole, short T) T {
	if *full {
		return whole
	}
	return short
}

// accessTTL is short, so that refreshes are most of what there is. That nobody is
// logged out holds while transit and twice the time of an answer stay below it: so
// it is longer where the machine is busy with other tests.
func accessTTL() time.Duration { return inFull(2*time.Second, 3*time.Second) }
