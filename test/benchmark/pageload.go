package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

const (
	parallel = 6 // parallel requests of a page load
	atOnce   = 5 // parallel page loads
)

// arrivals are the periods in which the requests of a page load are sent.
var arrivals = []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond}

// pageLoads lets browsers load a page after their access cookies have expired: six
// parallel requests, sent within each of arrivals. It returns the average number of S
// (SELECT) and of U1 (UPDATE) of a page load. Both are 1 in the best case.
func pageLoads(ctx context.Context, db *database, p plan) (selects, updates []float64) {
	store := must(openStore(ctx, db.dsn(kitParams)))
	sessions := must(session.New(keys, store, session.Config{AccessTTL: p.pageTTL}))
	jars := make([]jar, len(arrivals)*p.pageLoads)
	for i := range jars {
		jars[i] = issue(sessions, userID(i%users))
	}
	time.Sleep(p.pageTTL)
	for i, j := range jars {
		jars[i] = j.keep(lines(must(sessions.Authenticate(requestWith(j.refreshOnly().header())))))
	}
	time.Sleep(p.pageTTL)

	for i, within := range arrivals {
		before := db.counts()
		loads := make(chan jar)
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for j := range loads {
					loadPage(sessions, j, within)
				}
			})
		}
		for _, j := range jars[i*p.pageLoads : (i+1)*p.pageLoads] {
			loads <- j
		}
		close(loads)
		all.Wait()
		asked := db.counts().since(before)
		selects = append(selects, asked.selects/float64(p.pageLoads))
		updates = append(updates, asked.updates/float64(p.pageLoads))
	}
	return selects, updates
}

func loadPage(sessions *session.Manager, j jar, within time.Duration) {
	cookie := j.refreshOnly().header()
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			if within > 0 {
				time.Sleep(rand.N(within))
			}
			v := must(sessions.Authenticate(requestWith(cookie)))
			if len(v.Cookies) != 2 {
				fail(fmt.Errorf("a refresh has set %d cookies instead of 2", len(v.Cookies)))
			}
		})
	}
	all.Wait()
}
