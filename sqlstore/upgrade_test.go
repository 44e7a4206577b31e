package sqlstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// slowest notes how long the calls of a node's store take.
type slowest struct {
	mu   sync.Mutex
	took time.Duration
}

func (s *slowest) observe(from time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = max(s.took, time.Since(from))
}

// longest returns how long the slowest call has taken.
func (s *slowest) longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

// newRelease returns a node of the old or of the new release.
func newRelease(t *testing.T, inner store.Store, s *slowest) *session.Manager {
	t.Helper()
	keys, err := session.ParseKeys("b3Xr1vGmU0n1n0kqYw0m6j5l9g1s5o9yJ8y0kXo0Zkc=")
	if err != nil {
		t.Fatal(err)
	}
	counted := sessiontest.NewStore(inner)
	counted.Before(func(ctx context.Context, _ string) error {
		go func(from time.Time) { // the context of a statement ends with it
			<-ctx.Done()
			s.observe(from)
		}(time.Now())
		return nil
	})
	m, err := session.New(keys, counted, session.Config{AccessTTL: time.Second, MaxSessions: -1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Nodes of two releases run side by side while the newer one upgrades the table, which a
// transaction uses at first. Nobody is logged out, and nobody waits for long.
func TestMigrate_UpgradesTheTableUnderLiveSessions(t *testing.T) {
	suite(t, "upgrade under live sessions")
	const browsers = 200
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{Epoch: 1})
	next := a.Store.NextRelease()
	var slow slowest
	old, fresh := newRelease(t, a.Store, &slow), newRelease(t, next, &slow)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()

	login := func(m *session.Manager, b *sessiontest.Browser) {
		v, err := m.Issue(b.NewRequest(http.MethodPost, "/login", nil), session.Login{UserID: "1", Epoch: 1})
		if err != nil {
			t.Errorf("a login failed: %v", err)
		}
		b.Receive(v.Cookies)
	}
	all := make([]*sessiontest.Browser, browsers)
	for i := range all {
		all[i] = sessiontest.NewBrowser(nil)
		login(old, all[i])
	}

	// The transaction holds the table for five seconds: an ALTER TABLE must wait for it.
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT COUNT(*) FROM sessions"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(5*time.Second, func() { _ = tx.Rollback() })

	upgraded := make(chan struct{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := next.Migrate(ctx); err != nil {
				t.Errorf("Migrate of the new release: %v", err)
			}
		})
	}
	go func() { group.Wait(); close(upgraded) }()

	isUpgraded := func() bool {
		select {
		case <-upgraded:
			return true
		default:
			return false
		}
	}
	// Spread over time, as users are: else the load is that of a herd, and not of an upgrade.
	pause := func() { time.Sleep(1100*time.Millisecond + rand.N(3*time.Second)) } // the access cookie expires
	var unavailable atomic.Int64
	var load sync.WaitGroup
	for i, b := range all {
		load.Go(func() {
			for visit := 0; visit < 3 || !isUpgraded(); visit++ {
				pause()
				node := old
				if isUpgraded() && (visit+i)%2 == 0 { // it serves only when its Migrate has returned
					node = fresh
				}
				v, err := node.Authenticate(b.NewRequest(http.MethodGet, "/", nil))
				switch {
				case errors.Is(err, session.ErrStoreUnavailable):
					unavailable.Add(1)
				case err != nil:
					t.Errorf("a session is over: %v", err)
					return
				}
				b.Receive(v.Cookies)
				if i%4 == 0 && visit < 2 { // a login while the upgrade waits
					login(old, sessiontest.NewBrowser(nil))
				}
			}
			login(fresh, b) // what the new release writes, the old one reads
			pause()
			if _, err := old.Authenticate(b.NewRequest(http.MethodGet, "/", nil)); errors.Is(err, session.ErrUnauthenticated) {
				t.Errorf("the old release refuses a session of the new one: %v", err)
			}
		})
	}
	load.Wait()
	<-upgraded
	if n := old.Stats()[session.EventReuse] + fresh.Stats()[session.EventReuse]; n != 0 {
		t.Errorf("%d sessions look stolen", n)
	}
	if took := slow.longest(); took > 5*time.Second || took < 200*time.Millisecond {
		t.Errorf("the slowest statement took %v; want one that has waited for the upgrade, for at most 5s", took)
	}
	refused := unavailable.Load()
	t.Logf("%d browsers; the slowest statement took %v; %d visits were refused for a moment", browsers, slow.longest(), refused)
	if refused > browsers/10 {
		t.Errorf("%d visits were refused: the upgrade keeps the table from them for longer than a request waits", refused)
	}
	if n := a.int(t, "SELECT schema_version FROM sessions_epoch"); n != 2 {
		t.Errorf("the version is %d; want 2", n)
	}
	if n := a.int(t, "SELECT COUNT(*) FROM sessions WHERE note = 'next'"); n != browsers {
		t.Errorf("%d rows of the new release have a note; want %d", n, browsers)
	}
	// A node of the old release that starts again finds nothing to do.
	if err := a.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate of the old release after the upgrade: %v", err)
	}
	if n := a.int(t, "SELECT schema_version FROM sessions_epoch"); n != 2 {
		t.Errorf("the old release has set the version to %d", n)
	}
}

