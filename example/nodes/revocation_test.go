package nodes

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// TestRevocationsReachTheOtherNode ends sessions on one node, in every way there
// is but a logout, and looks at the other. The access cookies are good for
// minutes: what ends them is the feed.
func TestRevocationsReachTheOtherNode(t *testing.T) {
	const rounds = 5
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	here, there := c.nodes[0].base(), c.nodes[1].base()
	grace := c.loginAll(c.addUsers(1, "admin", `["admin"]`), here)[0]

	for _, way := range []struct {
		name string
		// do ends sessions of the one whose first browser it is given.
		do    func(first *browser, u user) error
		spare int // of the first browsers
	}{
		{"revoke-others", func(first *browser, u user) error {
			return done(first.visit(here, submit("/devices/revoke-others")))
		}, 1},
		{"password", func(first *browser, u user) error {
			return done(first.visit(here, submit("/account/password", "current", password, "new", "another "+password)))
		}, 1},
		{"ban", func(first *browser, u user) error {
			return done(grace.visit(here, submit("/admin/ban", "user", u.id)))
		}, 0},
		{"revoke-user", func(first *browser, u user) error {
			return done(grace.visit(here, submit("/admin/revoke", "user", u.id)))
		}, 0},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := c.in(t)
			users := c.addUsers(rounds, way.name, "[]")
			bystander := c.loginAll(c.addUsers(1, "bystander-"+way.name, "[]"), there)[0]
			var heard durations
			for _, u := range users {
				var devices []*browser
				for i := range 3 {
					b, err := c.login(c.nodes[i%2].base(), u)
					if err != nil {
						t.Fatal(err)
					}
					if err := b.visit(there, me).is(b.who); err != nil {
						t.Fatal(err)
					}
					devices = append(devices, b)
				}
				if err := way.do(devices[0], u); err != nil {
					t.Fatal(err)
				}
				took, err := endEverywhere(devices[way.spare:], here, there)
				if err != nil {
					t.Error(err)
				}
				heard.add(took)
				for _, b := range devices[:way.spare] {
					if err := stillIn(b, u.id, here, there); err != nil {
						t.Errorf("the session that was to stay: %v", err)
					}
				}
			}
			if err := stillIn(bystander, bystander.who.UserID, here, there); err != nil {
				t.Errorf("another user: %v", err)
			}
			report(t, &heard)
		})
	}

	t.Run("revoke-all", func(t *testing.T) {
		c := c.in(t)
		var heard durations
		users := c.addUsers(20, "everybody", "[]")
		for range rounds {
			everybody := c.loginAll(users, here, there)
			if err := grace.login(here, user{grace.who.UserID, "admin-0@example.com"}, password); err != nil {
				t.Fatal(err)
			}
			if err := done(grace.visit(here, submit("/admin/revoke-all"))); err != nil {
				t.Fatal(err)
			}
			took, err := endEverywhere(append(everybody, grace), here, there)
			if err != nil {
				t.Error(err)
			}
			heard.add(took)
		}
		// Nobody is locked out.
		if err := stillIn(c.loginAll(users[:1], there)[0], users[0].id, here, there); err != nil {
			t.Errorf("a login after it: %v", err)
		}
		report(t, &heard)
	})
	c.noPanics()
}

func report(t *testing.T, heard *durations) {
	t.Helper()
	if median := heard.median(); median > feedWithin {
		t.Errorf("the other node knew after %v as a rule; want at most %v", median, feedWithin)
	}
	t.Logf("until the other node knew: %v", heard)
}

// done says that a form did what it was for.
func done(a answer) error {
	if a.err != nil || a.status != http.StatusSeeOther || a.refused() {
		return fmt.Errorf("%v; want 303 to a page", a)
	}
	return nil
}

// endEverywhere waits until no node serves any of the browsers, with all their
// cookies, and returns how long that took. The node of the deed knows at once.
func endEverywhere(browsers []*browser, here, there string) (time.Duration, error) {
	begin := time.Now()
	for _, b := range browsers {
		if a := b.send(here, me); !a.refused() {
			return 0, fmt.Errorf("on the node where the session was ended: %v", a)
		}
	}
	var mu sync.Mutex // guards last and fault
	var last time.Time
	var fault error
	inParallel(len(browsers), len(browsers), func(i int) {
		b := browsers[i]
		var a answer
		_, ok := eventually(time.Until(begin.Add(feedAtMost)), 10*time.Millisecond, func() bool {
			a = b.send(there, me)
			return a.refused()
		})
		// And without its access cookie, on both.
		for _, base := range []string{here, there} {
			if a := b.sendWith(base, me, b.cookies().but(accessCookie)); ok && !a.refused() {
				ok = false
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if !ok {
			fault = fmt.Errorf("on the other node after %v: %v", time.Since(begin), a)
		}
		if a.came.After(last) {
			last = a.came
		}
	})
	return last.Sub(begin), fault
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
