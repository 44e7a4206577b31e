package scaling

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// user logs in and loads page after page. Who has thought for longer than the
// idle timeout logs in again.
func (f *fleet) user(t *testing.T, i int) {
	b := &browser{jar: map[string]kept{}}
	for loggedIn := false; !f.over.Load(); time.Sleep(f.think.time()) {
		if !loggedIn {
			v, err := f.managers[f.node(i)].Issue(b.request(), session.Login{UserID: userID(i)})
			if err != nil {
				t.Errorf("login: %v", err)
				return
			}
			b.receive(v)
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

// page sends the requests of a page and waits for all answers.
func (f *fleet) page(b *browser, user int) error {
	var all sync.WaitGroup
	failed := make(chan error, f.fanOut)
	renewed := make([]atomic.Bool, f.nodes.n)
	send := func() {
		node, r := f.node(user), b.request()
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
			b.receive(v)
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

// loginKeepsRow is how long a login asks the store to keep its row.
func loginKeepsRow(t *testing.T) (keepFor time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, scenario{users: 1, nodes: nodes{n: 1}})
		if _, err := f.managers[0].Issue((&browser{}).request(), session.Login{UserID: userID(0)}); err != nil {
			t.Fatal(err)
		}
		keepFor = time.Duration(f.store.keepFor.Load())
	})
	return keepFor
}
