package nodes

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// way is a way to end sessions of a user with two devices.
type way struct {
	name         string
	call         func(first, second *nodetest.Browser) nodetest.Request
	byAdmin      bool  // an administrator makes the call, else the first device
	ends, spares []int // the devices whose sessions end, and those whose do not
}

var ways = []way{
	{"logout", func(_, _ *nodetest.Browser) nodetest.Request { return nodetest.Submit("/logout", "next", "/") }, false, []int{0}, []int{1}},
	{"one device", func(_, second *nodetest.Browser) nodetest.Request {
		return nodetest.Submit("/devices/revoke", "id", second.Who.SessionID)
	}, false, []int{1}, []int{0}},
	{"other devices", func(_, _ *nodetest.Browser) nodetest.Request { return nodetest.Submit("/devices/revoke-others") }, false, []int{1}, []int{0}},
	// The device that changes the password gets a new session.
	{"password", func(_, _ *nodetest.Browser) nodetest.Request {
		return nodetest.Submit("/account/password", "current", nodetest.Password, "new", "another "+nodetest.Password)
	}, false, []int{0, 1}, []int{0}},
	{"user", func(first, _ *nodetest.Browser) nodetest.Request {
		return nodetest.Submit("/admin/revoke", "user", first.Who.UserID)
	}, true, []int{0, 1}, nil},
	{"ban", func(first, _ *nodetest.Browser) nodetest.Request {
		return nodetest.Submit("/admin/ban", "user", first.Who.UserID)
	}, true, []int{0, 1}, nil},
}

// TestAnEndedSessionIsServedNowhere ends 500 sessions in every way, while 200 other users
// send requests and must not be affected. The access cookies are valid for minutes: only
// the revocation list ends them.
func TestAnEndedSessionIsServedNowhere(t *testing.T) {
	const (
		surfers   = 200
		rounds    = 45 // each ends 9 sessions
		everybody = 3  // times, of so many sessions
		of        = 34
		sessions  = rounds*9 + everybody*of
		atOnce    = 20 // calls whose sessions are watched
	)
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(surfers, "surfer", "[]"), c.Front), every: 4 * time.Second}
	admin := c.AddUsers(1, "admin", `["admin"]`)
	grace := c.LoginAll(admin, c.Front)[0]
	leavers := c.AddUsers(rounds*len(ways), "leaver", "[]")
	var ends ends
	begin := time.Now()

	stop := s.begin(seed)
	nodetest.InParallel(len(leavers), atOnce, func(i int) {
		// A node polls immediately after a call of its own. So all calls go to one node
		// first, then to the other: on the other node only its regular polls end sessions.
		way, half := ways[i%len(ways)], 2*i/len(leavers)
		here, there := c.Nodes[half].Base(), c.Nodes[1-half].Base()
		if err := try(c, way, leavers[i], grace, here, there, &ends); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
	})
	stop()
	s.allLoggedIn()
	t.Logf("one user's, while others surfed: served for %v after their end", &ends.served)

	users := c.AddUsers(of, "everybody", "[]")
	for i := range everybody {
		here, there := c.Nodes[i%2].Base(), c.Nodes[1-i%2].Base()
		browsers := c.LoginAll(users, here, there) // sessions that began after the previous revoke-all
		if err := grace.Login(there, admin[0], nodetest.Password); err != nil {
			t.Fatal(err)
		}
		if err := endsAt(here, there, browsers, &ends, func() error {
			return done(grace.Visit(here, nodetest.Submit("/admin/revoke-all")))
		}); err != nil {
			t.Errorf("everybody: %v", err)
		}
	}
	if p99 := ends.served.At(0.99); p99 > nodetest.FeedWithin || ends.served.Len() != sessions {
		t.Errorf("99%% of %d sessions were served for at most %v after their end; want at most %v, of %d", ends.served.Len(), p99, nodetest.FeedWithin, sessions)
	}
	if slow, all := ends.slow.Load(), rounds*len(ways)+everybody; 2*slow > int64(all) {
		t.Errorf("%d of %d calls took almost all the time that a call has: what the rest shows is too little", slow, all)
	}
	t.Logf("%d sessions ended in %v, by %d slow calls and others: served for %v; meanwhile %v", sessions, time.Since(begin).Round(time.Second), ends.slow.Load(), &ends.served, s)
	c.NoPanics()
}

