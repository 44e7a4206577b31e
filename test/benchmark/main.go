// Command benchmark compares sessionkit with other session libraries on this machine.
// It measures the cost of a request of a logged-in user beyond the cost of the bare
// framework, in process and over loopback HTTP, and the load on the database.
//
// All contenders have the same users and the same page. They run in turns, in a random
// order in each round, and are compared inside a round. The main measure is CPU time,
// because wall clock time depends on the other load of the machine.
//
// The command runs on Linux, needs mariadbd (see package dbtest), and prints a Markdown
// table.
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
	short = flag.Bool("short", false, "run for about a minute only, for approximate figures")
	serve = flag.String("serve", "", "internal: serve the site with this name; the benchmark starts itself with it")
	dsn   = flag.String("dsn", "", "internal: the DSN of the database of that site")
)

// users is the number of users who are logged in at each site.
var users = 10_000

// plan sets the number and the length of the turns.
type plan struct {
	rounds                    int           // in process
	turn                      time.Duration // in process, CPU time
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
	defer runtime.KeepAlive(db) // the server ends when its handle is collected

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

// must ends the run after an error, because an incomplete comparison has no meaning.
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
