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

// SleepUntil waits until the given time, such as the expiry of a cookie.
func SleepUntil(at time.Time) { time.Sleep(time.Until(at)) }

// Eventually calls done at the given interval until it returns true or the time is over.
// It returns the time that this took, and whether done returned true.
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

// Durations collects measured times. It is safe for concurrent use.
type Durations struct {
	mu  sync.Mutex // guards all
	all []time.Duration
}

// Add adds a time.
func (d *Durations) Add(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, took)
}

// At returns the quantile of the given part, 0 to 1. It returns 0 if there are no times.
func (d *Durations) At(part float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) == 0 {
		return 0
	}
	slices.Sort(d.all)
	return d.all[max(0, int(math.Ceil(part*float64(len(d.all))))-1)]
}

// Median returns the median.
func (d *Durations) Median() time.Duration { return d.At(0.5) }

// Max returns the longest time.
func (d *Durations) Max() time.Duration { return d.At(1) }

// Len returns the number of times.
func (d *Durations) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

func (d *Durations) String() string {
	at := func(part float64) time.Duration { return d.At(part).Round(time.Millisecond) }
	return fmt.Sprintf("median %v, 95%% %v, 99%% %v, max %v, of %d", at(0.5), at(0.95), at(0.99), at(1), d.Len())
}

// Dice returns the random numbers of one part of a test. The test prints the seed.
func Dice(seed uint64, part int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(part))) }

// NewSeed makes a seed and prints it.
func NewSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return seed
}

// UpTo returns a random duration below d.
func UpTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// The bounds of the time until another node learns of a revocation. It learns of it by
// its next poll of the revocation list, about a second after the previous one.
const (
	FeedWithin = 1500 * time.Millisecond // in most cases: each test says in how many
	FeedAtMost = 5 * time.Second         // always: on a busy machine a process may wait for seconds
)
