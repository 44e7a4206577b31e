package main

import (
	"context"

	"github.com/labstack/echo/v4"
)

// sites are all sites. A server process looks its site up by name.
var sites = []*site{bare, empty, echoJWT, echoContrib, gorilla, scsMemory, scsDefault, scsTuned, scsIdle, scsPool, kit, kitFirst, kitSurfed}

// A row is a line of the table: a site, and its visitors in process and over loopback
// HTTP.
type row struct {
	name           string
	site           *site
	here, loopback func(gate) crowd // nil if not measured
	many           bool             // many different cookies in process; the base must then have many too
	local          *local
	remote         *remote
}

// table is the comparison of all sites.
type table struct {
	rows []*row

	// Rows that printClaims uses.
	bare, jwt, memory, byDefault, tuned, idle, seen, everyone, first, surfed *row
}

func newTable() *table {
	t := &table{}
	add := func(name string, s *site, here, loopback func(gate) crowd) *row {
		r := &row{name: name, site: s, here: here, loopback: loopback}
		t.rows = append(t.rows, r)
		return r
	}
	// In process the other libraries always receive the same cookie, which is an
	// advantage for them.
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
	t.first = add("sessionkit, first request of each cookie", kitFirst, same, nil)
	t.surfed = add(kitSurfed.name, kitSurfed, surfers, surfers)
	t.everyone.many, t.first.many, t.surfed.many = true, true, true
	return t
}

// fillHere runs the measurements in this process.
func (t *table) fillHere(ctx context.Context, db *database, p plan) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // stops the polls of the database
	built := map[*site]*echo.Echo{}
	visited := func(s *site, by func(gate) crowd) *local {
		if built[s] == nil {
			built[s] = must(s.build(ctx, db.dsn(s.params)))
		}
		return newLocal(built[s], by(func() roundTrip { return inside(built[s]) })())
	}
	// Bare echo with one cookie and with many, because a larger set of cookies costs
	// time by itself.
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

// fillLoopback runs the measurements over loopback HTTP.
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
