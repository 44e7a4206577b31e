package nodes

import (
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// TestAKilledNodeTakesOnlyItsRequestsAlong kills one node after the other under
// load, as kill -9 does, and starts it again.
func TestAKilledNodeTakesOnlyItsRequestsAlong(t *testing.T) {
	const (
		sessions = 50
		kills    = 5
		ttl      = 3 * time.Second
		apart    = 1500 * time.Millisecond
	)
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{ttl, ttl},
	})
	s := &surfing{t: t, c: c, browsers: c.loginAll(c.addUsers(sessions, "surfer", "[]"), c.front)}

	end := s.begin(seed)
	type moment struct{ from, to time.Time }
	var killed []moment
	r := dice(seed, -1)
	var bursts sync.WaitGroup
	for i := range kills {
		time.Sleep(apart) // load meanwhile
		n := c.nodes[i%len(c.nodes)]
		for k := range 20 { // something is under way
			bursts.Go(func() { s.load(s.browsers[k], dice(seed, -2-20*i-k)) })
		}
		time.Sleep(upTo(r, lateBy))
		at := moment{from: time.Now()}
		n.kill(t)
		at.to = time.Now()
		killed = append(killed, at)
		time.Sleep(apart / 2) // the other one has it all
		n.start(t)
	}
	time.Sleep(apart)
	end()
	bursts.Wait()
	s.allLoggedIn()

	for _, a := range s.breaks {
		inFlight := false
		for _, at := range killed {
			// The balancer takes a moment to see that its connections are gone.
			inFlight = inFlight || a.sent.Before(at.to.Add(100*time.Millisecond)) && a.came.After(at.from)
		}
		if !inFlight {
			t.Errorf("a request that was not under way when a node was killed has failed: %v", a)
		}
	}
	if len(s.breaks) == 0 {
		t.Error("no request was under way when a node was killed: the test says nothing")
	}
	if n := s.unavailable.Load(); n > 0 {
		t.Errorf("%d requests were answered with 503: the store was never down", n)
	}
	t.Logf("%d nodes killed: %v", kills, s)
	c.noPanics()
}
