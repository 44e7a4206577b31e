package storetest

import "github.com/sessionkit/sessionkit/session/store"

var pruneClauses = []clause{
	{"Prune removes the rows whose retention is over, and no others", (*suite).pruneWhich},
	{"Prune removes at most limit rows", (*suite).pruneLimit},
	{"Prune removes hundreds of rows in one call", (*suite).pruneMany},
}

func (s *suite) pruneWhich() {
	dead, _ := s.loginFor(s.Alice, lifetime, moment)
	revoked, _ := s.loginFor(s.Alice, lifetime, moment)
	s.did(true)(s.Store.Revoke(s.ctx(), revoked, "", store.ReasonLogout))
	live, _ := s.login(s.Alice)
	ended, _ := s.loginFor(s.Alice, moment, keepFor)
	revokedLater, _ := s.login(s.Alice)
	s.did(true)(s.Store.Revoke(s.ctx(), revokedLater, "", store.ReasonLogout))
	s.outlive()
	if n, err := s.Store.Prune(s.ctx(), 100); n != 2 || err != nil {
		s.Errorf("Prune removed %d rows, %v; want 2", n, err)
	}
	for name, c := range map[string]struct {
		id   store.ID
		kept bool
	}{
		"a row that is not kept longer":           {dead, false},
		"a revoked row that is not kept longer":   {revoked, false},
		"a live session's row":                    {live, true},
		"a row of a session that is past its end": {ended, true},
		"a revoked row":                           {revokedLater, true},
	} {
		if kept := s.find(c.id).Record != nil; kept != c.kept {
			s.Errorf("%s was kept: %v; want %v", name, kept, c.kept)
		}
	}
}

func (s *suite) pruneLimit() {
	for range 5 {
		s.loginFor(s.Alice, lifetime, moment)
	}
	s.outlive()
	s.prunes([]pruned{{-1, 0}, {0, 0}, {1, 1}, {3, 3}, {3, 1}, {3, 0}})
}

// Pruning in batches can reach the limit within a batch, at the end of a batch, or
// before an empty last batch.
func (s *suite) pruneMany() {
	const dead = 450
	together(workers, func(i int) {
		for n := i; n < dead; n += workers {
			login := store.NewSession{ID: random[store.ID](), UserID: s.Alice, Lifetime: lifetime, RetainFor: moment}
			if _, err := persistent(func() (bool, error) { return true, s.Store.Create(s.ctx(), login) }); err != nil {
				s.Errorf("login: %v", err)
			}
		}
	})
	s.outlive()
	s.prunes([]pruned{{250, 250}, {1000, 200}, {1000, 0}})
}

type pruned struct{ limit, want int }

func (s *suite) prunes(steps []pruned) {
	s.Helper()
	for _, step := range steps {
		if n, err := s.Store.Prune(s.ctx(), step.limit); n != step.want || err != nil {
			s.Errorf("Prune(%d) removed %d rows, %v; want %d", step.limit, n, err, step.want)
		}
	}
}
