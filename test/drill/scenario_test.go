package drill

import (
	"cmp"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// scenario is a fault under load. The load begins before the fault and ends after it.
type scenario struct {
	name   string
	short  bool // also part of the short drill
	nodes  int  // 0: 2
	ttl    time.Duration
	direct bool // no proxy between the nodes and the database
	texts  bool // see engine.accounts
	clocks bool // the clocks of the nodes can be set

	// fault injects the fault. It returns after the database and the nodes have recovered.
	fault func(w *world)
	// also makes the checks of this scenario alone.
	also func(w *world, r *result)

	store     time.Duration // for how long the database may still execute a statement after its request has ended; 0: 2 s
	served    float64       // the least part of the requests that are answered, and not with 503
	breaksOff bool          // requests may remain without an answer
}

func (s scenario) run(t *testing.T) {
	t.Helper()
	p := plan{nodes: s.nodes, ttl: s.ttl, direct: s.direct, texts: s.texts}
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
	endings := w.newEndings(inFull(2, 1))

	pause := inFull(8*time.Second, 3*time.Second)
	time.Sleep(pause / 2)
	endings.end(0)
	time.Sleep(pause / 2)
	leaving := make(chan struct{})
	go func() {
		defer close(leaving)
		time.Sleep(inFull(2*time.Second, time.Second))
		endings.end(1)
	}()
	s.fault(w)
	<-leaving
	time.Sleep(pause / 2)
	endings.end(2)
	time.Sleep(pause / 2)
	w.stopLoad()
	w.refreshAll()
	w.awaitLogouts()

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
		w.logStoreErrors()
	}
	w.c.NoPanics()
}

// logStoreErrors logs the store errors of the nodes, to find the cause of a failure.
func (w *world) logStoreErrors() {
	w.Helper()
	counts := map[string]int{}
	for _, n := range w.c.Nodes {
		for line := range strings.Lines(n.LogText()) {
			if _, fault, ok := strings.Cut(line, "kind=store-error "); ok {
				counts[strings.TrimSpace(fault)]++
			}
		}
	}
	w.Logf("store errors of the nodes: %v", counts)
}

// refreshAll refreshes every session that has not been ended. It repeats a request that is
// answered with 503.
func (w *world) refreshAll() {
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

// awaitLogouts waits until logouts that were answered during an outage are in the
// database: their node repeats them with a growing backoff.
func (w *world) awaitLogouts() {
	w.Helper()
	var out []any
	for _, op := range w.history() {
		if op.Kind == history.Logout && op.Outcome == history.OK {
			id, err := hex.DecodeString(op.Session)
			if err != nil {
				w.Fatal(err)
			}
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return
	}
	arrived := "SELECT COUNT(DISTINCT id) FROM drill_rows WHERE what = 'revoked' AND id IN (?" + strings.Repeat(", ?", len(out)-1) + ")"
	took, _ := nodetest.Eventually(20*time.Second, 50*time.Millisecond, func() bool {
		var n int
		return w.db.QueryRow(arrived, out...).Scan(&n) == nil && n == len(out)
	}) // the check of the history reports logouts that are missing
	if took > time.Second {
		w.Logf("the last logout was in the database %v after the end of the load", took.Round(time.Millisecond))
	}
}

// bounds returns the times that the kit guarantees for this access lifetime.
func (w *world) bounds(store time.Duration) history.Bounds {
	return history.Bounds{
		Access: w.ttl, Idle: cmp.Or(w.idle, 30*time.Minute),
		Feed:   5 * time.Second, // a second, and more on a busy machine; with a short access lifetime that is the bound
		Memory: min(time.Second, w.ttl/12), Store: max(store, 2*time.Second), Slack: 300 * time.Millisecond,
	}
}

// judge checks the history. Then it tests the check: it plants faults in the same history,
// each that the history has a place for, and expects the check to find them.
func (w *world) judge(name string, store time.Duration) (h *history.History, planted int) {
	w.Helper()
	h = &history.History{Ops: w.history(), Rows: readRows(w, w.db), Events: w.events(), Bounds: w.bounds(store)}
	report := h.Check()
	for i, v := range report.Violations {
		if i == 20 {
			w.Errorf("%d more violations", len(report.Violations)-i)
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
	w.Logf("%s: %d answers, %d requests after the end of their session, %d ends, %d confirms, %d times 503: no violation; all %d planted faults found",
		name, report.Served, report.AfterEnd, report.Endings, report.Confirms, report.Unavailable, planted)
	return h, planted
}
