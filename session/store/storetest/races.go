package storetest

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sessionkit/sessionkit/session/store"
)

var raceClauses = []clause{
	{"Confirm succeeds once when many tickets come at once", (*suite).confirmRace},
	{"RevokeReused reports true once when many call at once", (*suite).reuseRace},
	{"Revoke beats every Confirm in flight", (*suite).logoutRace},
	{"Create keeps each of many sessions that begin at once", (*suite).createRace},
	{"Create of one session many times at once adds one row", (*suite).createTwiceRace},
	{"RevokeUser leaves none when many call at once", (*suite).revokeUserRace},
	{"Prune counts each row once when many prune at once", (*suite).pruneRace},
}

const workers = 16

// together runs f in many goroutines that start at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// persistent repeats a step that fails, as the Manager does: a deadlock is not a fault
// of the store.
func persistent(step func() (bool, error)) (ok bool, err error) {
	for range 5 {
		if ok, err = step(); err == nil {
			break
		}
	}
	return ok, err
}

func (s *suite) confirmRace() {
	id, parent := s.login(s.Alice)
	for generation := uint64(1); generation <= 20; generation++ {
		rivals := make([]store.PresentedTicket, workers)
		var won atomic.Int32
		var winner atomic.Int32
		together(workers, func(i int) {
			rivals[i] = child(id, generation, parent)
			ok, err := persistent(func() (bool, error) { return s.Store.Confirm(s.ctx(), rivals[i]) })
			if err != nil {
				s.Errorf("confirm: %v", err)
			}
			if ok {
				won.Add(1)
				winner.Store(int32(i))
			}
		})
		row := s.row(id)
		if won.Load() != 1 || row.Generation != generation || row.Confirmed != rivals[winner.Load()].Digest || row.Previous != parent {
			s.Fatalf("generation %d: %d winners, row %+v", generation, won.Load(), row)
		}
		parent = row.Confirmed
	}
}

func (s *suite) reuseRace() {
	for range 10 {
		id, first := s.login(s.Alice)
		s.did(true)(s.Store.Confirm(s.ctx(), child(id, 1, first)))
		var reported atomic.Int32
		together(workers, func(int) {
			ok, err := persistent(func() (bool, error) {
				return s.Store.RevokeReused(s.ctx(), store.PresentedTicket{ID: id, Digest: first})
			})
			if err != nil {
				s.Errorf("revoke: %v", err)
			}
			if ok {
				reported.Add(1)
			}
		})
		if reported.Load() != 1 {
			s.Fatalf("%d calls reported that they revoked the session; want 1", reported.Load())
		}
	}
}

func (s *suite) logoutRace() {
	for range 20 {
		id, first := s.login(s.Alice)
		var confirmedAfter atomic.Int32
		var out atomic.Bool
		together(workers, func(i int) {
			if i == 0 {
				ok, err := persistent(func() (bool, error) { return s.Store.Revoke(s.ctx(), id, "", store.ReasonLogout) })
				if err != nil || !ok {
					s.Errorf("logout: %v, %v", ok, err)
				}
				out.Store(true)
				return
			}
			after := out.Load()
			ok, err := persistent(func() (bool, error) { return s.Store.Confirm(s.ctx(), child(id, 1, first)) })
			if err != nil {
				s.Errorf("confirm: %v", err)
			}
			if ok && after {
				confirmedAfter.Add(1)
			}
		})
		if confirmedAfter.Load() > 0 || s.row(id).RevokedAt.IsZero() {
			s.Fatalf("%d refreshes after the logout; revoked at %v", confirmedAfter.Load(), s.row(id).RevokedAt)
		}
	}
}

func (s *suite) createRace() {
	const each = 10
	ids := make([][]store.ID, workers)
	together(workers, func(i int) {
		for range each {
			n := store.NewSession{ID: random[store.ID](), UserID: s.Alice, Confirmed: random[store.Digest](), Lifetime: lifetime, RetainFor: keepFor}
			if _, err := persistent(func() (bool, error) { return true, s.Store.Create(s.ctx(), n) }); err != nil {
				s.Errorf("login: %v", err)
			}
			ids[i] = append(ids[i], n.ID)
		}
	})
	list, err := s.Store.List(s.ctx(), s.Alice, store.ID{}, anyNumber)
	s.must(err)
	if len(list) != workers*each {
		s.Errorf("%d of %d sessions are listed", len(list), workers*each)
	}
	for _, id := range slices.Concat(ids...) {
		s.row(id)
	}
}

func (s *suite) createTwiceRace() {
	for range 10 {
		n := store.NewSession{ID: random[store.ID](), UserID: s.Bob, Confirmed: random[store.Digest](), Lifetime: lifetime, RetainFor: keepFor}
		together(workers, func(int) {
			if _, err := persistent(func() (bool, error) { return true, s.Store.Create(s.ctx(), n) }); err != nil {
				s.Errorf("login: %v", err)
			}
		})
		if row := s.row(n.ID); row.Confirmed != n.Confirmed || row.Generation != 0 {
			s.Fatalf("row = %+v", row)
		}
	}
	if list, err := s.Store.List(s.ctx(), s.Bob, store.ID{}, anyNumber); err != nil || len(list) != 10 {
		s.Errorf("10 logins, each 16 times at once, made %d sessions, %v", len(list), err)
	}
}

// Whoever is told that no session is left must be able to rely on it, also while
// another call is revoking the last ones.
func (s *suite) revokeUserRace() {
	const sessions = 120
	var ids []store.ID
	for range sessions {
		id, _ := s.login(s.Alice)
		ids = append(ids, id)
	}
	together(4, func(int) {
		r := store.UserRevocation{UserID: s.Alice, Reason: store.ReasonRevoked, Limit: 25}
		for range 100 {
			n := 0
			if _, err := persistent(func() (ok bool, err error) { n, err = s.Store.RevokeUser(s.ctx(), r); return true, err }); err != nil {
				s.Errorf("revoke: %v", err)
			} else if n < r.Limit {
				break
			}
		}
		for _, id := range ids {
			snap, err := s.Store.Find(s.ctx(), id)
			if err != nil || snap.Record.RevokedAt.IsZero() {
				s.Errorf("after all were revoked: %+v, %v", snap.Record, err)
				return
			}
		}
	})
}

func (s *suite) pruneRace() {
	const dead = 100
	kept, _ := s.login(s.Alice)
	for range dead {
		s.loginFor(s.Alice, lifetime, moment)
	}
	s.outlive()
	var removed atomic.Int64
	together(4, func(int) {
		for range dead {
			n, err := s.Store.Prune(s.ctx(), 7)
			removed.Add(int64(n))
			if err != nil {
				s.Errorf("prune: %v", err)
			}
		}
	})
	if removed.Load() != dead {
		s.Errorf("%d rows were counted; want %d", removed.Load(), dead)
	}
	s.row(kept)
}
