package main

import (
	"sync"
	"sync/atomic"
)

// connections is how many requests are under way at once over loopback, and how
// many connections to the database a pool keeps that is not left at its defaults.
const connections = 32

// inParallel does something for each of n users, over that many connections.
func inParallel(n int, connect func() (do func(i int))) {
	var begun atomic.Int64
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			do := connect()
			for i := int(begun.Add(1)) - 1; i < n; i = int(begun.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}
