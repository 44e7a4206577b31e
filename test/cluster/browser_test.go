package cluster

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// browser is the browser of one user. It loads pages of several parallel requests.
// Each request goes to a random node, and the answers arrive in any order.
type browser struct {
	*sessiontest.Browser
	userID, sessionID string
}

func newBrowser(userID string) *browser {
	return &browser{Browser: sessiontest.NewBrowser(nil), userID: userID}
}

// request returns the next request, with the cookies that the browser has now.
func request(b *sessiontest.Browser) *http.Request { return b.NewRequest(http.MethodGet, "/", nil) }

// copyRefresh returns a browser that has a copy of the current refresh cookie, and
// no access cookie.
func (b *browser) copyRefresh() *sessiontest.Browser {
	c := b.Clone()
	c.ExpireAccess()
	return c
}

// page counts the results of the requests of one page: authenticated as the
// browser's user, not authenticated as that user, and store unavailable.
type page struct{ in, out, unavailable int }

// load loads a page of n requests.
func (b *browser) load(managers []*session.Manager, n int) (p page) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range n {
		r := request(b.Browser)
		wg.Go(func() {
			v, err := managers[rand.IntN(len(managers))].Authenticate(r)
			time.Sleep(rand.N(30 * time.Millisecond)) // network delay of the answer
			b.Receive(v.Cookies)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && v.Session().UserID == b.userID:
				p.in++
			case errors.Is(err, session.ErrUnauthenticated) || err == nil:
				p.out++
			default:
				p.unavailable++
			}
		})
	}
	wg.Wait()
	return p
}
