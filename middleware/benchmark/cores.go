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

// scaling is what two cores do in the time of one: the requests per second on one
// core and on two, and by what factor the CPU time of a request grows, as it does
// where cores fight over something.
type scaling struct{ one, two, cpu spread }

// atBest compares the quietest turns on two cores with the quietest on one.
// Neighbours take away a core, or a part of one, and never give any.
func (s scaling) atBest() float64 { return s.two.at(0.95) / s.one.at(0.95) }

// cores lets two goroutines make requests, on one core and on two.
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
