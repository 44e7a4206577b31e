package storetest

import "github.com/sessionkit/sessionkit/session/store"

var reloadClauses = []clause{
	{"Reload raises the counter of each live session of the user", (*suite).reloadCounts},
	{"Reload changes no sessions that are over or of other users", (*suite).reloadLeaves},
}

func (s *suite) reloadCounts() {
	one, first := s.login(s.Alice)
	two, _ := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(one, 1, first)))
	want := map[store.ID]store.Record{one: *s.row(one), two: *s.row(two)}
	for n := uint64(1); n <= 2; n++ {
		s.tick()
		s.must(s.Store.Reload(s.ctx(), s.Alice))
		for id, row := range want {
			row.Reload = n
			s.holds("after Reload", s.row(id), row)
		}
	}
}

func (s *suite) reloadLeaves() {
	revoked, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	ended, _ := s.loginFor(s.Alice, moment, keepFor)
	expired, _ := s.loginFor(s.Alice, lifetime, moment)
	bobs, _ := s.login(s.Bob)
	want := map[string]store.Record{
		"a revoked session":                 *s.row(revoked),
		"a session past its end":            *s.row(ended),
		"a session that is not kept longer": *s.row(expired),
		"another user's session":            *s.row(bobs),
	}
	s.outlive()
	s.must(s.Store.Reload(s.ctx(), s.Alice))
	for name, row := range want {
		s.holds(name, s.row(row.ID), row)
	}
}
