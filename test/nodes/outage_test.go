package nodes

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const (
	// The Manager waits 2 s for the store, and the request takes 0.2 s. The rest is for a
	// busy machine.
	refusedWithin = 2200*time.Millisecond + 1300*time.Millisecond

	// noWait is the longest time of a refusal that does not wait for the store, on a busy
	// machine.
	noWait = 250 * time.Millisecond

	// recoveredWithin is the longest time until a node knows that the database is back:
	// a probe may still wait for 2 s, and Run polls once a second.
	recoveredWithin = 5 * time.Second
)

// TestTheDatabaseGoesAndComesBack stops the database in two ways: it refuses connections,
// or it keeps them and does not answer.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	const (
		sessions = 200
		leaving  = 10 // log out during each outage
	)
	server := nodetest.StartServer(t)
	// The first node issues the access cookies and receives them: they are valid for
	// minutes. Refreshes go to both nodes. For the second node, with its short access
	// lifetime, every ticket is old enough to be confirmed.
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   server.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 2 * time.Second},
	})
	browsers := c.LoginAll(c.AddUsers(sessions, "guest", "[]"), c.Nodes[0].Base())

	for _, outage := range []struct {
		name     string
		down, up func(testing.TB)
	}{
		{name: "refused", down: server.Kill, up: server.Restart},
		{name: "silent", down: server.Freeze, up: server.Thaw},
	} {
		t.Run(outage.name, func(t *testing.T) {
			gone, staying := browsers[:leaving], browsers[leaving:]
			browsers = staying
			time.Sleep(time.Second) // until no outcome cache holds an entry
			outage.down(t)
			begin := time.Now()
			everybodyMeanwhile(t, c, staying)
			nobodyWaits(t, c, staying)
			stolen := leaveMeanwhile(t, c, gone)
			t.Logf("down for %v", time.Since(begin).Round(100*time.Millisecond))
			outage.up(t)
			backAt := time.Now()
			everybodyIsStillLoggedIn(t, c, staying, backAt)
			leaversAreGone(t, c, gone, stolen, backAt)
		})
	}
	if n := nodetest.Total(c.Events("reuse")); n > 0 {
		t.Errorf("%d reuse events; want 0", n)
	}
	c.NoPanics()
}

// everybodyMeanwhile sends requests during the outage, with valid access cookies and without.
func everybodyMeanwhile(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser) {
	var served, refused, public atomic.Int64
	var valid, invalid nodetest.Durations
	nodetest.InParallel(len(browsers), len(browsers), func(i int) {
		b, base := browsers[i], c.Nodes[i/2%len(c.Nodes)].Base()
		if i%2 == 0 {
			a := b.Visit(c.Nodes[0].Base(), nodetest.Me)
			if err := a.Is(b.Who); err != nil {
				t.Errorf("with a valid access cookie: %v", err)
				return
			}
			served.Add(1)
			valid.Add(a.Took())
			return
		}
		r := nodetest.Me
		if i%4 == 1 {
			r = nodetest.Page("/devices")
		}
		a := b.SendWith(base, r, b.Cookies().But(nodetest.AccessCookie))
		if a.Err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || len(a.Cookies) > 0 {
			t.Errorf("without an access cookie: %v, Retry-After %q; want 503, a Retry-After, and no cookies", a, a.Header.Get("Retry-After"))
			return
		}
		if a.Took() > refusedWithin {
			t.Errorf("the 503 took %v; want at most %v", a.Took(), refusedWithin)
		}
		refused.Add(1)
		invalid.Add(a.Took())
	})
	nodetest.InParallel(4, 4, func(i int) {
		b := browsers[i]
		a := b.SendWith(c.Nodes[i%len(c.Nodes)].Base(), nodetest.Page("/login"), b.Cookies().But(nodetest.AccessCookie))
		if a.Err != nil || a.Status != http.StatusOK || len(a.Cookies) > 0 {
			t.Errorf("a public page: %v; want 200 without cookies", a)
		}
		public.Add(1)
	})
	t.Logf("valid access cookies: %d served, %v; others: %d times 503, %v; public pages: %d served", served.Load(), &valid, refused.Load(), &invalid, public.Load())
}

// nobodyWaits checks that a known outage is answered without a wait.
func nobodyWaits(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser) {
	time.Sleep(refusedWithin) // until the first probes have failed
	var refused nodetest.Durations
	nodetest.InParallel(len(browsers), 4, func(i int) {
		b := browsers[i]
		a := b.SendWith(c.Nodes[i%len(c.Nodes)].Base(), nodetest.Me, b.Cookies().But(nodetest.AccessCookie))
		if a.Err != nil || a.Status != http.StatusServiceUnavailable || len(a.Cookies) > 0 || a.Took() > noWait {
			t.Errorf("in a known outage: %v after %v; want 503 and no cookies within %v", a, a.Took(), noWait)
		}
		refused.Add(a.Took())
	})
	t.Logf("in a known outage: %d times 503, %v", len(browsers), &refused)
}

