package scaling

import (
	"strconv"
	"testing"
	"time"
)

// statements prints what requests ask of the database. It returns, for users whose
// pages are one request to the only node, what came of each time to think, and
// how many statements a login takes.
func statements(t *testing.T, p plan) (perSession map[think]surfed, perLogin float64) {
	scs, scsIdle := scsPerRequest(t, 0), scsPerRequest(t, 20*time.Minute)
	say("## Statements for the sake of requests")
	say("%d users who log in within %s, for %s; time to think exponential, unless fixed; parallel requests of a page within %v, all with the cookies that the browser had before. "+
		"S reads, U1 writes; *visit* is the whole time from the login on, the other figures are of what follows the first two access cookies. "+
		"Per second, for 10,000 users; N users take it times N / 10,000. "+
		"scs asks %s times per request, %s with IdleTimeout, on any number of nodes.",
		p.users, span(p.within), span(p.lasting), spread, rounded(scs), rounded(scsIdle))
	lines := table{{"think", "parallel", "nodes", "requests/s", "S/s", "U1/s", "together", "scs", "scs, idle", "per 1,000 requests", "in a visit", "S per expiry", "U1 per expiry", "S per node of it", "U1 per node of it"}}
	perSession = map[think]surfed{}
	for _, th := range p.thinks {
		for _, fanOut := range []int{1, 6} {
			for _, nodes := range p.nodes {
				if nodes.sticky && fanOut == 1 || th.fixed && nodes.n > 1 {
					continue // it makes no difference
				}
				s := scenario{users: p.users, within: p.within, lasting: p.lasting, think: th, fanOut: fanOut, nodes: nodes}
				j := surf(t, s)
				holdToBounds(t, s, j)
				visit, steady := j.visit, j.steady
				if fanOut == 1 && nodes.n == 1 {
					perSession[th], perLogin = steady, visit.loginStatements/visit.logins
				}
				for10000 := func(n float64) string { return rounded(10_000 * steady.perSecond(n) / float64(s.users)) }
				lines.row(th.String(), strconv.Itoa(fanOut), nodes.String(),
					for10000(steady.requests), for10000(steady.selects), for10000(steady.updates), for10000(steady.refreshes()),
					for10000(steady.requests*scs), for10000(steady.requests*scsIdle),
					number(steady.perThousand(steady.refreshes()), 1), number(visit.perThousand(visit.refreshes()), 1),
					number(steady.selects/steady.expiries, 2), number(steady.updates/steady.expiries, 2),
					number(steady.selects/steady.nodeExpiries, 2), number(steady.updates/steady.nodeExpiries, 2))
			}
		}
	}
	lines.print()
	say("The number of users is a factor, because no session's statements depend on another session; the herds below have the same mean per user. "+
		"On several nodes a parallel request whose U1 comes second reads once more, which is what S has above 1 per node. "+
		"With more time to think than an access cookie lives, every page is a refresh: two statements, where scs asks %s or %s.",
		rounded(scs), rounded(scsIdle))
	return perSession, perLogin
}

// most is what 1,000 requests may cost: a refresh, which is two statements, in an
// access lifetime, on average a twentieth shorter than AccessTTL, and the time to
// the next page. A visit is below that, because the login brings an access cookie
// too. The 77 for half an hour of a page every five seconds, and the 13 with six
// parallel requests, were found without jitter, and are passed by what it costs.
func most(s scenario) float64 {
	pages := (0.95*accessTTL.Seconds() + s.think.mean.Seconds()) / s.think.mean.Seconds()
	return 2 * 1000 / pages / float64(s.fanOut)
}

func holdToBounds(t *testing.T, s scenario, j journey) {
	t.Helper()
	end := j.end
	if lost := end.updates - end.won; end.selects != end.nodeExpiries+lost {
		t.Errorf("%+v: %v S for %v expiries on each node of them and %v lost races; want one for each", s, end.selects, end.nodeExpiries, lost)
	}
	if end.updates > end.nodeExpiries {
		t.Errorf("%+v: %v U1 for %v expiries on each node of them", s, end.updates, end.nodeExpiries)
	}
	if end.won > end.expiries {
		t.Errorf("%+v: %v confirms for %v expiries", s, end.won, end.expiries)
	}
	if s.nodes.n > 1 && !s.nodes.sticky {
		return
	}
	if end.selects != end.expiries || end.updates > end.expiries {
		t.Errorf("%+v: %v S and %v U1 for %v expiries; want exactly 1, and at most 1, for each", s, end.selects, end.updates, end.expiries)
	}
	if cost := j.visit.perThousand(j.visit.refreshes()); !s.think.fixed && cost > most(s) {
		t.Errorf("%+v: %.1f statements per 1,000 requests; want at most %.1f", s, cost, most(s))
	}
	if j.steady.expiries == 0 {
		t.Errorf("%+v: nothing was measured", s)
	}
}
