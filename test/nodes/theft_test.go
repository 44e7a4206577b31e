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

// TestAStolenRefreshCookieIsCaught copies a refresh cookie at a random moment.
// Victim and thief both go on, in either order, now and then at the same time.
func TestAStolenRefreshCookieIsCaught(t *testing.T) {
	const runs = 200
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   dbtest.Database(t),
		Nodes: []time.Duration{theftTTL, theftTTL},
	})
	victims := c.AddUsers(runs, "victim", "[]")
	var caught, stragglers, steps atomic.Int64
	var sessions sync.Map
	var until nodetest.Durations // from the copy to the end
	begin := time.Now()
	nodetest.InParallel(runs, 60, func(i int) {
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
			t.Errorf("session %s: %d events of reuse; want one, for a session of a run that was caught", id, n)
		}
	}
	if len(reuses) != runs {
		t.Errorf("events of reuse for %d sessions; want %d", len(reuses), runs)
	}
	lives := func(d time.Duration) float64 { return d.Seconds() / theftTTL.Seconds() }
	t.Logf("from the copy to the end, in access lifetimes: median %.1f, 95 %% %.1f, max %.1f", lives(until.Median()), lives(until.At(0.95)), lives(until.Max()))
	t.Logf("%d thefts in %v: %d caught, with %d events of reuse; %.1f steps from the copy to the end; %d requests served without cookies in the straggler's window",
		runs, time.Since(begin).Round(time.Second), caught.Load(), nodetest.Total(reuses), float64(steps.Load())/runs, stragglers.Load())
	c.NoPanics()
}

// holder is one who has the session's cookies.
type holder struct {
	name string
	*nodetest.Browser
	due  time.Time // when the access cookie has run out
	own  bool      // holds a refresh cookie that was minted for it alone, after the theft
	past bool      // and the row has confirmed one of those
}

// theft is one run.
type theft struct {
	c                 *nodetest.Cluster
	r                 *rand.Rand
	victim, thief     *holder
	other             *nodetest.Browser // the victim's session on another device
	confirmedAt       time.Time         // when the first of the two got past a refresh
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
	// The victim has been around for up to two refreshes.
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
			// Either, but not one of them for ever: both go on.
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
	return fmt.Errorf("both go on after %d steps", s.steps)
}

// steal copies the refresh cookie: the access cookie alone is of no interest here.
func (s *theft) steal() {
	s.stolenAt = time.Now()
	s.thief = &holder{name: "the thief", Browser: s.victim.CopyOf("thief", nodetest.RefreshCookie)}
}

// step lets holders make a request each, at the same time, and reports whether
// the session was ended by it.
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
	// Two who come at once with a child of the same ticket: one is confirmed. Two
	// with the ticket itself: none, or both if it was itself a child.
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
			s.stragglers++ // served, and earned nothing
		case rival.past && a.Sent.After(s.confirmedAt.Add(theftTTL/12)):
			return false, fmt.Errorf("%s was let in %v after %s had got past a refresh: %v", h.name, a.Sent.Sub(s.confirmedAt), rival.name, a)
		}
		if confirmed && h.own && len(going) == 1 {
			if rival.past {
				return false, fmt.Errorf("both got past a refresh, %s last: %v", h.name, a)
			}
			if !h.past {
				h.past, s.confirmedAt = true, a.Came
			}
		}
	}
	if over {
		if s.thief == nil || after.Reason != "reuse" {
			return true, fmt.Errorf("the session is over, the row's reason is %q: %v", after.Reason, answers)
		}
		return true, nil
	}
	for i, h := range going {
		h.Take(answers[i])
		if who, err := answers[i].Session(); err == nil {
			h.due = who.ExpiresAt
		}
		if s.thief != nil && answers[i].Cookie(nodetest.RefreshCookie) != "" {
			h.own = true
		}
	}
	if len(going) == 2 && confirmed && s.victim.own && s.thief.own && (s.victim.past || s.thief.past) {
		return false, fmt.Errorf("a step of both was confirmed and ended nothing, after one of them had got past a refresh: %v", answers)
	}
	return false, nil
}

// aftermath: the session is dead for both, with whatever they hold; the user's
// other one lives. A node that has just answered a refresh of that ticket may
// answer it again out of its memory, for a twelfth of the access lifetime.
func (s *theft) aftermath() error {
	nodetest.SleepUntil(time.Now().Add(theftTTL / 12))
	for _, h := range []*holder{s.victim, s.thief} {
		for _, n := range s.c.Nodes {
			if a := h.SendWith(n.Base(), nodetest.Me, h.Cookies().But(nodetest.AccessCookie)); !a.Refused() {
				return fmt.Errorf("%s goes on after the end: %v", h.name, a)
			}
			// The nodes believe an access cookie until they hear of the end.
			var a nodetest.Answer
			took, ok := nodetest.Eventually(nodetest.FeedAtMost, 50*time.Millisecond, func() bool {
				a = h.Send(n.Base(), nodetest.Me)
				return a.Refused()
			})
			if !ok {
				return fmt.Errorf("%s is still believed %v after the end: %v", h.name, took, a)
			}
		}
	}
	if a := s.other.SendWith(s.c.Front, nodetest.Me, s.other.Cookies().But(nodetest.AccessCookie)); a.Is(s.other.Who) != nil {
		return fmt.Errorf("the user's other session is over, too: %v", a)
	}
	return nil
}
