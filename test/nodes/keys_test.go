package nodes

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
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
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   dbtest.Database(t),
		Nodes: []time.Duration{ttl, ttl},
		Flags: []string{"-refresh-ttl", life.String()},
	})
	s := &surfing{t: t, c: c, browsers: c.LoginAll(c.AddUsers(sessions, "surfer", "[]"), c.Front)}
	onEach := func(keys ...string) {
		for _, n := range c.Nodes {
			n.Reload(t, nodetest.Reloaded, keys...)
			time.Sleep(apart)
		}
	}
	old := c.Key

	stop := s.begin(seed)
	for i := range rotations {
		b := s.browsers[i]
		kept, fresh := b.Cookies().But(nodetest.AccessCookie), session.GenerateKey()
		onEach(old, fresh)
		onEach(fresh, old)
		time.Sleep(life) // every cookie under the old key has run out, but for those that are in use
		onEach(fresh)
		// The old key is really gone.
		for _, n := range c.Nodes {
			before := nodetest.Total(n.Events("undecodable"))
			if a := b.SendWith(n.Base(), nodetest.Me, kept); !a.Refused() || nodetest.Total(n.Events("undecodable")) != before+1 {
				t.Errorf("a cookie under a key that was removed: %v; want a refusal, because no key opens it", a)
			}
		}
		old = fresh
	}
	stop()
	s.allLoggedIn()
	if n := nodetest.Total(c.Events("undecodable")); n != rotations*len(c.Nodes) {
		t.Errorf("%d cookies could not be opened; want %d, those that were kept", n, rotations*len(c.Nodes))
	}
	if s.unavailable.Load() > 0 || s.broken.Load() > 0 {
		t.Errorf("%v; want none", s)
	}
	t.Logf("%d rotations on %d nodes: %v", rotations, len(c.Nodes), s)
	c.NoPanics()
}

// TestAKeyInTheWrongOrderIsMendedByTheRollOut lets one node seal with a key that
// the other does not have yet.
func TestAKeyInTheWrongOrderIsMendedByTheRollOut(t *testing.T) {
	const ttl = 2 * time.Second
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   dbtest.Database(t),
		Nodes: []time.Duration{ttl, ttl},
	})
	first, second := c.Nodes[0], c.Nodes[1]
	browsers := c.LoginAll(c.AddUsers(20, "guest", "[]"), c.Front)
	affected, others := browsers[:10], browsers[10:]
	fresh := session.GenerateKey()

	first.Reload(t, nodetest.Reloaded, fresh, c.Key)
	time.Sleep(ttl) // all cookies are old enough to be refreshed
	for _, b := range affected {
		if a := b.Visit(first.Base(), nodetest.Me); a.Is(b.Who) != nil || len(a.Cookies) != 2 {
			t.Fatalf("a refresh on the first node: %v; want two cookies", a)
		}
	}
	for _, b := range affected {
		for _, r := range []nodetest.Request{nodetest.Page("/devices"), nodetest.Me, nodetest.Submit("/devices/revoke-others")} {
			if a := b.Visit(second.Base(), r); !a.Refused() || len(a.Cookies) > 0 {
				t.Errorf("on the second node: %v; want the login, and no cookie cleared", a)
			}
		}
		if a := b.Visit(second.Base(), nodetest.Page("/login")); a.Status != 200 || len(a.Cookies) > 0 {
			t.Errorf("the login page: %v; want 200, and no cookie cleared", a)
		}
		if a := b.Visit(first.Base(), nodetest.Me); a.Is(b.Who) != nil {
			t.Errorf("on the first node meanwhile: %v", a)
		}
	}
	if nodetest.Total(second.Events("undecodable")) < len(affected) || nodetest.Total(first.Events("undecodable")) > 0 {
		t.Errorf("cookies that could not be opened: %d on the first node, %d on the second; want none, and %d or more",
			nodetest.Total(first.Events("undecodable")), nodetest.Total(second.Events("undecodable")), len(affected))
	}
	for _, b := range others {
		if a := b.Visit(second.Base(), nodetest.Me); a.Is(b.Who) != nil {
			t.Errorf("one who was not on the first node: %v", a)
		}
	}

	second.Reload(t, nodetest.Reloaded, fresh, c.Key)
	for _, b := range browsers {
		for _, n := range c.Nodes {
			if a := b.Visit(n.Base(), nodetest.Me); a.Is(b.Who) != nil {
				t.Errorf("when both have the key: %v", a)
			}
		}
	}
	c.NoPanics()
}

// TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged is about a key that has leaked.
// To reset it is to give every node a new key alone, and to end all sessions.
func TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged(t *testing.T) {
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   dbtest.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	first, second := c.Nodes[0], c.Nodes[1]
	users, admin := c.AddUsers(4, "guest", "[]"), c.AddUsers(1, "admin", `["admin"]`)[0]
	before := c.LoginAll(users, c.Front)
	forged := &nodetest.Browser{C: c, Who: nodetest.Whoami{UserID: admin.ID}}
	leaked := forge(t, c.Key, admin.ID)

	// flags asks a node, and wants to be refused because no key opens the cookies.
	flags := func(n *nodetest.Node, b *nodetest.Browser, with nodetest.Cookies) {
		t.Helper()
		count := nodetest.Total(n.Events("undecodable"))
		if a := b.SendWith(n.Base(), nodetest.Me, with); !a.Refused() || len(a.Cookies) > 0 || nodetest.Total(n.Events("undecodable")) == count {
			t.Errorf("got %v and %d events of kind undecodable; want a refusal that clears nothing, and one or more",
				a, nodetest.Total(n.Events("undecodable"))-count)
		}
	}

	// No key, and the same key twice: that was no reset.
	for name, keys := range map[string][]string{"an empty file": nil, "the same key": {c.Key, c.Key}} {
		for _, n := range c.Nodes {
			n.Reload(t, nodetest.NotReloaded, keys...)
			for _, b := range before {
				if err := stillIn(b, b.Who.UserID, n.Base()); err != nil {
					t.Errorf("%s, which was refused: %v", name, err)
				}
			}
			if a := forged.SendWith(n.Base(), nodetest.Me, leaked); !isAdmin(a) {
				t.Fatalf("the forged cookie is good for nothing, and this test with it: %v", a)
			}
		}
	}

	// One node is left out: each opens nothing of what the other seals.
	fresh := session.GenerateKey()
	first.Reload(t, nodetest.Reloaded, fresh)
	flags(first, forged, leaked)
	for _, b := range before {
		flags(first, b, b.Cookies())
	}
	onFirst, onSecond := c.LoginAll(users[:1], first.Base())[0], c.LoginAll(users[1:2], second.Base())[0]
	flags(second, onFirst, onFirst.Cookies())
	flags(first, onSecond, onSecond.Cookies())

	// The rest of it.
	second.Reload(t, nodetest.Reloaded, fresh)
	if err := stillIn(onFirst, users[0].ID, first.Base(), second.Base()); err != nil {
		t.Errorf("a session of after the reset: %v", err)
	}
	grace := c.LoginAll([]nodetest.User{admin}, first.Base())[0]
	if err := done(grace.Visit(first.Base(), nodetest.Submit("/admin/revoke-all"))); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		flags(n, forged, leaked)
		for _, b := range append(before, onSecond) {
			flags(n, b, b.Cookies())
		}
	}

	// The old key stays in the list, or comes back with a backup of the file. That
	// is flagged, and whoever still holds cookies under it was logged out for good.
	if n := nodetest.Total(c.Events("old-key")); n > 0 {
		t.Errorf("%d events of kind old-key while each node has one key", n)
	}
	for _, n := range c.Nodes {
		n.Reload(t, nodetest.Reloaded, fresh, c.Key)
		forged.SendWith(n.Base(), nodetest.Me, leaked)
		if nodetest.Total(n.Events("old-key")) == 0 {
			t.Error("a cookie under the old key was opened, and no event tells of it")
		}
	}
	for _, n := range c.Nodes {
		for _, b := range append(before, onFirst, onSecond) {
			if _, ok := nodetest.Eventually(nodetest.FeedAtMost, 50*time.Millisecond, func() bool {
				return b.SendWith(n.Base(), nodetest.Me, b.Cookies()).Refused()
			}); !ok {
				t.Error("a session of before the reset is back, with the old key")
			}
		}
	}
	c.NoPanics()
}

// forge makes an access cookie as one can who has the key.
func forge(t *testing.T, key, userID string) nodetest.Cookies {
	t.Helper()
	keys, err := session.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	users := store.NewMemory()
	users.SetUser(userID, store.User{Epoch: 1, Roles: []string{"admin"}})
	m, err := session.New(keys, users, session.Config{DangerouslyAllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Issue(httptest.NewRequest("POST", "/login", nil), session.Login{UserID: userID})
	if err != nil {
		t.Fatal(err)
	}
	return nodetest.Cookies{nodetest.AccessCookie: nodetest.Answer{Cookies: v.Cookies}.Cookie(nodetest.AccessCookie)}
}
