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

// spread is the period in which the parallel requests of a page arrive.
const spread = 25 * time.Millisecond

// scenario describes a simulation: the users, their behavior, and the nodes.
type scenario struct {
	users   int
	within  time.Duration // period in which all users log in
	lasting time.Duration // duration, from the start of the logins
	think   think
	fanOut  int // parallel requests of a page, all with the cookies that the browser has at its start
	nodes   nodes
}

// nodes are n Managers behind a load balancer.
type nodes struct {
	n      int
	sticky bool // all requests of a user go to one node; otherwise the balancer is round robin
}

func (n nodes) String() string {
	if n.sticky {
		return fmt.Sprint(n.n, ", sticky")
	}
	return strconv.Itoa(n.n)
}

// think is the distribution of the time between two pages of a user.
type think struct {
	mean  time.Duration
	fixed bool // always mean; otherwise the distribution is exponential, as for independent users
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

// surfed is the result of a period of a simulation. An expiry is a page whose answers
// set new cookies. expiries counts each such page once. nodeExpiries counts it once
// for each node that set new cookies.
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

// fleet is a simulation: several Managers that share one store, and their users.
type fleet struct {
	scenario
	store    *countedStore
	managers []*session.Manager
	turn     atomic.Int64 // round-robin counter of the balancer
	over     atomic.Bool

	begin                         time.Time
	pages, expiries, nodeExpiries atomic.Int64
	refreshesIn                   []atomic.Int64 // index: seconds since begin
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

// note counts refreshes. A refresh that several requests share counts once.
func (f *fleet) note(e session.Event) {
	if second := int(time.Since(f.begin) / time.Second); e.Kind == session.EventRefreshed && second < len(f.refreshesIn) {
		f.refreshesIn[second].Add(1)
	}
}

// run starts Run of all Managers. The returned function stops them and waits.
func (f *fleet) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, m := range f.managers {
		all.Go(func() { _ = m.Run(ctx) })
	}
	return func() { cancel(); all.Wait() }
}

// journey is the result of a scenario for three periods: its whole duration (visit),
// the time after about the first two access cookies of each user (steady), and up to
// the answer of the last page (end).
type journey struct {
	visit, steady, end surfed
	refreshesIn        []float64 // refreshes in each second
}

// surf runs a scenario in fake time.
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
			for _, kind := range []session.EventKind{session.EventReuse, session.EventStoreBehind, session.EventStoreError, session.EventUndecodable} {
				if n := m.Stats()[kind]; n > 0 {
					t.Errorf("%+v: %d events %v, but no cookie was copied or damaged", s, n, kind)
				}
			}
		}
	})
	return j
}

// accessTTL is the default of session.Config.AccessTTL.
const accessTTL = 2 * time.Minute

func (f *fleet) surfed() surfed {
	return surfed{f.store.asked(), float64(f.pages.Load()), float64(f.pages.Load()) * float64(f.fanOut),
		float64(f.expiries.Load()), float64(f.nodeExpiries.Load()), time.Since(f.begin)}
}
