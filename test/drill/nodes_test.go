package drill

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// Faults of the nodes and of the browsers.

// killed sends SIGKILL to one node after the other and restarts it.
func killed(w *world) {
	for i := range inFull(10, 2) {
		n := w.c.Nodes[i%len(w.c.Nodes)]
		n.Kill(w.T)
		time.Sleep(500 * time.Millisecond)
		n.Start(w.T)
		time.Sleep(time.Second)
	}
}

// drained stops one node after the other as a deployment does, and restarts it. Its last
// requests are refreshes during which the database is slow. They must be answered, with
// cookies.
func drained(w *world) {
	const last = 20
	renewed := 0
	for i := range inFull(10, 2) {
		n := w.c.Nodes[i%len(w.c.Nodes)]
		n.TakeOut()
		time.Sleep(200 * time.Millisecond) // requests that the balancer has sent before arrive
		w.toxic("latency", answers, map[string]any{"latency": 120})
		asked := make([]nodetest.Answer, last)
		var all sync.WaitGroup
		for k := range asked {
			j := w.surfers[(i*last+k)%40]
			all.Go(func() {
				asked[k] = w.send(w.Context(), j, request{Request: nodetest.Me, base: n.Base(), with: j.Cookies().But(nodetest.AccessCookie)})
			})
		}
		time.Sleep(150 * time.Millisecond)
		n.Terminate(w.T)
		drained := time.Now()
		all.Wait()
		w.noToxics()
		for _, a := range asked {
			if err := a.Err; err != nil || a.Came.After(drained.Add(time.Second)) {
				w.Errorf("a request in progress on a drained node: %v", a)
			}
			if a.Cookie(nodetest.AccessCookie) != "" {
				renewed++
			}
		}
		n.Start(w.T)
		time.Sleep(500 * time.Millisecond)
	}
	if renewed < last {
		w.Errorf("%d requests in progress were answered with cookies: too few for this test", renewed)
	}
	w.Logf("%d requests in progress on drained nodes were answered with cookies", renewed)
}

// gone makes a thousand browsers disconnect during a refresh. Some are answered before
// that, from a node's outcome cache.
func gone(w *world) {
	const requests, atMost = 1000, 5000
	var went atomic.Int64
	w.toxic("latency", answers, map[string]any{"latency": 50})
	browsers := w.surfers[:40]
	nodetest.InParallel(atMost, 20, func(i int) {
		if went.Load() >= requests {
			return
		}
		r := nodetest.Dice(w.seed, -1000-i)
		ctx, cancel := context.WithTimeout(w.Context(), nodetest.UpTo(r, 50*time.Millisecond))
		defer cancel()
		j := browsers[i%len(browsers)]
		if a := w.send(ctx, j, request{Request: nodetest.Me, base: w.c.Front, with: j.Cookies().But(nodetest.AccessCookie)}); a.Err != nil {
			went.Add(1)
		}
	})
	w.noToxics()
}

// nothingStays checks the open files of the nodes some time after the last request. Only
// the connections of two pools may remain.
func nothingStays(w *world, r *result) {
	if r.unanswered < 1000 {
		w.Errorf("%d browsers disconnected: too few for this test", r.unanswered)
	}
	time.Sleep(6 * time.Second)
	all := w.usage()
	for i, u := range all {
		if u.files > 2*16+20 {
			w.Errorf("after the load node %d has %v", i, u)
		}
	}
	w.Logf("the nodes after the load: %v", all)
}

// clockSet sets the clock of one node an hour forward, then an hour back, then right.
func clockSet(w *world) {
	n := w.c.Nodes[0]
	n.Signal(w.T, setForward)
	time.Sleep(lasting())
	n.Signal(w.T, setBack)
	time.Sleep(2 * time.Second)
	n.Signal(w.T, setBack)
	time.Sleep(lasting())
	n.Signal(w.T, setForward)
	now := time.Now()
	for _, far := range []time.Duration{time.Hour, -time.Hour} {
		if !strings.Contains(n.LogText(), now.Add(far).Format("2006/01/02 15")) {
			w.Errorf("the log of the node has no line at %v, so its clock was not set", now.Add(far))
		}
	}
}

// usage is the resource usage of a node, as the kernel reports it.
type usage struct {
	memory         int // kB, resident
	threads, files int
}

func (u usage) String() string {
	return fmt.Sprintf("%.1f MB, %d threads, %d files", float64(u.memory)/1024, u.threads, u.files)
}

func (w *world) usage() (all []usage) {
	w.Helper()
	for _, n := range w.c.Nodes {
		dir := "/proc/" + strconv.Itoa(n.PID())
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			w.Fatal(err)
		}
		files, err := os.ReadDir(dir + "/fd")
		if err != nil {
			w.Fatal(err)
		}
		u := usage{files: len(files)}
		for line := range strings.Lines(string(status)) {
			_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &u.memory)
			_, _ = fmt.Sscanf(line, "Threads: %d", &u.threads)
		}
		all = append(all, u)
	}
	return all
}
