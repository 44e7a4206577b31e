package nodes

import (
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestAKilledNodeTakesOnlyItsRequestsAlong sends SIGKILL to one node after the other
// under load, and restarts it. Only requests in progress on that node may fail.
func TestAKilledNodeTakesOnlyItsRequestsAlong(t *testing.T) {
	const (
		sessions = 50
		kills    = 5
		ttl      = 3 * time.Second
		apart    = 1500 * time.Millisecond
	)
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{ttl, ttl},
	})
	dbtest.Suite(t, c.DB.DB, "two nodes: one is killed")
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(sessions, "surfer", "[]"), c.Front)}

	end := s.begin(seed)
	type span struct{ from, to time.Time }
	var killed []span
	r := nodetest.Dice(seed, -1)
	var bursts sync.WaitGroup
	for i := range kills {
		time.Sleep(apart) // load meanwhile
		n := c.Nodes[i%len(c.Nodes)]
		for k := range 20 { // so that requests are in progress
			bursts.Go(func() { s.load(s.browsers[k], nodetest.Dice(seed, -2-20*i-k)) })
		}
		time.Sleep(nodetest.UpTo(r, lateBy))
		at := span{from: time.Now()}
		n.Kill(t)
		at.to = time.Now()
		killed = append(killed, at)
		time.Sleep(apart / 2) // the other node gets all requests
		n.Start(t)
	}
	time.Sleep(apart)
	end()
	bursts.Wait()
	s.allLoggedIn()

	for _, a := range s.breaks {
		inFlight := false
		for _, at := range killed {
			// The balancer notices only after a moment that its connections are closed.
			inFlight = inFlight || a.Sent.Before(at.to.Add(100*time.Millisecond)) && a.Came.After(at.from)
		}
		if !inFlight {
			t.Errorf("a request failed that was not in progress when a node was killed: %v", a)
		}
	}
	if len(s.breaks) == 0 {
		t.Error("no request was in progress when a node was killed: this test proves nothing")
	}
	if n := s.unavailable.Load(); n > 0 {
		t.Errorf("%d requests were answered with 503: the store was never down", n)
	}
	t.Logf("%d nodes killed: %v", kills, s)
	c.NoPanics()
}
