package nodes

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// TestAChangedRoleReachesEveryDevice makes users administrators and takes that
// away again, while others surf. The access cookies are good for minutes: what
// lets the nodes ask for the new roles is Reload and the feed.
func TestAChangedRoleReachesEveryDevice(t *testing.T) {
	const (
		surfers = 100
		users   = 60
		devices = 3
		atOnce  = 12 // users whose role is changed
	)
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	s := &surfing{t: t, c: c, browsers: c.loginAll(c.addUsers(surfers, "surfer", "[]"), c.front), every: 4 * time.Second}
	grace := c.loginAll(c.addUsers(1, "admin", `["admin"]`), c.front)[0]
	rising := c.addUsers(users, "rising", "[]")
	var stale durations // how long after the change a node still went by the old roles
	begin := time.Now()

	stop := s.begin(seed)
	inParallel(users, atOnce, func(i int) {
		u, half := rising[i], 2*i/users // as in TestAnEndedSessionIsServedNowhere
		here, there := c.nodes[half].base(), c.nodes[1-half].base()
		all := make([]*browser, devices)
		for k := range all {
			var err error
			if all[k], err = c.login(c.nodes[k%2].base(), u); err != nil {
				t.Error(err)
				return
			}
		}
		for _, role := range []string{"admin", "user"} {
			if err := rolesAt(here, there, all, role == "admin", &stale, func() error {
				return done(grace.visit(here, submit("/admin/role", "user", u.id, "role", role)))
			}); err != nil {
				t.Errorf("%s: %v", role, err)
			}
		}
		for _, b := range all {
			if err := stillIn(b, u.id, here, there); err != nil {
				t.Errorf("in the end: %v", err)
			}
		}
	})
	stop()
	s.allLoggedIn()
	for _, kind := range []string{"ended", "reuse", "undecodable"} {
		if n := total(c.events(kind)); n > 0 {
			t.Errorf("%d events of kind %q; a changed role ends nothing", n, kind)
		}
	}
	if p99 := stale.at(0.99); p99 > feedWithin || stale.len() != 2*users*devices {
		t.Errorf("the other node went by the old roles for %v in 99%% of %d cases; want at most %v, of %d",
			p99, stale.len(), feedWithin, 2*users*devices)
	}
	t.Logf("%d changes for %d devices each in %v: the other node went by the old roles for %v; meanwhile %v",
		2*users, devices, time.Since(begin).Round(time.Second), &stale, s)
	c.noPanics()
}

// rolesAt changes a user's role here, and looks at the devices: each knows at its
// next request here, and there soon after, whatever cookies it brings. None is
// ever refused.
func rolesAt(here, there string, devices []*browser, admin bool, stale *durations, change func() error) error {
	before := make([]cookies, len(devices))
	for i, b := range devices {
		before[i] = b.cookies()
	}
	if err := change(); err != nil {
		return err
	}
	changed := time.Now()
	faults := make([]error, 2*len(devices))
	inParallel(len(faults), len(faults), func(i int) {
		b, with := devices[i/2], before[i/2]
		if i%2 == 0 {
			faults[i] = knowsNow(b, admin, here, there)
			return
		}
		// The device knows nothing of what it is told here meanwhile.
		var last time.Duration
		var fault error
		if _, ok := eventually(feedAtMost, 50*time.Millisecond, func() bool {
			a := b.sendWith(there, me, with)
			if fault = a.is(b.who); fault != nil || a.isAdmin() == admin {
				return true
			}
			last = a.sent.Sub(changed)
			return false
		}); !ok {
			fault = fmt.Errorf("the other node goes by the old roles %v after the change", last)
		}
		stale.add(last)
		if fault == nil && b.sendWith(there, me, with).isAdmin() != admin {
			fault = errors.New("the other node has known better, and goes by the old roles again")
		}
		faults[i] = fault
	})
	return errors.Join(faults...)
}

// knowsNow makes the device's next requests here, and the one after them there:
// that one brings the new cookie.
func knowsNow(b *browser, admin bool, here, there string) error {
	want := http.StatusForbidden
	if admin {
		want = http.StatusOK
	}
	if a := b.visit(here, page("/admin")); a.err != nil || a.status != want {
		return fmt.Errorf("the next request: %v; want %d", a, want)
	}
	for _, base := range []string{here, there} {
		a := b.visit(base, me)
		if err := a.is(b.who); err != nil {
			return err
		}
		if a.isAdmin() != admin {
			return fmt.Errorf("a request after that: %v; want an administrator: %t", a, admin)
		}
	}
	return nil
}

func (a answer) isAdmin() bool {
	who, err := a.session()
	return err == nil && slices.Contains(who.Roles, "admin")
}
