// Command benchmark compares sessionkit with its peers on this machine: what a
// request of a logged-in user costs beyond the bare framework, in process and
// over loopback HTTP, and what it asks of the database.
//
// Everybody has the same identity and the same page. The contenders take turns,
// each round in another order, and are compared inside a round. What is counted
// is CPU time: on a machine with neighbours, time on a clock says little.
//
// It runs on Linux, needs mariadbd (see package mysqltest), and prints a table
// that Markdown understands.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

var (
	short = flag.Bool("short", false, "take about a minute, for rough figures")
	serve = flag.String("serve", "", "what the benchmark starts itself with, to have a site in a process of its own")
	dsn   = flag.String("dsn", "", "the database of that site")
)

// users is how many are logged in at each site.
var users = 10_000

// plan is how long all takes.
type plan struct {
	rounds                    int           // in process
	turn                      time.Duration // CPU time
	httpRounds, refreshRounds int
	httpTurn                  time.Duration
	pageTTL                   time.Duration
	pageLoads                 int
}

func main() {
	flag.Parse()
	p := plan{
		rounds: 40, turn: 30 * time.Millisecond,
		httpRounds: 30, refreshRounds: 20, httpTurn: 500 * time.Millisecond,
		pageTTL: 12 * time.Second, pageLoads: 200,
	}
	if *short {
		users, p = 2_000, plan{
			rounds: 8, turn: 10 * time.Millisecond,
			httpRounds: 3, refreshRounds: 3, httpTurn: 300 * time.Millisecond,
			pageTTL: 3 * time.Second, pageLoads: 40,
		}
	}
	if *serve != "" {
		serveSite(*serve, *dsn)
	}
	db := startDatabase()
	defer runtime.KeepAlive(db) // the server ends with its handle

	ctx := context.Background()
	all := results{table: newTable()}
	all.table.fillHere(ctx, db, p)
	all.table.fillLoopback(db, p)
	all.paces = refreshes(ctx, db, p)
	all.selects, all.updates = pageLoads(ctx, db, p)
	all.kitCores, all.bareCores = cores(ctx, db, p)
	all.refusals = refusals(p)
	all.print(os.Stdout, db.version, p)
}

// must ends the run: there is nothing to tell of half a comparison.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "benchmark:", err)
	os.Exit(1)
}
