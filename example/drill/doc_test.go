// Package drill puts several processes of the example under load and under one
// fault after the other, writes down all that browsers were answered and all that
// became of the rows, and has package history judge it.
//
// In short, with a few faults, it is a test like any other. In full it takes some
// 25 minutes, and is started from the repository's root:
//
//	make drill
//
// It needs a database server, see package mysqltest, and fails without one.
// Everything is on the loopback interface, bounded in number and time, and ends
// with the test.
package drill

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/nodetest"
)

var (
	full    = flag.Bool("full", false, "all faults and all loads, in some 25 minutes")
	soaking = flag.Duration("soak", 0, "for how long to surf with faults every two minutes; 0: not at all")
	seedArg = flag.Uint64("seed", 0, "of a run that is to be repeated, as far as schedules allow; 0: another one each time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	nodetest.Main(m)
}

func seed(t *testing.T) uint64 {
	s := *seedArg
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	return s
}

// say prints what a full run has to tell, with or without -v.
func say(format string, args ...any) {
	if *full || *soaking > 0 {
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
}

// inFull is the first where the drill is run in full.
func inFull[T any](whole, short T) T {
	if *full {
		return whole
	}
	return short
}

// accessTTL is short, so that refreshes are most of what there is.
const accessTTL = 2 * time.Second
