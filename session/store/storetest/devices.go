package storetest

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

var deviceClauses = []clause{
	{"CreateDeviceLogin begins undecided, with times of the store's clock", (*suite).deviceBegins},
	{"CreateDeviceLogin keeps the longest texts and empty ones unchanged", (*suite).deviceTexts},
	{"CreateDeviceLogin does not change an existing login, and reports it", (*suite).deviceTwice},
	{"CreateDeviceLogin refuses a user code that another login has", (*suite).deviceCodeTaken},
	{"CreateDeviceLogin refuses more than limit logins of a network that have not ended", (*suite).deviceLimit},
	{"FindDeviceLogin and FindUserCode find no other login, and return the clock", (*suite).deviceUnknown},
	{"RecordPoll sets the time and the interval, and nothing else", (*suite).devicePolls},
	{"RecordPoll changes no login that was polled at another time, has ended or is another", (*suite).devicePollLeaves},
	{"DecideDeviceLogin decides once, and changes nothing else", (*suite).deviceDecides},
	{"DecideDeviceLogin changes no login that has ended or is another", (*suite).deviceDecideLeaves},
	{"PruneDeviceLogins removes the logins whose retention is over, and nothing else", (*suite).devicePruneWhich},
	{"PruneDeviceLogins removes at most limit logins", (*suite).devicePruneLimit},
	{"A method of DeviceLogins gives no definite answer in a done context", (*suite).deviceDoneContext},
}

// devices returns the store as DeviceLogins. The test is skipped if it is none, so it must be
// called in the goroutine of the test.
func (s *suite) devices() store.DeviceLogins {
	devices, ok := s.Store.(store.DeviceLogins)
	if !ok {
		s.Skip("the store is no store.DeviceLogins, which is optional")
	}
	return devices
}

const pollInterval = 5*time.Second + time.Microsecond

func newDevice() store.NewDeviceLogin {
	return store.NewDeviceLogin{
		ID: random[store.ID](), UserCode: random[store.Digest](), Confirmed: random[store.Digest](), Live: random[store.Digest](),
		Client: "cli", UserAgent: "agent", IP: "192.0.2.1", Network: "192.0.2.1",
		Lifetime: 10*time.Minute + time.Microsecond, Interval: pollInterval,
	}
}

// begin adds a login, after changes to it.
func (s *suite) begin(changes ...func(*store.NewDeviceLogin)) store.NewDeviceLogin {
	s.Helper()
	n := newDevice()
	for _, change := range changes {
		change(&n)
	}
	s.did(true)(s.devices().CreateDeviceLogin(s.ctx(), n, many))
	return n
}

// lasts sets how long a login lasts. One of no time, or less, has ended from the beginning.
func lasts(lifetime time.Duration) func(*store.NewDeviceLogin) {
	return func(n *store.NewDeviceLogin) { n.Lifetime = lifetime }
}

// findDevice finds a login by its id and by its user code, which must agree. The login may
// be nil.
func (s *suite) findDevice(n store.NewDeviceLogin) (time.Time, *store.DeviceLogin) {
	s.Helper()
	before, byID, err := s.devices().FindDeviceLogin(s.ctx(), n.ID)
	s.must(err)
	now, byCode, err := s.devices().FindUserCode(s.ctx(), n.UserCode)
	s.must(err)
	if now.Before(before) {
		s.Errorf("the clock went from %v back to %v", before, now)
	}
	if (byID == nil) != (byCode == nil) || byID != nil && !reflect.DeepEqual(inUTC(*byID), inUTC(*byCode)) {
		s.Fatalf("the id finds\n%+v, but the user code\n%+v", byID, byCode)
	}
	return now, byID
}

// device returns a login that must be there.
func (s *suite) device(n store.NewDeviceLogin) store.DeviceLogin {
	s.Helper()
	_, d := s.findDevice(n)
	if d == nil {
		s.Fatalf("the login %v is not there", n.ID)
	}
	return inUTC(*d)
}

func inUTC(d store.DeviceLogin) store.DeviceLogin {
	for _, at := range []*time.Time{&d.CreatedAt, &d.EndsAt, &d.PolledAt} {
		*at = at.UTC()
	}
	return d
}

// deviceIs fails the test unless a login equals want.
func (s *suite) deviceIs(what string, n store.NewDeviceLogin, want store.DeviceLogin) {
	s.Helper()
	if got := s.device(n); got != want {
		s.Errorf("%s: the login is\n%+v; want\n%+v", what, got, want)
	}
}

