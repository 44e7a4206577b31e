package scaling

import (
	"strconv"
	"testing"
	"time"
)

// statements prints the number of statements that requests cause. It returns the
// steady result for each think time, with one node and one request a page, and the
// number of statements of a login.
func statements(t *testing.T, p plan) (perSession map[think]surfed, perLogin float64) {
	scs, scsIdle := scsPerRequest(t, 0), scsPerRequest(t, 20*time.Minute)
	say("## Statements caused by requests")
	say("%d users who log in within %s, for %s. The think time is exponential, unless fixed. The parallel requests of a page are sent within %v, all with the cookies that the browser had before. "+
		"S is the SELECT of a refresh, U1 its UPDATE: the confirmation, or the record of a late presentation. *In a visit* covers the whole time since the login; the other figures cover the time after the first two access cookies. "+
		"Figures per second are for 10,000 users; for N users multiply by N / 10,000. "+
		"scs needs %s statements per request, %s with IdleTimeout, on any number of nodes.",
		p.users, span(p.within), span(p.lasting), spread, rounded(scs), rounded(scsIdle))
	lines := table{{"think", "parallel", "nodes", "requests/s", "S/s", "U1/s", "S and U1 /s", "scs", "scs, idle", "per 1,000 requests", "in a visit", "S per expiry", "U1 per expiry", "S per expiry and node", "U1 per expiry and node"}}
	perSession = map[think]surfed{}
	for _, th := range p.thinks {
		for _, fanOut := range []int{1, 6} {
			for _, nodes := range p.nodes {
				if nodes.sticky && fanOut == 1 || th.fixed && nodes.n > 1 {
					continue // the result would be the same
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
	say("The load is proportional to the number of users, because the statements of a session do not depend on other sessions; the next section measures the same mean per user. "+
		"On several nodes, a parallel request whose U1 loses the race reads the row again; therefore S can exceed 1 per expiry and node. "+
		"If the think time exceeds the lifetime of an access cookie, every page is a refresh with two statements, where scs needs %s or %s.",
		rounded(scs), rounded(scsIdle))
	return perSession, perLogin
}

// most is the maximum number of statements per 1,000 requests. A refresh takes two
// statements. It happens once per access lifetime (on average a twentieth shorter than
// AccessTTL, because of the jitter) plus the time to the next page. A whole visit stays
// below that, because the login sets an access cookie too.
func most(s scenario) float64 {
	pages := (0.95*accessTTL.Seconds() + s.think.mean.Seconds()) / s.think.mean.Seconds()
	return 2 * 1000 / pages / float64(s.fanOut)
}

func holdToBounds(t *testing.T, s scenario, j journey) {
	t.Helper()
	end := j.end
	if lost := end.updates - end.won; end.selects != end.nodeExpiries+lost {
		t.Errorf("%+v: %v S for %v expiries, counted per node, and %v lost races; want one for each", s, end.selects, end.nodeExpiries, lost)
	}
	if end.updates > end.nodeExpiries {
		t.Errorf("%+v: %v U1 for %v expiries, counted per node", s, end.updates, end.nodeExpiries)
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