func (a app) int(t *testing.T, query string) (n int) {
	t.Helper()
	if err := a.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// An account without ALTER gets the statements. They work as they are.
func TestMigrate_ReturnsTheStatementsOfAnUpgradeThatItMayNotMake(t *testing.T) {
	const all = "SELECT, INSERT, UPDATE, DELETE ON {db}."
	s, root := fault{grants: []string{all + "sessions", all + "sessions_devices", all + "sessions_epoch", "SELECT ON {db}.users"}}.create(t)
	root.Store = newStore(t, root.db, sqlstore.Config{})
	next := s.NextRelease()
	began := time.Now()
	err := next.Migrate(t.Context())
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v: a missing privilege does not come back", took)
	}
	if err == nil || !strings.Contains(err.Error(), "ALTER command denied") {
		t.Fatalf("got %v; want the database's refusal", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("the old release after the refusal: %v", err)
	}
	_, statements, _ := strings.Cut(err.Error(), "\n\t")
	lines := strings.Split(statements, "\n\t")
	want := []string{"ALTER TABLE `sessions` ADD COLUMN note VARBINARY(45) NULL;", "UPDATE `sessions_epoch` SET schema_version = 2 WHERE id = 1 AND schema_version < 2;"}
	if !slices.Equal(lines, want) {
		t.Fatalf("the statements are %q; want %q", lines, want)
	}
	for _, line := range lines {
		root.exec(t, line)
	}
	for name, s := range map[string]*sqlstore.Store{"new": next, "old": s} {
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("the %s release after the statements: %v", name, err)
		}
	}
}

// A node may have ended between the ALTER TABLE and the new version.
func TestMigrate_FinishesAnUpgradeThatWasInterrupted(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.exec(t, "ALTER TABLE sessions ADD COLUMN note VARBINARY(45) NULL")
	if err := a.NextRelease().Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if n := a.int(t, "SELECT schema_version FROM sessions_epoch"); n != 2 {
		t.Errorf("the version is %d; want 2", n)
	}
}

// A transaction that does not end must not stop an app's start for ever, nor the requests
// of the other nodes.
func TestMigrate_GivesUpOnATableThatATransactionUses(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	tx, err := a.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT COUNT(*) FROM sessions"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	err = a.NextRelease().Migrate(ctx)
	if err == nil || !strings.Contains(err.Error(), "ALTER TABLE `sessions` ADD COLUMN note") {
		t.Errorf("got %v; want the statement", err)
	}
	var wait int
	if err := a.db.QueryRowContext(t.Context(), "SELECT @@lock_wait_timeout").Scan(&wait); err != nil || wait == 1 {
		t.Errorf("a connection of the pool waits %d s for locks, %v", wait, err)
	}
}

// What another program wrote is an error, and not a version.
func TestMigrate_RefusesAVersionThatNoReleaseHas(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.exec(t, "UPDATE sessions_epoch SET schema_version = 0")
	if err := a.NextRelease().Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "schema_version in `sessions_epoch` is 0") {
		t.Errorf("got %v", err)
	}
}

// A pool of one connection is usual with SQLite.
func TestMigrate_UpgradesOnAPoolOfOneConnection(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.NextRelease().Migrate(ctx); err != nil {
		t.Error(err)
	}
}
