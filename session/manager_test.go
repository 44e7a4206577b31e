package session

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func parseKeys(t *testing.T, texts ...string) Keys {
	t.Helper()
	keys, err := ParseKeys(strings.Join(texts, " "))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A roll-out node by node, in the three steps, with the same browsers all along.
func TestKeysChangeOverTwoNodesWithoutALogout(t *testing.T) {
	inWorld(t, func(w *world) {
		nodes := []*world{w, newWorld(w.T, w.users, Config{})}
		older := testKey
		browsers := make([]*browser, 20)
		for i := range browsers {
			browsers[i] = newBrowser()
			w.login(browsers[i], Login{})
			w.login(browsers[i], Login{UserID: []string{"1", "2"}[i%2]})
		}
		visitAll := func() {
			for i, b := range browsers {
				for _, n := range nodes {
					n.in(b)
				}
				if i%2 == 0 {
					time.Sleep(7 * time.Second)
				}
			}
		}
		for range 5 {
			newer := GenerateKey()
			for _, step := range [][]string{{older, newer}, {newer, older}, {newer}} {
				for _, n := range nodes {
					if err := n.SetKeys(parseKeys(w.T, step...)); err != nil {
						w.Fatal(err)
					}
					visitAll()
				}
			}
			older = newer
		}
	})
}

func TestAKeyInTheWrongOrderLogsNobodyOutForGood(t *testing.T) {
	inWorld(t, func(w *world) {
		other := newWorld(w.T, w.users, Config{})
		newer := GenerateKey()
		b := newBrowser()
		w.login(b, Login{})
		if err := w.SetKeys(parseKeys(w.T, newer, testKey)); err != nil { // sealed with at once, on one node
			w.Fatal(err)
		}
		w.nextPeriod()
		w.in(b)
		v, err := other.Authenticate(b.request())
		if !errors.Is(err, ErrUnauthenticated) || len(v.Cookies) != 0 {
			w.Errorf("got %v, cookies %v; want a refusal that deletes none", err, v.Cookies)
		}
		if err := other.SetKeys(parseKeys(w.T, newer, testKey)); err != nil {
			w.Fatal(err)
		}
		other.in(b)
	})
}

func TestAKeyThatIsRemovedEndsWhatItSealed(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		if err := w.SetKeys(Keys{}); err == nil {
			w.Error("no keys were taken for keys")
		}
		w.in(b)
		if err := w.SetKeys(parseKeys(w.T, GenerateKey())); err != nil {
			w.Fatal(err)
		}
		if n := w.statements(func() { w.out(b) }); n != 0 {
			w.Errorf("%d statements; want 0", n)
		}
		w.login(b, Login{})
		w.in(b)
	})
}

func TestALoginTooManyEndsTheOldest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cfg.MaxSessions = 3
		var browsers []*browser
		for range 5 {
			b := newBrowser()
			w.login(b, Login{})
			browsers = append(browsers, b)
			time.Sleep(time.Second)
		}
		for i, b := range browsers {
			if i < 2 {
				w.out(b)
			} else {
				w.in(b)
			}
		}
		w.cfg.MaxSessions = -1
		for range 30 {
			w.login(newBrowser(), Login{})
		}
		w.in(browsers[2])
	})
}

func TestEventsAreCountedAndLogged(t *testing.T) {
	inWorld(t, func(w *world) {
		var out bytes.Buffer
		w.cfg.OnEvent = LogEvents(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		_, thief := refreshable(w, true)
		w.out(thief)
		stats := w.Stats()
		for kind, want := range map[EventKind]uint64{EventIssued: 1, EventRefreshed: 3, EventReuse: 1, EventRevoked: 0} {
			if stats[kind] != want {
				w.Errorf("%d events of %s; want %d", stats[kind], kind, want)
			}
		}
		if log := out.String(); !strings.Contains(log, "level=WARN msg=session kind=reuse session=") || strings.Contains(log, "Ada") {
			w.Errorf("logged:\n%s", log)
		}
	})
}
