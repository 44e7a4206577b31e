package scaling

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// feedWindow is how far back the farthest polls look: the access lifetime and a
// minute. The others look to a little before the one before them.
const feedWindow = accessTTL + time.Minute

// feed prints what the nodes' polls carry.
func feed(t *testing.T, p plan, cost pollCost) {
	say("## The feed")
	say("Every node asks about once a second for what was revoked or reloaded since it last asked, and now and then for that of the last %s: logouts and logins that replace another are revocations too. "+
		"On MariaDB a poll takes %s bytes there and %s back, and %s bytes for each change; one with %s changes took %v. Polls and rows are counted, rows on average; from 100 revocations a second on they are computed from the rate.",
		span(feedWindow), rounded(cost.there), rounded(cost.back), number(cost.each, 1), number(float64(cost.changes), 0), cost.took.Round(time.Millisecond))
	lines := table{{"nodes", "revocations/s", "polls/s", "rows per poll", "rows/s, all nodes", "kB/s from the database"}}
	add := func(nodes int, rate, polls, rows float64) {
		lines.row(strconv.Itoa(nodes), rounded(rate), number(polls, 2), rounded(rows), about(polls*rows), about(polls*(cost.back+rows*cost.each)/1000))
	}
	pollsPerNode, seconds := 0.0, 0.0 // what a poll brings, on average: the revocations of so many seconds
	for _, balanced := range p.nodes {
		if balanced.sticky {
			continue // requests have no part in it
		}
		nodes := balanced.n
		for _, rate := range p.revocations {
			polls, rows := polled(t, nodes, rate)
			if most := rate * feedWindow.Seconds() / 8; rows < 5*rate || rows > most {
				t.Errorf("%v rows per poll at %v revocations a second; want at most %v", rows, rate, most)
			}
			if polls < 0.8*float64(nodes) || polls > 1.25*float64(nodes) {
				t.Errorf("%v polls a second by %d nodes", polls, nodes)
			}
			add(nodes, rate, polls, rows)
			pollsPerNode, seconds = polls/float64(nodes), rows/rate
		}
		for _, rate := range []float64{100, 1000} {
			add(nodes, rate, pollsPerNode*float64(nodes), rate*seconds)
		}
	}
	lines.print()

	say("Computed, if every visit of %s ends with a logout, and a poll takes as long per change as the one measured, on a database that does nothing else:", span(*surfing))
	lines = table{{"live sessions", "revocations/s", "rows per poll", "in the farthest", "which takes", "MB/s for each node"}}
	for _, live := range populations {
		rate := live / surfing.Seconds()
		rows, farthest := rate*seconds, rate*feedWindow.Seconds()
		lines.row(number(live, 0), about(rate), about(rows), about(farthest), rounded(cost.took.Seconds()*farthest/float64(cost.changes))+" s",
			rounded(pollsPerNode*rows*cost.each/1e6))
	}
	lines.print()
}

// polled has users log in and out again, so many a second, and returns the polls
// a second by all nodes, and what one brings.
func polled(t *testing.T, n int, rate float64) (polls, rows float64) {
	const measured = time.Minute
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, scenario{users: 1, nodes: nodes{n: n}})
		defer f.run(t.Context())()
		if rate > 0 {
			go func() {
				for next := f.begin; !f.over.Load(); time.Sleep(time.Until(next)) {
					f.loginAndOut(t)
					next = next.Add(time.Duration(float64(time.Second) / rate))
				}
			}()
		}
		time.Sleep(feedWindow + 10*time.Second)
		before, changesBefore := f.store.polls.Load(), f.store.changes.Load()
		time.Sleep(measured)
		polls = float64(f.store.polls.Load() - before)
		rows = float64(f.store.changes.Load()-changesBefore) / polls
		f.over.Store(true)
		time.Sleep(2 * time.Second)
	})
	return polls / measured.Seconds(), rows
}

func (f *fleet) loginAndOut(t *testing.T) {
	b := &browser{jar: map[string]kept{}}
	v, err := f.managers[0].Issue(b.request(), session.Login{UserID: userID(0)})
	if err != nil {
		t.Errorf("login: %v", err)
		return
	}
	b.receive(v)
	if _, err := f.managers[0].Logout(b.request()); err != nil {
		t.Errorf("logout: %v", err)
	}
}
