package session_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// setKeys sets the node's keys. The first one seals.
func (n *testNode) setKeys(texts ...string) {
	n.t.Helper()
	keys, err := session.ParseKeys(strings.Join(texts, " "))
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.SetKeys(keys); err != nil {
		n.t.Fatal(err)
	}
}

// A new key is rolled out node by node, in the three steps of SetKeys, while the same
// browsers stay logged in.
func TestManager_SetKeysInThreeStepsLogsNobodyOut(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		nodes := []*testNode{w.here, w.there}
		older := w.key
		browsers := make([]*sessiontest.Browser, 20)
		for i := range browsers {
			browsers[i] = newBrowser()
			w.here.login(browsers[i], session.Login{})
			w.here.login(browsers[i], session.Login{UserID: []string{"1", "2"}[i%2]})
		}
		for range 5 {
			newer := session.GenerateKey()
			for _, step := range [][]string{{older, newer}, {newer, older}, {newer}} {
				for _, changed := range nodes {
					changed.setKeys(step...)
					for i, b := range browsers {
						for _, n := range nodes {
							n.in(b)
						}
						if i%2 == 0 {
							time.Sleep(7 * time.Second)
						}
					}
				}
			}
			older = newer
		}
	})
}

// If one node seals with a key that the other node does not have yet, the other node
// refuses the request but deletes no cookie. When it has the key, it accepts the
// session again.
func TestManager_SetKeysInTheWrongOrderLogsNobodyOutForGood(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		newer := session.GenerateKey()
		b := newBrowser()
		w.here.login(b, session.Login{})
		w.here.setKeys(newer, w.key)
		for range 2 { // both refresh cookies
			time.Sleep(defaultAccessTTL)
			w.here.in(b)
		}
		v, err := w.there.Authenticate(b.NewRequest("GET", "/", nil))
		if !errors.Is(err, session.ErrUnauthenticated) || len(v.Cookies) != 0 {
			w.Errorf("got %v, cookies %v; want a refusal that deletes none", err, v.Cookies)
		}
		w.there.setKeys(newer, w.key)
		w.there.in(b)
	})
}

// EventOldKey is raised once for each cookie that an old key opened. It shows when the
// old key can be removed, and whether a node still uses it.
func TestManager_OldKeyIsReported(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		time.Sleep(defaultAccessTTL)
		w.here.in(b)
		for _, step := range []struct {
			name string
			do   func()
			want int // events in all
		}{
			{"under the only key", func() {}, 0},
			{"an access cookie under the old key", func() { w.here.setKeys(session.GenerateKey(), w.key); w.here.in(b) }, 1},
			{"the same one again", func() { w.here.in(b) }, 1},
			{"two refresh cookies under the old key", func() { time.Sleep(defaultAccessTTL); w.here.in(b) }, 3},
			{"one under the new key", func() { time.Sleep(defaultAccessTTL); w.here.in(b) }, 4},
			{"two under the new key", func() { time.Sleep(defaultAccessTTL); w.here.in(b) }, 4},
		} {
			step.do()
			if n := len(w.here.eventsOf(session.EventOldKey)); n != step.want {
				w.Errorf("%s: %d events; want %d", step.name, n, step.want)
			}
		}
	})
}

// A cookie under a removed key is unauthenticated and costs no store call.
func TestManager_RemovedKeyEndsWhatItSealed(t *testing.T) {
	inTwoNodes(t, session.Config{}, func(w *twoNodes) {
		b := newBrowser()
		w.here.login(b, session.Login{})
		if err := w.here.SetKeys(session.Keys{}); err == nil {
			w.Error("empty keys were accepted")
		}
		w.here.in(b)
		w.here.setKeys(session.GenerateKey())
		if n := w.here.calls(func() { w.here.out(b) }); n != 0 {
			w.Errorf("%d store calls; want 0", n)
		}
		w.here.setKeys(session.GenerateKey(), w.key) // the cookies were not deleted
		w.here.in(b)
		w.here.login(b, session.Login{})
		w.here.in(b)
	})
}

// A good refresh cookie is judged as if it stood alone, and the one that no key opens is
// reported: a node with a newer key may have sealed it.
func TestManager_UndecodableCookieBesideAGoodOneIsReported(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		give(b, oddRefreshCookie, "nonsense")
		w.expireAccess()
		w.in(b)
		if n := w.count(session.EventUndecodable); n != 1 {
			w.Errorf("%d events; want 1", n)
		}
	})
}

// A thief who adds nonsense to his superseded cookie is noticed all the same.
func TestManager_ThiefHidesBehindNoUndecodableCookie(t *testing.T) {
	inTestWorld(t, session.Config{}, func(w *testWorld) {
		b := newBrowser()
		w.login(b, session.Login{})
		thief := b.CloneIgnoringExpiry()
		for range 3 {
			w.expireAccess()
			w.in(b)
		}
		w.expireAccess()
		give(thief, oddRefreshCookie, "nonsense")
		if _, err := w.Authenticate(page(thief)); !errors.Is(err, session.ErrReused) || w.count(session.EventReuse) != 1 {
			w.Errorf("got %v, %d events; want ErrReused and one", err, w.count(session.EventReuse))
		}
	})
}
