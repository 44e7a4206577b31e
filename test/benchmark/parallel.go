package main

import (
	"sync"
	"sync/atomic"
)

// connections is the number of parallel requests over loopback. It is also the size of
// each pool of database connections whose size is configured.
const connections = 32

// inParallel calls do for each of n users. It calls connect once for each of the
// parallel connections.
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
