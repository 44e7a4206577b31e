package nodes

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// TestTheKeyChangesUnderLoadAndNobodyIsLoggedOut takes the three steps that the
// example's -h tells of, five times, on one node after the other.
func TestTheKeyChangesUnderLoadAndNobodyIsLoggedOut(t *testing.T) {
	const (
		sessions  = 50
		rotations = 5
		ttl       = 3 * time.Second
		life      = 9 * time.Second        // of a refresh cookie
		apart     = 300 * time.Millisecond // what one node knows and the other does not yet
	)
	seed := newSeed(t)
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{ttl, ttl},
		flags: []string{"-refresh-ttl", life.String()},
	})
	s := &surfing{t: t, c: c, browsers: c.loginAll(c.addUsers(sessions, "surfer", "[]"), c.front)}
	onEach := func(keys ...string) {
		for _, n := range c.nodes {
			n.reload(t, reloaded, keys...)
			time.Sleep(apart)
		}
	}
	old := c.key

	stop := s.begin(seed)
	for i := range rotations {
		b := s.browsers[i]
		kept, fresh := b.cookies().but(accessCookie), session.GenerateKey()
		onEach(old, fresh)
		onEach(fresh, old)
		time.Sleep(life) // every cookie under the old key has run out, but for those that are in use
		onEach(fresh)
		// The old key is really gone.
		for _, n := range c.nodes {
			before := total(n.events("undecodable"))
			if a := b.sendWith(n.base(), me, kept); !a.refused() || total(n.events("undecodable")) != before+1 {
				t.Errorf("a cookie under a key that was removed: %v; want a refusal, because no key opens it", a)
			}
		}
		old = fresh
	}
	stop()
	s.allLoggedIn()
	if n := total(c.events("undecodable")); n != rotations*len(c.nodes) {
		t.Errorf("%d cookies could not be opened; want %d, those that were kept", n, rotations*len(c.nodes))
	}
	if s.unavailable.Load() > 0 || s.broken.Load() > 0 {
		t.Errorf("%v; want none", s)
	}
	t.Logf("%d rotations on %d nodes: %v", rotations, len(c.nodes), s)
	c.noPanics()
}

// TestAKeyInTheWrongOrderIsMendedByTheRollOut lets one node seal with a key that
// the other does not have yet.
func TestAKeyInTheWrongOrderIsMendedByTheRollOut(t *testing.T) {
	const ttl = 2 * time.Second
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{ttl, ttl},
	})
	first, second := c.nodes[0], c.nodes[1]
	browsers := c.loginAll(c.addUsers(20, "guest", "[]"), c.front)
	affected, others := browsers[:10], browsers[10:]
	fresh := session.GenerateKey()

	first.reload(t, reloaded, fresh, c.key)
	time.Sleep(ttl) // all cookies are old enough to be refreshed
	for _, b := range affected {
		if a := b.visit(first.base(), me); a.is(b.who) != nil || len(a.cookies) != 2 {
			t.Fatalf("a refresh on the first node: %v; want two cookies", a)
		}
	}
	for _, b := range affected {
		for _, r := range []request{page("/devices"), me, submit("/devices/revoke-others")} {
			if a := b.visit(second.base(), r); !a.refused() || len(a.cookies) > 0 {
				t.Errorf("on the second node: %v; want the login, and no cookie cleared", a)
			}
		}
		if a := b.visit(second.base(), page("/login")); a.status != 200 || len(a.cookies) > 0 {
			t.Errorf("the login page: %v; want 200, and no cookie cleared", a)
		}
		if a := b.visit(first.base(), me); a.is(b.who) != nil {
			t.Errorf("on the first node meanwhile: %v", a)
		}
	}
	if total(second.events("undecodable")) < len(affected) || total(first.events("undecodable")) > 0 {
		t.Errorf("cookies that could not be opened: %d on the first node, %d on the second; want none, and %d or more",
			total(first.events("undecodable")), total(second.events("undecodable")), len(affected))
	}
	for _, b := range others {
		if a := b.visit(second.base(), me); a.is(b.who) != nil {
			t.Errorf("one who was not on the first node: %v", a)
		}
	}

	second.reload(t, reloaded, fresh, c.key)
	for _, b := range browsers {
		for _, n := range c.nodes {
			if a := b.visit(n.base(), me); a.is(b.who) != nil {
				t.Errorf("when both have the key: %v", a)
			}
		}
	}
	c.noPanics()
}

// TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged is about a key that has leaked.
// To reset it is to give every node a new key alone, and to end all sessions.
func TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged(t *testing.T) {
	c := newCluster(t, setup{
		dsn:   mysqltest.Database(t),
		nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	first, second := c.nodes[0], c.nodes[1]
	users, admin := c.addUsers(4, "guest", "[]"), c.addUsers(1, "admin", `["admin"]`)[0]
	before := c.loginAll(users, c.front)
	forged := &browser{c: c, who: whoami{UserID: admin.id}}
	leaked := forge(t, c.key, admin.id)

	// flags asks a node, and wants to be refused because no key opens the cookies.
	flags := func(n *node, b *browser, with cookies) {
		t.Helper()
		count := total(n.events("undecodable"))
		if a := b.sendWith(n.base(), me, with); !a.refused() || len(a.cookies) > 0 || total(n.events("undecodable")) == count {
			t.Errorf("got %v and %d events of kind undecodable; want a refusal that clears nothing, and one or more",
				a, total(n.events("undecodable"))-count)
		}
	}

	// No key, and the same key twice: that was no reset.
	for name, keys := range map[string][]string{"an empty file": nil, "the same key": {c.key, c.key}} {
		for _, n := range c.nodes {
			n.reload(t, notReloaded, keys...)
			for _, b := range before {
				if err := stillIn(b, b.who.UserID, n.base()); err != nil {
					t.Errorf("%s, which was refused: %v", name, err)
				}
			}
			if a := forged.sendWith(n.base(), me, leaked); !a.isAdmin() {
				t.Fatalf("the forged cookie is good for nothing, and this test with it: %v", a)
			}
		}
	}

	// One node is left out: each opens nothing of what the other seals.
	fresh := session.GenerateKey()
	first.reload(t, reloaded, fresh)
	flags(first, forged, leaked)
	for _, b := range before {
		flags(first, b, b.cookies())
	}
	onFirst, onSecond := c.loginAll(users[:1], first.base())[0], c.loginAll(users[1:2], second.base())[0]
	flags(second, onFirst, onFirst.cookies())
	flags(first, onSecond, onSecond.cookies())

	// The rest of it.
	second.reload(t, reloaded, fresh)
	if err := stillIn(onFirst, users[0].id, first.base(), second.base()); err != nil {
		t.Errorf("a session of after the reset: %v", err)
	}
	grace := c.loginAll([]user{admin}, first.base())[0]
	if err := done(grace.visit(first.base(), submit("/admin/revoke-all"))); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes {
		flags(n, forged, leaked)
		for _, b := range append(before, onSecond) {
			flags(n, b, b.cookies())
		}
	}

	// The old key stays in the list, or comes back with a backup of the file. That
	// is flagged, and whoever still holds cookies under it was logged out for good.
	if n := total(c.events("old-key")); n > 0 {
		t.Errorf("%d events of kind old-key while each node has one key", n)
	}
	for _, n := range c.nodes {
		n.reload(t, reloaded, fresh, c.key)
		forged.sendWith(n.base(), me, leaked)
		if total(n.events("old-key")) == 0 {
			t.Error("a cookie under the old key was opened, and no event tells of it")
		}
	}
	for _, n := range c.nodes {
		for _, b := range append(before, onFirst, onSecond) {
			if _, ok := eventually(feedAtMost, 50*time.Millisecond, func() bool {
				return b.sendWith(n.base(), me, b.cookies()).refused()
			}); !ok {
				t.Error("a session of before the reset is back, with the old key")
			}
		}
	}
	c.noPanics()
}

// forge makes an access cookie as one can who has the key.
func forge(t *testing.T, key, userID string) cookies {
	t.Helper()
	keys, err := session.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	store := session.NewMemoryStore()
	store.SetUser(userID, session.User{Epoch: 1, Roles: []string{"admin"}})
	m, err := session.New(keys, store, session.Config{DangerouslyAllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Issue(httptest.NewRequest("POST", "/login", nil), session.Login{UserID: userID})
	if err != nil {
		t.Fatal(err)
	}
	return cookies{accessCookie: answer{cookies: v.Cookies}.cookie(accessCookie)}
}
