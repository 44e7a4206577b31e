package nodetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// SleepUntil waits for a moment that nothing but the clock brings: a cookie's end.
func SleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// Eventually asks every few milliseconds, until done or the time is over. It
// returns how long that took.
func Eventually(within, every time.Duration, done func() bool) (time.Duration, bool) {
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

// Durations are measured by many goroutines.
type Durations struct {
	mu  sync.Mutex // guards all
	all []time.Duration
}

// Add adds one.
func (d *Durations) Add(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, took)
}

// At is what so large a part of them did not exceed.
func (d *Durations) At(part float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) == 0 {
		return 0
	}
	slices.Sort(d.all)
	return d.all[max(0, int(math.Ceil(part*float64(len(d.all))))-1)]
}

// Median is the one in the middle.
func (d *Durations) Median() time.Duration { return d.At(0.5) }

// Max is the longest.
func (d *Durations) Max() time.Duration { return d.At(1) }

// Len is how many there are.
func (d *Durations) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

func (d *Durations) String() string {
	at := func(part float64) time.Duration { return d.At(part).Round(time.Millisecond) }
	return fmt.Sprintf("median %v, 95%% %v, 99%% %v, max %v, of %d", at(0.5), at(0.95), at(0.99), at(1), d.Len())
}

// Dice returns the randomness of one part of a test, whose seed the test prints.
func Dice(seed uint64, part int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(part))) }

// NewSeed makes a seed and prints it.
func NewSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return seed
}

// UpTo is a random duration below d.
func UpTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// A revocation reaches another node with its next poll, which comes about a
// second after the last.
const (
	FeedWithin = 1500 * time.Millisecond // as a rule: each test says how often
	FeedAtMost = 5 * time.Second         // a machine that is busy with other tests may let a process wait for seconds
)
