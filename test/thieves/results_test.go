package thieves

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// result is what came of the thefts of one kind.
type result struct {
	kind                 string
	thefts               int
	noticed              map[string]int  // by whose visit
	events               int             // of reuse
	refreshes            []int           // that the thieves got, in ascending order
	spans                []time.Duration // from the copy to the end, in ascending order
	requests, statements int64
	took                 time.Duration // in real time
}

func (w *world) result(kind string, committed []*theft) result {
	of := result{kind: kind, thefts: len(committed), noticed: map[string]int{}, events: w.allEventsOf(session.EventReuse),
		requests: w.requests.Load(), statements: w.statements.Load()}
	for _, s := range committed {
		if s.noticedBy != "" {
			of.noticed[s.noticedBy]++
			of.spans = append(of.spans, s.span)
		}
		of.refreshes = append(of.refreshes, s.refreshes)
	}
	slices.Sort(of.refreshes)
	slices.Sort(of.spans)
	return of
}

func printTable(t *testing.T, results []result) {
	const columns = "%-10s %6v %7v   %6v %5v %4v   %6v   %6v %4v   %8v %8v   %8v %10v %6v"
	t.Logf(columns, "thief", "thefts", "noticed", "victim", "thief", "both", "reuses", "median", "most", "median", "longest", "requests", "statements", "took")
	for _, of := range results {
		if of.thefts == 0 {
			continue // not chosen by -run
		}
		by := of.noticed
		var median, longest time.Duration
		if n := len(of.spans); n > 0 {
			median, longest = of.spans[n/2], of.spans[n-1]
		}
		t.Logf(columns, of.kind, of.thefts, by["victim"]+by["thief"]+by["both"], by["victim"], by["thief"], by["both"], of.events,
			of.refreshes[of.thefts/2], of.refreshes[of.thefts-1], short(median), short(longest), of.requests, of.statements, of.took.Round(100*time.Millisecond))
	}
	t.Log("the columns: at whose visit the theft was noticed; events of reuse; refreshes that the thief got before; the time from the copy to the end; real time")
}

// short prints a duration in days or minutes.
func short(d time.Duration) string {
	if d > 24*time.Hour {
		return fmt.Sprintf("%.1f d", d.Hours()/24)
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}
