package nodes

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

const theftTTL = time.Second

// TestAStolenRefreshCookieIsCaught copies a refresh cookie at a random time. Victim and
// thief both send requests, in either order, and sometimes in parallel.
func TestAStolenRefreshCookieIsCaught(t *testing.T) {
	const runs = 200
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   database(t),
		Nodes: []time.Duration{theftTTL, theftTTL},
	})
	dbtest.Suite(t, c.DB.DB, "two nodes: thefts")
	victims := c.AddUsers(runs, "victim", "[]")
	var caught, stragglers, steps atomic.Int64
	var sessions sync.Map
	var until nodetest.Durations // from the copy to the end
	begin := time.Now()
	nodetest.InParallel(runs, *thefts, func(i int) {
		theft, err := newTheft(c, victims[i], nodetest.Dice(seed, i))
		if err == nil {
			err = theft.run()
		}
		if err != nil {
			t.Errorf("run %d: %v", i, err)
			return
		}
		caught.Add(1)
		stragglers.Add(int64(theft.stragglers))
		steps.Add(int64(theft.steps))
		until.Add(theft.endedAt.Sub(theft.stolenAt))
		sessions.Store(theft.victim.Browser.Who.SessionID, true)
	})
	reuses := c.Events("reuse")
	for id, n := range reuses {
		if _, ok := sessions.Load(id); !ok || n != 1 {
			t.Errorf("session %s: %d reuse events; want one, for a session of a successful run", id, n)
		}
	}
	if len(reuses) != runs {
		t.Errorf("reuse events for %d sessions; want %d", len(reuses), runs)
	}
	lives := func(d time.Duration) float64 { return d.Seconds() / theftTTL.Seconds() }
	t.Logf("from the copy to the end, in access lifetimes: median %.1f, 95 %% %.1f, max %.1f", lives(until.Median()), lives(until.At(0.95)), lives(until.Max()))
	t.Logf("%d thefts in %v: %d detected, with %d reuse events; %.1f steps from the copy to the end; %d stragglers served without cookies",
		runs, time.Since(begin).Round(time.Second), caught.Load(), nodetest.Total(reuses), float64(steps.Load())/runs, stragglers.Load())
	c.NoPanics()
}

// holder has cookies of the session: the victim or the thief.
type holder struct {
	name string
	*nodetest.Browser
	due  time.Time // when the access cookie expires
	own  bool      // has a refresh cookie that was minted for it alone, after the theft
	past bool      // the row has confirmed such a cookie
}

// theft is one run of the test.
type theft struct {
	c                 *nodetest.Cluster
	r                 *rand.Rand
	victim, thief     *holder
	other             *nodetest.Browser // another session of the victim
	confirmedAt       time.Time         // when the first cookie of one holder alone was confirmed
	stolenAt, endedAt time.Time
	stragglers        int
	steps             int
}

func newTheft(c *nodetest.Cluster, u nodetest.User, r *rand.Rand) (*theft, error) {
	other, err := c.Login(c.Front, u)
	if err != nil {
		return nil, err
	}
	victim, err := c.Login(c.Front, u)
	if err != nil {
		return nil, err
	}
	return &theft{c: c, r: r, other: other, victim: &holder{name: "the victim", Browser: victim, due: victim.Who.ExpiresAt}}, nil
}

func (s *theft) run() error {
	// The session has had up to two refreshes before the theft.
	for range s.r.IntN(3) {
		nodetest.SleepUntil(s.victim.due.Add(nodetest.UpTo(s.r, theftTTL/4)))
		if _, err := s.step(s.victim); err != nil {
			return fmt.Errorf("before the theft: %w", err)
		}
	}
	nodetest.SleepUntil(time.Now().Add(nodetest.UpTo(s.r, theftTTL*3/2)))
	s.steal()

	var last *holder
	for s.steps = 1; s.steps <= 12; s.steps++ {
		going := []*holder{s.victim, s.thief}
		if together := s.r.IntN(3) == 0; !together {
			// One of them, and rarely the same one again: both go on.
			k := s.r.IntN(2)
			if going[k] == last && s.r.IntN(3) > 0 {
				k = 1 - k
			}
			going = going[k : k+1]
		}
		last = going[0]
		for _, h := range going {
			nodetest.SleepUntil(h.due)
		}
		nodetest.SleepUntil(time.Now().Add(nodetest.UpTo(s.r, theftTTL/4)))
		over, err := s.step(going...)
		if err != nil {
			return fmt.Errorf("step %d: %w", s.steps, err)
		}
		if over {
			s.endedAt = time.Now()
			return s.aftermath()
		}
	}
	return fmt.Errorf("after %d steps both are still authenticated", s.steps)
}

