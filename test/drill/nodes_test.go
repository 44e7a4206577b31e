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

// What goes wrong with the nodes, and with the browsers.

// killed kills one node after the other, as kill -9 does, and starts it again.
func killed(w *world) {
	for i := range inFull(10, 2) {
		n := w.c.Nodes[i%len(w.c.Nodes)]
		n.Kill(w.T)
		time.Sleep(500 * time.Millisecond)
		n.Start(w.T)
		time.Sleep(time.Second)
	}
}

// drained ends one node after the other as a deployment does, and starts it
// again. Its last requests are refreshes that the database takes a while for:
// their answers come, with the cookies.
func drained(w *world) {
	const last = 20
	renewed := 0
	for i := range inFull(10, 2) {
		n := w.c.Nodes[i%len(w.c.Nodes)]
		n.TakeOut()
		time.Sleep(200 * time.Millisecond) // what the balancer has handed it arrives
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
				w.Errorf("under way on a node that was drained: %v", a)
			}
			if a.Cookie(nodetest.AccessCookie) != "" {
				renewed++
			}
		}
		n.Start(w.T)
		time.Sleep(500 * time.Millisecond)
	}
	if renewed < last {
		w.Errorf("%d answers under way brought cookies; too few to say anything", renewed)
	}
	w.Logf("%d answers under way on nodes that were drained brought cookies", renewed)
}

// gone has a thousand browsers go away in the midst of a refresh. Some are
// answered sooner, out of the node's memory.
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

// nothingStays looks at the nodes some time after the last request. A connection
// is a file: those of two pools may stay.
func nothingStays(w *world, r *result) {
	if r.unanswered < 1000 {
		w.Errorf("%d browsers went away; too few to say anything", r.unanswered)
	}
	time.Sleep(6 * time.Second)
	all := w.usage()
	for i, u := range all {
		if u.files > 2*16+20 {
			w.Errorf("node %d still has %v", i, u)
		}
	}
	w.Logf("the nodes when all is over: %v", all)
}

// clockSet sets one node's clock, twice, and back.
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
			w.Errorf("the node has not logged anything at %v, which would have been its time", now.Add(far))
		}
	}
}

// usage is what a node takes up, as the kernel tells.
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