// try ends sessions of a user in one way, and checks that the others go on.
func try(c *nodetest.Cluster, way way, u nodetest.User, grace *nodetest.Browser, here, there string, ends *ends) error {
	var devices []*nodetest.Browser
	for _, base := range []string{here, there} {
		b, err := c.Login(base, u)
		if err != nil {
			return err
		}
		devices = append(devices, b)
	}
	caller := devices[0]
	if way.byAdmin {
		caller = grace
	}
	var ending []*nodetest.Browser
	for _, i := range way.ends {
		ending = append(ending, devices[i])
	}
	err := endsAt(here, there, ending, ends, func() error {
		return done(caller.Visit(here, way.call(devices[0], devices[1])))
	})
	for _, i := range way.spares {
		if fault := stillIn(devices[i], u.ID, here, there); fault != nil {
			err = errors.Join(err, fmt.Errorf("a session that must go on: %w", fault))
		}
	}
	return err
}

// done returns an error unless a form was successful.
func done(a nodetest.Answer) error {
	if a.Err != nil || a.Status != http.StatusSeeOther || a.Refused() {
		return fmt.Errorf("%v; want 303 to a page", a)
	}
	return nil
}

// ends is what the calls that end sessions have led to.
type ends struct {
	served nodetest.Durations // how long the other node has accepted each session
	slow   atomic.Int64       // calls that took longer than soon
}

// soon is how long a call takes at most that has time left to ask, at its end, which sessions
// have ended. The kit gives a call two seconds in all.
const soon = 1500 * time.Millisecond

// endsAt makes a call on the node here that ends the sessions of the browsers. The node
// must refuse copies of their cookies from its answer on; after a slow call, from its next
// poll on. endsAt records for how long the node there accepts them.
func endsAt(here, there string, browsers []*nodetest.Browser, ends *ends, call func() error) error {
	kept := make([]nodetest.Cookies, len(browsers))
	for i, b := range browsers {
		kept[i] = b.Cookies()
	}
	begin := time.Now()
	if err := call(); err != nil {
		return err
	}
	end := time.Now()
	slow := end.Sub(begin) > soon
	if slow {
		ends.slow.Add(1)
	}
	faults := make([]error, 2*len(browsers))
	nodetest.InParallel(len(faults), len(faults), func(i int) {
		b, with := browsers[i/2], kept[i/2]
		if i%2 == 0 {
			last, err := servedUntil(b, here, with, end, 500*time.Millisecond)
			if err == nil && last > 0 && !slow {
				err = fmt.Errorf("the node that ended it served a request that began %v after the answer", last)
			}
			faults[i] = err
			return
		}
		last, err := servedUntil(b, there, with, end, 100*time.Millisecond)
		ends.served.Add(last)
		faults[i] = err
	})
	return errors.Join(faults...)
}

// servedUntil sends requests with the cookies of a session that has ended, until all nodes
// must know of it. It returns how long after the end the last request began that was
// served.
func servedUntil(b *nodetest.Browser, base string, with nodetest.Cookies, end time.Time, every time.Duration) (last time.Duration, err error) {
	for {
		a := b.SendWith(base, nodetest.Me, with)
		began := a.Sent.Sub(end)
		switch {
		case !a.Refused():
			if err := a.Is(b.Who); err != nil || began > nodetest.FeedAtMost {
				return began, fmt.Errorf("%v after the end, error %v: %v", began, err, a)
			}
			last = began
		case began > 2*nodetest.FeedWithin:
			// The refresh cookie alone is refused too.
			if a := b.SendWith(base, nodetest.Me, with.But(nodetest.AccessCookie)); !a.Refused() {
				return began, fmt.Errorf("without the access cookie, %v after the end: %v", began, a)
			}
			return last, nil
		}
		time.Sleep(every)
	}
}

// stillIn returns an error unless every base serves the user, with the access cookie and without.
func stillIn(b *nodetest.Browser, userID string, bases ...string) error {
	for _, base := range bases {
		for _, with := range []nodetest.Cookies{b.Cookies(), b.Cookies().But(nodetest.AccessCookie)} {
			a := b.SendWith(base, nodetest.Me, with)
			if who, err := a.Session(); err != nil || who.UserID != userID {
				return fmt.Errorf("%v, error %v; want 200 as user %s", a, err, userID)
			}
		}
	}
	return nil
}
