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
	lateBy     = 50 * time.Millisecond // the longest delay of an answer
	lostAnswer = 0.025
	lostAccess = 0.2 // part of the page loads without the access cookie, as if the browser had removed it
	hoarded    = 0.1 // part of the page loads with an access cookie that may have expired
)

// surf starts the load: every is the mean time between two page loads of a browser, and
// atOnce the largest number of parallel requests of a page. stopLoad ends the load.
func (w *world) surf(browsers int, every time.Duration, atOnce int) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	var all sync.WaitGroup
	w.join = func(j *jar) { all.Go(func() { w.surfer(ctx, j, every, atOnce) }) }
	for _, j := range w.login(browsers) {
		w.join(j)
	}
	all.Go(func() { w.measureNoise(ctx) })
	w.stopLoad = func() {
		cancel()
		all.Wait()
	}
	w.Cleanup(w.stopLoad) // before the nodes stop, if the test ends early
}

// measureNoise measures how late this machine wakes a sleeping goroutine.
func (w *world) measureNoise(ctx context.Context) {
	const nap = 10 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		time.Sleep(nap)
		w.noise.Store(max(w.noise.Load(), int64(time.Since(begin)-nap)))
	}
}

// login returns n browsers, each with a session of a new user.
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

// known adds a browser that has just logged in to the history.
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

// page is one page load. Each request has the cookies that the browser has at its start.
// The answers arrive late and in any order, and some are lost.
func (w *world) page(j *jar, r *rand.Rand, requests int) {
	var all sync.WaitGroup
	draw := r.Float64()
	for range requests {
		start, late, lost := nodetest.UpTo(r, lateBy), nodetest.UpTo(r, lateBy), r.Float64() < lostAnswer
		all.Go(func() {
			time.Sleep(start) // the browser finds the parts of a page one after the other
			w.send(w.Context(), j, request{Request: nodetest.Me, base: w.c.Front, with: j.sends(draw), late: late, lost: lost})
		})
	}
	all.Wait()
}

// sends returns the cookies of a page load. draw is a random number from 0 to 1.
func (j *jar) sends(draw float64) nodetest.Cookies {
	with := j.held
	if with == nil {
		with = j.Cookies()
	}
	switch {
	case draw < lostAccess:
		return with.But(nodetest.AccessCookie)
	case draw < lostAccess+hoarded && j.held == nil:
		return j.Hoard()
	}
	return with
}
