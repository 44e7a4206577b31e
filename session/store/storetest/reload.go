package storetest

import "github.com/sessionkit/sessionkit/session/store"

var reloadClauses = []clause{
	{"Reload raises the counter of each live session of the user", (*suite).reloadCounts},
	{"Reload raises at most limit counters, and says how many it found", (*suite).reloadLimit},
	{"Reload changes no sessions that are over or of other users", (*suite).reloadLeaves},
}

func (s *suite) reloadCounts() {
	one, first := s.login(s.Alice)
	two, _ := s.login(s.Alice)
	s.did(true)(s.Store.Confirm(s.ctx(), child(one, 1, first)))
	want := map[store.ID]store.Record{one: *s.row(one), two: *s.row(two)}
	for n := uint64(1); n <= 2; n++ {
		s.tick()
		s.reload(s.Alice)
		for id, row := range want {
			row.Reload = n
			s.holds("after Reload", s.row(id), row)
		}
	}
}

func (s *suite) reloadLimit() {
	var ids []store.ID
	for range 5 {
		id, _ := s.login(s.Alice)
		ids = append(ids, id)
	}
	s.login(s.Bob)
	sum := func() (sum uint64) {
		for _, id := range ids {
			sum += s.row(id).Reload
		}
		return sum
	}
	for _, step := range []struct{ limit, want int }{{-1, 0}, {0, 0}, {1, 1}, {4, 4}, {5, 5}, {6, 5}} {
		before := sum()
		n, err := s.Store.Reload(s.ctx(), s.Alice, step.limit)
		s.must(err)
		if n != step.want || sum()-before != uint64(step.want) {
			s.Errorf("at most %d: %d were found and %d raised; want %d", step.limit, n, sum()-before, step.want)
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
	s.reload(s.Alice)
	for name, row := range want {
		s.holds(name, s.row(row.ID), row)
	}
}
