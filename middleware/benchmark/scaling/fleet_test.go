package scaling

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// spread is within which time the parallel requests of a page arrive.
const spread = 25 * time.Millisecond

// scenario is how many surf, in which way, and on how many nodes.
type scenario struct {
	users   int
	within  time.Duration // in which all log in
	lasting time.Duration // from the first login on
	think   think
	fanOut  int // requests of a page, all with the cookies the browser has as it begins
	nodes   nodes
}

// nodes are so many Managers behind a balancer.
type nodes struct {
	n      int
	sticky bool // a user's requests go to one; else each goes to the next
}

func (n nodes) String() string {
	if n.sticky {
		return fmt.Sprint(n.n, ", sticky")
	}
	return strconv.Itoa(n.n)
}

// think is the time from one page to the next.
type think struct {
	mean  time.Duration
	fixed bool // else exponential, as of users who know nothing of each other
}

func (th think) time() time.Duration {
	if th.fixed {
		return th.mean
	}
	return time.Duration(rand.ExpFloat64() * float64(th.mean))
}

func (th think) String() string {
	if th.fixed {
		return span(th.mean) + ", fixed"
	}
	return span(th.mean)
}

// surfed is what came of a time of surfing. An expiry is a page whose answers
// brought new cookies; it is counted once, and once for each node with a part in
// it.
type surfed struct {
	asked
	pages, requests, expiries, nodeExpiries float64
	lasting                                 time.Duration
}

func (s surfed) since(b surfed) surfed {
	return surfed{s.asked.since(b.asked), s.pages - b.pages, s.requests - b.requests,
		s.expiries - b.expiries, s.nodeExpiries - b.nodeExpiries, s.lasting - b.lasting}
}

func (s surfed) perSecond(n float64) float64   { return n / s.lasting.Seconds() }
func (s surfed) perThousand(n float64) float64 { return 1000 * n / s.requests }

// fleet is some Managers on one store, and their users.
type fleet struct {
	scenario
	store    *countedStore
	managers []*session.Manager
	turn     atomic.Int64 // of the balancer
	over     atomic.Bool

	begin                         time.Time
	pages, expiries, nodeExpiries atomic.Int64
	refreshesIn                   []atomic.Int64 // by the second since begin
}

func newFleet(tb testing.TB, s scenario) *fleet {
	f := &fleet{scenario: s, store: newCountedStore(s.users), begin: time.Now(),
		refreshesIn: make([]atomic.Int64, int((s.lasting+time.Hour)/time.Second))}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		tb.Fatal(err)
	}
	for range s.nodes.n {
		m, err := session.New(keys, f.store, session.Config{OnEvent: f.note})
		if err != nil {
			tb.Fatal(err)
		}
		f.managers = append(f.managers, m)
	}
	return f
}

// note counts refreshes, those that requests have shared as one.
func (f *fleet) note(e session.Event) {
	if second := int(time.Since(f.begin) / time.Second); e.Kind == session.EventRefreshed && second < len(f.refreshesIn) {
		f.refreshesIn[second].Add(1)
	}
}

// run starts what Managers do in the background. The function it returns ends
// that.
func (f *fleet) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, m := range f.managers {
		all.Go(func() { _ = m.Run(ctx) })
	}
	return func() { cancel(); all.Wait() }
}

// journey is what came of a scenario: in all its time, in the time after
// everybody's first two access cookies, as a rule, and when the last page had been answered.
type journey struct {
	visit, steady, end surfed
	refreshesIn        []float64 // each second
}

// surf plays a scenario in fake time.
func surf(t *testing.T, s scenario) (j journey) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, s)
		stop := f.run(t.Context())
		var users sync.WaitGroup
		for i := range s.users {
			users.Go(func() {
				time.Sleep(rand.N(s.within))
				f.user(t, i)
			})
		}
		warm := s.within + 2*(accessTTL+s.think.mean)
		time.Sleep(warm)
		before := f.surfed()
		time.Sleep(s.lasting - warm)
		j.visit = f.surfed()
		j.steady = j.visit.since(before)
		for i := range int(s.lasting / time.Second) {
			j.refreshesIn = append(j.refreshesIn, float64(f.refreshesIn[i].Load()))
		}
		f.over.Store(true)
		users.Wait()
		j.end = f.surfed()
		stop()
		for _, m := range f.managers {
			for _, kind := range []session.EventKind{session.EventReuse, session.EventAhead, session.EventStoreTrouble, session.EventUndecodable} {
				if n := m.Stats()[kind]; n > 0 {
					t.Errorf("%+v: %d times %v among honest users", s, n, kind)
				}
			}
		}
	})
	return j
}

// accessTTL is Config's default.
const accessTTL = 2 * time.Minute

func (f *fleet) surfed() surfed {
	return surfed{f.store.asked(), float64(f.pages.Load()), float64(f.pages.Load()) * float64(f.fanOut),
		float64(f.expiries.Load()), float64(f.nodeExpiries.Load()), time.Since(f.begin)}
}
