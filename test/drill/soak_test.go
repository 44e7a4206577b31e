package drill

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestSoak runs the load for the time of -soak, with a fault every two minutes: it kills a
// node, or loses answers of the database. Meanwhile users log in and out, so that rows end
// and are removed. It checks that memory and the number of rows do not grow.
func TestSoak(t *testing.T) {
	const (
		users     = 200
		idle      = 30 * time.Second
		everySome = 2 * time.Minute
		warmUp    = 10 * time.Minute // until the caches of a node have their final size
	)
	// A row is kept for two idle timeouts after its last confirmation, and some slack.
	rowLives := 2*idle + accessTTL() + time.Minute
	parallelIfShort(t)
	lasting := *soaking
	if lasting == 0 {
		lasting = 6 * time.Second // a short run, to see that the test itself works
	}
	w := build(t, seed(t), plan{nodes: 2, ttl: accessTTL(), flags: []string{"-refresh-ttl", idle.String()}})
	w.idle = idle
	surfers := inSoak(users, 20)
	w.surf(surfers, 2*time.Second, 4)
	guests := w.c.AddUsers(50, "guest", "[]")
	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()

	var samples [][]usage
	var rows []int
	var logins int
	var all sync.WaitGroup
	all.Go(func() { // watch
		for tick := time.Tick(max(time.Second, lasting/180)); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				var n int
				if err := w.db.QueryRow("SELECT COUNT(*) FROM sessions").Scan(&n); err != nil {
					t.Error(err)
				}
				rows = append(rows, n)
				samples = append(samples, w.usage()[1:]) // the first node is restarted too often
			}
		}
	})
	all.Go(func() { // logins and logouts
		for i := 0; ctx.Err() == nil; i++ {
			time.Sleep(time.Second)
			began := time.Now()
			b, err := w.c.Login(w.c.Front, guests[i%len(guests)])
			if err != nil {
				continue // a node has just been killed
			}
			one := w.known(b, guests[i%len(guests)], began)
			logins++
			w.send(t.Context(), one, request{Request: nodetest.Me, base: w.c.Front, with: one.Cookies()})
			w.send(t.Context(), one, request{kind: history.Logout, Request: nodetest.Submit("/logout"), base: w.c.Front, with: one.Cookies()})
		}
	})
	faults := 0
	for tick := time.Tick(min(everySome, lasting/2)); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			continue
		case <-tick:
		}
		if faults++; faults%2 == 1 {
			w.c.Nodes[0].Kill(t)
			time.Sleep(time.Second)
			w.c.Nodes[0].Start(t)
			continue
		}
		w.breaks(func(r *rand.Rand, _ []byte, statement bool) nodetest.Cut {
			if !statement && r.Float64() < 0.03 {
				return nodetest.CutBefore
			}
			return nodetest.NoCut
		})
		time.Sleep(min(20*time.Second, lasting/4))
		w.breaks(nil)
	}
	all.Wait()
	w.stopLoad()
	w.refreshAll()
	w.awaitLogouts()
	h, _ := w.judge("soak", 0)
	r := w.measure("soak", h)
	r.targets(t, scenario{breaksOff: true, served: inSoak(0.995, 0)})

	fifth := max(1, len(samples)/5)
	memory := func(some [][]usage) int {
		var all []int
		for _, s := range some {
			all = append(all, s[0].memory)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	// Compares the last fifth with the third fifth, which begins after the warm-up.
	from := len(samples) * 2 / 5
	early, late := memory(samples[from:from+fifth]), memory(samples[len(samples)-fifth:])
	growth := float64(late-early) / float64(early)
	if lasting >= warmUp*5/2 && growth > 0.05 {
		t.Errorf("a node's memory has grown by %.1f %%; want at most 5 %%", 100*growth)
	}
	// There is one login a second. Its row is kept for rowLives, and rows are removed once a
	// minute.
	if most, limit := slices.Max(rows), surfers+int((rowLives+2*time.Minute)/time.Second); most > limit {
		t.Errorf("there were %d rows; want at most %d", most, limit)
	}
	last := samples[len(samples)-1][0]
	line := "%v with %d users, %d faults, %d more logins and logouts: %d requests, %d ok, %d times 503, %d without an answer, %d false logouts, %d unexplained ends; " +
		"memory %.1f MB early, %.1f MB late (%+.1f %%), at the end %v; at most %d rows, %d at the end"
	args := []any{lasting, surfers, faults, logins, r.requests, r.ok, r.unavailable, r.unanswered, r.falseLogouts, r.unexplained,
		float64(early) / 1024, float64(late) / 1024, 100 * growth, last, slices.Max(rows), rows[len(rows)-1]}
	t.Logf(line, args...)
	say(line+".", args...)
	w.c.NoPanics()

	// After the load only goroutines of the server and of idle connections remain.
	n := w.c.Nodes[1].Goroutines(t)
	if n == 0 || n > 500 {
		t.Errorf("a node had %d goroutines at the end; want 1 to 500", n)
	}
	say("At the end the node that was never killed had %d goroutines.", n)
}

// inSoak returns long in a run with -soak, and short otherwise.
func inSoak[T any](long, short T) T {
	if *soaking > 0 {
		return long
	}
	return short
}
