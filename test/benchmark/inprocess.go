package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

// cost is the average cost of a request of a turn in this process: CPU time in
// nanoseconds, and the number of allocations. Allocated bytes are not compared,
// because they depend on the length of the cookies.
type cost struct{ cpu, allocs float64 }

func cpu(c cost) float64    { return c.cpu }
func allocs(c cost) float64 { return c.allocs }

// local is a contender inside this process. There is no network, and its
// http.ResponseWriter discards the body.
type local struct {
	site    http.Handler
	visit   visitor
	before  func() // called before each turn, if not nil
	request *http.Request
	answer  *discard
	n       int    // requests of a turn
	costs   []cost // one for each turn

	base  *local // the contender that it is compared with
	added []cost // cost minus the cost of base in the same round, one for each round
}

func newLocal(site http.Handler, visit visitor) *local {
	r := must(http.NewRequest(http.MethodGet, "http://app.example/", nil))
	r.RequestURI, r.RemoteAddr = "/", "192.0.2.1:5000"
	r.Header = http.Header{
		"Accept":          {"application/json"},
		"Accept-Encoding": {"gzip, deflate, br"},
		"Cookie":          {""},
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	}
	return &local{site: site, visit: visit, request: r, answer: &discard{header: http.Header{}}}
}

// discard is an http.ResponseWriter that keeps the header and the status only.
type discard struct {
	header http.Header
	status int
	_      [128]byte // padding, so that two cores never write to the same cache line
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// send sends one request. It does the same work for every contender. It copies the
// request, because some contenders modify it. It copies the cookies, because a server
// reads each request into new memory: with the same string each time, a lookup in a
// map would only compare addresses.
func (l *local) send() {
	cookie := l.visit(l.answer.header["Set-Cookie"])
	clear(l.answer.header)
	l.answer.status = 0
	l.request.Header["Cookie"][0] = strings.Clone(cookie)
	r := *l.request
	l.site.ServeHTTP(l.answer, &r)
	if l.answer.status != http.StatusOK {
		fail(fmt.Errorf("the page answered %d", l.answer.status))
	}
}

// turn sends n requests and returns the average cost of one.
func (l *local) turn(n int) cost {
	if l.before != nil {
		l.before()
	}
	runtime.GC() // no contender collects the garbage of another
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	begin := cpuTime(os.Getpid())
	for range n {
		l.send()
	}
	used := cpuTime(os.Getpid()) - begin
	runtime.ReadMemStats(&is)
	per := 1 / float64(n)
	return cost{
		cpu:    float64(used.Nanoseconds()) * per,
		allocs: float64(is.Mallocs-was.Mallocs) * per,
	}
}

// calibrate determines the number of requests of a turn of the given length. It is a
// multiple of 26, so that exactly one of 26 requests is a refresh.
func (l *local) calibrate(length time.Duration) {
	if l.n > 0 {
		return
	}
	l.turn(10 * 26) // warm-up: the first requests are slow
	each := min(l.turn(10*26).cpu, l.turn(10*26).cpu, l.turn(10*26).cpu)
	l.n = 26 * max(1, int(float64(length.Nanoseconds())/each/26))
}

// inProcess runs one turn of each contender in each round. The order is random in each
// round. A contender and its base run in succession, so that the other load of the
// machine is about the same for both.
func inProcess(contenders []*local, rounds int, length time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, l := range contenders {
		l.calibrate(length)
		l.base.calibrate(length)
	}
	for range rounds {
		for _, i := range rand.Perm(len(contenders)) {
			l := contenders[i]
			pair := []*local{l, l.base}
			for _, j := range rand.Perm(2) {
				pair[j].costs = append(pair[j].costs, pair[j].turn(pair[j].n))
			}
			own, base := l.costs[len(l.costs)-1], l.base.costs[len(l.base.costs)-1]
			l.added = append(l.added, cost{own.cpu - base.cpu, own.allocs - base.allocs})
		}
	}
}
