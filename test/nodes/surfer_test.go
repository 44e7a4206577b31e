package nodes

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// surfing is the load that faults are put under: browsers with two tabs each,
// whose pages make up to four requests at once. Answers reach the jar late, in
// any order, and now and then not at all.
//
// That nobody is logged out holds while transit and twice the time of an answer
// stay below the access lifetime. So that is some seconds here: this machine may
// be busy with other tests.
type surfing struct {
	t        *testing.T
	c        *nodetest.Cluster
	browsers []*nodetest.Browser
	every    time.Duration // a page in each tab, on average; 0: pageEvery

	ok, unavailable, broken atomic.Int64
	took                    nodetest.Durations

	mu     sync.Mutex        // guards breaks
	breaks []nodetest.Answer // what the balancer or the connection gave up on
}

const (
	tabs       = 2
	lateBy     = 50 * time.Millisecond // at most
	lostAnswer = 0.025
	lostAccess = 0.2 // page loads without the access cookie, as of a browser that keeps too many
	pageEvery  = 800 * time.Millisecond
	atOnce     = 12 // page loads: more would measure this machine
)

// begin surfs until the function that it returns is called, which waits for what
// is under way.
func (s *surfing) begin(seed uint64) (end func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.until(ctx, seed) })
	end = func() {
		cancel()
		all.Wait()
	}
	s.t.Cleanup(end) // before the nodes go, if the test does not get so far
	return end
}

// until surfs until the context ends, then waits for what is under way.
func (s *surfing) until(ctx context.Context, seed uint64) {
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	every := cmp.Or(s.every, pageEvery)
	for i, b := range s.browsers {
		for tab := range tabs {
			all.Go(func() {
				r := nodetest.Dice(seed, i*tabs+tab)
				for {
					select {
					case <-ctx.Done():
						return
					case <-time.After(nodetest.UpTo(r, 2*every)):
						turns <- struct{}{}
						s.load(b, r)
						<-turns
					}
				}
			})
		}
	}
	all.Wait()
}

// load is one page load. Its requests carry the cookies of the moment that each starts at.
func (s *surfing) load(b *nodetest.Browser, r *rand.Rand) {
	var all sync.WaitGroup
	forgetful := r.Float64() < lostAccess
	for range 1 + r.IntN(4) {
		start, late, lost := nodetest.UpTo(r, lateBy), nodetest.UpTo(r, lateBy), r.Float64() < lostAnswer
		all.Go(func() {
			time.Sleep(start) // a page's parts are found one after the other
			with := b.Cookies()
			if forgetful {
				with = with.But(nodetest.AccessCookie)
			}
			a := b.SendWith(s.c.Front, nodetest.Me, with)
			time.Sleep(late) // the network's way back
			s.judge(b, a)
			if !lost && a.Err == nil {
				b.Take(a)
			}
		})
	}
	all.Wait()
}

// judge counts an answer. What fails the test is a login page, another user's
// answer, or an error that nobody has asked for.
func (s *surfing) judge(b *nodetest.Browser, a nodetest.Answer) {
	switch {
	case a.Err != nil || a.Status == http.StatusBadGateway:
		s.broken.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.breaks = append(s.breaks, a)
	case a.Status == http.StatusServiceUnavailable:
		s.unavailable.Add(1)
		if a.Header.Get("Retry-After") == "" || len(a.Cookies) > 0 {
			s.t.Errorf("a 503 without Retry-After, or with cookies: %v", a)
		}
	default:
		if err := a.Is(b.Who); err != nil {
			s.t.Errorf("a browser that has done nothing wrong: %v", err)
		}
		s.ok.Add(1)
		s.took.Add(a.Took())
	}
}

// allLoggedIn asks each browser's session once more, past its access cookie,
// when the faults are over.
func (s *surfing) allLoggedIn() {
	nodetest.InParallel(len(s.browsers), 10, func(i int) {
		b := s.browsers[i]
		var last nodetest.Answer
		if _, ok := nodetest.Eventually(10*time.Second, 100*time.Millisecond, func() bool {
			last = b.SendWith(s.c.Front, nodetest.Me, b.Cookies().But(nodetest.AccessCookie))
			return last.Status != http.StatusServiceUnavailable && last.Status != http.StatusBadGateway
		}); !ok || last.Is(b.Who) != nil {
			s.t.Errorf("browser %d after the faults: %v", i, last)
		}
	})
	for kind, what := range map[string]string{"reuse": "stolen", "ended": "over", "store-behind": "ahead of the row"} {
		events := s.c.Events(kind)
		for _, b := range s.browsers {
			if n := events[b.Who.SessionID]; n > 0 {
				s.t.Errorf("the nodes took %d honest cookies of a session for %s", n, what)
			}
		}
	}
}

// confirmed is how often the rows were moved on in all.
func confirmed(c *nodetest.Cluster) (n int) {
	c.Helper()
	if err := c.DB.QueryRow("SELECT SUM(generation) FROM sessions").Scan(&n); err != nil {
		c.Fatal(err)
	}
	return n
}

func (s *surfing) String() string {
	return fmt.Sprintf("%d requests answered, %d times 503, %d broken off; answers took %v; %d confirms",
		s.ok.Load(), s.unavailable.Load(), s.broken.Load(), &s.took, confirmed(s.c))
}
