package history

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var bounds = Bounds{
	Access: 2 * time.Second, Idle: 30 * time.Minute, Feed: 2 * time.Second,
	Memory: 170 * time.Millisecond, Store: 2 * time.Second, Slack: 100 * time.Millisecond,
}

// life makes the history of one session without a violation. At the end it may be logged
// out, or stolen.
func life(h *History, r *rand.Rand, jar int, begin time.Time, end Kind) {
	id, user, at := fmt.Sprintf("s%02d", jar), fmt.Sprint(jar), begin
	op := func(kind Kind, outcome Outcome) *Op {
		h.Ops = append(h.Ops, Op{Jar: jar, Kind: kind, User: user, Session: id, Began: at, Ended: at.Add(20 * time.Millisecond), Outcome: outcome})
		return &h.Ops[len(h.Ops)-1]
	}
	row := Entry{Session: id, User: user}
	entry := func(change Change) {
		row.Change, row.At = change, at.Add(10*time.Millisecond)
		h.Rows = append(h.Rows, row)
	}
	login := op(Login, OK)
	login.Cookies, login.Renewed = true, true
	entry(Created)
	for range 3 + r.IntN(3) {
		issued := at
		for range 3 {
			at = at.Add(400 * time.Millisecond)
			op(Use, OK).Got = &Identity{user, id, issued, issued.Add(bounds.Access)}
		}
		at = at.Add(bounds.Access)
		switch r.IntN(8) {
		case 0: // it was not executed
			op(Refresh, Unavailable)
			at = at.Add(time.Second)
		case 1: // it was confirmed without an answer; the next one confirms nothing
			op(Refresh, Unknown)
			row.Generation++
			entry(Confirmed)
			at = at.Add(time.Second)
			next := op(Refresh, OK)
			next.Cookies, next.Got = true, &Identity{user, id, at, at.Add(bounds.Access)}
			continue
		}
		next := op(Refresh, OK)
		next.Cookies, next.Renewed, next.Got = true, r.IntN(4) > 0, &Identity{user, id, at, at.Add(bounds.Access)}
		row.Generation++
		entry(Confirmed)
	}
	at = at.Add(time.Second)
	switch end {
	case Logout:
		op(Logout, OK)
		row.Reason = "logout"
	case Steal:
		op(Steal, OK)
		at = at.Add(5 * time.Second)
		row.Reason = "reuse"
	default:
		return
	}
	row.Revoked = true
	entry(Revoked)
	at = at.Add(time.Second)
	op(Use, OK).Got = &Identity{user, id, at.Add(-time.Second), at} // on a node that does not know of the end yet
	at = at.Add(5 * time.Second)
	op(Refresh, Refused)
}

// good makes a history without a violation.
func good(r *rand.Rand) *History {
	h := &History{Bounds: bounds}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for jar := range 12 {
		life(h, r, jar, begin.Add(time.Duration(r.IntN(2000))*time.Millisecond), []Kind{Use, Logout, Use, Steal}[jar%4])
	}
	return h
}

// Every planted fault is found: its rule is broken in its session, and no other rule is.
func TestEachPlantedFaultIsFoundAndNamed(t *testing.T) {
	const histories = 50
	found := map[string]int{}
	for seed := range uint64(histories) {
		h := good(rand.New(rand.NewPCG(seed, 0)))
		if report := h.Check(); len(report.Violations) > 0 || report.AfterEnd == 0 || report.Endings == 0 || report.Served == 0 || report.Confirms == 0 {
			t.Fatalf("seed %d: a good history: %+v", seed, report)
		}
		for i, plant := range Plants {
			planted, session, ok := plant.Planted(h, rand.New(rand.NewPCG(seed, uint64(i+1))))
			if !ok {
				continue // this history has no place for the fault
			}
			report := planted.Check()
			if err := plant.Found(report, session); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			found[plant.Name]++
		}
	}
	for _, plant := range Plants {
		if found[plant.Name] < histories/2 {
			t.Errorf("%s: planted %d times in %d histories", plant.Name, found[plant.Name], histories)
		}
	}
	t.Logf("%d plants in %d histories: %v", len(Plants), histories, found)
}
