package session

import (
	"fmt"
	"testing"
)

// In the worlds with a clock, an access cookie lives 12 ticks, so a tick is 10 s by
// default. Then a ticket is young for 10 ticks, and the grace period is 1 tick.
const searchAccess = 12

// An honest browser is never logged out, whatever happens to its requests and answers,
// to the browser and to the database, within the bounds of the next test.
func TestSearch_FindsNoFalseLogout(t *testing.T) {
	for _, test := range []struct {
		name    string
		world   searchWorld
		atLeast int
		large   bool
	}{
		{"three parallel requests",
			searchWorld{parallel: 3, transit: 2, answer: 4, early: 1}, 50_000, false},
		{"three parallel requests, access cookie lost at any time",
			searchWorld{parallel: 3, transit: 1, answer: 3, forced: true}, 50_000, false},
		{"two crashes of the browser",
			searchWorld{parallel: 2, transit: 2, answer: 4, early: 1, crashes: 2, unsaved: 3}, 40_000, false},
		{"two crashes, access cookie lost at any time",
			searchWorld{parallel: 2, transit: 1, answer: 2, forced: true, crashes: 2, unsaved: 3}, 40_000, false},
		{"nodes that lag by up to two versions",
			searchWorld{parallel: 2, transit: 1, answer: 3, forced: true, stale: 2}, 40_000, false},
		{"two lost writes",
			searchWorld{parallel: 2, transit: 1, answer: 3, forced: true, failover: 2}, 30_000, false},
		{"three parallel requests on nodes that lag",
			searchWorld{parallel: 3, transit: 1, answer: 3, forced: true, stale: 2}, 500_000, true},
		{"everything at once",
			searchWorld{parallel: 2, transit: 2, answer: 4, early: 1, crashes: 2, unsaved: 3, stale: 2, failover: 1}, 900_000, true},
		{"everything at once, access cookie lost at any time",
			searchWorld{parallel: 2, transit: 1, answer: 2, forced: true, crashes: 1, unsaved: 3, stale: 2, failover: 1}, 300_000, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onlyIf(t, test.large)
			test.world.access = searchAccess
			test.world.mustHold(t, test.atLeast)
		})
	}
}

// One answer may be very late: it belongs to a laptop that sleeps, or to a phone in a
// tunnel. With two names for the refresh cookie it replaces no newer one. The limit is
// exact: the answers in between must arrive, and within the grace period.
func TestSearch_OneVeryLateAnswerLogsNobodyOut(t *testing.T) {
	late := searchWorld{access: searchAccess, parallel: 2, answer: 1, delays: 1, delayed: 3 * searchAccess, lossless: true}
	t.Run("two names", func(t *testing.T) { late.mustHold(t, 4_000) })
	for name, weaken := range map[string]func(*searchWorld){
		"one name":                              func(w *searchWorld) { w.oneName = true },
		"two names, and another answer is lost": func(w *searchWorld) { w.lossless = false },
		"two names, and the others arrive after the grace period": func(w *searchWorld) { w.transit = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := late
			weaken(&w)
			w.mustFail(t, searchFalseLogout)
		})
	}
}

