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

// surfing is the load during faults: browsers with two tabs each, whose pages send up to
// four parallel requests. Answers reach the jar late and in any order, and some are lost.
//
// Nobody is logged out as long as the network delay plus twice the time of an answer stay
// below the access lifetime. It is some seconds here, because the machine may be busy.
type surfing struct {
	t        *testing.T
	c        *nodetest.Cluster
	browsers []*nodetest.Browser
	every    time.Duration // mean time between two pages of a tab; 0: pageEvery

	ok, unavailable, broken atomic.Int64
	took                    nodetest.Durations

	mu     sync.Mutex        // guards breaks
	breaks []nodetest.Answer // requests that failed without an answer of a node
}

const (
	tabs       = 2
	lateBy     = 50 * time.Millisecond // the longest delay of an answer
	lostAnswer = 0.025
	lostAccess = 0.2 // part of the page loads without the access cookie, as if the browser had removed it
	pageEvery  = 800 * time.Millisecond
	atOnce     = 12 // parallel page loads: with more the machine itself would be the limit
)

// begin starts the load. The returned function stops it and waits for the requests in
// progress.
func (s *surfing) begin(seed uint64) (end func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	all.Go(func() { s.until(ctx, seed) })
	end = func() {
		cancel()
		all.Wait()
	}
	s.t.Cleanup(end) // before the nodes stop, if the test ends early
	return end
}

// until runs the load until the context ends, then waits for the requests in progress.
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

// load is one page load. Each request has the cookies that the browser has at its start.
func (s *surfing) load(b *nodetest.Browser, r *rand.Rand) {
	var all sync.WaitGroup
	forgetful := r.Float64() < lostAccess
	for range 1 + r.IntN(4) {
		start, late, lost := nodetest.UpTo(r, lateBy), nodetest.UpTo(r, lateBy), r.Float64() < lostAnswer
		all.Go(func() {
			time.Sleep(start) // the browser finds the parts of a page one after the other
			with := b.Cookies()
			if forgetful {
				with = with.But(nodetest.AccessCookie)
			}
			a := b.SendWith(s.c.Front, nodetest.Me, with)
			time.Sleep(late) // network delay of the answer
			s.judge(b, a)
			if !lost && a.Err == nil {
				b.Take(a)
			}
		})
	}
	all.Wait()
}

// judge counts an answer. A redirect to the login page, the answer of another user and an
// unexpected error fail the test.
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
			s.t.Errorf("an honest browser: %v", err)
		}
		s.ok.Add(1)
		s.took.Add(a.Took())
	}
}

// allLoggedIn checks that every session is refreshed after the faults.
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
	for kind, what := range map[string]string{"reuse": "reused", "ended": "ended", "store-behind": "ahead of the row"} {
		events := s.c.Events(kind)
		for _, b := range s.browsers {
			if n := events[b.Who.SessionID]; n > 0 {
				s.t.Errorf("the nodes reported %d cookies of an honest session as %s", n, what)
			}
		}
	}
}

// confirmed returns the number of confirmations of all rows.
func confirmed(c *nodetest.Cluster) (n int) {
	c.Helper()
	if err := c.DB.QueryRow("SELECT SUM(generation) FROM sessions").Scan(&n); err != nil {
		c.Fatal(err)
	}
	return n
}

func (s *surfing) String() string {
	return fmt.Sprintf("%d requests answered, %d times 503, %d without an answer; answers took %v; %d confirms",
		s.ok.Load(), s.unavailable.Load(), s.broken.Load(), &s.took, confirmed(s.c))
}
