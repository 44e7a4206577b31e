package main

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// scaling compares one core with two: the requests per second on one core and on two,
// and the factor by which the CPU time of a request grows. Contention between the
// cores increases this factor.
type scaling struct{ one, two, cpu spread }

// atBest compares the fastest turns on two cores with the fastest on one. Other load
// on the machine can only make a turn slower.
func (s scaling) atBest() float64 { return s.two.at(0.95) / s.one.at(0.95) }

// cores lets two goroutines send requests, on one core and on two.
func cores(ctx context.Context, db *database, p plan) (ofKit, ofBare scaling) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	two := func(s *site) []*local {
		e := must(s.build(ctx, db.dsn(s.params)))
		crowd := anyone(func() roundTrip { return inside(e) })
		return []*local{newLocal(e, crowd()), newLocal(e, crowd())}
	}
	contenders := []struct {
		locals  []*local
		scaling *scaling
	}{{two(kit), &ofKit}, {two(bare), &ofBare}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for range 4 * p.rounds {
		for _, i := range rand.Perm(len(contenders)) {
			c := contenders[i]
			var rate, cpu [3]float64
			for _, j := range rand.Perm(2) {
				rate[j+1], cpu[j+1] = together(c.locals, j+1, 50*time.Millisecond)
			}
			c.scaling.one, c.scaling.two = append(c.scaling.one, rate[1]), append(c.scaling.two, rate[2])
			c.scaling.cpu = append(c.scaling.cpu, cpu[2]/cpu[1])
		}
	}
	return ofKit, ofBare
}

func together(locals []*local, procs int, length time.Duration) (rate, cpu float64) {
	runtime.GOMAXPROCS(procs)
	runtime.GC()
	var over atomic.Bool
	var sum atomic.Int64
	var all sync.WaitGroup
	time.AfterFunc(length, func() { over.Store(true) })
	used, begin := cpuTime(os.Getpid()), time.Now()
	for _, l := range locals {
		all.Go(func() {
			n := 0
			for ; !over.Load(); n++ {
				l.send()
			}
			sum.Add(int64(n))
		})
	}
	all.Wait()
	n := float64(sum.Load())
	return n / time.Since(begin).Seconds(), float64(cpuTime(os.Getpid())-used) / n
}