// begun is what a login is at its beginning.
func begun(n store.NewDeviceLogin, at time.Time) store.DeviceLogin {
	return store.DeviceLogin{
		ID: n.ID, UserCode: n.UserCode, Confirmed: n.Confirmed, Live: n.Live,
		Client: n.Client, UserAgent: n.UserAgent, IP: n.IP, Network: n.Network,
		CreatedAt: at, EndsAt: at.Add(n.Lifetime), Interval: n.Interval,
	}
}

func (s *suite) deviceBegins() {
	from := s.now()
	n := s.begin()
	now, d := s.findDevice(n)
	if d == nil {
		s.Fatal("the login is not there")
	}
	s.between("CreatedAt", d.CreatedAt, from, now)
	s.between("the clock", now, from, s.now())
	s.deviceIs("after CreateDeviceLogin", n, begun(n, d.CreatedAt.UTC()))
	other := s.begin()
	s.deviceIs("after another login", n, begun(n, d.CreatedAt.UTC()))
	s.deviceIs("another login", other, begun(other, s.device(other).CreatedAt))
}

func (s *suite) deviceTexts() {
	const quotes = `'"\ ü` + "\U0001f36a"
	for name, change := range map[string]func(*store.NewDeviceLogin){
		"the longest": func(n *store.NewDeviceLogin) {
			n.Client = quotes + strings.Repeat("c", store.MaxClient-len(quotes))
			n.UserAgent = quotes + strings.Repeat("a", 255-len(quotes))
			n.IP, n.Network = "2001:db8:1111:2222:3333:4444:192.168.100.200", strings.Repeat("N", 45)
		},
		"none": func(n *store.NewDeviceLogin) {
			n.Client, n.UserAgent, n.IP, n.Network, n.Live = "", "", "", "", store.Digest{}
		},
	} {
		n := s.begin(change)
		s.deviceIs(name, n, begun(n, s.device(n).CreatedAt))
	}
}

func (s *suite) deviceTwice() {
	devices := s.devices()
	n := s.begin()
	s.did(true)(devices.RecordPoll(s.ctx(), n.ID, time.Time{}, time.Minute))
	s.did(true)(devices.DecideDeviceLogin(s.ctx(), n.ID, store.Approved))
	ended := s.begin(lasts(0))
	taken := s.begin()
	want, wantEnded := s.device(n), s.device(ended)
	s.tick()
	again := newDevice()
	again.ID = n.ID
	alsoTaken := again
	alsoTaken.UserCode = taken.UserCode
	for name, repeat := range map[string]store.NewDeviceLogin{"the same": n, "with other values": again, "with another's user code": alsoTaken} {
		for _, limit := range []int{many, 1, 0} {
			if ok, err := devices.CreateDeviceLogin(s.ctx(), repeat, limit); !ok || err != nil {
				s.Errorf("%s, with the limit %d: got %v, %v; want true, nil", name, limit, ok, err)
			}
			s.deviceIs(name, n, want)
		}
	}
	s.did(true)(devices.CreateDeviceLogin(s.ctx(), ended, 0))
	s.deviceIs("one that has ended", ended, wantEnded)
	if _, d, err := devices.FindUserCode(s.ctx(), again.UserCode); d != nil || err != nil {
		s.Errorf("a login was added: %+v, %v", d, err)
	}
}

func (s *suite) deviceCodeTaken() {
	for name, first := range map[string]store.NewDeviceLogin{"a login": s.begin(), "a login that has ended": s.begin(lasts(0))} {
		want := s.device(first)
		n := newDevice()
		n.UserCode, n.Network = first.UserCode, "198.51.100.7"
		s.did(false)(s.devices().CreateDeviceLogin(s.ctx(), n, many))
		s.deviceIs(name, first, want)
		if _, d, err := s.devices().FindDeviceLogin(s.ctx(), n.ID); d != nil || err != nil {
			s.Errorf("beside %s: found %+v, %v; want none", name, d, err)
		}
	}
}

