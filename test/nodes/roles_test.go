package nodes

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestAChangedRoleReachesEveryDevice gives users the role admin and removes it again,
// while others send requests. The access cookies are valid for minutes: ForceRefresh and
// the revocation list make the nodes read the new roles.
func TestAChangedRoleReachesEveryDevice(t *testing.T) {
	const (
		surfers = 100
		users   = 60
		devices = 3
		atOnce  = 12 // users whose role is changed
	)
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(surfers, "surfer", "[]"), c.Front), every: 4 * time.Second}
	grace := c.LoginAll(c.AddUsers(1, "admin", `["admin"]`), c.Front)[0]
	rising := c.AddUsers(users, "rising", "[]")
	var stale nodetest.Durations // how long after the change the other node still used the old roles
	begin := time.Now()

	stop := s.begin(seed)
	nodetest.InParallel(users, atOnce, func(i int) {
		u, half := rising[i], 2*i/users // as in TestAnEndedSessionIsServedNowhere
		here, there := c.Nodes[half].Base(), c.Nodes[1-half].Base()
		all := make([]*nodetest.Browser, devices)
		for k := range all {
			var err error
			if all[k], err = c.Login(c.Nodes[k%2].Base(), u); err != nil {
				t.Error(err)
				return
			}
		}
		for _, role := range []string{"admin", "user"} {
			if err := rolesAt(here, there, all, role == "admin", &stale, func() error {
				return done(grace.Visit(here, nodetest.Submit("/admin/role", "user", u.ID, "role", role)))
			}); err != nil {
				t.Errorf("%s: %v", role, err)
			}
		}
		for _, b := range all {
			if err := stillIn(b, u.ID, here, there); err != nil {
				t.Errorf("at the end: %v", err)
			}
		}
	})
	stop()
	s.allLoggedIn()
	for _, kind := range []string{"ended", "reuse", "undecodable"} {
		if n := nodetest.Total(c.Events(kind)); n > 0 {
			t.Errorf("%d events of kind %q; a changed role ends nothing", n, kind)
		}
	}
	if p99 := stale.At(0.99); p99 > nodetest.FeedWithin || stale.Len() != 2*users*devices {
		t.Errorf("the other node used the old roles for %v in 99%% of %d cases; want at most %v, of %d",
			p99, stale.Len(), nodetest.FeedWithin, 2*users*devices)
	}
	t.Logf("%d changes for %d devices each in %v: the other node used the old roles for %v; meanwhile %v",
		2*users, devices, time.Since(begin).Round(time.Second), &stale, s)
	c.NoPanics()
}

// rolesAt changes a user's role on the node here. Each device of the user must have the
// new role at its next request here, and soon after there, with new cookies and with old
// ones. No request is refused.
func rolesAt(here, there string, devices []*nodetest.Browser, admin bool, stale *nodetest.Durations, change func() error) error {
	before := make([]nodetest.Cookies, len(devices))
	for i, b := range devices {
		before[i] = b.Cookies()
	}
	if err := change(); err != nil {
		return err
	}
	changed := time.Now()
	faults := make([]error, 2*len(devices))
	nodetest.InParallel(len(faults), len(faults), func(i int) {
		b, with := devices[i/2], before[i/2]
		if i%2 == 0 {
			faults[i] = knowsNow(b, admin, here, there)
			return
		}
		// These requests keep the cookies from before the change.
		var last time.Duration
		var fault error
		if _, ok := nodetest.Eventually(nodetest.FeedAtMost, 50*time.Millisecond, func() bool {
			a := b.SendWith(there, nodetest.Me, with)
			if fault = a.Is(b.Who); fault != nil || isAdmin(a) == admin {
				return true
			}
			last = a.Sent.Sub(changed)
			return false
		}); !ok {
			fault = fmt.Errorf("the other node uses the old roles %v after the change", last)
		}
		stale.Add(last)
		if fault == nil && isAdmin(b.SendWith(there, nodetest.Me, with)) != admin {
			fault = errors.New("the other node used the new roles, and then the old ones again")
		}
		faults[i] = fault
	})
	return errors.Join(faults...)
}

// knowsNow sends the device's next requests to here, and one more with the new cookies to
// there.
func knowsNow(b *nodetest.Browser, admin bool, here, there string) error {
	want := http.StatusForbidden
	if admin {
		want = http.StatusOK
	}
	if a := b.Visit(here, nodetest.Page("/admin")); a.Err != nil || a.Status != want {
		return fmt.Errorf("the next request: %v; want %d", a, want)
	}
	for _, base := range []string{here, there} {
		a := b.Visit(base, nodetest.Me)
		if err := a.Is(b.Who); err != nil {
			return err
		}
		if isAdmin(a) != admin {
			return fmt.Errorf("a request after that: %v; want an administrator: %t", a, admin)
		}
	}
	return nil
}

func isAdmin(a nodetest.Answer) bool {
	who, err := a.Session()
	return err == nil && slices.Contains(who.Roles, "admin")
}
