package drill

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// scenario is a fault under load: some time before it, the fault, some time after.
type scenario struct {
	name   string
	short  bool // part of the short form too
	nodes  int  // 0: 2
	ttl    time.Duration
	direct bool // nothing in between: the database itself refuses
	clocks bool // the nodes' clocks can be set

	// fault returns when the database and the nodes are well again.
	fault func(w *world)
	// also looks at what this scenario alone has to show.
	also func(w *world, r *result)

	store     time.Duration // for how long a statement may act after it was given up; 0: 2 s
	served    float64       // at least so large a part of the requests is answered with 200, or the session's end
	breaksOff bool          // requests may be left without an answer
}

func (s scenario) run(t *testing.T) {
	t.Helper()
	p := plan{nodes: s.nodes, ttl: s.ttl, direct: s.direct}
	if p.nodes == 0 {
		p.nodes = 2
	}
	if p.ttl == 0 {
		p.ttl = accessTTL()
	}
	if s.clocks {
		p.program = shiftable(t)
	}
	w := build(t, seed(t), p)
	w.surf(inFull(120, 60), 1500*time.Millisecond, 6)
	cast := w.newCast(inFull(2, 1))

	pause := inFull(8*time.Second, 3*time.Second)
	time.Sleep(pause / 2)
	cast.leave(0)
	time.Sleep(pause / 2)
	leaving := make(chan struct{})
	go func() {
		defer close(leaving)
		time.Sleep(inFull(2*time.Second, time.Second))
		cast.leave(1)
	}()
	s.fault(w)
	<-leaving
	time.Sleep(pause / 2)
	cast.leave(2)
	time.Sleep(pause / 2)
	w.stopLoad()
	w.everybodyOnceMore()
	w.logoutsArrive()

	h, planted := w.judge(s.name, s.store)
	if planted < len(history.Plants)-1 && !t.Failed() {
		t.Errorf("%d of %d faults could be planted", planted, len(history.Plants))
	}
	r := w.measure(s.name, h)
	if s.also != nil {
		s.also(w, r)
	}
	r.targets(t, s)
	results.add(r)
	t.Log(r)
	if t.Failed() || r.unavailable > 0 {
		w.tell()
	}
	w.c.NoPanics()
}

// tell prints what the nodes have said of the store's trouble, for whoever looks
// for the cause of a failure.
func (w *world) tell() {
	w.Helper()
	said := map[string]int{}
	for _, n := range w.c.Nodes {
		for line := range strings.Lines(n.LogText()) {
			if _, trouble, ok := strings.Cut(line, "kind=store-error "); ok {
				said[strings.TrimSpace(trouble)]++
			}
		}
	}
	w.Logf("the nodes' trouble: %v", said)
}

// everybodyOnceMore asks each session that nobody has ended once more, past its
// access cookie, until it is more than a 503 that comes.
func (w *world) everybodyOnceMore() {
	over := ended(w.history())
	nodetest.InParallel(len(w.surfers), 10, func(i int) {
		j := w.surfers[i]
		if over[j.Who.SessionID] {
			return
		}
		var last nodetest.Answer
		if _, ok := nodetest.Eventually(20*time.Second, 100*time.Millisecond, func() bool {
			last = w.send(w.Context(), j, request{Request: nodetest.Me, base: w.c.Front, with: j.Cookies().But(nodetest.AccessCookie)})
			return last.Err == nil && last.Status < 500
		}); !ok {
			w.Errorf("session %s after the fault: %v", j.Who.SessionID, last)
		}
	})
}

// logoutsArrive waits for logouts that were answered while the database was away:
// the node that did tells it afterwards, and asks less often the longer that takes.
func (w *world) logoutsArrive() {
	w.Helper()
	var out []any
	for _, op := range w.history() {
		if op.Kind == history.Logout && op.Outcome == history.OK {
			out = append(out, op.Session)
		}
	}
	if len(out) == 0 {
		return
	}
	arrived := "SELECT COUNT(DISTINCT id) FROM drill_rows WHERE what = 'revoked' AND HEX(id) IN (?" + strings.Repeat(", ?", len(out)-1) + ")"
	took, _ := nodetest.Eventually(20*time.Second, 50*time.Millisecond, func() bool {
		var n int
		return w.db.QueryRow(arrived, out...).Scan(&n) == nil && n == len(out)
	}) // whether they did, the history says
	if took > time.Second {
		w.Logf("the last logout was in its row %v after the end of the load", took.Round(time.Millisecond))
	}
}

// bounds are what the kit promises for this access lifetime.
func (w *world) bounds(store time.Duration) history.Bounds {
	return history.Bounds{
		Access: w.ttl, Idle: cmp.Or(w.idle, 30*time.Minute),
		Feed:   5 * time.Second, // a second, and what a busy machine takes; with a short lifetime that is the bound
		Memory: min(time.Second, w.ttl/12), Store: max(store, 2*time.Second), Slack: 300 * time.Millisecond,
	}
}

// judge has the history checked, and then the check: with faults planted in the
// very same history, as many as there is something for in it.
func (w *world) judge(name string, store time.Duration) (h *history.History, planted int) {
	w.Helper()
	h = &history.History{Ops: w.history(), Rows: readRows(w, w.db), Events: w.events(), Bounds: w.bounds(store)}
	report := h.Check()
	for i, v := range report.Violations {
		if i == 20 {
			w.Errorf("and %d more", len(report.Violations)-i)
			break
		}
		w.Error(v)
	}
	if len(report.Violations) > 0 {
		return h, 0
	}
	for i, plant := range history.Plants {
		if with, session, ok := plant.Planted(h, nodetest.Dice(w.seed, -100-i)); ok {
			planted++
			if err := plant.Found(with.Check(), session); err != nil {
				w.Error(err)
			}
		}
	}
	w.Logf("%s: %d answers, %d of requests after their session's end, %d endings, %d confirms, %d times 503: no violation; %d planted faults: all found",
		name, report.Served, report.AfterEnd, report.Endings, report.Confirms, report.Unavailable, planted)
	return h, planted
}
