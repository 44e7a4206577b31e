package nodes

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// logoutTTL is longer than any node takes to hear of a logout: what ends an
// access cookie in this test is the feed.
const logoutTTL = 6 * time.Second

// TestALogoutBeatsRefreshesUnderWay sends a logout and six refreshes at once, to
// two nodes. Half of the sessions come with the login's own cookie, half with a
// child that is still to be confirmed.
func TestALogoutBeatsRefreshesUnderWay(t *testing.T) {
	const races = 500
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{logoutTTL, logoutTTL},
	})
	browsers := c.loginAll(c.addUsers(races, "leaver", "[]"), c.front)
	time.Sleep(logoutTTL) // all cookies are old enough to be refreshed
	inParallel(races/2, 16, func(i int) {
		b := browsers[i]
		a := b.sendWith(c.front, me, b.cookies().but(accessCookie))
		if err := a.is(b.who); err != nil {
			t.Error(err)
		}
		b.take(a)
	})
	time.Sleep(logoutTTL)

	s := &logoutRaces{c: c}
	begin := time.Now()
	inParallel(races, 32, func(i int) {
		if err := s.race(browsers[i], seed, i); err != nil {
			t.Errorf("race %d: %v", i, err)
		}
	})
	for _, b := range browsers {
		row, err := c.row(b.who.SessionID)
		if revokedAt, ok := s.revoked.Load(b.who.SessionID); err != nil || !ok || row.revokedAt != revokedAt || row.reason != "logout" {
			t.Errorf("in the end the row is %+v, error %v; right after the logout it was revoked at %v", row, err, revokedAt)
		}
	}
	if n := total(c.events("reuse")); n > 0 {
		t.Errorf("%d sessions were taken for stolen", n)
	}
	if median := s.heard.median(); median > feedWithin {
		t.Errorf("the other node believed access cookies for %v as a rule; want at most %v", median, feedWithin)
	}
	t.Logf("%d races in %v: of 6 refreshes each, %d were answered with cookies, %d refused, %d told to come again; "+
		"%d were answered from the other node's memory, up to %v after the logout; it believed access cookies for %v",
		races, time.Since(begin).Round(time.Second), s.won.Load(), s.lost.Load(), s.unsure.Load(), s.remembered.Load(), s.memory.max().Round(time.Millisecond), &s.heard)
	c.noPanics()
}

type logoutRaces struct {
	c       *cluster
	revoked sync.Map // session id: when, as the row said right after the logout

	won, lost, unsure, remembered atomic.Int64

	memory, heard durations
}

func (s *logoutRaces) race(b *browser, seed uint64, i int) error {
	r := dice(seed, i)
	here, there := s.c.nodes[i%2].base(), s.c.nodes[1-i%2].base()
	old := b.cookies().but(accessCookie)

	const refreshes = 6
	answers := make([]answer, refreshes)
	var all sync.WaitGroup
	for k := range answers {
		wait, base := upTo(r, 6*time.Millisecond), here
		if k%2 == 1 {
			base = there
		}
		all.Go(func() {
			time.Sleep(wait)
			answers[k] = b.sendWith(base, me, old)
		})
	}
	time.Sleep(upTo(r, 6*time.Millisecond))
	logout := b.sendWith(here, submit("/logout"), old)
	out := logout.came
	if logout.status != http.StatusSeeOther || !logout.clears() {
		return failed("the logout", logout)
	}

	// The refresh cookie of before, at once.
	if a := b.sendWith(here, me, old); !a.refused() || a.cookie(refreshCookie) != "" {
		return failed("on the node of the logout, after it", a)
	}
	if err := s.onTheOther(b, there, old, out); err != nil {
		return err
	}
	row, err := s.c.row(b.who.SessionID)
	if err != nil || !row.revokedAt.Valid {
		return fmt.Errorf("the row is not revoked after the logout: %+v, error %v", row, err)
	}
	s.revoked.Store(b.who.SessionID, row.revokedAt)

	// Then all that the refreshes have brought, and what the browser had.
	all.Wait()
	hands := []cookies{old}
	for _, a := range answers {
		switch {
		case a.refused():
			s.lost.Add(1)
		case a.is(b.who) == nil:
			s.won.Add(1)
			hands = append(hands, cookies{accessCookie: a.cookie(accessCookie), refreshCookie: a.cookie(refreshCookie)})
		case a.status == http.StatusServiceUnavailable && len(a.cookies) == 0:
			// The logout came between the store's answer and the cookies.
			s.unsure.Add(1)
		default:
			return failed("a refresh under way", a)
		}
	}
	for _, hand := range hands {
		if a := b.sendWith(here, me, hand); !a.refused() {
			return failed("on the node of the logout, with what a refresh under way had brought", a)
		}
		if a := b.sendWith(here, me, hand.but(accessCookie)); !a.refused() {
			return failed("on the node of the logout, with the refresh cookie that a refresh under way had brought", a)
		}
		if err := s.onTheOther(b, there, hand.but(accessCookie), out); err != nil {
			return err
		}
	}
	for _, hand := range hands {
		var a answer
		if _, ok := eventually(time.Until(out.Add(feedAtMost)), 60*time.Millisecond, func() bool {
			a = b.sendWith(there, me, hand)
			return a.refused()
		}); !ok {
			return failed("on the other node, after "+time.Since(out).String(), a)
		}
	}
	s.heard.add(time.Since(out))
	return nil
}

// onTheOther tries a refresh cookie on the node that has not seen the logout.
// That asks the store, unless it has just settled the very same cookie: the rest
// of a page load is answered from memory for a twelfth of the access lifetime,
// and at most a second.
func (s *logoutRaces) onTheOther(b *browser, there string, with cookies, out time.Time) error {
	a := b.sendWith(there, me, with)
	if a.refused() && a.cookie(refreshCookie) == "" {
		return nil
	}
	late := a.sent.Sub(out)
	if a.is(b.who) != nil || late > min(time.Second, logoutTTL/12) {
		return failed("a refresh on the other node, "+late.String()+" after the logout", a)
	}
	s.remembered.Add(1)
	s.memory.add(late)
	return nil
}

func failed(what string, a answer) error { return fmt.Errorf("%s: %v", what, a) }