func (s *suite) deviceLimit() {
	devices := s.devices()
	of := func(network string) store.NewDeviceLogin {
		n := newDevice()
		n.Network = network
		return n
	}
	refused := func(what, network string, limit int) {
		s.Helper()
		n := of(network)
		s.did(false)(devices.CreateDeviceLogin(s.ctx(), n, limit))
		if _, d := s.findDevice(n); d != nil {
			s.Errorf("%s: a login was added", what)
		}
	}
	refused("a limit of none", "net", 0)
	s.begin(lasts(0), func(n *store.NewDeviceLogin) { n.Network = "net" }) // has ended
	var all []store.NewDeviceLogin
	for range 3 {
		n := of("net")
		s.did(true)(devices.CreateDeviceLogin(s.ctx(), n, 3))
		all = append(all, n)
	}
	refused("the fourth", "net", 3)
	for i, decision := range []store.Decision{store.Approved, store.Denied} {
		s.did(true)(devices.DecideDeviceLogin(s.ctx(), all[i].ID, decision))
	}
	refused("after decisions", "net", 3)
	refused("a lower limit", "net", 2)
	for _, network := range []string{"NET", "net ", "ne", "nett", ""} {
		s.did(true)(devices.CreateDeviceLogin(s.ctx(), of(network), 1))
	}
	s.did(true)(devices.CreateDeviceLogin(s.ctx(), of("net"), 4))
	refused("the fifth", "net", 4)
}

func (s *suite) deviceUnknown() {
	from := s.now()
	now, d := s.findDevice(newDevice())
	if d != nil {
		s.Errorf("found %+v in an empty store", d)
	}
	s.between("the clock", now, from, s.now())
	n := s.begin()
	now, d = s.findDevice(newDevice())
	if d != nil {
		s.Errorf("found %+v", d)
	}
	s.between("the clock", now, from, s.now())
	for what, other := range map[string]store.Digest{"the digest of the ticket": n.Confirmed, "the digest of the tokens": n.Live, "no code": {}} {
		if _, d, err := s.devices().FindUserCode(s.ctx(), other); d != nil || err != nil {
			s.Errorf("%s as a user code finds %+v, %v", what, d, err)
		}
	}
	if s.find(n.ID).Record != nil {
		s.Error("the login is a session")
	}
}

func (s *suite) devicePolls() {
	devices := s.devices()
	n, other := s.begin(), s.begin()
	want, last := s.device(n), time.Time{}
	for poll, interval := range []time.Duration{pollInterval, 2 * pollInterval, time.Microsecond} {
		if poll == 2 { // a device asks on after the decision
			s.did(true)(devices.DecideDeviceLogin(s.ctx(), n.ID, store.Approved))
			want.Decision = store.Approved
		}
		from := s.tick()
		s.did(true)(devices.RecordPoll(s.ctx(), n.ID, last, interval))
		got := s.device(n)
		s.between("PolledAt", got.PolledAt, from, s.now())
		want.PolledAt, want.Interval = got.PolledAt, interval
		s.deviceIs("after RecordPoll", n, want)
		last = got.PolledAt
	}
	s.deviceIs("another login", other, begun(other, s.device(other).CreatedAt))
}

func (s *suite) devicePollLeaves() {
	devices := s.devices()
	n := s.begin()
	leaves := func(what string, n store.NewDeviceLogin, last time.Time) {
		s.Helper()
		want := s.device(n)
		s.did(false)(devices.RecordPoll(s.ctx(), n.ID, last, time.Minute))
		s.deviceIs(what, n, want)
	}
	leaves("never polled, but a time is given", n, s.device(n).CreatedAt)
	s.did(true)(devices.RecordPoll(s.ctx(), n.ID, time.Time{}, pollInterval))
	last := s.device(n).PolledAt
	leaves("a repetition", n, time.Time{})
	leaves("a microsecond before", n, last.Add(-time.Microsecond))
	leaves("a microsecond after", n, last.Add(time.Microsecond))
	leaves("one that has ended", s.begin(lasts(0)), time.Time{})
	s.did(false)(devices.RecordPoll(s.ctx(), random[store.ID](), time.Time{}, time.Minute))
}

func (s *suite) deviceDecides() {
	devices := s.devices()
	other := s.begin()
	for _, decision := range []store.Decision{store.Approved, store.Denied} {
		n := s.begin()
		s.did(true)(devices.RecordPoll(s.ctx(), n.ID, time.Time{}, pollInterval))
		want := s.device(n)
		s.did(false)(devices.DecideDeviceLogin(s.ctx(), n.ID, store.Undecided))
		s.deviceIs("after no decision", n, want)
		s.did(true)(devices.DecideDeviceLogin(s.ctx(), n.ID, decision))
		want.Decision = decision
		s.deviceIs("after the decision", n, want)
		for _, later := range []store.Decision{store.Approved, store.Denied, store.Undecided} {
			s.did(false)(devices.DecideDeviceLogin(s.ctx(), n.ID, later))
			s.deviceIs("after a later decision", n, want)
		}
	}
	s.deviceIs("another login", other, begun(other, s.device(other).CreatedAt))
}

