package nodes

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// logoutTTL is longer than the time until every node knows of a logout: in this test the
// revocation list ends access cookies before they expire.
const logoutTTL = 6 * time.Second

// TestALogoutBeatsRefreshesUnderWay sends a logout and six refreshes in parallel to two
// nodes. Half of the sessions present the ticket of the login, the others a child that is
// not confirmed yet.
func TestALogoutBeatsRefreshesUnderWay(t *testing.T) {
	const races = 500
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{logoutTTL, logoutTTL},
	})
	dbtest.Suite(t, c.DB.DB, "two nodes: logouts and refreshes race")
	browsers := c.LoginAll(c.AddUsers(races, "leaver", "[]"), c.Front)
	time.Sleep(logoutTTL) // all cookies are old enough to be refreshed
	nodetest.InParallel(races/2, 16, func(i int) {
		b := browsers[i]
		a := b.SendWith(c.Front, nodetest.Me, b.Cookies().But(nodetest.AccessCookie))
		if err := a.Is(b.Who); err != nil {
			t.Error(err)
		}
		b.Take(a)
	})
	time.Sleep(logoutTTL)

	s := &logoutRaces{c: c}
	begin := time.Now()
	atOnce := 32
	if nodetest.OnPostgres() {
		atOnce = 12 // each connection is a process: with more the machine itself would be the limit
	}
	nodetest.InParallel(races, atOnce, func(i int) {
		if err := s.race(browsers[i], seed, i); err != nil {
			t.Errorf("race %d: %v", i, err)
		}
	})
	for _, b := range browsers {
		row, err := c.Row(b.Who.SessionID)
		if revokedAt, ok := s.revoked.Load(b.Who.SessionID); err != nil || !ok || row.RevokedAt != revokedAt || row.Reason != "logout" {
			t.Errorf("at the end the row is %+v, error %v; immediately after the logout it was revoked at %v", row, err, revokedAt)
		}
	}
	if n := nodetest.Total(c.Events("reuse")); n > 0 {
		t.Errorf("%d reuse events; want 0", n)
	}
	if median := s.accepted.Median(); median > nodetest.FeedWithin {
		t.Errorf("median time that the other node accepted access cookies after the logout: %v; want at most %v", median, nodetest.FeedWithin)
	}
	if slow := s.slow.Load(); 2*slow > races {
		t.Errorf("%d of %d logouts took almost all the time that a call has: what the rest shows is too little", slow, races)
	}
	t.Logf("%d races in %v, %d with a slow logout: of 6 refreshes each, %d were answered with cookies, %d refused, %d answered with 503; "+
		"%d were answered from the other node's outcome cache, up to %v after the logout; it accepted access cookies for %v",
		races, time.Since(begin).Round(time.Second), s.slow.Load(), s.won.Load(), s.lost.Load(), s.unavailable.Load(), s.cached.Load(), s.cachedFor.Max().Round(time.Millisecond), &s.accepted)
	c.NoPanics()
}

type logoutRaces struct {
	c       *nodetest.Cluster
	revoked sync.Map // session id to revoked_at of the row, immediately after the logout

	won, lost, unavailable, cached atomic.Int64
	slow                           atomic.Int64 // logouts that took longer than soon

	cachedFor, accepted nodetest.Durations // after the logout
}

