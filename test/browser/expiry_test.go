package browser

import (
	"fmt"
	"testing"
	"time"
)

// short are lifetimes for tests that wait for expiries. The two seconds of the access
// cookie also limit the time of an answer. The session must not end between two steps of a
// test.
var short = []string{"-tls", "-access-ttl", "2s", "-refresh-ttl", "20s"}

func TestExpiryIsNoticedByNobody(t *testing.T) {
	t.Parallel()
	t.Run("page loads cost nothing while the access cookie lasts", func(t *testing.T) {
		b := newDevice(t, startApp(t, "-tls"))
		b.allowFetch()
		b.loginAt("/devices", ada)
		first := b.session()
		for range 10 {
			for _, path := range []string{"/", "/account", "/api/session"} {
				if status := b.Open(path); status != 200 {
					b.Fatalf("the status is %d", status)
				}
			}
		}
		if last := b.session(); last.Statements != first.Statements || last.SessionID != first.SessionID {
			b.Fatalf("30 page loads made %d statements; want 0", last.Statements-first.Statements)
		}
	})

	t.Run("each expiry renews both cookies, for two statements at most", func(t *testing.T) {
		b := newDevice(t, startApp(t, short...))
		b.allowFetch()
		b.loginAt("/account", ada)
		first := b.session()
		kept, rounds := 0, 0
		const idle = 20 * time.Second
		for began := time.Now(); rounds < 10 || time.Since(began) < idle+2*time.Second; rounds++ {
			before := b.session()
			access, refresh := b.hasRefresh()
			b.untilGone(b.app.access())
			if status := b.Open("/account"); status != 200 {
				b.Fatalf("round %d: the status is %d", rounds, status)
			}
			b.isAt("/account")
			newAccess, newRefresh := b.hasRefresh()
			if access != nil && newAccess != nil && newAccess.Value == access.Value {
				b.Fatalf("round %d: the access cookie is the old one", rounds)
			}
			if newRefresh.Value == refresh.Value {
				kept++
			}
			after := b.session()
			if after.SessionID != first.SessionID || after.UserID != first.UserID {
				b.Fatalf("round %d: the session is %+v; it began as %+v", rounds, after, first)
			}
			// On a busy machine two access lifetimes, of at least 1.8 s each, may have
			// passed: then there were two expiries.
			if cost := after.Statements - before.Statements; cost < 1 || cost > 2 && after.IssuedAt.Sub(before.IssuedAt) < 3600*time.Millisecond {
				b.Fatalf("round %d: the expiry took %d statements; want 1 or 2", rounds, cost)
			}
		}
		// An answer that takes longer than a quarter of the access lifetime does not
		// change the refresh cookie. This is possible on a busy machine.
		if kept > rounds/2 {
			b.Fatalf("the refresh cookie was kept %d times in %d", kept, rounds)
		}
	})
}

func TestParallelRequestsAtExpiry(t *testing.T) {
	t.Parallel()
	t.Run("six parallel requests on two nodes are all answered, in every round", func(t *testing.T) {
		app := startApp(t, short...)
		other := app.anotherNode()
		b := newDevice(t, app)
		b.allowFetch()
		b.loginAt("/account", ada)
		first := b.session()
		const rounds = 10
		for round := range rounds {
			b.untilGone(app.access())
			// Browsers ignore the port of a cookie: they send it to both nodes, and both
			// set new ones. The page may not read the answers of the other node.
			answers := eval[[]answer](b, fmt.Sprintf(`Promise.all([1, 2, 3].flatMap(n => [
				%s,
				fetch(%q + n, {mode: 'no-cors', credentials: 'include', cache: 'no-store'}).then(() => null),
			])).then(answers => answers.filter(a => a))`, fetchSession, other.url+"/api/session?"))
			if len(answers) != 3 {
				b.Fatalf("round %d: %d answers", round, len(answers))
			}
			for i, a := range answers {
				if a.Status != 200 || a.UserID != first.UserID || a.SessionID != first.SessionID {
					b.Fatalf("round %d: the answer %d is %+v; want %+v", round, i, a, first)
				}
				if !a.IssuedAt.After(first.IssuedAt) {
					b.Fatalf("round %d: the answer %d did not come from the row", round, i)
				}
			}
			b.hasRefresh()
		}
		b.Open("/devices")
		b.isAt("/devices")
		app.sawNoReuse()
		other.sawNoReuse()
		if n := other.log.count("kind=refreshed"); n < rounds/2 {
			t.Errorf("the other node refreshed %d times in %d rounds: this test proves little", n, rounds)
		}
	})
}
