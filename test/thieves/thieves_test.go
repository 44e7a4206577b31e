package thieves

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const thefts = 200

func always(keeps bool) func(*rand.Rand) func() bool {
	return func(*rand.Rand) func() bool { return func() bool { return keeps } }
}

// sometimes keeps some answers and discards others: every other one, or at random.
func sometimes(r *rand.Rand) func() bool {
	last, strict := r.IntN(2) == 0, r.IntN(2) == 0
	return func() bool {
		last = strict && !last || !strict && r.IntN(2) == 0
		return last
	}
}

// anyHours is a theft of any session: one of half an hour, in which the clients come
// after seconds or minutes, or one with Remember, in which they come after hours or days.
func anyHours(r *rand.Rand) plan {
	unit := accessTTL
	p := plan{remember: r.IntN(2) == 0}
	if p.remember {
		unit = time.Hour + nodetest.UpTo(r, 23*time.Hour)
	}
	between := func(least, most float64) func() time.Duration {
		return func() time.Duration { return time.Duration((least + r.Float64()*(most-least)) * float64(unit)) }
	}
	// A copied refresh cookie expires after 15 access lifetimes.
	p.victimPause = between(1.1, 4)
	if r.IntN(2) == 0 {
		p.victimPause = between(3, 4)
	}
	p.thiefPause = between(1, 3)
	if r.IntN(2) == 0 {
		p.thiefPause = between(0.1, 1.5)
	}
	p.thiefDelay = between(0, 3)()
	p.before, p.copyAt = r.IntN(4), copyMoment(r.IntN(3))
	p.expired, p.oftenTogether = r.IntN(2) == 0, r.IntN(8) == 0
	return p
}

// onceADay is a theft of a session with Remember. The thief comes once a day, and the
// victim as often, or after some days.
func onceADay(r *rand.Rand) plan {
	const day = 24 * time.Hour
	p := anyHours(r)
	p.remember = true
	p.thiefDelay = nodetest.UpTo(r, day)
	p.thiefPause = func() time.Duration { return day*9/10 + nodetest.UpTo(r, day/5) }
	p.victimPause = func() time.Duration { return day/2 + nodetest.UpTo(r, 4*day) }
	return p
}

var kinds = []habits{
	{"rotates", anyHours, always(true)},
	{"discards", anyHours, always(false)},
	{"alternates", anyHours, sometimes},
	{"daily", onceADay, func(r *rand.Rand) func() bool {
		return []func(*rand.Rand) func() bool{always(true), always(false), sometimes}[r.IntN(3)](r)
	}},
}

// TestThief_IsNoticedWhateverHeDoesWithTheAnswers is guarantee 4: of thief and victim,
// each with a copy of a refresh cookie, only one can go on.
func TestThief_IsNoticedWhateverHeDoesWithTheAnswers(t *testing.T) {
	seed := nodetest.NewSeed(t)
	results := make([]result, len(kinds))
	t.Run("thief", func(t *testing.T) {
		for i, h := range kinds {
			t.Run(h.name, func(t *testing.T) {
				t.Parallel()
				begin := time.Now()
				defer func() { results[i].took = time.Since(begin) }() // inWorld does not return if the test fails
				inWorld(t, thefts, func(w *world) { results[i] = w.steal(h, seed) })
			})
		}
	})
	printTable(t, results)
}

// steal commits the thefts of one kind.
func (w *world) steal(h habits, seed uint64) result {
	committed := make([]*theft, thefts)
	w.inParallel(thefts, seed, func(r *rand.Rand, user int) error {
		s := &theft{w: w, r: r, plan: h.newPlan(r), keeps: h.newChoice(r)}
		committed[user-1] = s
		return s.run(user)
	})
	if n := w.allEventsOf(session.EventReuse); n != thefts {
		w.Errorf("%d events of reuse; want %d", n, thefts)
	}
	return w.result(h.name, committed)
}
