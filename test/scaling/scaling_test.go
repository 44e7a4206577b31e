package scaling

import (
	"flag"
	"runtime"
	"testing"
	"time"
)

var (
	full    = flag.Bool("full", false, "use enough users and sessions for figures to quote; takes some minutes")
	primary = flag.Float64("primary", 0, "refreshes per second of one primary; 0: the measured value")
	surfing = flag.Duration("surfing", time.Hour, "how long a user sends requests after a login")
)

// plan is the size of the simulations and of the database.
type plan struct {
	users       int
	within      time.Duration
	lasting     time.Duration
	thinks      []think
	nodes       []nodes
	herd        int
	herds       []scenario
	herdLasting time.Duration
	revocations []float64 // per second
	sessions    int       // rows in the database
	ofOneUser   int       // live sessions of one user, of each kind
	equal       int       // those of a user who is compared with that one
	pairs       int       // runs of each step that is compared
}

// fast is the plan of `go test`. It is large enough for the checks of the bounds.
var fast = plan{
	users: 10, within: accessTTL, lasting: 30 * time.Minute,
	thinks: []think{{5 * time.Second, false}},
	nodes:  []nodes{{1, false}, {3, false}},
	herd:   100, herds: []scenario{{within: time.Second, think: think{time.Second, true}}}, herdLasting: 5 * time.Minute,
	revocations: []float64{2},
	sessions:    1000,
	ofOneUser:   10_000,
	equal:       5000,
	pairs:       10,
}

// whole is the plan of `make scaling`.
var whole = plan{
	users: 400, within: accessTTL, lasting: 30 * time.Minute,
	thinks: []think{
		{5 * time.Second, false}, {5 * time.Second, true},
		{30 * time.Second, false}, {30 * time.Second, true},
		{3 * time.Minute, false}, {3 * time.Minute, true},
	},
	nodes: []nodes{{1, false}, {3, false}, {3, true}, {10, false}},
	herd:  10_000, herdLasting: 16 * time.Minute,
	herds: []scenario{
		{within: accessTTL, think: think{5 * time.Second, false}},
		{within: 10 * time.Second, think: think{5 * time.Second, false}},
		{within: 10 * time.Second, think: think{5 * time.Second, true}},
		{within: 10 * time.Second, think: think{30 * time.Second, false}},
		{within: time.Second, think: think{5 * time.Second, false}},
	},
	revocations: []float64{0, 1, 10},
	sessions:    200_000,
	ofOneUser:   200_000,
	equal:       10_000,
	pairs:       200,
}

func TestScaling_StatementsPollsAndRowsStayWithinTheirBounds(t *testing.T) {
	p, command := fast, "go test -C test/scaling"
	if *full {
		p, command = whole, "make scaling"
	}
	keepFor := loginKeepsRow(t)
	db := measureStorage(t, p.sessions, keepFor)
	say("`%s`, %s: %s, MariaDB %s, %d cores.", command, time.Now().Format(time.DateOnly), runtime.Version(), db.version, runtime.NumCPU())
	perSession, perLogin := statements(t, p)
	herd(t, p)
	revocationList(t, p, db.polls)
	db.print(p.sessions)
	growth(p, perSession, perLogin, db, keepFor)
}