// leaveMeanwhile logs browsers out during the outage, and returns copies of their cookies.
func leaveMeanwhile(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser) []nodetest.Cookies {
	kept := make([]nodetest.Cookies, len(browsers))
	node := c.Nodes[0].Base()
	nodetest.InParallel(len(browsers), len(browsers), func(i int) {
		b := browsers[i]
		kept[i] = b.Cookies()
		r, want := nodetest.Submit("/logout"), http.StatusSeeOther
		if i%2 == 1 {
			r.Page, want = false, http.StatusNoContent
		}
		a := b.Visit(node, r)
		if a.Err != nil || a.Status != want || !a.Clears() || len(b.CopyOf("", nodetest.RefreshCookies...).Cookies()) > 0 {
			t.Errorf("logout: %v; want %d and all cookies removed", a, want)
		}
		if a.Took() > refusedWithin {
			t.Errorf("the logout took %v; want at most %v", a.Took(), refusedWithin)
		}
		// This node refuses the old cookies, although the store does not know of the logout.
		if a := b.SendWith(node, nodetest.Me, kept[i]); a.Status == http.StatusOK || len(a.Cookies) > 0 {
			t.Errorf("the cookies from before the logout, on its node: %v", a)
		}
	})
	return kept
}

// everybodyIsStillLoggedIn refreshes every session. It repeats a request that is answered
// with 503, for recoveredWithin. A redirect to the login page is a failure.
func everybodyIsStillLoggedIn(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser, backAt time.Time) {
	var retries atomic.Int64
	var back nodetest.Durations
	nodetest.InParallel(len(browsers), 50, func(i int) {
		b, base := browsers[i], c.Nodes[i%len(c.Nodes)].Base()
		for {
			a := b.SendWith(base, nodetest.Me, b.Cookies().But(nodetest.AccessCookie))
			if a.Status != http.StatusServiceUnavailable || time.Since(backAt) > recoveredWithin {
				if err := a.Is(b.Who); err != nil {
					t.Errorf("session %d after the database's return: %v", i, err)
				}
				if a.Cookie(nodetest.AccessCookie) == "" {
					t.Errorf("session %d after the database's return has no new access cookie: %v", i, a)
				}
				b.Take(a)
				back.Add(time.Since(backAt))
				// The next outage needs an access cookie of the first node.
				b.Take(b.SendWith(c.Nodes[0].Base(), nodetest.Me, b.Cookies().But(nodetest.AccessCookie)))
				return
			}
			if len(a.Cookies) > 0 {
				t.Errorf("a 503 with cookies: %v", a)
			}
			retries.Add(1)
			time.Sleep(50 * time.Millisecond) // sooner than Retry-After says
		}
	})
	t.Logf("%d sessions were refreshed after %v; %d more times 503", len(browsers), &back, retries.Load())
}

// leaversAreGone waits until the logouts are in the store. After that every node refuses
// the copies of the cookies.
func leaversAreGone(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser, kept []nodetest.Cookies, backAt time.Time) {
	var written, propagated nodetest.Durations
	for i, b := range browsers {
		var row nodetest.SessionRow
		var err error
		_, ok := nodetest.Eventually(time.Until(backAt.Add(recoveredWithin)), 20*time.Millisecond, func() bool {
			row, err = c.Row(b.Who.SessionID)
			return err == nil && row.RevokedAt.Valid
		})
		if !ok || row.Reason != "logout" {
			t.Errorf("a logout during the outage is not in the row after %v: %+v, error %v", time.Since(backAt), row, err)
			continue
		}
		written.Add(time.Since(backAt))
		for k, n := range c.Nodes {
			if a := b.SendWith(n.Base(), nodetest.Me, kept[i].But(nodetest.AccessCookie)); !a.Refused() {
				t.Errorf("a refresh cookie from before the logout, on node %d: %v", k, a)
			}
			if _, ok := nodetest.Eventually(time.Until(backAt.Add(recoveredWithin)), 50*time.Millisecond, func() bool {
				return b.SendWith(n.Base(), nodetest.Me, kept[i]).Refused()
			}); !ok {
				t.Errorf("node %d still accepts an access cookie from before the logout", k)
			}
			if k > 0 {
				propagated.Add(time.Since(backAt))
			}
		}
	}
	t.Logf("%d logouts during the outage: after the return in the store within %v, on the other node within %v", len(browsers), &written, &propagated)
}
