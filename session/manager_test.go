package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func parseKeys(t testing.TB, texts ...string) Keys {
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

// That tells when an old key may go, and that one was left behind.
func TestACookieUnderAnOldKeyIsToldOf(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		w.login(b, Login{})
		w.nextPeriod()
		w.in(b)
		if n := w.count(EventOldKey); n != 0 {
			w.Errorf("%d events under the only key", n)
		}
		if err := w.SetKeys(parseKeys(w.T, GenerateKey(), testKey)); err != nil {
			w.Fatal(err)
		}
		w.in(b)
		w.in(b) // opened before
		if n := w.count(EventOldKey); n != 1 {
			w.Errorf("%d events for one access cookie under the old key; want 1", n)
		}
		w.nextPeriod()
		w.in(b)
		if n := w.count(EventOldKey); n != 2 {
			w.Errorf("%d events after a refresh under the old key; want 2", n)
		}
		w.nextPeriod()
		w.in(b)
		if n := w.count(EventOldKey); n != 2 {
			w.Errorf("%d events although all cookies are under the new key; want 2", n)
		}
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
		// A program that never comes back costs no browser its session.
		for range 5 {
			w.login(newBrowser(), Login{Unattended: true})
		}
		w.nextPeriod()
		for _, b := range browsers[2:] {
			w.in(b)
		}
		w.nextPeriod()
		for _, b := range browsers[2:] {
			w.in(b) // has come back now
		}
		mine := newBrowser()
		w.login(mine, Login{})
		w.in(browsers[4])
		w.in(mine)

		w.cfg.MaxSessions = -1
		for range 30 {
			w.login(newBrowser(), Login{})
		}
		w.in(browsers[4])
	})
}

// Of two logins at once each finds one session too many, and the other the one that
// never came back.
func TestTwoLoginsAtOnceDoNotEndEachOther(t *testing.T) {
	for apart := range 8 {
		inWorld(t, func(w *world) {
			w.cfg.MaxSessions = 1
			w.Manager.store = latentStore{w.faults}
			first, second := newBrowser(), newBrowser()
			var both sync.WaitGroup
			for i, b := range []*browser{first, second} {
				both.Go(func() {
					time.Sleep(time.Duration(i*apart) * time.Millisecond)
					v, err := w.Issue(b.request(), Login{UserID: "1"})
					if err != nil {
						w.Error(err)
					}
					b.receive(v.Cookies)
				})
			}
			both.Wait()
			if list, err := w.List(w.Context(), "1"); err != nil || len(list) != 1 {
				w.Errorf("%d ms apart: %d sessions are left, %v; want 1", apart, len(list), err)
			}
			if apart > 0 {
				w.in(second)
			}
		})
	}
}

// latentStore is a millisecond away.
type latentStore struct{ Store }

func (s latentStore) Create(ctx context.Context, n NewSession) error {
	time.Sleep(time.Millisecond)
	return s.Store.Create(ctx, n)
}

func (s latentStore) List(ctx context.Context, userID string) ([]Record, error) {
	time.Sleep(time.Millisecond)
	return s.Store.List(ctx, userID)
}

func (s latentStore) Revoke(ctx context.Context, id ID, userID string, reason Reason) (bool, error) {
	time.Sleep(time.Millisecond)
	return s.Store.Revoke(ctx, id, userID, reason)
}

func TestALoginNeverEndsItself(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cfg.MaxSessions = 3
		for range 3 {
			w.login(newBrowser(), Login{})
		}
		for _, row := range w.users.sessions {
			row.CreatedAt = row.CreatedAt.Add(time.Hour) // the database's clock was set back since
		}
		b := newBrowser()
		w.login(b, Login{})
		w.in(b)
	})
}

func TestALoginWaitsNoLongerForTheStoreThanAnyRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cfg.MaxSessions = -1
		for range 50 {
			w.login(newBrowser(), Login{})
		}
		w.cfg.MaxSessions = 3
		b := newBrowser()
		w.login(b, Login{Remember: true})
		w.Manager.store = slowStore{w.users}
		start := time.Now()
		if _, err := w.Issue(b.request(), Login{UserID: "1"}); err != nil {
			w.Error(err)
		}
		if took := time.Since(start); took > 2*time.Second {
			w.Errorf("took %v", took)
		}
	})
}

// slowStore takes its time to revoke.
type slowStore struct{ Store }

func (s slowStore) Revoke(ctx context.Context, id ID, userID string, reason Reason) (bool, error) {
	if !sleep(ctx, 450*time.Millisecond) {
		return false, ctx.Err()
	}
	return s.Store.Revoke(ctx, id, userID, reason)
}

func TestOnlyALiveSessionIsRemembered(t *testing.T) {
	inWorld(t, func(w *world) {
		b := newBrowser()
		s := w.login(b, Login{Remember: true})
		if s = w.login(b, Login{}); time.Until(s.EndsAt) < 80*24*time.Hour {
			w.Errorf("logging in again has ended Remember: %v are left", time.Until(s.EndsAt))
		}
		if err := w.Revoke(w.Context(), "1", s.ID); err != nil {
			w.Fatal(err)
		}
		if s = w.login(b, Login{}); time.Until(s.EndsAt) > 13*time.Hour {
			w.Errorf("a revoked session has left Remember behind: %v are left", time.Until(s.EndsAt))
		}
	})
}

// A read on a database node that has not seen the login yet is repeated.
func TestALoginReadsItsRowOnceMore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Manager.store = &laggingStore{Store: w.users, behind: 1}
		b := newBrowser()
		w.login(b, Login{})
		w.in(b)
	})
}

type laggingStore struct {
	Store
	behind int // reads
}

func (s *laggingStore) Find(ctx context.Context, id ID) (Snapshot, error) {
	snap, err := s.Store.Find(ctx, id)
	if s.behind > 0 {
		s.behind--
		snap.Record = nil
	}
	return snap, err
}

func TestAVerdictPrintsNoCookie(t *testing.T) {
	inWorld(t, func(w *world) {
		v, err := w.Issue(newBrowser().request(), Login{UserID: "1"})
		if err != nil {
			w.Fatal(err)
		}
		js, err := json.Marshal(v)
		if err != nil {
			w.Fatal(err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "verdict", v)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %q %s %x", v, v, v, v, v, &v), string(js), log.String()} {
			if !strings.Contains(text, v.Session().ID) {
				w.Errorf("%q does not say which session", text)
			}
			for _, c := range v.Cookies {
				if strings.Contains(text, c.Value) {
					w.Errorf("%q shows a cookie", text)
				}
			}
		}
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
