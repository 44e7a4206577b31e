package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are all measurements of a run.
type results struct {
	table               *table
	paces               refreshPaces
	selects, updates    []float64 // one for each of arrivals
	kitCores, bareCores scaling
	refusals            []refusal
}

func (all results) print(w io.Writer, version string, p plan) {
	command := "make bench"
	if *short {
		command = "make bench BENCH=-short"
	}
	fmt.Fprintf(w, "`%s`, %s: %s, MariaDB %s on a Unix socket with its data in memory, %d cores of %s.\n",
		command, time.Now().Format(time.DateOnly), runtime.Version(), version, runtime.NumCPU(), processor())
	fmt.Fprintf(w, "%s users with ids of 26 characters and 3 roles; %d rounds in process, %d over loopback. Figures are medians, with quartiles in parentheses.\n\n%s\n",
		number(float64(users), 0), p.rounds, p.httpRounds, legend)
	all.table.print(w)
	fmt.Fprintln(w)
	all.table.printClaims(w)
	all.printRefreshes(w)
	fmt.Fprintf(w, "- In the fastest turns two cores serve %.2f times the requests of one core (bare echo %.2f); the CPU time of a request grows by the factor %s (bare echo %s).\n",
		all.kitCores.atBest(), all.bareCores.atBest(), all.kitCores.cpu.show(2), all.bareCores.cpu.show(2))
	var costs []string
	for _, r := range all.refusals {
		costs = append(costs, r.name+" "+r.cpu.show(0))
	}
	fmt.Fprintf(w, "- CPU ns of Manager.Authenticate, by kind of cookie: %s.\n", strings.Join(costs, "; "))
}

func (all results) printRefreshes(w io.Writer) {
	compare := func(with []pace, f func(pace) float64) string {
		return spreadOf(all.paces.kit, f).paired(spreadOf(with, f), over).show(2)
	}
	rate := func(p pace) float64 { return p.rate }
	app := func(p pace) float64 { return p.cpu }
	fmt.Fprintf(w, "- Refreshes: %s per second. Compared with a bare loop that sends the same two statements with a deadline: %s times the refreshes, %s times the CPU time of the app, %s times the CPU time of the database. Compared with a loop without a deadline: %s times the refreshes, %s times the CPU time of the app.\n",
		number(spreadOf(all.paces.kit, rate).median(), 0),
		compare(all.paces.loop, rate), compare(all.paces.loop, app), compare(all.paces.loop, func(p pace) float64 { return p.databaseCPU }),
		compare(all.paces.endless, rate), compare(all.paces.endless, app))
	var counts []string
	for i, within := range arrivals {
		counts = append(counts, fmt.Sprintf("%.2f and %.2f, sent within %v", all.selects[i], all.updates[i], within))
	}
	perThousand := 1000 * (slices.Max(all.selects) + slices.Max(all.updates)) / (26 * parallel)
	fmt.Fprintf(w, "- Statements (S and U1) of a page load of %d parallel requests after the access cookie has expired: %s. With 26 page loads in an access lifetime these are at most %s statements per 1,000 requests.\n",
		parallel, strings.Join(counts, "; "), number(perThousand, 1))
}

// printClaims prints ratios of the table's figures, computed inside each round.
func (t *table) printClaims(w io.Writer) {
	part := func(a, b *row) string {
		return spreadOf(a.local.added, cpu).paired(spreadOf(b.local.added, cpu), over).show(3)
	}
	more := func(a, b *row) string {
		return spreadOf(a.remote.turns, rate).paired(spreadOf(b.remote.turns, rate), over).show(1)
	}
	less := func(a, b *row) string {
		return spreadOf(b.remote.turns, allCPU).paired(spreadOf(a.remote.turns, allCPU), over).show(1)
	}
	fmt.Fprintf(w, "- Bare echo: %s CPU ns and %s allocations per request in process; %s µs of server CPU per request and %s requests per second over loopback.\n",
		spreadOf(t.bare.local.costs, cpu).show(0), number(spreadOf(t.bare.local.costs, allocs).median(), 1),
		spreadOf(t.bare.remote.turns, func(t traffic) float64 { return 1e6 * t.serverCPU }).show(1), spreadOf(t.bare.remote.turns, rate).show(0))
	fmt.Fprintf(w, "- In process, CPU time that sessionkit adds, relative to echo-jwt: %s for the first request of a cookie, %s for a cookie seen before; relative to scs in memory: %s and %s.\n",
		part(t.first, t.jwt), part(t.seen, t.jwt), part(t.first, t.memory), part(t.seen, t.memory))
	fmt.Fprintf(w, "- Between refreshes sessionkit serves %s times the requests per second of scs on MySQL, %s times those of the tuned scs, %s times those of scs with IdleTimeout; app and database together use 1/%s of the CPU time of scs on MySQL, 1/%s of that of the tuned scs.\n",
		more(t.everyone, t.byDefault), more(t.everyone, t.tuned), more(t.everyone, t.idle), less(t.everyone, t.byDefault), less(t.everyone, t.tuned))
	fmt.Fprintf(w, "- Bare echo, without sessions, for comparison: %s times the requests per second of scs on MySQL, %s times those of the tuned scs; 1/%s and 1/%s of the CPU time.\n",
		more(t.bare, t.byDefault), more(t.bare, t.tuned), less(t.bare, t.byDefault), less(t.bare, t.tuned))
	fmt.Fprintf(w, "- With one refresh in 26 requests sessionkit uses 1/%s of the CPU time of scs on MySQL, 1/%s of that of the tuned scs.\n", less(t.surfed, t.byDefault), less(t.surfed, t.tuned))
}

func allCPU(t traffic) float64 { return t.serverCPU + t.databaseCPU }

// processor returns the model name of the processor, or the architecture if there is
// none.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, name, _ := strings.Cut(string(text), "model name")
	name, _, _ = strings.Cut(strings.TrimLeft(name, "\t: "), "\n")
	if name == "" {
		return runtime.GOARCH
	}
	return strings.Join(strings.Fields(name), " ")
}
