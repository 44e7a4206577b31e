package storetest

import (
	"sync/atomic"

	"github.com/sessionkit/sessionkit/session/store"
)

var deviceRaceClauses = []clause{
	{"CreateDeviceLogin of one login many times at once adds one", (*suite).deviceTwiceRace},
	{"CreateDeviceLogin gives a user code to at most one of many logins that begin at once", (*suite).deviceCodeRace},
	{"CreateDeviceLogin keeps its limit for what follows many logins at once", (*suite).deviceLimitRace},
	{"RecordPoll succeeds once when many polls come at once", (*suite).devicePollRace},
	{"DecideDeviceLogin succeeds once when many decide at once", (*suite).deviceDecideRace},
	{"PruneDeviceLogins counts each login once when many prune at once", (*suite).devicePruneRace},
}

// race runs a step in many goroutines at once, and returns how many reported true.
func (s *suite) race(step func(i int) (bool, error)) int {
	s.Helper()
	var won atomic.Int32
	together(workers, func(i int) {
		ok, err := persistent(func() (bool, error) { return step(i) })
		if err != nil {
			s.Errorf("a step that must succeed failed: %v", err)
		}
		if ok {
			won.Add(1)
		}
	})
	return int(won.Load())
}

func (s *suite) deviceTwiceRace() {
	devices := s.devices()
	for range 10 {
		n := newDevice()
		n.Network = n.ID.String()
		if won := s.race(func(int) (bool, error) { return devices.CreateDeviceLogin(s.ctx(), n, 1) }); won != workers {
			s.Errorf("%d of %d calls found the login that each of them adds", won, workers)
		}
		s.deviceIs("after all calls", n, begun(n, s.device(n).CreatedAt))
	}
}

func (s *suite) deviceCodeRace() {
	devices := s.devices()
	for range 10 {
		logins := make([]store.NewDeviceLogin, workers)
		code := random[store.Digest]()
		for i := range logins {
			logins[i] = newDevice()
			logins[i].UserCode = code
		}
		reported := make([]bool, workers)
		if won := s.race(func(i int) (ok bool, err error) {
			reported[i], err = devices.CreateDeviceLogin(s.ctx(), logins[i], many)
			return reported[i], err
		}); won > 1 {
			s.Errorf("%d logins have the same user code", won)
		}
		for i, n := range logins {
			if _, d, err := devices.FindDeviceLogin(s.ctx(), n.ID); err != nil || (d != nil) != reported[i] {
				s.Errorf("reported %v, but found %+v, %v", reported[i], d, err)
			}
		}
	}
}

// Calls at once may exceed the limit, each by one. What they add counts for the next call.
func (s *suite) deviceLimitRace() {
	devices := s.devices()
	const limit = 5
	logins := make([]store.NewDeviceLogin, workers)
	reported := make([]bool, workers)
	won := s.race(func(i int) (ok bool, err error) {
		logins[i] = newDevice()
		reported[i], err = devices.CreateDeviceLogin(s.ctx(), logins[i], limit)
		return reported[i], err
	})
	if won < limit {
		s.Errorf("%d logins were added; want %d or more", won, limit)
	}
	for i, n := range logins {
		if _, d := s.findDevice(n); (d != nil) != reported[i] {
			s.Errorf("reported %v, but found %+v", reported[i], d)
		}
	}
	s.did(false)(devices.CreateDeviceLogin(s.ctx(), newDevice(), limit))
}

// No round waits for the clock: a coarse one shows the same time in several of them.
func (s *suite) devicePollRace() {
	devices := s.devices()
	n := s.begin()
	for round := range 20 {
		last := s.device(n).PolledAt
		if won := s.race(func(int) (bool, error) { return devices.RecordPoll(s.ctx(), n.ID, last, pollInterval) }); won != 1 {
			s.Fatalf("round %d: %d polls were recorded; want 1", round, won)
		}
		if now := s.device(n).PolledAt; now.Equal(last) {
			s.Fatalf("round %d: PolledAt has not changed", round)
		}
	}
}

func (s *suite) deviceDecideRace() {
	devices := s.devices()
	for range 10 {
		n := s.begin()
		decisions := []store.Decision{store.Approved, store.Denied}
		var winner atomic.Int32
		won := s.race(func(i int) (bool, error) {
			ok, err := devices.DecideDeviceLogin(s.ctx(), n.ID, decisions[i%2])
			if ok {
				winner.Store(int32(i % 2))
			}
			return ok, err
		})
		if got := s.device(n).Decision; won != 1 || got != decisions[winner.Load()] {
			s.Errorf("%d decisions succeeded, and the login is %q; want one, and what that said", won, got)
		}
	}
}

func (s *suite) devicePruneRace() {
	devices := s.devices()
	const over = 100
	kept := s.begin()
	for range over {
		s.begin(lasts(-store.RetainDeviceLogin))
	}
	s.outlive()
	var removed atomic.Int64
	together(4, func(int) {
		for range over {
			n, err := devices.PruneDeviceLogins(s.ctx(), 7)
			removed.Add(int64(n))
			if err != nil {
				s.Errorf("prune: %v", err)
			}
		}
	})
	if removed.Load() != over {
		s.Errorf("%d logins were counted; want %d", removed.Load(), over)
	}
	s.device(kept)
}
