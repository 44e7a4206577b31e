package scaling

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// farthestPoll is the longest period that a poll reads: the access lifetime and a
// minute. All other polls read the period since shortly before the previous poll.
const farthestPoll = accessTTL + time.Minute

// revocationList prints how much the nodes' polls of the revocation list transfer.
func revocationList(t *testing.T, p plan, cost pollCost) {
	say("## The revocation list")
	say("About once a second every node reads the sessions that were revoked or reloaded since its last poll, and at times those of the last %s. Logouts count as revocations, and so do logins that replace a session. "+
		"On MariaDB a poll sends %s bytes to the database and receives %s bytes, and %s bytes for each change; a poll with %s changes took %v. Polls and rows are counted, rows on average; for 100 and more revocations per second they are computed from the rate.",
		span(farthestPoll), rounded(cost.there), rounded(cost.back), number(cost.each, 1), number(float64(cost.changes), 0), cost.took.Round(time.Millisecond))
	lines := table{{"nodes", "revocations/s", "polls/s", "rows per poll", "rows/s, all nodes", "kB/s from the database"}}
	add := func(nodes int, rate, polls, rows float64) {
		lines.row(strconv.Itoa(nodes), rounded(rate), number(polls, 2), rounded(rows), about(polls*rows), about(polls*(cost.back+rows*cost.each)/1000))
	}
	pollsPerNode, seconds := 0.0, 0.0 // seconds: on average a poll returns the revocations of this period
	for _, balanced := range p.nodes {
		if balanced.sticky {
			continue // polls do not depend on requests
		}
		nodes := balanced.n
		for _, rate := range p.revocations {
			polls, rows := polled(t, nodes, rate)
			if most := rate * farthestPoll.Seconds() / 8; rows < 5*rate || rows > most {
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

	say("Computed. Assumptions: every visit of %s ends with a logout; a poll takes as long per change as the measured one; the database has no other load.", span(*surfing))
	lines = table{{"live sessions", "revocations/s", "rows per poll", "rows of the longest poll", "its duration", "MB/s for each node"}}
	for _, live := range populations {
		rate := live / surfing.Seconds()
		rows, farthest := rate*seconds, rate*farthestPoll.Seconds()
		lines.row(number(live, 0), about(rate), about(rows), about(farthest), rounded(cost.took.Seconds()*farthest/float64(cost.changes))+" s",
			rounded(pollsPerNode*rows*cost.each/1e6))
	}
	lines.print()
}

// polled simulates the given rate of logins per second, each followed by a logout.
// It returns the polls per second of all nodes, and the average rows of a poll.
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
		time.Sleep(farthestPoll + 10*time.Second)
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
	b := sessiontest.NewBrowser(nil)
	v, err := f.managers[0].Issue(request(b), session.Login{UserID: userID(0)})
	if err != nil {
		t.Errorf("login: %v", err)
		return
	}
	b.Receive(v.Cookies)
	if _, err := f.managers[0].Logout(request(b)); err != nil {
		t.Errorf("logout: %v", err)
	}
}
