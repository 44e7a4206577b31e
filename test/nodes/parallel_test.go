package nodes

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestParallelRequestsOnAnExpiredCookie sends 50 parallel requests with one expired access
// cookie to two nodes. The answers reach the browser in any order, and some are lost.
func TestParallelRequestsOnAnExpiredCookie(t *testing.T) {
	const (
		sessions = 20
		rounds   = 10 // of each
		parallel = 50
		ttl      = 2 * time.Second
		lost     = 0.02
	)
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   database(t),
		Nodes: []time.Duration{ttl, ttl},
	})
	dbtest.Suite(t, c.DB.DB, "two nodes: parallel requests")
	browsers := c.LoginAll(c.AddUsers(sessions, "crowd", "[]"), c.Front)

	var answered, confirms atomic.Int64
	var took nodetest.Durations
	begin := time.Now()
	var all sync.WaitGroup
	// Only a few bursts in parallel: with more the machine itself would be the limit.
	turns := make(chan struct{}, 4)
	for i, b := range browsers {
		all.Go(func() {
			r := nodetest.Dice(seed, i)
			generation := uint64(0)
			// The rounds of different sessions begin at different times.
			expires := b.Who.ExpiresAt.Add(ttl * time.Duration(i) / sessions)
			for round := range rounds {
				nodetest.SleepUntil(expires.Add(10 * time.Millisecond))
				answers := make([]nodetest.Answer, parallel)
				with := b.Cookies()
				turns <- struct{}{}
				var burst sync.WaitGroup
				for k := range answers {
					burst.Go(func() { answers[k] = b.SendWith(c.Front, nodetest.Me, with) })
				}
				burst.Wait()
				<-turns

				row, err := c.Row(b.Who.SessionID)
				if err != nil {
					t.Error(err)
					return
				}
				want := uint64(min(round, 1)) // the first round presents the ticket of the login
				if row.Generation-generation != want {
					t.Errorf("session %d, round %d: the row's generation went from %d to %d; want %d confirm", i, round, generation, row.Generation, want)
				}
				confirms.Add(int64(row.Generation - generation))
				generation = row.Generation

				r.Shuffle(parallel, func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
				for _, a := range answers {
					if err := a.Is(b.Who); err != nil {
						t.Errorf("session %d, round %d: %v", i, round, err)
						continue
					}
					answered.Add(1)
					took.Add(a.Took())
					if who, err := a.Session(); err == nil && who.ExpiresAt.After(expires) {
						expires = who.ExpiresAt
					}
					if r.Float64() >= lost {
						b.Take(a)
					}
				}
			}
			// The cookies that arrived last are valid.
			nodetest.SleepUntil(expires)
			if err := b.Visit(c.Front, nodetest.Me).Is(b.Who); err != nil {
				t.Errorf("session %d, after its last round: %v", i, err)
			}
		})
	}
	all.Wait()
	over := nodetest.Total(c.Events("reuse")) + nodetest.Total(c.Events("ended"))
	if over > 0 {
		t.Errorf("%d ended or reuse events; want none", over)
	}
	t.Logf("%d rounds of %d requests in %v: %d answered as their user, %d confirms, %d times logged out; answers took %v",
		sessions*rounds, parallel, time.Since(begin).Round(time.Second), answered.Load(), confirms.Load(), over, &took)
	c.NoPanics()
}
