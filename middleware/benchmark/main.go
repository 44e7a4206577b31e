// Command benchmark compares sessionkit with its peers on this machine: what a
// request of a logged-in user costs beyond the bare framework, in process and
// over loopback HTTP, and what it asks of the database.
//
// Everybody has the same identity and the same page. The contenders take turns,
// each round in another order, and are compared inside a round. What is counted
// is CPU time: on a machine with neighbours, time on a clock says little.
//
// It runs on Linux, needs mariadbd (see package mysqltest), and prints a table.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

var short = flag.Bool("short", false, "take about a minute, for rough figures")

// users is how many are logged in at a site.
var users = 10_000

func main() {
	flag.Parse()
	rounds, length := 40, 30*time.Millisecond
	if *short {
		users, rounds, length = 2_000, 8, 10*time.Millisecond
	}
	db := startDatabase()
	defer runtime.KeepAlive(db) // the server ends with its handle
	rows := newRows(db)
	inProcess(locals(rows), rounds, length)
	for _, r := range rows {
		adds := r.local.spread(cpu).paired(r.base.local.spread(cpu), minus)
		fmt.Println(r.name, adds.show(0), r.local.spread(allocs).show(1), r.local.spread(size).show(0))
	}
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
