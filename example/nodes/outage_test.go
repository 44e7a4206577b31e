package nodes

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
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
	server := mysqltest.Start(t)
	// Access cookies are the first node's, and shown to it: they are good for
	// minutes. Refreshes are tried on both. The second one is in a hurry: to it
	// all are old enough to be confirmed.
	c := newCluster(t, setup{
		dsn:   server.Database(t),
		nodes: []time.Duration{5 * time.Minute, 2 * time.Second},
	})
	browsers := c.loginAll(c.addUsers(sessions, "guest", "[]"), c.nodes[0].base())

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
			stolen := c.leaveMeanwhile(t, gone)
			t.Logf("down for %v", time.Since(begin).Round(100*time.Millisecond))
			outage.up(t)
			backAt := time.Now()
			everybodyIsStillLoggedIn(t, c, staying, backAt)
			c.leaversAreGone(t, gone, stolen, backAt)
		})
	}
	if n := total(c.events("reuse")); n > 0 {
		t.Errorf("%d sessions were taken for stolen", n)
	}
	c.noPanics()
}

// everybodyMeanwhile asks with valid access cookies, and without.
func everybodyMeanwhile(t *testing.T, c *cluster, browsers []*browser) {
	var served, refused, public atomic.Int64
	var valid, invalid durations
	inParallel(len(browsers), len(browsers), func(i int) {
		b, base := browsers[i], c.nodes[i/2%len(c.nodes)].base()
		if i%2 == 0 {
			a := b.visit(c.nodes[0].base(), me)
			if err := a.is(b.who); err != nil {
				t.Errorf("with a valid access cookie: %v", err)
				return
			}
			served.Add(1)
			valid.add(a.took())
			return
		}
		r := me
		if i%4 == 1 {
			r = page("/devices")
		}
		a := b.sendWith(base, r, b.cookies().but(accessCookie))
		if a.err != nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || len(a.cookies) > 0 {
			t.Errorf("without an access cookie: %v, Retry-After %q; want 503, a Retry-After, and no cookies", a, a.header.Get("Retry-After"))
			return
		}
		if a.took() > refusedWithin {
			t.Errorf("the 503 took %v; want at most %v", a.took(), refusedWithin)
		}
		refused.Add(1)
		invalid.add(a.took())
	})
	inParallel(4, 4, func(i int) {
		b := browsers[i]
		a := b.sendWith(c.nodes[i%len(c.nodes)].base(), page("/"), b.cookies().but(accessCookie))
		if a.err != nil || a.status != http.StatusOK || len(a.cookies) > 0 {
			t.Errorf("a public page: %v; want 200 without cookies", a)
		}
		public.Add(1)
	})
	t.Logf("valid access cookies: %d served, %v; others: %d times 503, %v; public pages: %d served", served.Load(), &valid, refused.Load(), &invalid, public.Load())
}

// nobodyWaits refuses at once, now that the outage is known.
func nobodyWaits(t *testing.T, c *cluster, browsers []*browser) {
	time.Sleep(refusedWithin) // for the probes
	var refused durations
	inParallel(len(browsers), 4, func(i int) {
		b := browsers[i]
		a := b.sendWith(c.nodes[i%len(c.nodes)].base(), me, b.cookies().but(accessCookie))
		if a.err != nil || a.status != http.StatusServiceUnavailable || len(a.cookies) > 0 || a.took() > noWait {
			t.Errorf("in an outage that is known: %v after %v; want 503 and no cookies within %v", a, a.took(), noWait)
		}
		refused.add(a.took())
	})
	t.Logf("once it is known: %d times 503, %v", len(browsers), &refused)
}

// leaveMeanwhile logs browsers out, and returns the cookies that somebody has kept.
func (c *cluster) leaveMeanwhile(t *testing.T, browsers []*browser) []cookies {
	kept := make([]cookies, len(browsers))
	node := c.nodes[0].base()
	inParallel(len(browsers), len(browsers), func(i int) {
		b := browsers[i]
		kept[i] = b.cookies()
		r, want := submit("/logout"), http.StatusSeeOther
		if i%2 == 1 {
			r.page, want = false, http.StatusNoContent
		}
		a := b.visit(node, r)
		if a.err != nil || a.status != want || !a.clears() || b.cookies()[refreshCookie] != "" {
			t.Errorf("logout: %v; want %d and both cookies taken away", a, want)
		}
		if a.took() > refusedWithin {
			t.Errorf("the logout took %v; want at most %v", a.took(), refusedWithin)
		}
		// Whatever the store knows, this node lets nobody in with them.
		if a := b.sendWith(node, me, kept[i]); a.status == http.StatusOK || len(a.cookies) > 0 && !a.clears() {
			t.Errorf("the cookies of before the logout, on the node that did it: %v", a)
		}
	})
	return kept
}

// everybodyIsStillLoggedIn refreshes every session. A 503 is an answer to be
// repeated, for a while; a login page is not.
func everybodyIsStillLoggedIn(t *testing.T, c *cluster, browsers []*browser, backAt time.Time) {
	var retries atomic.Int64
	var back durations
	inParallel(len(browsers), 50, func(i int) {
		b, base := browsers[i], c.nodes[i%len(c.nodes)].base()
		for {
			a := b.sendWith(base, me, b.cookies().but(accessCookie))
			if a.status != http.StatusServiceUnavailable || time.Since(backAt) > recoveredWithin {
				if err := a.is(b.who); err != nil {
					t.Errorf("session %d after the database's return: %v", i, err)
				}
				if a.cookie(accessCookie) == "" {
					t.Errorf("session %d after the database's return has no new access cookie: %v", i, a)
				}
				b.take(a)
				back.add(time.Since(backAt))
				// For the next outage all need an access cookie of the first node's.
				b.take(b.sendWith(c.nodes[0].base(), me, b.cookies().but(accessCookie)))
				return
			}
			if len(a.cookies) > 0 {
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
func (c *cluster) leaversAreGone(t *testing.T, browsers []*browser, kept []cookies, backAt time.Time) {
	var told, heard durations
	for i, b := range browsers {
		var row sessionRow
		var err error
		_, ok := eventually(time.Until(backAt.Add(recoveredWithin)), 20*time.Millisecond, func() bool {
			row, err = c.row(b.who.SessionID)
			return err == nil && row.revokedAt.Valid
		})
		if !ok || row.reason != "logout" {
			t.Errorf("a logout of the outage is not in the row after %v: %+v, error %v", time.Since(backAt), row, err)
			continue
		}
		told.add(time.Since(backAt))
		for k, n := range c.nodes {
			if a := b.sendWith(n.base(), me, kept[i].but(accessCookie)); !a.refused() {
				t.Errorf("a refresh cookie of before the logout, on node %d: %v", k, a)
			}
			if _, ok := eventually(time.Until(backAt.Add(recoveredWithin)), 50*time.Millisecond, func() bool {
				return b.sendWith(n.base(), me, kept[i]).refused()
			}); !ok {
				t.Errorf("an access cookie of before the logout is still believed by node %d", k)
			}
			if k > 0 {
				heard.add(time.Since(backAt))
			}
		}
	}
	t.Logf("%d logouts of the outage: the store knew after its return in %v; the other node in %v", len(browsers), &told, &heard)
}
