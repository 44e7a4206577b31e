package scaling

import (
	"math"
	"slices"
	"testing"
	"time"
)

// herd prints the number of refreshes in the second with the most refreshes, for
// users who log in at the same time and for users who do not.
func herd(t *testing.T, p plan) {
	say("## Many logins at the same time")
	say("Refreshes per second of %s users on one node for %s. Without jitter the users would refresh at the rate at which they logged in. The lifetime of an access cookie is up to a tenth shorter than %s, "+
		"so at most about %s users refresh in one second, and each further lifetime spreads them more.",
		number(float64(p.herd), 0), span(p.herdLasting), span(accessTTL), rounded(float64(p.herd)/(accessTTL/10).Seconds()))
	lines := table{{"logins within", "think", "logins/s", "users / AccessTTL", "mean", "peak", "peak / mean"}}
	var parts []time.Duration
	for until := 2 * accessTTL; until < p.herdLasting; until *= 2 {
		parts = append(parts, until)
	}
	parts = append(parts, p.herdLasting)
	for _, until := range parts {
		lines[0] = append(lines[0], "peak until "+span(until))
	}
	for _, s := range p.herds {
		s.users, s.lasting, s.fanOut, s.nodes = p.herd, p.herdLasting, 1, nodes{n: 1}
		j := surf(t, s)
		in, mean := j.refreshesIn, j.steady.perSecond(j.steady.selects)
		line := []string{span(s.within), s.think.String(), rounded(float64(s.users) / s.within.Seconds()), rounded(float64(s.users) / accessTTL.Seconds()),
			rounded(mean), rounded(slices.Max(in)), rounded(slices.Max(in) / mean)}
		from := 0
		for _, until := range parts {
			line = append(line, rounded(slices.Max(in[from:int(until/time.Second)])))
			from = int(until / time.Second)
		}
		lines.row(line...)
		// The jitter spreads the refreshes, however fast the users log in.
		evenly := float64(s.users) / (accessTTL / 10).Seconds()
		if most := evenly + 5*math.Sqrt(evenly); slices.Max(in) > most {
			t.Errorf("%+v: %v refreshes in one second; want at most %.0f", s, slices.Max(in), most)
		}
	}
	lines.print()
}
