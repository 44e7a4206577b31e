package nodes

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

const theftTTL = time.Second

// TestAStolenRefreshCookieIsCaught copies a refresh cookie at a random moment.
// Victim and thief both go on, in either order, now and then at the same time.
func TestAStolenRefreshCookieIsCaught(t *testing.T) {
	const runs = 200
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{theftTTL, theftTTL},
	})
	victims := c.addUsers(runs, "victim", "[]")
	var caught, stragglers, steps atomic.Int64
	var sessions sync.Map
	begin := time.Now()
	inParallel(runs, 60, func(i int) {
		theft, err := newTheft(c, victims[i], dice(seed, i))
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
		sessions.Store(theft.victim.browser.who.SessionID, true)
	})
	reuses := c.events("reuse")
	for id, n := range reuses {
		if _, ok := sessions.Load(id); !ok || n != 1 {
			t.Errorf("session %s: %d events of reuse; want one, for a session of a run that was caught", id, n)
		}
	}
	if len(reuses) != runs {
		t.Errorf("events of reuse for %d sessions; want %d", len(reuses), runs)
	}
	t.Logf("%d thefts in %v: %d caught, with %d events of reuse; %.1f steps from the copy to the end; %d requests served without cookies in the straggler's window",
		runs, time.Since(begin).Round(time.Second), caught.Load(), total(reuses), float64(steps.Load())/runs, stragglers.Load())
	c.noPanics()
}

// holder is one who has the session's cookies.
type holder struct {
	name string
	*browser
	due  time.Time // when the access cookie has run out
	own  bool      // holds a refresh cookie that was minted for it alone, after the theft
	past bool      // and the row has confirmed one of those
}

// theft is one run.
type theft struct {
	c             *cluster
	r             *rand.Rand
	victim, thief *holder
	other         *browser  // the victim's session on another device
	confirmedAt   time.Time // when the first of the two got past a refresh
	stragglers    int
	steps         int
}

func newTheft(c *cluster, u user, r *rand.Rand) (*theft, error) {
	other, err := c.login(c.front, u)
	if err != nil {
		return nil, err
	}
	victim, err := c.login(c.front, u)
	if err != nil {
		return nil, err
	}
	return &theft{c: c, r: r, other: other, victim: &holder{name: "the victim", browser: victim, due: victim.who.ExpiresAt}}, nil
}

func (s *theft) run() error {
	// The victim has been around for up to two refreshes.
	for range s.r.IntN(3) {
		sleepUntil(s.victim.due.Add(upTo(s.r, theftTTL/4)))
		if _, err := s.step(s.victim); err != nil {
			return fmt.Errorf("before the theft: %w", err)
		}
	}
	sleepUntil(time.Now().Add(upTo(s.r, theftTTL*3/2)))
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
			sleepUntil(h.due)
		}
		sleepUntil(time.Now().Add(upTo(s.r, theftTTL/4)))
		over, err := s.step(going...)
		if err != nil {
			return fmt.Errorf("step %d: %w", s.steps, err)
		}
		if over {
			return s.aftermath()
		}
	}
	return fmt.Errorf("both go on after %d steps", s.steps)
}

// steal copies the refresh cookie: the access cookie alone is of no interest here.
func (s *theft) steal() {
	s.victim.mu.Lock()
	defer s.victim.mu.Unlock()
	copied := &browser{c: s.c, agent: "thief", who: s.victim.who, jar: map[string]kept{refreshCookie: s.victim.jar[refreshCookie]}}
	s.thief = &holder{name: "the thief", browser: copied}
}

// step lets holders make a request each, at the same time, and reports whether
// the session was ended by it.
func (s *theft) step(going ...*holder) (over bool, err error) {
	before, err := s.c.row(s.victim.who.SessionID)
	if err != nil {
		return false, err
	}
	answers := make([]answer, len(going))
	var all sync.WaitGroup
	for i, h := range going {
		with := h.cookies().but(accessCookie)
		all.Go(func() { answers[i] = h.sendWith(s.c.front, me, with) })
	}
	all.Wait()
	after, err := s.c.row(s.victim.who.SessionID)
	if err != nil {
		return false, err
	}
	// Two who come at once with a child of the same ticket: one is confirmed. Two
	// with the ticket itself: none, or both if it was itself a child.
	if after.generation > before.generation+1 {
		return false, fmt.Errorf("one step moved the row from generation %d to %d", before.generation, after.generation)
	}
	confirmed := after.generation > before.generation

	for i, h := range going {
		a := answers[i]
		if a.refused() {
			over = true
			continue
		}
		if err := a.is(h.who); err != nil {
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
		case rival.past && len(a.cookies) == 0:
			s.stragglers++ // served, and earned nothing
		case rival.past && a.sent.After(s.confirmedAt.Add(theftTTL/12)):
			return false, fmt.Errorf("%s was let in %v after %s had got past a refresh: %v", h.name, a.sent.Sub(s.confirmedAt), rival.name, a)
		}
		if confirmed && h.own && len(going) == 1 {
			if rival.past {
				return false, fmt.Errorf("both got past a refresh, %s last: %v", h.name, a)
			}
			if !h.past {
				h.past, s.confirmedAt = true, a.came
			}
		}
	}
	if over {
		if s.thief == nil || after.reason != "reuse" {
			return true, fmt.Errorf("the session is over, the row's reason is %q: %v", after.reason, answers)
		}
		return true, nil
	}
	for i, h := range going {
		h.take(answers[i])
		if who, err := answers[i].session(); err == nil {
			h.due = who.ExpiresAt
		}
		if s.thief != nil && answers[i].cookie(refreshCookie) != "" {
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
	sleepUntil(time.Now().Add(theftTTL / 12))
	for _, h := range []*holder{s.victim, s.thief} {
		for _, n := range s.c.nodes {
			if a := h.sendWith(n.base(), me, h.cookies().but(accessCookie)); !a.refused() {
				return fmt.Errorf("%s goes on after the end: %v", h.name, a)
			}
			// The nodes believe an access cookie until they hear of the end.
			var a answer
			took, ok := eventually(feedAtMost, 50*time.Millisecond, func() bool {
				a = h.send(n.base(), me)
				return a.refused()
			})
			if !ok {
				return fmt.Errorf("%s is still believed %v after the end: %v", h.name, took, a)
			}
		}
	}
	if a := s.other.sendWith(s.c.front, me, s.other.cookies().but(accessCookie)); a.is(s.other.who) != nil {
		return fmt.Errorf("the user's other session is over, too: %v", a)
	}
	return nil
}
