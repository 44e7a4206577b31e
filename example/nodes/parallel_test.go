package nodes

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// TestParallelRequestsOnAnExpiredCookie lets 50 requests start together on one
// access cookie that has run out, on two nodes. The browser takes the answers in
// in any order, and loses some.
func TestParallelRequestsOnAnExpiredCookie(t *testing.T) {
	const (
		sessions = 20
		rounds   = 10 // of each
		parallel = 50
		ttl      = 2 * time.Second
		lost     = 0.02
	)
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{ttl, ttl},
	})
	browsers := c.loginAll(c.addUsers(sessions, "crowd", "[]"), c.front)

	var answered, confirms atomic.Int64
	var took durations
	begin := time.Now()
	var all sync.WaitGroup
	// A few bursts at a time: more would measure this machine, not the nodes.
	turns := make(chan struct{}, 4)
	for i, b := range browsers {
		all.Go(func() {
			r := dice(seed, i)
			generation := uint64(0)
			// Rounds of different sessions stand side by side, not on each other.
			expires := b.who.ExpiresAt.Add(ttl * time.Duration(i) / sessions)
			for round := range rounds {
				sleepUntil(expires.Add(10 * time.Millisecond))
				answers := make([]answer, parallel)
				with := b.cookies()
				turns <- struct{}{}
				var burst sync.WaitGroup
				for k := range answers {
					burst.Go(func() { answers[k] = b.sendWith(c.front, me, with) })
				}
				burst.Wait()
				<-turns

				row, err := c.row(b.who.SessionID)
				if err != nil {
					t.Error(err)
					return
				}
				want := uint64(min(round, 1)) // the first round brings the login's own cookie
				if row.generation-generation != want {
					t.Errorf("session %d, round %d: the row's generation went from %d to %d; want %d confirm", i, round, generation, row.generation, want)
				}
				confirms.Add(int64(row.generation - generation))
				generation = row.generation

				r.Shuffle(parallel, func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
				for _, a := range answers {
					if err := a.is(b.who); err != nil {
						t.Errorf("session %d, round %d: %v", i, round, err)
						continue
					}
					answered.Add(1)
					took.add(a.took())
					if who, err := a.session(); err == nil && who.ExpiresAt.After(expires) {
						expires = who.ExpiresAt
					}
					if r.Float64() >= lost {
						b.take(a)
					}
				}
			}
			// Whatever came in last, in whatever order, is good.
			sleepUntil(expires)
			if err := b.visit(c.front, me).is(b.who); err != nil {
				t.Errorf("session %d, after its last round: %v", i, err)
			}
		})
	}
	all.Wait()
	over := total(c.events("reuse")) + total(c.events("ended"))
	if over > 0 {
		t.Errorf("%d requests were told that their session was over, or stolen; want none", over)
	}
	t.Logf("%d rounds of %d requests in %v: %d answered as their user, %d confirms, %d times logged out; answers took %v",
		sessions*rounds, parallel, time.Since(begin).Round(time.Second), answered.Load(), confirms.Load(), over, &took)
	c.noPanics()
}
