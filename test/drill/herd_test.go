package drill

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestManyUsersRefreshAtOnce sends page loads of six parallel requests with an access
// cookie that has just expired, in many cycles. The answers reach the jar late and in any
// order, and some are lost.
func TestManyUsersRefreshAtOnce(t *testing.T) {
	parallelIfShort(t)
	const parallel = 6
	users, cycles := inFull(200, 20), inFull(30, 2)
	w := build(t, seed(t), plan{nodes: 2, ttl: accessTTL(), direct: true})
	begin := time.Now()
	var all sync.WaitGroup
	for _, j := range w.login(users) {
		all.Go(func() {
			r, expires := nodetest.Dice(w.seed, j.id), j.Who.ExpiresAt
			for range cycles {
				nodetest.SleepUntil(expires.Add(10 * time.Millisecond))
				with, ends := j.Cookies().But(nodetest.AccessCookie), make([]time.Time, parallel)
				var load sync.WaitGroup
				for k := range ends {
					late, lost := nodetest.UpTo(r, lateBy), r.Float64() < lostAnswer
					load.Go(func() {
						a := w.send(t.Context(), j, request{Request: nodetest.Me, base: w.c.Front, with: with, late: late, lost: lost})
						if who, err := a.Session(); err == nil {
							ends[k] = who.ExpiresAt
						}
					})
				}
				load.Wait()
				for _, end := range ends {
					if end.After(expires) {
						expires = end
					}
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	w.refreshAll()
	h, _ := w.judge("parallel refreshes", 0)

	confirms := map[string]int{}
	for _, e := range h.Rows {
		if e.Change == history.Confirmed {
			confirms[e.Session]++
		}
	}
	for id, n := range confirms {
		if n > cycles {
			t.Errorf("session %s: %d confirms in %d cycles", id, n, cycles)
		}
	}
	refreshes, refused := 0, 0
	for _, op := range h.Ops {
		if op.Kind == history.Refresh {
			refreshes++
			if op.Outcome != history.OK {
				refused++
			}
		}
	}
	if want := users * parallel * cycles; refreshes < want || refused > 0 {
		t.Errorf("%d refreshes, %d of them without a good answer; want %d with a good answer", refreshes, refused, want)
	}
	reuses := len(w.events()["reuse"])
	if reuses > 0 {
		t.Errorf("%d reuse events; want 0", reuses)
	}
	t.Logf("%d users, %d cycles of %d requests: %d refreshes in %v, %d without a good answer, %d reuse events",
		users, cycles, parallel, refreshes, took.Round(time.Second), refused, reuses)
	say("%d users x %d parallel requests x %d cycles: %d refreshes in %v, %d without a good answer, %d reuse events, %d confirms.",
		users, parallel, cycles, refreshes, took.Round(time.Second), refused, reuses, len(h.Rows)-users)
	w.c.NoPanics()
}

// TestAHerdComesBackAfterAnOutage lets all access cookies expire during an outage of the
// database. After it all users send a request within a second. Each uses an open
// connection, as browsers do, to one node without the balancer: otherwise the CPU time of
// the balancer and of new connections would distort the result.
func TestAHerdComesBackAfterAnOutage(t *testing.T) {
	parallelIfShort(t)
	sessions, lasting := inFull(5000, 200), inFull(30*time.Second, 3*time.Second)
	w := build(t, seed(t), plan{nodes: 2, ttl: accessTTL(), direct: true, open: 2 * time.Minute})
	w.login(sessions)
	nodetest.InParallel(sessions, sessions, func(i int) {
		j := w.surfers[i]
		j.SendWith(w.nodeOf(j), nodetest.Page("/login"), nil)
	})
	time.Sleep(accessTTL())

	meanwhile := make(chan struct{})
	w.outage(func() {
		w.server.Kill(t)
		go func() {
			defer close(meanwhile)
			nodetest.InParallel(sessions/5, 20, func(i int) { w.refresh(w.surfers[5*i]) })
		}()
	}, lasting, func() { w.server.Restart(t) })
	<-meanwhile
	back := time.Now()

	var most atomic.Int64 // the largest number of connections of the nodes
	watched, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			var n int64
			if err := w.db.QueryRow(onThis().connections).Scan(&n); err == nil {
				most.Store(max(most.Load(), n))
			}
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	var took nodetest.Durations
	var again atomic.Int64
	var all sync.WaitGroup
	for _, j := range w.surfers {
		all.Go(func() {
			r := nodetest.Dice(w.seed, j.id)
			time.Sleep(nodetest.UpTo(r, time.Second))
			for time.Since(back) < time.Minute {
				a := w.refresh(j)
				if a.Status != http.StatusServiceUnavailable {
					break
				}
				again.Add(1)
				seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
				if err != nil {
					t.Errorf("a 503 without Retry-After: %v", a)
					return
				}
				time.Sleep(time.Duration(seconds) * time.Second)
			}
			took.Add(time.Since(back))
		})
	}
	all.Wait()
	close(stop)
	<-watched

	h, _ := w.judge("herd", 0)
	r := w.measure("herd", h)
	if took.Max() > 30*time.Second {
		t.Errorf("the last session was refreshed after %v; want at most 30 s", took.Max())
	}
	// The slowest answer is reported and not judged: the requests of one second are more than
	// this machine can answer in one, and wait for a core before they wait for the database.
	if limit := int64(len(w.c.Nodes) * 2 * 16); most.Load() > limit || most.Load() == 0 {
		t.Errorf("the nodes had %d connections; the limit of their pools is %d", most.Load(), limit)
	}
	if r.unanswered > 0 || r.other > 0 || r.cookiesOn503 > 0 || r.ended > 0 {
		t.Errorf("%d requests without an answer, %d unexpected answers, %d times 503 with cookies, %d ended sessions", r.unanswered, r.other, r.cookiesOn503, r.ended)
	}
	line := "%d sessions sent a request within a second after an outage of %v: first answer after %v, all after %v, %d times 503; at most %d connections; slowest answer %v"
	args := []any{sessions, lasting, round(r.recovered), round(took.Max()), again.Load(), most.Load(), round(r.slowest)}
	t.Logf(line, args...)
	say(line+".", args...)
	w.c.NoPanics()
}

// refresh sends a request with the refresh cookie alone.
func (w *world) refresh(j *jar) nodetest.Answer {
	return w.send(w.Context(), j, request{Request: nodetest.Me, base: w.nodeOf(j), with: j.Cookies().But(nodetest.AccessCookie)})
}

func (w *world) nodeOf(j *jar) string { return w.c.Nodes[j.id%len(w.c.Nodes)].Base() }
