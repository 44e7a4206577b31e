package main

import "github.com/labstack/echo/v4"

// A row is a line of the table: a site, and who visits it.
type row struct {
	name  string
	base  *row // what it is compared with: the same visitors at bare echo
	local *local
}

func cpu(c cost) float64    { return c.cpu }
func allocs(c cost) float64 { return c.allocs }
func size(c cost) float64   { return c.bytes }

func locals(rows []*row) (all []*local) {
	for _, r := range rows {
		all = append(all, r.local)
	}
	return all
}

func newRows(db *database) []*row {
	build := func(s *site) *echo.Echo { return must(s.build(db.dsn(s.params))) }
	one := func(s *site) *row {
		e := build(s)
		return &row{name: s.name, local: newLocal(e, always(loginLocal(e, 1)[0].header())())}
	}
	base := one(bare)
	rows := []*row{base}
	for _, s := range []*site{empty, echoJWT, echoContrib, gorilla, scsMemory, scsDefault, scsTuned, scsIdle, scsPool} {
		rows = append(rows, one(s))
	}
	e := build(kit)
	jars := loginLocal(e, users)
	rows = append(rows, &row{name: "sessionkit, one user", local: newLocal(e, always(jars[0].header())())})
	for _, r := range rows {
		r.base = base
	}
	bareAll := &row{name: "bare echo, all users", local: newLocal(build(bare), anyone(jars)())}
	bareAll.base = bareAll
	rows = append(rows, bareAll,
		&row{name: "sessionkit, all users", base: bareAll, local: newLocal(e, anyone(jars)())})
	newcomers := &newcomers{cookies: make([]string, users)}
	first := newLocal(e, newcomers.visit)
	first.refill, first.n = newcomers.refill, users
	rows = append(rows, &row{name: "sessionkit, first sight", base: bareAll, local: first})
	surfed := build(kitSurfed)
	rows = append(rows, &row{name: kitSurfed.name, base: bareAll, local: newLocal(surfed, surfers(loginLocal(surfed, users))())})
	return rows
}
