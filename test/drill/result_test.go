package drill

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// result is the line of a scenario in the table.
type result struct {
	name                                 string
	requests, ok, ended, unavailable     int
	unanswered, other                    int
	falseLogouts, unexplained, unrevoked int
	cookiesOn503                         int
	slowest                              time.Duration // without requests that got no answer
	slowestOp                            history.Op
	recovered                            time.Duration // from the end of the last outage to the first refresh that is answered
	outages                              int
	noise                                time.Duration // the longest delay of the drill itself by this machine

	// Requests that began at least settlesAfter after the start of an outage.
	settled   int
	refusals  nodetest.Durations
	histories *history.History
}

// settlesAfter is the longest time until a node knows of an outage.
const settlesAfter = 3 * time.Second

func (w *world) measure(name string, h *history.History) *result {
	report := h.Check()
	r := &result{name: name, falseLogouts: report.FalseLogouts, unexplained: report.Unexplained, unrevoked: report.Unrevoked,
		outages: len(w.outages), noise: time.Duration(w.noise.Load()), recovered: -1, histories: h}
	var back time.Time
	for _, o := range w.outages {
		back = o.until
	}
	for _, op := range h.Ops {
		if op.Kind == history.Login || op.Kind == history.Steal || op.Kind == history.Delete {
			continue
		}
		r.requests++
		took := op.Ended.Sub(op.Began)
		switch op.Outcome {
		case history.OK:
			r.ok++
		case history.Refused:
			r.ended++
		case history.Unavailable:
			r.unavailable++
			if op.Cookies && (op.Kind == history.Use || op.Kind == history.Refresh) {
				r.cookiesOn503++
			}
		case history.Unknown:
			r.unanswered++
			continue
		default:
			r.other++
		}
		if took > r.slowest {
			r.slowest, r.slowestOp = took, op
		}
		if op.Outcome == history.OK && op.Cookies && !op.Ended.Before(back) {
			if late := op.Ended.Sub(back); r.recovered < 0 || late < r.recovered {
				r.recovered = late
			}
		}
		for _, o := range w.outages {
			if op.Began.After(o.from.Add(settlesAfter)) && op.Ended.Before(o.until) {
				r.settled++
				if op.Outcome == history.Unavailable {
					r.refusals.Add(took)
				}
			}
		}
	}
	return r
}

// The bounds of every scenario.
const (
	slowestAnswer = 2200 * time.Millisecond
	firstSuccess  = 2 * time.Second
)

func (r *result) targets(t *testing.T, s scenario) {
	if r.falseLogouts > 0 || r.unexplained > 0 {
		t.Errorf("%d false logouts, %d unexplained ends", r.falseLogouts, r.unexplained)
	}
	if r.cookiesOn503 > 0 {
		t.Errorf("%d times 503 with cookies", r.cookiesOn503)
	}
	if r.other > 0 {
		t.Errorf("%d unexpected answers", r.other)
	}
	if r.unanswered > 0 && !s.breaksOff {
		t.Errorf("%d requests got no answer", r.unanswered)
	}
	if r.requests < 100 || r.ok == 0 {
		t.Errorf("%d requests, %d ok: too few for this test", r.requests, r.ok)
	}
	if !*full {
		return // times are only checked in the full drill, which runs alone
	}
	// A request passes several processes, and each may wait for a core.
	slack := 2 * r.noise
	if r.slowest > slowestAnswer+slack {
		t.Errorf("the slowest answer took %v; want at most %v plus %v for this machine: %+v", r.slowest, slowestAnswer, slack, r.slowestOp)
	}
	if r.outages > 0 && (r.recovered < 0 || r.recovered > firstSuccess+slack) {
		t.Errorf("the first refresh was answered %v after the recovery; want at most %v plus %v for this machine", r.recovered, firstSuccess, slack)
	}
	if part := r.served(); part < s.served {
		t.Errorf("%.2f %% of the requests were served; want %.2f %%", 100*part, 100*s.served)
	}
}

func (r *result) served() float64 { return float64(r.ok+r.ended) / float64(r.requests) }

const header = `| fault | requests | ok | session over | 503 | no answer | other | false logouts | unexplained ends | slowest | first refresh after it | 503 once it has lasted 3 s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|`

func (r *result) String() string {
	recovered, settled := "", ""
	if r.outages > 0 {
		recovered = round(r.recovered)
	}
	if r.settled > 0 {
		settled = fmt.Sprintf("%d of %d", r.refusals.Len(), r.settled)
	}
	if r.refusals.Len() > 0 {
		settled += fmt.Sprintf(", median %s, 99 %% %s", round(r.refusals.Median()), round(r.refusals.At(0.99)))
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s | %s | %s |", r.name, r.requests, r.ok, r.ended, r.unavailable,
		r.unanswered, r.other, r.falseLogouts, r.unexplained, round(r.slowest), recovered, settled)
}

func round(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// results is the table of all scenarios.
var results table

type table struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (t *table) add(r *result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, r.String())
}

func (t *table) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return header + "\n" + strings.Join(t.lines, "\n")
}
