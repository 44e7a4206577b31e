package cluster

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// browser is somebody who surfs: pages of some requests at once, each to any of
// the app's nodes, whose answers come in any order.
type browser struct {
	userID, sessionID string

	mu      sync.Mutex
	cookies map[string]cookie
}

type cookie struct {
	*http.Cookie
	until time.Time
}

// request is the browser's next, with the cookies that it has now.
func (b *browser) request() *http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return request(b.cookies)
}

func request(cookies map[string]cookie) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, c := range cookies {
		if time.Now().Before(c.until) {
			r.AddCookie(c.Cookie)
		}
	}
	return r
}

// keep does what an answer's cookies say. The last to arrive stays.
func (b *browser) keep(v session.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range v.Cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = cookie{c, time.Now().Add(time.Duration(c.MaxAge) * time.Second)}
		}
	}
}

// stolen is a copy of the refresh cookie as it is now.
func (b *browser) stolen() map[string]cookie {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := maps.Clone(b.cookies)
	maps.DeleteFunc(c, func(name string, _ cookie) bool { return !strings.HasSuffix(name, "refresh") })
	return c
}

// page is what the requests of one page came to.
type page struct{ in, out, trouble int }

// load loads a page of n requests.
func (b *browser) load(managers []*session.Manager, n int) (p page) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range n {
		r := b.request()
		wg.Go(func() {
			v, err := managers[rand.IntN(len(managers))].Authenticate(r)
			time.Sleep(rand.N(30 * time.Millisecond)) // the answer's way
			b.keep(v)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && v.Session().UserID == b.userID:
				p.in++
			case errors.Is(err, session.ErrUnauthenticated) || err == nil:
				p.out++
			default:
				p.trouble++
			}
		})
	}
	wg.Wait()
	return p
}