// steal copies the refresh cookies. This test does not use the access cookie of the victim.
func (s *theft) steal() {
	s.stolenAt = time.Now()
	s.thief = &holder{name: "the thief", Browser: s.victim.CopyOf("thief", nodetest.RefreshCookies...)}
}

// step sends one request of each holder, in parallel, and reports whether that has ended
// the session.
func (s *theft) step(going ...*holder) (over bool, err error) {
	before, err := s.c.Row(s.victim.Who.SessionID)
	if err != nil {
		return false, err
	}
	answers := make([]nodetest.Answer, len(going))
	var all sync.WaitGroup
	for i, h := range going {
		with := h.Cookies().But(nodetest.AccessCookie)
		all.Go(func() { answers[i] = h.SendWith(s.c.Front, nodetest.Me, with) })
	}
	all.Wait()
	after, err := s.c.Row(s.victim.Who.SessionID)
	if err != nil {
		return false, err
	}
	// Two parallel requests with children of the same ticket confirm one child. With the
	// same ticket they confirm it once, if it is a child that is not confirmed yet.
	if after.Generation > before.Generation+1 {
		return false, fmt.Errorf("one step moved the row from generation %d to %d", before.Generation, after.Generation)
	}
	confirmed := after.Generation > before.Generation

	for i, h := range going {
		a := answers[i]
		if a.Refused() {
			over = true
			continue
		}
		if err := a.Is(h.Who); err != nil {
			return false, fmt.Errorf("%s: %w", h.name, err)
		}
		if s.thief == nil {
			continue
		}
		rival := s.thief
		if h == s.thief {
			rival = s.victim
		}
		switch {
		case rival.past && len(a.Cookies) == 0:
			s.stragglers++ // served without cookies
		case rival.past && a.Sent.After(s.confirmedAt.Add(theftTTL/12)):
			return false, fmt.Errorf("%s was authenticated %v after a child of %s was confirmed: %v", h.name, a.Sent.Sub(s.confirmedAt), rival.name, a)
		}
		if confirmed && h.own && len(going) == 1 {
			if rival.past {
				return false, fmt.Errorf("children of both were confirmed, of %s last: %v", h.name, a)
			}
			if !h.past {
				h.past, s.confirmedAt = true, a.Came
			}
		}
	}
	if over {
		if s.thief == nil || after.Reason != "reuse" {
			return true, fmt.Errorf("the session has ended, with the reason %q in the row: %v", after.Reason, answers)
		}
		return true, nil
	}
	for i, h := range going {
		h.Take(answers[i])
		if who, err := answers[i].Session(); err == nil {
			h.due = who.ExpiresAt
		}
		if s.thief != nil && answers[i].Renews() {
			h.own = true
		}
	}
	if len(going) == 2 && confirmed && s.victim.own && s.thief.own && (s.victim.past || s.thief.past) {
		return false, fmt.Errorf("a step of both confirmed a ticket and ended nothing, although a child of one of them was already confirmed: %v", answers)
	}
	return false, nil
}

// aftermath checks that the session has ended for both, with all their cookies, and that
// the other session of the user goes on. It first waits until no outcome cache holds the
// last refresh: 1/12 of the access lifetime.
func (s *theft) aftermath() error {
	nodetest.SleepUntil(time.Now().Add(theftTTL / 12))
	for _, h := range []*holder{s.victim, s.thief} {
		for _, n := range s.c.Nodes {
			if a := h.SendWith(n.Base(), nodetest.Me, h.Cookies().But(nodetest.AccessCookie)); !a.Refused() {
				return fmt.Errorf("%s is authenticated after the end: %v", h.name, a)
			}
			// The nodes accept an access cookie until they know of the end.
			var a nodetest.Answer
			took, ok := nodetest.Eventually(nodetest.FeedAtMost, 50*time.Millisecond, func() bool {
				a = h.Send(n.Base(), nodetest.Me)
				return a.Refused()
			})
			if !ok {
				return fmt.Errorf("%s is still authenticated %v after the end: %v", h.name, took, a)
			}
		}
	}
	if a := s.other.SendWith(s.c.Front, nodetest.Me, s.other.Cookies().But(nodetest.AccessCookie)); a.Is(s.other.Who) != nil {
		return fmt.Errorf("the other session of the user has ended too: %v", a)
	}
	return nil
}
