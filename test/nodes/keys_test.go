package nodes

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// TestTheKeyChangesUnderLoadAndNobodyIsLoggedOut replaces the key five times, in the
// three steps that the example's -h describes, on one node after the other.
func TestTheKeyChangesUnderLoadAndNobodyIsLoggedOut(t *testing.T) {
	const (
		sessions  = 50
		rotations = 5
		ttl       = 3 * time.Second
		life      = 9 * time.Second        // of a refresh cookie
		apart     = 300 * time.Millisecond // between the changes on the two nodes
	)
	seed := nodetest.NewSeed(t)
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
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
		time.Sleep(life) // every cookie under the old key has expired or was replaced
		onEach(fresh)
		// No node accepts the old key any more.
		for _, n := range c.Nodes {
			before := nodetest.Total(n.Events("undecodable"))
			if a := b.SendWith(n.Base(), nodetest.Me, kept); !a.Refused() || nodetest.Total(n.Events("undecodable")) != before+1 {
				t.Errorf("a cookie under a removed key: %v; want a refusal and one undecodable event", a)
			}
		}
		old = fresh
	}
	stop()
	s.allLoggedIn()
	if n := nodetest.Total(c.Events("undecodable")); n != rotations*len(c.Nodes) {
		t.Errorf("%d undecodable cookies; want %d, the copies from before", n, rotations*len(c.Nodes))
	}
	if s.unavailable.Load() > 0 || s.broken.Load() > 0 {
		t.Errorf("%v; want none", s)
	}
	t.Logf("%d rotations on %d nodes: %v", rotations, len(c.Nodes), s)
	c.NoPanics()
}

// TestAKeyInTheWrongOrderIsMendedByTheRollOut lets one node seal with a key that the
// other does not have yet. Nobody is logged out, and the next step ends the refusals.
func TestAKeyInTheWrongOrderIsMendedByTheRollOut(t *testing.T) {
	const ttl = 2 * time.Second
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{ttl, ttl},
	})
	first, second := c.Nodes[0], c.Nodes[1]
	browsers := c.LoginAll(c.AddUsers(20, "guest", "[]"), c.Front)
	affected, others := browsers[:10], browsers[10:]
	fresh := session.GenerateKey()

	first.Reload(t, nodetest.Reloaded, fresh, c.Key)
	for range nodetest.RefreshCookies { // until both are sealed with the new key
		time.Sleep(ttl) // all cookies are old enough to be refreshed
		for _, b := range affected {
			if a := b.Visit(first.Base(), nodetest.Me); a.Is(b.Who) != nil || len(a.Cookies) != 2 {
				t.Fatalf("a refresh on the first node: %v; want two cookies", a)
			}
		}
	}
	for _, b := range affected {
		for _, r := range []nodetest.Request{nodetest.Page("/devices"), nodetest.Me, nodetest.Submit("/devices/revoke-others")} {
			if a := b.Visit(second.Base(), r); !a.Refused() || len(a.Cookies) > 0 {
				t.Errorf("on the second node: %v; want a redirect to the login that changes no cookie", a)
			}
		}
		if a := b.Visit(second.Base(), nodetest.Page("/login")); a.Status != 200 || len(a.Cookies) > 0 {
			t.Errorf("the login page: %v; want 200 and no changed cookie", a)
		}
		if a := b.Visit(first.Base(), nodetest.Me); a.Is(b.Who) != nil {
			t.Errorf("on the first node meanwhile: %v", a)
		}
	}
	// A node logs this event once a second.
	if nodetest.Total(second.Events("undecodable")) == 0 || nodetest.Total(first.Events("undecodable")) > 0 {
		t.Errorf("undecodable cookies: %d on the first node, %d on the second; want none and at least one",
			nodetest.Total(first.Events("undecodable")), nodetest.Total(second.Events("undecodable")))
	}
	for _, b := range others {
		if a := b.Visit(second.Base(), nodetest.Me); a.Is(b.Who) != nil {
			t.Errorf("a browser that did not use the first node: %v", a)
		}
	}

	second.Reload(t, nodetest.Reloaded, fresh, c.Key)
	for _, b := range browsers {
		for _, n := range c.Nodes {
			if a := b.Visit(n.Base(), nodetest.Me); a.Is(b.Who) != nil {
				t.Errorf("after both nodes have the key: %v", a)
			}
		}
	}
	c.NoPanics()
}

// TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged resets a leaked key, and makes mistakes.
// A complete reset gives every node only the new key, and ends all sessions.
func TestAHalfDoneResetOfTheKeyIsRefusedOrFlagged(t *testing.T) {
	c := nodetest.NewCluster(t, nodetest.Setup{
		DSN:   nodetest.Database(t),
		Nodes: []time.Duration{5 * time.Minute, 5 * time.Minute},
	})
	first, second := c.Nodes[0], c.Nodes[1]
	users, admin := c.AddUsers(4, "guest", "[]"), c.AddUsers(1, "admin", `["admin"]`)[0]
	before := c.LoginAll(users, c.Front)
	forged := &nodetest.Browser{C: c, Who: nodetest.Whoami{UserID: admin.ID}}
	leaked := forge(t, c.Key, admin.ID)

	// flags sends cookies to a node, in one request after another. The node must refuse all
	// of them, and report that no key opens them.
	flags := func(n *nodetest.Node, sent ...nodetest.Cookies) {
		t.Helper()
		time.Sleep(time.Second) // a node logs the event once a second
		count := nodetest.Total(n.Events("undecodable"))
		for _, with := range sent {
			if a := forged.SendWith(n.Base(), nodetest.Me, with); !a.Refused() || len(a.Cookies) > 0 {
				t.Errorf("got %v; want a refusal that changes no cookie", a)
			}
		}
		if nodetest.Total(n.Events("undecodable")) == count {
			t.Errorf("%d requests and no undecodable event; want at least one", len(sent))
		}
	}
	cookiesOf := func(browsers ...*nodetest.Browser) (all []nodetest.Cookies) {
		for _, b := range browsers {
			all = append(all, b.Cookies())
		}
		return all
	}

	// A node rejects a key file without a key, and one with the same key twice.
	for name, keys := range map[string][]string{"an empty file": nil, "the same key": {c.Key, c.Key}} {
		for _, n := range c.Nodes {
			n.Reload(t, nodetest.NotReloaded, keys...)
			for _, b := range before {
				if err := stillIn(b, b.Who.UserID, n.Base()); err != nil {
					t.Errorf("after a rejected file (%s): %v", name, err)
				}
			}
			if a := forged.SendWith(n.Base(), nodetest.Me, leaked); !isAdmin(a) {
				t.Fatalf("the forged cookie is not accepted, so this test proves nothing: %v", a)
			}
		}
	}

	// Only one node has the new key: neither node opens cookies of the other.
	fresh := session.GenerateKey()
	first.Reload(t, nodetest.Reloaded, fresh)
	flags(first, leaked)
	flags(first, cookiesOf(before...)...)
	onFirst, onSecond := c.LoginAll(users[:1], first.Base())[0], c.LoginAll(users[1:2], second.Base())[0]
	flags(second, onFirst.Cookies())
	flags(first, onSecond.Cookies())

	// The reset is completed.
	second.Reload(t, nodetest.Reloaded, fresh)
	if err := stillIn(onFirst, users[0].ID, first.Base(), second.Base()); err != nil {
		t.Errorf("a session that began after the reset: %v", err)
	}
	grace := c.LoginAll([]nodetest.User{admin}, first.Base())[0]
	if err := done(grace.Visit(first.Base(), nodetest.Submit("/admin/revoke-all"))); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		flags(n, leaked)
		flags(n, cookiesOf(append(before, onSecond)...)...)
	}

	// The old key is in the list again, for example from a backup of the file. The nodes
	// report its use, and no session from before the reset is accepted.
	if n := nodetest.Total(c.Events("old-key")); n > 0 {
		t.Errorf("%d old-key events while each node has one key; want 0", n)
	}
	for _, n := range c.Nodes {
		n.Reload(t, nodetest.Reloaded, fresh, c.Key)
		forged.SendWith(n.Base(), nodetest.Me, leaked)
		if nodetest.Total(n.Events("old-key")) == 0 {
			t.Error("a cookie under the old key was opened without an old-key event")
		}
	}
	for _, n := range c.Nodes {
		for _, b := range append(before, onFirst, onSecond) {
			if _, ok := nodetest.Eventually(nodetest.FeedAtMost, 50*time.Millisecond, func() bool {
				return b.SendWith(n.Base(), nodetest.Me, b.Cookies()).Refused()
			}); !ok {
				t.Error("a session from before the reset is accepted again with the old key")
			}
		}
	}
	c.NoPanics()
}

// forge returns an access cookie of an administrator, made with the key alone.
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