func (s *logoutRaces) race(b *nodetest.Browser, seed uint64, i int) error {
	r := nodetest.Dice(seed, i)
	here, there := s.c.Nodes[i%2].Base(), s.c.Nodes[1-i%2].Base()
	old := b.Cookies().But(nodetest.AccessCookie)

	const refreshes = 6
	answers := make([]nodetest.Answer, refreshes)
	var all sync.WaitGroup
	for k := range answers {
		wait, base := nodetest.UpTo(r, 6*time.Millisecond), here
		if k%2 == 1 {
			base = there
		}
		all.Go(func() {
			time.Sleep(wait)
			answers[k] = b.SendWith(base, nodetest.Me, old)
		})
	}
	time.Sleep(nodetest.UpTo(r, 6*time.Millisecond))
	logout := b.SendWith(here, nodetest.Submit("/logout"), old)
	out := logout.Came
	if logout.Status != http.StatusSeeOther || !logout.Clears() {
		return failed("the logout", logout)
	}

	// The refresh cookie from before the logout is refused immediately.
	if a := b.SendWith(here, nodetest.Me, old); !a.Refused() || a.Renews() {
		return failed("on the node of the logout, after it", a)
	}
	if logout.Took() > soon {
		// The store may not have answered in time. The node then repeats the revocation.
		s.slow.Add(1)
		nodetest.Eventually(time.Until(out.Add(nodetest.FeedAtMost)), 60*time.Millisecond, func() bool {
			row, err := s.c.Row(b.Who.SessionID)
			return err == nil && row.RevokedAt.Valid
		})
	}
	if err := s.onTheOther(b, there, old, out); err != nil {
		return err
	}
	row, err := s.c.Row(b.Who.SessionID)
	if err != nil || !row.RevokedAt.Valid {
		return fmt.Errorf("the row is not revoked after the logout, which took %v: %+v, error %v", logout.Took(), row, err)
	}
	s.revoked.Store(b.Who.SessionID, row.RevokedAt)

	// So are all cookies that the refreshes have set, and those of the browser.
	all.Wait()
	hands := []nodetest.Cookies{old}
	for _, a := range answers {
		switch {
		case a.Refused():
			s.lost.Add(1)
		case a.Is(b.Who) == nil:
			s.won.Add(1)
			hands = append(hands, a.Set())
		case isUnavailable(a):
			s.unavailable.Add(1)
		default:
			return failed("a parallel refresh", a)
		}
	}
	for _, hand := range hands {
		if a := b.SendWith(here, nodetest.Me, hand); !a.Refused() {
			return failed("on the node of the logout, with the cookies of a parallel refresh", a)
		}
		if a := b.SendWith(here, nodetest.Me, hand.But(nodetest.AccessCookie)); !a.Refused() {
			return failed("on the node of the logout, with the refresh cookie of a parallel refresh", a)
		}
		if err := s.onTheOther(b, there, hand.But(nodetest.AccessCookie), out); err != nil {
			return err
		}
	}
	for _, hand := range hands {
		var a nodetest.Answer
		if _, ok := nodetest.Eventually(time.Until(out.Add(nodetest.FeedAtMost)), 60*time.Millisecond, func() bool {
			a = b.SendWith(there, nodetest.Me, hand)
			return a.Refused()
		}); !ok {
			return failed("on the other node, after "+time.Since(out).String(), a)
		}
	}
	s.accepted.Add(time.Since(out))
	return nil
}

// onTheOther sends a refresh cookie to the node that did not handle the logout. That node
// asks the store, unless its outcome cache holds the outcome of this cookie: for 1/12 of
// the access lifetime, and at most a second.
func (s *logoutRaces) onTheOther(b *nodetest.Browser, there string, with nodetest.Cookies, out time.Time) error {
	a := b.SendWith(there, nodetest.Me, with)
	for tries := 0; isUnavailable(a) && tries < 3; tries++ {
		s.unavailable.Add(1)
		a = b.SendWith(there, nodetest.Me, with)
	}
	if a.Refused() && !a.Renews() {
		return nil
	}
	late := a.Sent.Sub(out)
	if a.Is(b.Who) != nil || late > min(time.Second, logoutTTL/12) {
		return failed("a refresh on the other node, "+late.String()+" after the logout", a)
	}
	s.cached.Add(1)
	s.cachedFor.Add(late)
	return nil
}

// isUnavailable reports whether a node has answered a refresh with 503, as it does if it learns
// of the logout between the store's answer and the cookies.
func isUnavailable(a nodetest.Answer) bool {
	return a.Status == http.StatusServiceUnavailable && len(a.Cookies) == 0
}

func failed(what string, a nodetest.Answer) error { return fmt.Errorf("%s: %v", what, a) }
