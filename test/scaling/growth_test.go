package scaling

import (
	"math"
	"time"
)

// growth prints the computed storage and load of a million and more live sessions,
// and the number of sessions that one primary can serve.
func growth(p plan, perSession map[think]surfed, perLogin float64, s stored, keepFor time.Duration) {
	capacity, from := s.refreshes, "as measured here, on two shared cores, with the data in memory and without log synchronization"
	if *primary > 0 {
		capacity, from = *primary, "as set by -primary"
	}
	say("## Storage in MySQL")
	say("A session is live while its user sends requests. Assumption: a user logs in, sends requests for %s and does not return, so there are sessions / %s logins per second. "+
		"Computed from that: a row is kept for %s after its last confirmation (`RetainFor`, as set by logins), so the table holds live sessions x (1 + %s / %s). "+
		"Assumption: the bytes per session are those measured with %s sessions; a larger B+tree has more levels, but equally filled pages.",
		span(*surfing), span(*surfing), span(keepFor), span(keepFor), span(*surfing), number(float64(p.sessions), 0))
	lines := table{{"live sessions", "user id", "rows", "rows' bytes", "by_user", "by_external", "by_change", "by_expiry", "total", "total of live sessions"}}
	dead := keepFor.Seconds() / surfing.Seconds()
	for _, live := range populations {
		rows := live * (1 + dead)
		for _, k := range s.kinds {
			lines.row(number(live, 0), k.name, about(rows), gigabytes(rows*k.indexes["PRIMARY"]), gigabytes(rows*k.indexes["by_user"]), gigabytes(rows*k.indexes["by_external"]),
				gigabytes(rows*k.indexes["by_change"]), gigabytes(rows*k.indexes["by_expiry"]), gigabytes(rows*k.all()), gigabytes(live*k.all()))
		}
	}
	lines.print()

	say("## Capacity of one primary")
	say("S and U1 per session are those of the first table, on one node and without parallel requests. A login takes %s statements, and one row is pruned for each login. "+
		"One primary executes %s refreshes per second, which is twice as many statements (%s). InnoDB logs %s bytes per refresh.",
		rounded(perLogin), about(capacity), from, about(s.logPerRefresh))
	lines = table{{"live sessions", "think", "S/s", "U1/s", "logins/s", "rows pruned/s", "rows written/s", "log MB/s", "primaries", "live sessions per primary"}}
	for _, live := range populations {
		for _, th := range p.thinks {
			if th.fixed {
				continue
			}
			a := perSession[th]
			selects, updates := a.perSecond(a.selects)/float64(p.users), a.perSecond(a.updates)/float64(p.users)
			logins := 1 / surfing.Seconds()
			statements := selects + updates + logins*(perLogin+1)
			lines.row(number(live, 0), th.String(), about(live*selects), about(live*updates), about(live*logins), about(live*logins),
				about(live*(updates+2*logins)), rounded(live*updates*s.logPerRefresh/1e6),
				number(math.Ceil(live*statements/(2*capacity)), 0), about(2*capacity/statements))
		}
	}
	lines.print()
	say("One primary is sufficient up to the last column. Beyond that the rows must be distributed over several primaries, for example with Vitess or TiDB. " +
		"Vitess shards sessions and users by user id, and finds a session id through a lookup vindex: see make drill-vitess. " +
		"TiDB was assessed from its documentation and was not run. There an autocommit UPDATE may run in optimistic mode, and write conflicts must be retried. S must never be read from a replica.")
	say("Galera and Group Replication increase availability, not write capacity: every node applies every write. The compare-and-swap of U1 has exactly one winner there too. " +
		"S needs wsrep_sync_wait=3 (group_replication_consistency='BEFORE'). The loss of a Galera node stops all writes for about 6 s, or 3 s with evs.suspect_timeout at 2 s.")
}

var populations = []float64{1e6, 10e6, 100e6}
