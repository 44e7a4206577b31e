package thieves

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const (
	honestSessions = 50 // of each of four kinds
	maxTransit     = time.Second
)

// TestHonestBrowser_IsNeverTakenForAThief is guarantee 3, in the bounds that it has.
// No answer is ever a login page, and no event tells of a theft.
func TestHonestBrowser_IsNeverTakenForAThief(t *testing.T) {
	seed := nodetest.NewSeed(t)
	for _, kind := range []struct {
		name  string
		day   func(h *honest)
		clock func(w *world, r *rand.Rand) // what happens to the database's clock; nil: nothing
	}{
		{"loses answers", losesAnswers, nil},
		{"gets answers late", getsAnswersLate, nil},
		{"sleeps", sleeps, nil},
		{"while the clock of the database jumps", losesFewAnswers, jumps},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			inWorld(t, honestSessions, func(w *world) {
				var total honestTotal
				var jumping sync.WaitGroup
				if kind.clock != nil {
					jumping.Go(func() { kind.clock(w, nodetest.Dice(seed, honestSessions)) })
				}
				loggedOut := w.inParallel(honestSessions, seed, func(r *rand.Rand, user int) error {
					h := &honest{w: w, r: r, total: &total, b: sessiontest.NewBrowser(nil), remember: r.IntN(2) == 0}
					return h.run(user, kind.day)
				})
				jumping.Wait()
				for _, event := range []session.EventKind{session.EventReuse, session.EventEnded, session.EventStoreError} {
					if n := w.allEventsOf(event); n > 0 {
						t.Errorf("%d events of the kind %s; want none", n, event)
					}
				}
				t.Logf("%d sessions, %d logged out: %v; %d served as in flight; %d statements", honestSessions, loggedOut, &total, w.allEventsOf(session.EventGrace), w.statements.Load())
			})
			t.Logf("took %v", time.Since(begin).Round(100*time.Millisecond))
		})
	}
}

// honest is a browser with some tabs, whose pages make several requests at once.
type honest struct {
	w        *world
	r        *rand.Rand
	total    *honestTotal
	b        *sessiontest.Browser
	session  string
	remember bool
	underWay sync.WaitGroup // answers that the page load did not wait for

	mu    sync.Mutex // guards fault
	fault error      // the first
}

type honestTotal struct{ loads, refreshed, lost, late atomic.Int64 }

func (n *honestTotal) String() string {
	return fmt.Sprintf("%d page loads, %d requests refreshed, %d of their answers lost, %d late",
		n.loads.Load(), n.refreshed.Load(), n.lost.Load(), n.late.Load())
}

// run logs in, spends a day, and reads a page once more when all answers have arrived.
func (h *honest) run(user int, day func(*honest)) (err error) {
	if h.session, err = h.w.login(h.w.nodes[h.r.IntN(2)], h.b, user, h.remember); err != nil {
		return err
	}
	day(h)
	h.underWay.Wait()
	time.Sleep(accessTTL)
	h.load(1, onTime)
	return h.fault
}

// fate is what happens to an answer on its way.
type fate struct {
	lost bool
	late time.Duration // beyond the transit; zero: it is on time
}

func onTime(int) fate { return fate{} }

// load loads a page with some requests, which start within a moment, each with the
// cookies of its moment, at either node. It waits for all answers that are not late.
func (h *honest) load(requests int, fateOf func(i int) fate) {
	h.total.loads.Add(1)
	var loading sync.WaitGroup
	for i := range requests {
		start, there, back := nodetest.UpTo(h.r, maxTransit), nodetest.UpTo(h.r, maxTransit), nodetest.UpTo(h.r, maxTransit)
		n, f := h.w.nodes[h.r.IntN(len(h.w.nodes))], fateOf(i)
		wait := &loading
		if f.late > 0 {
			wait = &h.underWay
		}
		wait.Go(func() {
			time.Sleep(start)
			r := page(h.b)
			time.Sleep(there)
			a := h.w.send(n, r)
			// docs/security.md, "What is not promised": an answer that is lost while there are
			// siblings from before the clock was set forward.
			if h.w.clock.wasSetForward(3 * maxTransit) {
				f.lost = false
			}
			h.judge(a, f)
			time.Sleep(back + f.late)
			if !f.lost {
				h.b.Receive(a.cookies)
			}
		})
	}
	loading.Wait()
}

// judge counts an answer, which must be the page.
func (h *honest) judge(a answer, f fate) {
	if !a.servedTo(h.session) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.fault == nil {
			h.fault = fmt.Errorf("a request at %v gets %v", time.Now().Format(time.DateTime), a)
		}
		return
	}
	if !a.refreshed() {
		return
	}
	h.total.refreshed.Add(1)
	switch {
	case f.lost:
		h.total.lost.Add(1)
	case f.late > 0:
		h.total.late.Add(1)
	}
}

// pause is the time between two page loads: seconds to minutes.
func (h *honest) pause() {
	most := 30 * time.Second
	if h.r.IntN(2) == 0 {
		most = 2 * accessTTL
	}
	time.Sleep(maxTransit + nodetest.UpTo(h.r, most))
}

// losesAnswers loses every fifth answer, at times all of a page, and now and then the
// access cookie.
func losesAnswers(h *honest) { h.losing(0.2, 0.1) }

func losesFewAnswers(h *honest) { h.losing(0.05, 0) }

func (h *honest) losing(part, access float64) {
	for range 40 {
		h.pause()
		if h.r.Float64() < access {
			h.b.ExpireAccess()
		}
		offline := h.r.Float64() < part
		h.load(1+h.r.IntN(5), func(int) fate { return fate{lost: offline || h.r.Float64() < part} })
	}
}

// getsAnswersLate gets an answer up to 5 minutes late, one after the other.
func getsAnswersLate(h *honest) {
	var until time.Time // when the last late answer has arrived
	for range 40 {
		h.pause()
		requests, late := 1+h.r.IntN(4), -1
		if time.Now().After(until) && h.r.IntN(2) == 0 {
			late = h.r.IntN(requests)
		}
		h.load(requests, func(i int) (f fate) {
			if i == late {
				f.late = nodetest.UpTo(h.r, 5*time.Minute)
				until = time.Now().Add(3*maxTransit + f.late)
			}
			return f
		})
	}
}

// sleeps is a laptop that is closed while an answer is on the wire. It wakes after
// minutes, or days with Remember. Another tab presents the refresh cookie again, and
// the old answer arrives last, or in between.
func sleeps(h *honest) {
	for range 12 {
		for range 1 + h.r.IntN(3) {
			h.pause()
			h.load(1+h.r.IntN(4), onTime)
		}
		time.Sleep(accessTTL)
		asleep := accessTTL/2 + nodetest.UpTo(h.r, idleTimeout/2)
		if h.remember {
			asleep = time.Hour + nodetest.UpTo(h.r, 3*24*time.Hour)
		}
		h.load(1, func(int) fate { return fate{late: asleep} })
		time.Sleep(asleep - nodetest.UpTo(h.r, 2*maxTransit))
		h.load(1+h.r.IntN(3), onTime)
		h.underWay.Wait()
	}
}

// jumps sets the database's clock back by minutes, and forward again, some times.
func jumps(w *world, r *rand.Rand) {
	for range 8 {
		time.Sleep(5*time.Minute + nodetest.UpTo(r, 10*time.Minute))
		back := time.Minute + nodetest.UpTo(r, 4*time.Minute)
		w.clock.move(-back)
		time.Sleep(nodetest.UpTo(r, 10*time.Minute))
		w.clock.move(back)
	}
}
