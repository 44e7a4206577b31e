package scaling

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// user simulates a user, who logs in and loads page after page. The user logs in
// again when the think time has exceeded the idle timeout.
func (f *fleet) user(t *testing.T, i int) {
	b := sessiontest.NewBrowser(nil)
	for loggedIn := false; !f.over.Load(); time.Sleep(f.think.time()) {
		if !loggedIn {
			v, err := f.managers[f.node(i)].Issue(request(b), session.Login{UserID: userID(i)})
			if err != nil {
				t.Errorf("login: %v", err)
				return
			}
			b.Receive(v.Cookies)
			loggedIn = true
			continue
		}
		err := f.page(b, i)
		loggedIn = err == nil
		if err != nil && !errors.Is(err, session.ErrUnauthenticated) {
			t.Errorf("page: %v", err)
			return
		}
	}
}

// request returns the next request of a browser, with its current cookies.
func request(b *sessiontest.Browser) *http.Request {
	r := b.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("User-Agent", agents[0])
	return r
}

// page sends the requests of a page and waits for all answers.
func (f *fleet) page(b *sessiontest.Browser, user int) error {
	var all sync.WaitGroup
	failed := make(chan error, f.fanOut)
	renewed := make([]atomic.Bool, f.nodes.n)
	send := func() {
		node, r := f.node(user), request(b)
		if f.fanOut > 1 {
			time.Sleep(rand.N(spread))
		}
		v, err := f.managers[node].Authenticate(r)
		if err != nil {
			failed <- err
			return
		}
		if len(v.Cookies) > 0 {
			renewed[node].Store(true)
			b.Receive(v.Cookies)
		}
	}
	for range f.fanOut - 1 {
		all.Go(send)
	}
	send()
	all.Wait()

	f.pages.Add(1)
	n := int64(0)
	for i := range renewed {
		if renewed[i].Load() {
			n++
		}
	}
	f.nodeExpiries.Add(n)
	f.expiries.Add(min(n, 1))
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (f *fleet) node(user int) int {
	if f.nodes.sticky {
		return user % f.nodes.n
	}
	return int(f.turn.Add(1)) % f.nodes.n
}

func userID(i int) string { return strconv.Itoa(i + 1) }

// loginKeepsRow is the RetainFor of a login: how long the store keeps its row.
func loginKeepsRow(t *testing.T) (keepFor time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, scenario{users: 1, nodes: nodes{n: 1}})
		if _, err := f.managers[0].Issue(request(sessiontest.NewBrowser(nil)), session.Login{UserID: userID(0)}); err != nil {
			t.Fatal(err)
		}
		keepFor = time.Duration(f.store.keepFor.Load())
	})
	return keepFor
}
