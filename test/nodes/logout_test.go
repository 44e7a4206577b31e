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

// logoutTTL is longer than any node takes to hear of a logout: what ends an
// access cookie in this test is the feed.
const logoutTTL = 6 * time.Second

// TestALogoutBeatsRefreshesUnderWay sends a logout and six refreshes at once, to
// two nodes. Half of the sessions come with the login's own cookie, half with a
// child that is still to be confirmed.
func TestALogoutBeatsRefreshesUnderWay(t *testing.T) {
	const races = 500
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   dbtest.Database(t),
		Nodes: []time.Duration{logoutTTL, logoutTTL},
	})
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
	nodetest.InParallel(races, 32, func(i int) {
		if err := s.race(browsers[i], seed, i); err != nil {
			t.Errorf("race %d: %v", i, err)
		}
	})
	for _, b := range browsers {
		row, err := c.Row(b.Who.SessionID)
		if revokedAt, ok := s.revoked.Load(b.Who.SessionID); err != nil || !ok || row.RevokedAt != revokedAt || row.Reason != "logout" {
			t.Errorf("in the end the row is %+v, error %v; right after the logout it was revoked at %v", row, err, revokedAt)
		}
	}
	if n := nodetest.Total(c.Events("reuse")); n > 0 {
		t.Errorf("%d sessions were taken for stolen", n)
	}
	if median := s.heard.Median(); median > nodetest.FeedWithin {
		t.Errorf("the other node believed access cookies for %v as a rule; want at most %v", median, nodetest.FeedWithin)
	}
	t.Logf("%d races in %v: of 6 refreshes each, %d were answered with cookies, %d refused, %d told to come again; "+
		"%d were answered from the other node's memory, up to %v after the logout; it believed access cookies for %v",
		races, time.Since(begin).Round(time.Second), s.won.Load(), s.lost.Load(), s.unsure.Load(), s.remembered.Load(), s.memory.Max().Round(time.Millisecond), &s.heard)
	c.NoPanics()
}

type logoutRaces struct {
	c       *nodetest.Cluster
	revoked sync.Map // session id: when, as the row said right after the logout

	won, lost, unsure, remembered atomic.Int64

	memory, heard nodetest.Durations
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

	// The refresh cookie of before, at once.
	if a := b.SendWith(here, nodetest.Me, old); !a.Refused() || a.Cookie(nodetest.RefreshCookie) != "" {
		return failed("on the node of the logout, after it", a)
	}
	if err := s.onTheOther(b, there, old, out); err != nil {
		return err
	}
	row, err := s.c.Row(b.Who.SessionID)
	if err != nil || !row.RevokedAt.Valid {
		return fmt.Errorf("the row is not revoked after the logout: %+v, error %v", row, err)
	}
	s.revoked.Store(b.Who.SessionID, row.RevokedAt)

	// Then all that the refreshes have brought, and what the browser had.
	all.Wait()
	hands := []nodetest.Cookies{old}
	for _, a := range answers {
		switch {
		case a.Refused():
			s.lost.Add(1)
		case a.Is(b.Who) == nil:
			s.won.Add(1)
			hands = append(hands, nodetest.Cookies{nodetest.AccessCookie: a.Cookie(nodetest.AccessCookie), nodetest.RefreshCookie: a.Cookie(nodetest.RefreshCookie)})
		case a.Status == http.StatusServiceUnavailable && len(a.Cookies) == 0:
			// The logout came between the store's answer and the cookies.
			s.unsure.Add(1)
		default:
			return failed("a refresh under way", a)
		}
	}
	for _, hand := range hands {
		if a := b.SendWith(here, nodetest.Me, hand); !a.Refused() {
			return failed("on the node of the logout, with what a refresh under way had brought", a)
		}
		if a := b.SendWith(here, nodetest.Me, hand.But(nodetest.AccessCookie)); !a.Refused() {
			return failed("on the node of the logout, with the refresh cookie that a refresh under way had brought", a)
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
	s.heard.Add(time.Since(out))
	return nil
}

// onTheOther tries a refresh cookie on the node that has not seen the logout.
// That asks the store, unless it has just settled the very same cookie: the rest
// of a page load is answered from memory for a twelfth of the access lifetime,
// and at most a second.
func (s *logoutRaces) onTheOther(b *nodetest.Browser, there string, with nodetest.Cookies, out time.Time) error {
	a := b.SendWith(there, nodetest.Me, with)
	if a.Refused() && a.Cookie(nodetest.RefreshCookie) == "" {
		return nil
	}
	late := a.Sent.Sub(out)
	if a.Is(b.Who) != nil || late > min(time.Second, logoutTTL/12) {
		return failed("a refresh on the other node, "+late.String()+" after the logout", a)
	}
	s.remembered.Add(1)
	s.memory.Add(late)
	return nil
}

func failed(what string, a nodetest.Answer) error { return fmt.Errorf("%s: %v", what, a) }
