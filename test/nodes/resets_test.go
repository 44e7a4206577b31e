package nodes

import (
	"context"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

func TestLostAnswersOfTheDatabaseLogNobodyOut(t *testing.T) {
	const (
		sessions = 50
		lasting  = 20 * time.Second
		ttl      = 3 * time.Second
	)
	part := 0.04
	if nodetest.OnPostgres() {
		part = 0.06 // its statements and answers are fewer packets
	}
	seed := nodetest.NewSeed(t)
	dsn := nodetest.Database(t)
	breaker, nodeDSN := nodetest.StartBreaker(t, dsn, seed)
	c := nodetest.NewCluster(t, nodetest.Setup{DSN: dsn, NodeDSNs: []string{nodeDSN}, Nodes: []time.Duration{ttl, ttl}})
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(sessions, "surfer", "[]"), c.Front)}

	breaker.Breaks(nodetest.AnyPacket(part))
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	s.until(ctx, seed)
	breaker.Breaks(nil)
	s.allLoggedIn()

	resets := breaker.Before.Load() + breaker.After.Load() + breaker.Lost.Load()
	if resets < 100 {
		t.Errorf("%d resets in %v: too few for this test", resets, lasting)
	}
	if n := s.broken.Load(); n > 0 {
		t.Errorf("%d requests failed without an answer, the first: %v", n, s.breaks[0])
	}
	t.Logf("%v; resets: %d before a statement arrived, %d after, %d before its answer arrived; %d store-down events",
		s, breaker.Before.Load(), breaker.After.Load(), breaker.Lost.Load(), nodetest.Total(c.Events("store-down")))
	c.NoPanics()
}
