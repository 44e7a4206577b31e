package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/test/drill/history"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const (
	lateBy     = 50 * time.Millisecond // at most, on the answer's way to the jar
	lostAnswer = 0.025
	lostAccess = 0.2 // page loads without the access cookie, as of a browser that keeps too many
	hoarded    = 0.1 // page loads with an access cookie that may be past its end
)

// surf begins a load: so many browsers, that load a page on average so often,
// which makes up to so many requests at once. It goes on until stopLoad.
func (w *world) surf(browsers int, every time.Duration, atOnce int) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	var all sync.WaitGroup
	w.join = func(j *jar) { all.Go(func() { w.surfer(ctx, j, every, atOnce) }) }
	for _, j := range w.login(browsers) {
		w.join(j)
	}
	all.Go(func() { w.oversleep(ctx) })
	w.stopLoad = func() {
		cancel()
		all.Wait()
	}
	w.Cleanup(w.stopLoad) // before the nodes go, if the test does not get so far
}

// oversleep measures how late this machine is, whatever the nodes do.
func (w *world) oversleep(ctx context.Context) {
	const nap = 10 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		time.Sleep(nap)
		w.noise.Store(max(w.noise.Load(), int64(time.Since(begin)-nap)))
	}
}

// login makes browsers with a session each, of a user each.
func (w *world) login(n int) []*jar {
	w.Helper()
	return w.loginAs(w.c.AddUsers(n, fmt.Sprintf("surfer-%d", len(w.surfers)), "[]"))
}

func (w *world) loginAs(users []nodetest.User) []*jar {
	w.Helper()
	began, first := time.Now(), len(w.surfers)
	for i, b := range w.c.LoginAll(users, w.c.Front) {
		w.surfers = append(w.surfers, w.known(b, users[i], began))
	}
	return w.surfers[first:]
}

// known takes a browser that has just logged in into the history.
func (w *world) known(b *nodetest.Browser, u nodetest.User, began time.Time) *jar {
	j := w.newJar(b, u)
	w.add(history.Op{Jar: j.id, Kind: history.Login, User: b.Who.UserID, Session: b.Who.SessionID, Began: began, Ended: time.Now(),
		Outcome: history.OK, Cookies: true, Renewed: true}, nodetest.Answer{})
	return j
}

func (w *world) surfer(ctx context.Context, j *jar, every time.Duration, atOnce int) {
	r := nodetest.Dice(w.seed, j.id)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(nodetest.UpTo(r, 2*every)):
			w.page(j, r, 1+r.IntN(atOnce))
		}
	}
}

// page is one page load. Its requests carry the cookies of the moment that each
// starts at; the answers come late, in any order, and now and then not at all.
func (w *world) page(j *jar, r *rand.Rand, requests int) {
	var all sync.WaitGroup
	mood := r.Float64()
	for range requests {
		start, late, lost := nodetest.UpTo(r, lateBy), nodetest.UpTo(r, lateBy), r.Float64() < lostAnswer
		all.Go(func() {
			time.Sleep(start) // a page's parts are found one after the other
			w.send(w.Context(), j, request{Request: nodetest.Me, base: w.c.Front, with: j.sends(mood), late: late, lost: lost})
		})
	}
	all.Wait()
}

// sends is the cookies that a page load is sent with.
func (j *jar) sends(mood float64) nodetest.Cookies {
	with := j.held
	if with == nil {
		with = j.Cookies()
	}
	switch {
	case mood < lostAccess:
		return with.But(nodetest.AccessCookie)
	case mood < lostAccess+hoarded && j.held == nil:
		return j.Hoard()
	}
	return with
}