// The bounds on the network are exact: within them there is no false logout, and beyond
// each of them there is one.
func TestSearch_BoundsAreExact(t *testing.T) {
	const young = searchAccess * 5 / 6
	for _, test := range []struct {
		name  string
		world searchWorld
		holds func(w searchWorld) bool
		large bool
	}{
		{"access > transit + 2 answers",
			searchWorld{},
			func(w searchWorld) bool { return w.access > w.transit+2*w.answer }, false},
		{"with a jittered lifetime, the shortest counts",
			searchWorld{early: 1},
			func(w searchWorld) bool { return w.access-w.early > w.transit+2*w.answer }, false},
		{"access cookie lost at any time: young > 2 (transit + answer)",
			searchWorld{forced: true},
			func(w searchWorld) bool { return young > 2*(w.transit+w.answer) }, false},
		{"with crashes: access > answer + saving, too",
			searchWorld{crashes: 2, unsaved: 8},
			func(w searchWorld) bool {
				return w.access > w.transit+2*w.answer && w.access > w.answer+w.unsaved
			}, true},
		{"with crashes and access cookie lost: young + grace > 2 (transit + answer) + saving",
			searchWorld{forced: true, crashes: 1, unsaved: 2},
			func(w searchWorld) bool { return young >= 2*(w.transit+w.answer)+w.unsaved }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onlyIf(t, test.large)
			states, holding := 0, 0
			for transit := range uint8(4) {
				for answer := range uint8(5) {
					w := test.world
					w.access, w.parallel, w.transit, w.answer = searchAccess, 2, transit+1, answer+1
					r := w.search(t)
					if found := r.fault != 0; found == test.holds(w) {
						t.Errorf("transit %d, answer %d: found %v\n%v", w.transit, w.answer, r.fault, r)
					}
					if states += r.states; r.fault == 0 {
						holding++
					}
				}
			}
			if states < 10_000 || holding == 0 || holding == 20 {
				t.Error("too small a world, or no bound in it")
			}
			t.Logf("%d of 20 networks hold (%d states)", holding, states)
		})
	}
}

// After a theft, the two sides never both get past one refresh. When one side has, the
// other holds no ticket that is still accepted.
//
// These worlds have no clock: every step may take any time, every ticket may be young or
// old, and every row recent or not. So the guarantee depends on no bound of the network
// and on no time window.
func TestSearch_FindsNoThiefPastOneRefresh(t *testing.T) {
	for _, test := range []struct {
		world   searchWorld
		atLeast int
		large   bool
	}{
		{searchWorld{parallel: 2, thief: 1}, 40_000, false},
		{searchWorld{parallel: 1, thief: 2}, 20_000, false},
		{searchWorld{parallel: 1, thief: 1, stale: 2}, 10_000, false},
		{searchWorld{parallel: 1, thief: 1, crashes: 2}, 5_000, false},
		{searchWorld{parallel: 3, thief: 1, oneName: true}, 300_000, true},
		{searchWorld{parallel: 2, thief: 2}, 300_000, true},
		{searchWorld{parallel: 2, thief: 1, stale: 1}, 100_000, true},
		{searchWorld{parallel: 2, thief: 1, crashes: 1}, 100_000, true},
		{searchWorld{parallel: 1, thief: 1, stale: 1, crashes: 2}, 50_000, true},
	} {
		w := test.world
		name := fmt.Sprintf("%d and %d parallel, %d crashes, lag %d, access %d", w.parallel, w.thief, w.crashes, w.stale, w.access)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onlyIf(t, test.large)
			w.mustHold(t, test.atLeast)
		})
	}
}

// A thief who discards every answer is noticed, too. Once he has come twice, more than an
// access lifetime apart and first more than two after the victim's last answer, the
// victim's next refresh ends the session.
func TestSearch_FindsNoThiefUnnoticed(t *testing.T) {
	for _, test := range []struct {
		world   searchWorld
		atLeast int
		large   bool
	}{
		{searchWorld{parallel: 1, thief: 1, access: 3}, 200_000, false},
		{searchWorld{parallel: 1, thief: 1, access: 3, transit: 1}, 300_000, true},
		{searchWorld{parallel: 1, thief: 1, access: 3, answer: 1}, 300_000, true},
		{searchWorld{parallel: 1, thief: 1, access: 4}, 300_000, true},
		{searchWorld{parallel: 1, thief: 1, access: 4, transit: 1, answer: 1}, 700_000, true},
	} {
		w := test.world
		t.Run(fmt.Sprintf("access %d, transit %d, answer %d", w.access, w.transit, w.answer), func(t *testing.T) {
			t.Parallel()
			onlyIf(t, test.large)
			w.mustHold(t, test.atLeast)
		})
	}
}
