package session

import (
	"slices"
	"testing"

	"github.com/sessionkit/sessionkit/session/store"
)

// The same search finds the fault of a weaker rule. Each case leaves out one part of
// the rotation, around the real judge, and shows which fault that part prevents.
func TestSearch_FindsTheFaultOfEachWeakerRule(t *testing.T) {
	// A network in which the real rule has no fault.
	honest := searchWorld{access: searchAccess, parallel: 2, transit: 1, answer: 1}
	theft := searchWorld{parallel: 2, thief: 1}
	discards := searchWorld{parallel: 1, thief: 1, access: 3}
	sleeps := searchWorld{access: searchAccess, parallel: 2, answer: 1, delays: 1, delayed: 3 * searchAccess, lossless: true}

	for _, test := range []struct {
		name   string
		world  searchWorld
		weaken func(*searchWorld)
		finds  searchFault
	}{
		{"the same child for all who present a ticket", theft, func(w *searchWorld) {
			w.child = searchDerivedChild
		}, searchBothPast},

		{"a window in which a straggler gets a good cookie", theft, func(w *searchWorld) {
			w.straggler = func(s *searchState, _ searchTicket) searchTicket {
				return searchTicket{id: s.unused(), parent: s.row.confirmed, generation: s.row.generation + 1, own: true}
			}
		}, searchBothPast},

		{"generations are compared, but not digests", theft, func(w *searchWorld) {
			w.judge = func(s store.Snapshot, t refreshTicket) class {
				row := *s.Record
				switch t.generation {
				case row.Generation:
					row.Confirmed = t.digest()
				case row.Generation + 1:
					row.Confirmed = t.parentDigest()
				}
				s.Record = &row
				return searchRules.judge(s, t)
			}
			w.takes = func(row *store.Record, p store.PresentedTicket) bool {
				agrees := *row
				agrees.Confirmed = p.Parent
				return agrees.CanConfirm(p)
			}
		}, searchBothPast},

		{"strict rotation: every ticket is good once", honest, func(w *searchWorld) {
			w.second = true // the ticket of a login counts as presented
			w.judge = searchInstead(classReuse, classSame, classStraggler)
		}, searchFalseLogout},

		{"no young rule, access cookie lost at any time", honest, func(w *searchWorld) {
			w.forced = true
			w.judge = windows{young: 0, grace: searchRules.grace}.judge
		}, searchFalseLogout},

		{"no young rule for a ticket ahead of its row, access cookie lost at any time, a lost write", honest, func(w *searchWorld) {
			w.forced, w.failover = true, 1
			w.judge = searchAheadIsNeverYoung
		}, searchFalseLogout},

		{"no young rule for a ticket ahead of its row, access cookie lost at any time, a node that lags", honest, func(w *searchWorld) {
			w.forced, w.stale = true, 2
			w.judge = searchAheadIsNeverYoung
		}, searchFalseLogout},

		{"no way forward for a row that lost a write", honest, func(w *searchWorld) {
			w.failover = 1
			w.judge = searchInstead(classReuse, classAhead)
		}, searchFalseLogout},

		{"no late presentation is recorded", discards, func(w *searchWorld) {
			w.judge = searchInstead(classSame, classLate)
		}, searchUnnoticed},

		{"a prefetch of a child is served and not confirmed", discards, func(w *searchWorld) {
			w.prefetch = true
		}, searchUnnoticed},

		{"one late presentation of the parent is enough", sleeps, func(w *searchWorld) {
			w.weakenRow(func(row *store.Record, _ *store.PresentedTicket) { row.LateBefore = row.LateAt })
		}, searchFalseLogout},

		{"a child has no age limit", sleeps, func(w *searchWorld) {
			w.noAgeLimit = true
			w.weakenRow(func(_ *store.Record, p *store.PresentedTicket) {
				p.SupersededAfter = p.SupersededAfter.Add(-searchRules.late)
			})
		}, searchFalseLogout},

		{"a lost race is a verdict", honest, func(w *searchWorld) {
			w.verdict = true
		}, searchFalseLogout},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := test.world
			test.weaken(&w)
			w.mustFail(t, test.finds)
		})
	}
}

// There is one known limit: if a database loses the confirmation of one side's ticket,
// both sides can get past one refresh. The database cannot detect that.
func TestSearch_FindsTheLimitOfALostWrite(t *testing.T) {
	searchWorld{parallel: 1, thief: 1, failover: 1}.mustFail(t, searchBothPast)
}

// weakenRow changes what judge and Confirm see of a child of the confirmed ticket.
func (w *searchWorld) weakenRow(change func(*store.Record, *store.PresentedTicket)) {
	w.takes = func(row *store.Record, p store.PresentedTicket) bool {
		changed := *row
		change(&changed, &p)
		return changed.CanConfirm(p)
	}
	takes := w.takes
	w.judge = func(s store.Snapshot, t refreshTicket) class {
		c := searchRules.judge(s, t)
		if c == classNext && !takes(s.Record, searchRules.presented(s, t)) {
			return classReuse
		}
		return c
	}
}

// searchInstead is the real judge with one class replaced by another.
func searchInstead(instead class, of ...class) func(store.Snapshot, refreshTicket) class {
	return func(s store.Snapshot, t refreshTicket) class {
		if c := searchRules.judge(s, t); !slices.Contains(of, c) {
			return c
		}
		return instead
	}
}

func searchAheadIsNeverYoung(s store.Snapshot, t refreshTicket) class {
	c := searchRules.judge(s, t)
	if c == classYoung && t.generation > s.Record.Generation+1 {
		return classAhead
	}
	return c
}

// searchDerivedChild mints the same child for everybody who presents the ticket, as a
// rotation does that derives the child from the ticket.
func searchDerivedChild(s *searchState, t searchTicket) searchTicket {
	child := searchChild(s, t)
	if s.row.previous == t.id {
		child.id = s.row.confirmed
	}
	s.tickets(func(other *searchTicket) {
		if other.parent == t.id && other.generation == child.generation {
			child.id = other.id
		}
	})
	return child
}
