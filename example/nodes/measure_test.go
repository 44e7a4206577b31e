package nodes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// sleepUntil waits for a moment that nothing but the clock brings: a cookie's end.
func sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// eventually asks every few milliseconds, until done or the time is over. It
// returns how long that took.
func eventually(within, every time.Duration, done func() bool) (time.Duration, bool) {
	begin := time.Now()
	for {
		if done() {
			return time.Since(begin), true
		}
		if time.Since(begin) > within {
			return time.Since(begin), false
		}
		time.Sleep(every)
	}
}

// durations are measured by many goroutines.
type durations struct {
	mu  sync.Mutex // guards all
	all []time.Duration
}

func (d *durations) add(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, took)
}

// at is what so large a part of them did not exceed.
func (d *durations) at(part float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) == 0 {
		return 0
	}
	slices.Sort(d.all)
	return d.all[max(0, int(math.Ceil(part*float64(len(d.all))))-1)]
}

func (d *durations) median() time.Duration { return d.at(0.5) }
func (d *durations) max() time.Duration    { return d.at(1) }

func (d *durations) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

func (d *durations) String() string {
	at := func(part float64) time.Duration { return d.at(part).Round(time.Millisecond) }
	return fmt.Sprintf("median %v, 95%% %v, 99%% %v, max %v, of %d", at(0.5), at(0.95), at(0.99), at(1), d.len())
}

// dice returns the randomness of one part of a test, whose seed the test prints.
func dice(seed uint64, part int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(part))) }

func newSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return seed
}

// upTo is a random duration below d.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// A revocation reaches another node with its next poll, which comes about a
// second after the last.
const (
	feedWithin = 1500 * time.Millisecond // as a rule: each test says how often
	feedAtMost = 5 * time.Second         // a machine that is busy with other tests may let a process wait for seconds
)
