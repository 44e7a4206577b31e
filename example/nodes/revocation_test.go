package nodes

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// way is how sessions of a user with two devices are ended.
type way struct {
	name         string
	call         func(first, second *browser) request
	byAdmin      bool  // else the first device makes the call
	ends, spares []int // of the devices
}

var ways = []way{
	{"logout", func(_, _ *browser) request { return submit("/logout", "next", "/") }, false, []int{0}, []int{1}},
	{"one device", func(_, second *browser) request {
		return submit("/devices/revoke", "id", second.who.SessionID)
	}, false, []int{1}, []int{0}},
	{"other devices", func(_, _ *browser) request { return submit("/devices/revoke-others") }, false, []int{1}, []int{0}},
	// The device that changes the password gets a new session for its old one.
	{"password", func(_, _ *browser) request {
		return submit("/account/password", "current", password, "new", "another "+password)
	}, false, []int{0, 1}, []int{0}},
	{"user", func(first, _ *browser) request {
		return submit("/admin/revoke", "user", first.who.UserID)
	}, true, []int{0, 1}, nil},
	{"ban", func(first, _ *browser) request {
		return submit("/admin/ban", "user", first.who.UserID)
	}, true, []int{0, 1}, nil},
}

// TestAnEndedSessionIsServedNowhere ends 500 sessions, in every way there is,
// while 200 users surf and must not notice. The access cookies are good for
// minutes: what ends them is the feed.
func TestAnEndedSessionIsServedNowhere(t *testing.T) {
	const (
		surfers   = 200
		rounds    = 45 // each ends 9 sessions
		everybody = 3  // times, of so many sessions
		of        = 34
		sessions  = rounds*9 + everybody*of
		atOnce    = 20 // calls whose sessions are watched
	)
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	s := &surfing{t: t, c: c, browsers: c.loginAll(c.addUsers(surfers, "surfer", "[]"), c.front), every: 4 * time.Second}
	admin := c.addUsers(1, "admin", `["admin"]`)
	grace := c.loginAll(admin, c.front)[0]
	leavers := c.addUsers(rounds*len(ways), "leaver", "[]")
	var served durations // after the end
	begin := time.Now()

	stop := s.begin(seed)
	inParallel(len(leavers), atOnce, func(i int) {
		// A node looks around after a call of its own. So first all calls are made
		// on the one, then on the other: what ends sessions there are its polls.
		way, half := ways[i%len(ways)], 2*i/len(leavers)
		here, there := c.nodes[half].base(), c.nodes[1-half].base()
		if err := c.try(way, leavers[i], grace, here, there, &served); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
	})
	stop()
	s.allLoggedIn()
	t.Logf("one user's, while others surfed: served for %v after their end", &served)

	users := c.addUsers(of, "everybody", "[]")
	for i := range everybody {
		here, there := c.nodes[i%2].base(), c.nodes[1-i%2].base()
		browsers := c.loginAll(users, here, there) // so nobody is locked out by the time before
		if err := grace.login(there, admin[0], password); err != nil {
			t.Fatal(err)
		}
		if err := endsAt(here, there, browsers, &served, func() error {
			return done(grace.visit(here, submit("/admin/revoke-all")))
		}); err != nil {
			t.Errorf("everybody: %v", err)
		}
	}
	if p99 := served.at(0.99); p99 > feedWithin || served.len() != sessions {
		t.Errorf("99%% of %d sessions were served for at most %v after their end; want %v, of %d", served.len(), p99, feedWithin, sessions)
	}
	t.Logf("%d sessions ended in %v: served for %v; meanwhile %v", sessions, time.Since(begin).Round(time.Second), &served, s)
	c.noPanics()
}

// try ends sessions of a user's in one way, and no others.
func (c *cluster) try(way way, u user, grace *browser, here, there string, served *durations) error {
	var devices []*browser
	for _, base := range []string{here, there} {
		b, err := c.login(base, u)
		if err != nil {
			return err
		}
		devices = append(devices, b)
	}
	caller := devices[0]
	if way.byAdmin {
		caller = grace
	}
	var ending []*browser
	for _, i := range way.ends {
		ending = append(ending, devices[i])
	}
	err := endsAt(here, there, ending, served, func() error {
		return done(caller.visit(here, way.call(devices[0], devices[1])))
	})
	for _, i := range way.spares {
		if fault := stillIn(devices[i], u.id, here, there); fault != nil {
			err = errors.Join(err, fmt.Errorf("the session that was to stay: %w", fault))
		}
	}
	return err
}

// done says that a form did what it was for.
func done(a answer) error {
	if a.err != nil || a.status != http.StatusSeeOther || a.refused() {
		return fmt.Errorf("%v; want 303 to a page", a)
	}
	return nil
}

// endsAt makes a call here that ends the browsers' sessions, whose cookies
// somebody has kept, and adds to served for how long they were still good for
// something there. Here nobody is let in with them from the answer on.
func endsAt(here, there string, browsers []*browser, served *durations, call func() error) error {
	kept := make([]cookies, len(browsers))
	for i, b := range browsers {
		kept[i] = b.cookies()
	}
	if err := call(); err != nil {
		return err
	}
	end := time.Now()
	faults := make([]error, 2*len(browsers))
	inParallel(len(faults), len(faults), func(i int) {
		b, with := browsers[i/2], kept[i/2]
		if i%2 == 0 {
			last, err := servedUntil(b, here, with, end, 500*time.Millisecond)
			if err == nil && last > 0 {
				err = fmt.Errorf("the node that ended it served a request that began %v after the answer", last)
			}
			faults[i] = err
			return
		}
		last, err := servedUntil(b, there, with, end, 100*time.Millisecond)
		served.add(last)
		faults[i] = err
	})
	return errors.Join(faults...)
}

// servedUntil makes requests with the cookies of a session that has ended, until
// well after all nodes should know, and returns how long after the end the last
// one began that was served.
func servedUntil(b *browser, base string, with cookies, end time.Time, every time.Duration) (last time.Duration, err error) {
	for {
		a := b.sendWith(base, me, with)
		began := a.sent.Sub(end)
		switch {
		case !a.refused():
			if err := a.is(b.who); err != nil || began > feedAtMost {
				return began, fmt.Errorf("%v after the end, error %v: %v", began, err, a)
			}
			last = began
		case began > 2*feedWithin:
			// The refresh cookie alone does not help either.
			if a := b.sendWith(base, me, with.but(accessCookie)); !a.refused() {
				return began, fmt.Errorf("without the access cookie, %v after the end: %v", began, a)
			}
			return last, nil
		}
		time.Sleep(every)
	}
}

// stillIn asks both nodes, and both with and without the access cookie.
func stillIn(b *browser, userID string, bases ...string) error {
	for _, base := range bases {
		for _, with := range []cookies{b.cookies(), b.cookies().but(accessCookie)} {
			a := b.sendWith(base, me, with)
			if who, err := a.session(); err != nil || who.UserID != userID {
				return fmt.Errorf("%v, error %v; want 200 as user %s", a, err, userID)
			}
		}
	}
	return nil
}
