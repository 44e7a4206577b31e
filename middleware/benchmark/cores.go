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

// scaling is what two cores do in the time of one: the requests per second, and
// the CPU time of each, which grows where cores fight over something. Both as
// ratios, two cores over one.
type scaling struct{ rate, cpu spread }

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
	for range p.rounds {
		for _, i := range rand.Perm(len(contenders)) {
			c := contenders[i]
			var rate, cpu [3]float64
			for _, j := range rand.Perm(2) {
				rate[j+1], cpu[j+1] = together(c.locals, j+1, 5*p.turn)
			}
			c.scaling.rate = append(c.scaling.rate, rate[2]/rate[1])
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
