package scaling

import (
	"math"
	"time"
)

// growth prints what a million live sessions and more ask for, and where one
// primary ends.
func growth(p plan, perSession map[think]surfed, perLogin float64, s stored, keepFor time.Duration) {
	capacity, from := s.refreshes, "as measured here, on two shared cores, with the data in memory and no log synced"
	if *primary > 0 {
		capacity, from = *primary, "as told by -primary"
	}
	say("## What MySQL must hold")
	say("Live are the sessions of users who are surfing. Stated: a user logs in, surfs for %s and does not come back, so that sessions / %s log in a second. "+
		"Computed from that: a row stays for %s after its last confirmation (`KeepFor`, as logins ask for it), so the table holds live sessions x (1 + %s / %s). "+
		"Assumed: bytes per session are what they are with %s; a larger B+tree has more levels, and pages as full.",
		span(*surfing), span(*surfing), span(keepFor), span(keepFor), span(*surfing), number(float64(p.sessions), 0))
	lines := table{{"live sessions", "user id", "rows", "rows' bytes", "by_user", "by_change", "by_expiry", "together", "without the dead"}}
	dead := keepFor.Seconds() / surfing.Seconds()
	for _, live := range populations {
		rows := live * (1 + dead)
		for _, k := range s.kinds {
			lines.row(number(live, 0), k.name, about(rows), gigabytes(rows*k.indexes["PRIMARY"]), gigabytes(rows*k.indexes["by_user"]),
				gigabytes(rows*k.indexes["by_change"]), gigabytes(rows*k.indexes["by_expiry"]), gigabytes(rows*k.all()), gigabytes(live*k.all()))
		}
	}
	lines.print()

	say("## Where one primary ends")
	say("S and U1 per session are those of the first table, on one node and without parallel requests; a login takes %s statements; a row is pruned for each login. "+
		"One primary does %s refreshes a second, that is twice as many statements (%s). InnoDB logs %s bytes per refresh.",
		rounded(perLogin), about(capacity), from, about(s.logPerRefresh))
	lines = table{{"live sessions", "think", "S/s", "U1/s", "logins/s", "rows pruned/s", "rows written/s", "log MB/s", "primaries", "one primary ends at"}}
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
	say("Up to there it is one primary's work. Beyond it the rows must be spread over several primaries, as Vitess and TiDB do. " +
		"Both were judged from their documentation and not run: Vitess would shard sessions and users by user id, and find a session id through a lookup vindex; " +
		"in TiDB an autocommit UPDATE may go optimistically, and write conflicts are to be retried. Nobody may read S from a replica.")
	say("Galera and Group Replication are for availability, and not for more writes: every node takes every write. The kit's compare-and-swap has one winner there too; " +
		"S needs wsrep_sync_wait=3 (group_replication_consistency='BEFORE'), and a Galera node that dies stops all writes for some 6 s, 3 s with evs.suspect_timeout at 2 s.")
}

var populations = []float64{1e6, 10e6, 100e6}