func (s *suite) deviceDecideLeaves() {
	ended := s.begin(lasts(0))
	want := s.device(ended)
	s.did(false)(s.devices().DecideDeviceLogin(s.ctx(), ended.ID, store.Approved))
	s.deviceIs("one that has ended", ended, want)
	s.did(false)(s.devices().DecideDeviceLogin(s.ctx(), random[store.ID](), store.Approved))
}

func (s *suite) devicePruneWhich() {
	devices := s.devices()
	session, _ := s.loginFor(s.Alice, lifetime, moment)
	over := s.begin(lasts(-store.RetainDeviceLogin))
	approved := s.begin(lasts(-store.RetainDeviceLogin - time.Hour))
	kept := map[string]store.NewDeviceLogin{
		"one that has not ended":                            s.begin(),
		"one that has just ended, and whose device may ask": s.begin(lasts(-store.RetainDeviceLogin / 2)),
	}
	s.outlive()
	if n, err := devices.PruneDeviceLogins(s.ctx(), 100); n != 2 || err != nil {
		s.Errorf("PruneDeviceLogins removed %d logins, %v; want 2", n, err)
	}
	for _, n := range []store.NewDeviceLogin{over, approved} {
		if _, d := s.findDevice(n); d != nil {
			s.Errorf("not removed: %+v", d)
		}
	}
	for name, n := range kept {
		if _, d := s.findDevice(n); d == nil {
			s.Errorf("removed: %s", name)
		}
	}
	s.row(session)
	if n, err := s.Store.Prune(s.ctx(), 100); n != 1 || err != nil {
		s.Errorf("Prune removed %d rows, %v; want the session's", n, err)
	}
	s.device(kept["one that has just ended, and whose device may ask"])
	again := newDevice()
	again.UserCode = over.UserCode
	s.did(true)(devices.CreateDeviceLogin(s.ctx(), again, many))
}

// Pruning in batches can reach the limit within a batch, at the end of a batch, or
// before an empty last batch.
func (s *suite) devicePruneLimit() {
	devices := s.devices()
	const over = 450
	together(workers, func(i int) {
		for j := i; j < over; j += workers {
			n := newDevice()
			n.Lifetime = -store.RetainDeviceLogin
			if ok, err := persistent(func() (bool, error) { return devices.CreateDeviceLogin(s.ctx(), n, many) }); !ok || err != nil {
				s.Errorf("got %v, %v; want true, nil", ok, err)
			}
		}
	})
	s.outlive()
	for _, step := range []pruned{{-1, 0}, {0, 0}, {1, 1}, {3, 3}, {246, 246}, {1000, 200}, {1000, 0}} {
		if n, err := devices.PruneDeviceLogins(s.ctx(), step.limit); n != step.want || err != nil {
			s.Errorf("PruneDeviceLogins(%d) removed %d logins, %v; want %d", step.limit, n, err, step.want)
		}
	}
}

// A fast store may answer although the context is done. It must not answer that there is no
// login, or that it did nothing.
func (s *suite) deviceDoneContext() {
	devices := s.devices()
	n, other, added := s.begin(), s.begin(), newDevice()
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	if ok, err := devices.CreateDeviceLogin(ctx, added, many); err == nil && !ok {
		s.Error("CreateDeviceLogin said that the login is refused")
	}
	if _, d, err := devices.FindDeviceLogin(ctx, n.ID); err == nil && d == nil {
		s.Error("FindDeviceLogin said that there is no login")
	}
	if _, d, err := devices.FindUserCode(ctx, n.UserCode); err == nil && d == nil {
		s.Error("FindUserCode said that there is no login")
	}
	if ok, err := devices.RecordPoll(ctx, n.ID, time.Time{}, pollInterval); err == nil && !ok {
		s.Error("RecordPoll said that the race was lost")
	}
	if ok, err := devices.DecideDeviceLogin(ctx, other.ID, store.Denied); err == nil && !ok {
		s.Error("DecideDeviceLogin said that the race was lost")
	}
}
