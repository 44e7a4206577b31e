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

// cost is what one request takes in this process, on average over a turn: CPU
// time in nanoseconds, and allocations. Bytes would mean little: some of them are
// the cookie's own.
type cost struct{ cpu, allocs float64 }

func cpu(c cost) float64    { return c.cpu }
func allocs(c cost) float64 { return c.allocs }

// local is a contender inside this process: no network, and a writer that keeps
// nothing.
type local struct {
	site    http.Handler
	visit   visitor
	before  func() // each turn, if not nil
	request *http.Request
	answer  *discard
	n       int    // requests in a turn
	costs   []cost // one for each turn

	base  *local // what it is compared with
	added []cost // what it costs more than its base right beside it, one for each round
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

// discard is a http.ResponseWriter.
type discard struct {
	header http.Header
	status int
	_      [128]byte // two cores that write to one cache line would wait for each other
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// send makes one request. It is the same work for every contender: a copy of the
// request, because some write to it, and of the cookies, because net/http reads
// them anew each time: to find a string in a table by its address is no feat.
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

// turn makes n requests and returns what one of them cost.
func (l *local) turn(n int) cost {
	if l.before != nil {
		l.before()
	}
	runtime.GC() // nobody pays for the garbage of another
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

// calibrate finds how many requests make a turn of that length. A multiple of
// 26: there is then one refresh in each 26.
func (l *local) calibrate(length time.Duration) {
	if l.n > 0 {
		return
	}
	l.turn(10 * 26) // the first ones are slow
	each := min(l.turn(10*26).cpu, l.turn(10*26).cpu, l.turn(10*26).cpu)
	l.n = 26 * max(1, int(float64(length.Nanoseconds())/each/26))
}

// inProcess gives all contenders one turn a round, each round in another order.
// What is compared runs back to back: the neighbours do not change much in
// between.
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
