package main

import (
	"context"

	"github.com/labstack/echo/v4"
)

// sites are all there are, for the process that serves one of them.
var sites = []*site{bare, empty, echoJWT, echoContrib, gorilla, scsMemory, scsDefault, scsTuned, scsIdle, scsPool, kit, kitFirst, kitSurfed}

// A row is a line of the table: a site, and who visits it, in process and over
// loopback HTTP.
type row struct {
	name           string
	site           *site
	here, loopback func(gate) crowd // nil: not measured
	many           bool             // different cookies in process, so that bare echo must have them too
	local          *local
	remote         *remote
}

// table is what is compared.
type table struct {
	rows []*row

	// Rows that claims are made of.
	bare, jwt, memory, byDefault, tuned, idle, seen, everyone, first, surfed *row
}

func newTable() *table {
	t := &table{}
	add := func(name string, s *site, here, loopback func(gate) crowd) *row {
		r := &row{name: name, site: s, here: here, loopback: loopback}
		t.rows = append(t.rows, r)
		return r
	}
	// In process the peers see one cookie again and again, which is kind to them.
	peer := func(s *site) *row { return add(s.name, s, same, anyone) }

	t.bare = peer(bare)
	peer(empty)
	t.jwt = peer(echoJWT)
	peer(echoContrib)
	peer(gorilla)
	t.memory = peer(scsMemory)
	t.byDefault = peer(scsDefault)
	t.tuned = peer(scsTuned)
	t.idle = peer(scsIdle)
	peer(scsPool)
	t.seen = add("sessionkit, a cookie seen before", kit, same, same)

	t.everyone = add("sessionkit, all users in random order", kit, anyone, anyone)
	t.first = add("sessionkit, first sight of each cookie", kitFirst, same, nil)
	t.surfed = add(kitSurfed.name, kitSurfed, surfers, surfers)
	t.everyone.many, t.first.many, t.surfed.many = true, true, true
	return t
}

// fillHere measures what is measured in this process.
func (t *table) fillHere(ctx context.Context, db *database, p plan) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // afterwards nobody polls the database any more
	built := map[*site]*echo.Echo{}
	visited := func(s *site, by func(gate) crowd) *local {
		if built[s] == nil {
			built[s] = must(s.build(ctx, db.dsn(s.params)))
		}
		return newLocal(built[s], by(func() roundTrip { return inside(built[s]) })())
	}
	// Bare echo twice: what cookies cost by being many, it pays as well.
	one, many := visited(bare, same), visited(bare, anyone)
	var contenders []*local
	for _, r := range t.rows {
		if r == t.bare {
			r.local = one
		} else {
			r.local = visited(r.site, r.here)
		}
		if r == t.first {
			r.local.receive(&newcomers{})
		}
		r.local.base = one
		if r.many {
			r.local.base = many
		}
		contenders = append(contenders, r.local)
	}
	inProcess(contenders, p.rounds, p.turn)
}

// fillLoopback measures what is measured over loopback HTTP.
func (t *table) fillLoopback(db *database, p plan) {
	started := map[*site]*server{}
	var contenders []*remote
	for _, r := range t.rows {
		if r.loopback == nil {
			continue
		}
		s := r.site
		if started[s] == nil {
			started[s] = startServer(s, db.dsn(s.params))
		}
		r.remote = newRemote(started[s], r.loopback(func() roundTrip { return dial(started[s].addr).send }))
		contenders = append(contenders, r.remote)
	}
	for _, s := range started {
		s.freeze()
	}
	overLoopback(contenders, db, p.httpRounds, p.httpTurn)
	for _, s := range started {
		_ = s.process.Kill()
	}
}
