package main

import (
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	serverCore = 0 // of the site
	otherCore  = 1 // of the client and of the database
)

// traffic is the result of a turn over loopback HTTP: requests per second, and for
// each request the CPU time in seconds, the statements and the prepares.
type traffic struct{ rate, serverCPU, databaseCPU, statements, prepares float64 }

func rate(t traffic) float64        { return t.rate }
func serverCPU(t traffic) float64   { return t.serverCPU }
func databaseCPU(t traffic) float64 { return t.databaseCPU }
func statements(t traffic) float64  { return t.statements }
func prepares(t traffic) float64    { return t.prepares }

// remote is a contender in a separate process.
type remote struct {
	server   *server
	visitors []func() (requests int64) // each sends requests until over is set
	over     atomic.Bool
	turns    []traffic
}

func newRemote(s *server, crowd crowd) *remote {
	r := &remote{server: s}
	for range connections {
		c, visit := dial(s.addr), crowd()
		var setCookie []string
		r.visitors = append(r.visitors, func() (requests int64) {
			for !r.over.Load() {
				setCookie = c.send(http.MethodGet, "/", visit(setCookie), http.StatusOK)
				requests++
			}
			return requests
		})
	}
	return r
}

// visit lets all visitors send requests for the given time, and returns their number.
func (r *remote) visit(length time.Duration) (requests int64) {
	r.over.Store(false)
	time.AfterFunc(length, func() { r.over.Store(true) })
	var all sync.WaitGroup
	var sum atomic.Int64
	for _, v := range r.visitors {
		all.Go(func() { sum.Add(v()) })
	}
	all.Wait()
	return sum.Load()
}

func (r *remote) turn(db *database, length time.Duration) traffic {
	r.server.thaw()
	defer r.server.freeze()
	r.visit(length / 10) // warm-up
	asked, site, database, begin := db.counts(), cpuTime(r.server.process.Pid), cpuTime(db.pid), time.Now()
	n := float64(r.visit(length))
	took := time.Since(begin)
	site, database = cpuTime(r.server.process.Pid)-site, cpuTime(db.pid)-database
	asked = db.counts().since(asked)
	return traffic{n / took.Seconds(), site.Seconds() / n, database.Seconds() / n, asked.statements / n, asked.prepares / n}
}

// overLoopback runs one turn of each contender in each round. The order is random in
// each round.
func overLoopback(contenders []*remote, db *database, rounds int, length time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, pid := range []int{os.Getpid(), db.pid} {
		pin(pid, otherCore)
		defer unpin(pid)
	}
	for range rounds {
		for _, i := range rand.Perm(len(contenders)) {
			contenders[i].turns = append(contenders[i].turns, contenders[i].turn(db, length))
		}
	}
}
