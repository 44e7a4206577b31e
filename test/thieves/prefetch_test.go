package thieves

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// purposes are the headers by which browsers and libraries mark a prefetch.
var purposes = [][2]string{
	{"Sec-Purpose", "prefetch"},
	{"Sec-Purpose", "prefetch;prerender"},
	{"Sec-Purpose", "prefetch;anonymous-client-ip"},
	{"X-Sec-Purpose", "prefetch"},
	{"Purpose", "prefetch"},
	{"Purpose", "preview"},
	{"X-Purpose", "preview"},
}

// TestThief_GetsNothingByPrefetches is the thief who marks every request as a prefetch.
// He has what the copied access cookie gives, for as long as it lives: pages, but no
// cookie and no statement. Then he has nothing. The victim notices nothing of him.
func TestThief_GetsNothingByPrefetches(t *testing.T) {
	seed := nodetest.NewSeed(t)
	begin := time.Now()
	var of prefetches
	inWorld(t, thefts, func(w *world) {
		failed := w.inParallel(thefts, seed, func(r *rand.Rand, user int) error { return of.run(w, r, user) })
		if n := w.allEventsOf(session.EventReuse) + w.allEventsOf(session.EventEnded); n != 0 {
			w.Errorf("%d events of reuse or of an ended session; want none", n)
		}
		t.Logf("%d thefts by prefetches: %d without a page, a cookie or a statement after the access cookie's life", thefts, thefts-failed)
	})
	t.Logf("%d pages within the access cookie's life, %d answers and 0 statements after it, up to %.0f days; %d visits of the victims, all served; took %v",
		of.pages.Load(), of.refused.Load(), of.spans.Max().Hours()/24, of.visits.Load(), time.Since(begin).Round(100*time.Millisecond))
}

type prefetches struct {
	pages, refused, visits atomic.Int64
	spans                  nodetest.Durations // from the copy to the last request
}

// run is one theft: of a session that is half an hour old at most, or of one with
// Remember, for days. The thief keeps what he gets.
func (of *prefetches) run(w *world, r *rand.Rand, user int) error {
	node := func() *node { return w.nodes[r.IntN(len(w.nodes))] }
	unit, remember := accessTTL, r.IntN(2) == 0
	if remember {
		unit = nodetest.UpTo(r, 24*time.Hour)
	}
	victim := sessiontest.NewBrowser(nil)
	id, err := w.login(node(), victim, user, remember)
	if err != nil {
		return err
	}
	visit := func() error {
		a := w.send(node(), page(victim))
		if !a.servedTo(id) {
			return fmt.Errorf("the victim gets %v", a)
		}
		victim.Receive(a.cookies)
		of.visits.Add(1)
		return nil
	}
	for range r.IntN(3) {
		time.Sleep(accessTTL + nodetest.UpTo(r, 2*accessTTL))
		if err := visit(); err != nil {
			return err
		}
	}
	copied := time.Now()
	thief := victim.Clone()
	if r.IntN(2) == 0 {
		thief = victim.CloneIgnoringExpiry()
	}

	// The thief comes some times in the access cookie's life, and then for as long as
	// the copied refresh cookie would be good. Now and then the victim comes.
	pauses := make([]time.Duration, 4+r.IntN(16))
	for i := range pauses {
		pauses[i] = nodetest.UpTo(r, unit)
		if i < 3 {
			pauses[i] = nodetest.UpTo(r, accessTTL/4)
		}
	}
	for _, pause := range pauses {
		time.Sleep(pause)
		if r.IntN(3) == 0 {
			if err := visit(); err != nil {
				return err
			}
		}
		if err := of.prefetch(w, r, thief, id, time.Since(copied)); err != nil {
			return fmt.Errorf("%v after the copy: %w", time.Since(copied), err)
		}
	}
	of.spans.Add(time.Since(copied))
	return visit()
}

// prefetch lets the thief make one to three requests at once, on both nodes.
func (of *prefetches) prefetch(w *world, r *rand.Rand, thief *sessiontest.Browser, id string, age time.Duration) error {
	answers := make([]answer, 1+r.IntN(3))
	var all sync.WaitGroup
	for i := range answers {
		n, request, purpose := w.nodes[r.IntN(len(w.nodes))], page(thief), purposes[r.IntN(len(purposes))]
		request.Header.Set(purpose[0], purpose[1])
		all.Go(func() { answers[i] = w.send(n, request) })
	}
	all.Wait()
	for _, a := range answers {
		thief.Receive(a.cookies)
		switch {
		case len(a.cookies) > 0 || a.statements > 0:
			return fmt.Errorf("a prefetch gets %v", a)
		case a.servedTo(id) && age < accessTTL:
			of.pages.Add(1)
		case a.status != http.StatusServiceUnavailable || a.header.Get("Cache-Control") != "no-store":
			return fmt.Errorf("a prefetch without a good access cookie gets %v, %q; want an error that is not kept", a, a.header)
		case age < accessTTL*9/10:
			return fmt.Errorf("a prefetch with a good access cookie gets %v", a)
		default:
			of.refused.Add(1)
		}
	}
	return nil
}
