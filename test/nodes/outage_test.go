package nodes

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const (
	// A refusal comes after the 2 s that the store has, and 0.2 s of work. The
	// rest is for a machine that is busy with other tests.
	refusedWithin = 2200*time.Millisecond + 1300*time.Millisecond

	// noWait is what a refusal takes that waits for nothing, on such a machine.
	noWait = 250 * time.Millisecond

	// recoveredWithin is how long after its return the database may be unknown
	// to be back: a probe that it swallowed may be waiting for 2 s, and Run does
	// its rounds each second.
	recoveredWithin = 5 * time.Second
)

// TestTheDatabaseGoesAndComesBack stops it in both ways in which a database
// fails to answer: it refuses connections, or keeps them and falls silent.
func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	const (
		sessions = 200
		leaving  = 10 // log out during each outage
	)
	server := dbtest.Start(t)
	// Access cookies are the first node's, and shown to it: they are good for
	// minutes. Refreshes are tried on both. The second one is in a hurry: to it
	// all are old enough to be confirmed.
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
			time.Sleep(time.Second) // so long may a node answer a page load's later requests out of its memory
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
		t.Errorf("%d sessions were taken for stolen", n)
	}
	c.NoPanics()
}

// everybodyMeanwhile asks with valid access cookies, and without.
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
		a := b.SendWith(c.Nodes[i%len(c.Nodes)].Base(), nodetest.Page("/"), b.Cookies().But(nodetest.AccessCookie))
		if a.Err != nil || a.Status != http.StatusOK || len(a.Cookies) > 0 {
			t.Errorf("a public page: %v; want 200 without cookies", a)
		}
		public.Add(1)
	})
	t.Logf("valid access cookies: %d served, %v; others: %d times 503, %v; public pages: %d served", served.Load(), &valid, refused.Load(), &invalid, public.Load())
}

// nobodyWaits refuses at once, now that the outage is known.
func nobodyWaits(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser) {
	time.Sleep(refusedWithin) // for the probes
	var refused nodetest.Durations
	nodetest.InParallel(len(browsers), 4, func(i int) {
		b := browsers[i]
		a := b.SendWith(c.Nodes[i%len(c.Nodes)].Base(), nodetest.Me, b.Cookies().But(nodetest.AccessCookie))
		if a.Err != nil || a.Status != http.StatusServiceUnavailable || len(a.Cookies) > 0 || a.Took() > noWait {
			t.Errorf("in an outage that is known: %v after %v; want 503 and no cookies within %v", a, a.Took(), noWait)
		}
		refused.Add(a.Took())
	})
	t.Logf("once it is known: %d times 503, %v", len(browsers), &refused)
}

// leaveMeanwhile logs browsers out, and returns the cookies that somebody has kept.
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
		if a.Err != nil || a.Status != want || !a.Clears() || b.Cookies()[nodetest.RefreshCookie] != "" {
			t.Errorf("logout: %v; want %d and both cookies taken away", a, want)
		}
		if a.Took() > refusedWithin {
			t.Errorf("the logout took %v; want at most %v", a.Took(), refusedWithin)
		}
		// Whatever the store knows, this node lets nobody in with them.
		if a := b.SendWith(node, nodetest.Me, kept[i]); a.Status == http.StatusOK || len(a.Cookies) > 0 && !a.Clears() {
			t.Errorf("the cookies of before the logout, on the node that did it: %v", a)
		}
	})
	return kept
}

// everybodyIsStillLoggedIn refreshes every session. A 503 is an answer to be
// repeated, for a while; a login page is not.
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
				// For the next outage all need an access cookie of the first node's.
				b.Take(b.SendWith(c.Nodes[0].Base(), nodetest.Me, b.Cookies().But(nodetest.AccessCookie)))
				return
			}
			if len(a.Cookies) > 0 {
				t.Errorf("a 503 with cookies: %v", a)
			}
			retries.Add(1)
			time.Sleep(50 * time.Millisecond) // as a program that reads Retry-After, and is in a hurry
		}
	})
	t.Logf("%d sessions are back, after %v, and %d further 503s", len(browsers), &back, retries.Load())
}

// leaversAreGone waits until the store has been told of the logouts. From then
// on the cookies that were kept are good for nothing, on any node.
func leaversAreGone(t *testing.T, c *nodetest.Cluster, browsers []*nodetest.Browser, kept []nodetest.Cookies, backAt time.Time) {
	var told, heard nodetest.Durations
	for i, b := range browsers {
		var row nodetest.SessionRow
		var err error
		_, ok := nodetest.Eventually(time.Until(backAt.Add(recoveredWithin)), 20*time.Millisecond, func() bool {
			row, err = c.Row(b.Who.SessionID)
			return err == nil && row.RevokedAt.Valid
		})
		if !ok || row.Reason != "logout" {
			t.Errorf("a logout of the outage is not in the row after %v: %+v, error %v", time.Since(backAt), row, err)
			continue
		}
		told.Add(time.Since(backAt))
		for k, n := range c.Nodes {
			if a := b.SendWith(n.Base(), nodetest.Me, kept[i].But(nodetest.AccessCookie)); !a.Refused() {
				t.Errorf("a refresh cookie of before the logout, on node %d: %v", k, a)
			}
			if _, ok := nodetest.Eventually(time.Until(backAt.Add(recoveredWithin)), 50*time.Millisecond, func() bool {
				return b.SendWith(n.Base(), nodetest.Me, kept[i]).Refused()
			}); !ok {
				t.Errorf("an access cookie of before the logout is still believed by node %d", k)
			}
			if k > 0 {
				heard.Add(time.Since(backAt))
			}
		}
	}
	t.Logf("%d logouts of the outage: the store knew after its return in %v; the other node in %v", len(browsers), &told, &heard)
}
