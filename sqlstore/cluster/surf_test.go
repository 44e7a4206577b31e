package cluster

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

const (
	users    = 80
	parallel = 4 // requests of a page

	// Twice what a request may wait for the store: within the bound that a request
	// held back must stay in, so that every logout counts.
	accessTTL = 4 * time.Second
)

// fleet is three nodes of an app, each with a database node of its own.
type fleet struct {
	*testing.T
	app
	managers []*session.Manager
	log      *logbook
	events   sync.Map // kind to *atomic.Int64
	pending  sync.Map // users whose RevokeUser gave no answer

	pages, troubles             atomic.Int64
	loggedOut                   atomic.Int64 // of whom nobody had ended the session
	ended, unknown, resurrected atomic.Int64
	late                        atomic.Int64 // ended by a RevokeUser that gave no answer, after the next login

	mu    sync.Mutex
	over  []ending
	alive []*browser
}

// ending is a session that was ended, and the store said so.
type ending struct {
	sessionID string
	how       string
}

func (f *fleet) count(kind session.EventKind) *atomic.Int64 {
	n, _ := f.events.LoadOrStore(kind, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func (f *fleet) any() *session.Manager { return f.managers[rand.IntN(len(f.managers))] }

// surf has many browsers surf for a while, and many of their sessions ended while
// they are at it, with fault in between.
func surf(t *testing.T, c *mysqltest.Cluster, results *results, duration time.Duration, fault func(app), params ...string) {
	f := &fleet{T: t, app: newApp(t, c, append(params, settings...)...), log: newLogbook()}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, store := range f.stores {
		m, err := session.New(keys, watch{store, f.log}, session.Config{
			AccessTTL: accessTTL, OnEvent: func(e session.Event) { f.count(e.Kind).Add(1) },
		})
		if err != nil {
			t.Fatal(err)
		}
		f.managers = append(f.managers, m)
		go m.Run(ctx)
	}
	for id := range users {
		f.exec(t, "INSERT INTO users (id) VALUES (?)", id+1)
	}
	f.surfAll(duration, fault)
	f.judge()

	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	results.add("%d users in %d pages of %d requests: %d answered by 503; %d logged out for no reason; %d taken for thieves",
		users, f.pages.Load(), parallel, f.troubles.Load(), f.loggedOut.Load(), f.count(session.EventReuse).Load())
	results.add("%d sessions ended while they refreshed, %d more without an answer, of which %d took effect after the next login; %d came back", f.ended.Load(), f.unknown.Load(), f.late.Load(), f.resurrected.Load())
	refreshed := f.count(session.EventRefreshed).Load() + f.count(session.EventStraggler).Load()
	asked := refreshed + f.count(session.EventEnded).Load()
	results.add("%d refreshes, %d refused; %.2f statements for each; %d confirmed; longest silence %.1f s; rows behind %d",
		refreshed, asked-refreshed, float64(f.log.calls["Find"]+f.log.calls["Confirm"])/float64(asked), len(f.log.confirmed), f.log.silence().Seconds(), f.count(session.EventAhead).Load())
	results.add("errors of the database, all 503s or repeated: %s", counts(f.log.troubles))
	if refreshed == 0 || f.ended.Load() == 0 || len(f.log.confirmed) == 0 {
		t.Error("nobody refreshed, or nothing was ended")
	}
	if fault != nil && len(f.log.troubles) == 0 {
		t.Error("the fault was not felt")
	}
}

func (f *fleet) surfAll(duration time.Duration, fault func(app)) {
	end := time.Now().Add(duration)
	var wg sync.WaitGroup
	for id := range users {
		wg.Go(func() { f.live(id+1, end) })
	}
	if fault != nil {
		fault(f.app)
	}
	wg.Wait()
}

// live is one user's time until end: pages, logouts, logins.
func (f *fleet) live(user int, end time.Time) {
	b := f.login(user)
	for time.Now().Before(end) && b != nil {
		if rand.IntN(20) == 0 {
			f.endWhileRefreshing(b)
			b = f.login(user)
			continue
		}
		if !f.visit(b) {
			b = f.login(user)
		}
		time.Sleep(rand.N(800 * time.Millisecond))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alive = append(f.alive, b)
}

// visit loads a page, of which every answer must be the user's own or a 503. It
// reports whether the user is still logged in.
func (f *fleet) visit(b *browser) bool {
	p := b.load(f.managers, parallel)
	f.pages.Add(1)
	f.troubles.Add(int64(p.trouble))
	if p.out == 0 {
		return true
	}
	if f.endedLate(b) {
		f.late.Add(1)
		return false
	}
	f.loggedOut.Add(1)
	snap, err := f.stores[0].Find(context.Background(), id(f.T, b.sessionID))
	f.Errorf("user %s was logged out: %+v; the row is %+v, %v", b.userID, p, snap.Record, err)
	return false
}

// endedLate reports whether the session was ended by a RevokeUser that was given
// up: the database may do it all the same, seconds later, and what it finds then
// is over, as it was told. It is the only way to end in which that can meet the
// user's next session.
func (f *fleet) endedLate(b *browser) bool {
	if _, pending := f.pending.Load(b.userID); !pending {
		return false
	}
	for _, store := range f.stores {
		if snap, err := store.Find(context.Background(), id(f.T, b.sessionID)); err == nil && snap.Record.Reason == session.ReasonRevoked {
			return true
		}
	}
	return false
}

// login logs a user in, as soon as the store lets it.
func (f *fleet) login(user int) *browser {
	b := &browser{userID: strconv.Itoa(user), cookies: map[string]cookie{}}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		v, err := f.any().Issue(httptest.NewRequest("POST", "/login", nil), session.Login{UserID: b.userID})
		if err == nil {
			b.keep(v)
			b.sessionID = v.Session().ID
			return b
		}
		if definite(err) {
			f.Errorf("a login of user %s: %v", b.userID, err)
		}
	}
	f.Errorf("user %s could not log in for 20 s", b.userID)
	return nil
}

// endWhileRefreshing ends a session in one of three ways while its browser loads
// a page, and sees to it that no cookie of it is good any more.
func (f *fleet) endWhileRefreshing(b *browser) {
	before := b.stolen()
	m, ctx := f.any(), context.Background()
	var err error
	var how string
	var wg sync.WaitGroup
	wg.Go(func() { b.load(f.managers, parallel) })
	time.Sleep(rand.N(10 * time.Millisecond))
	switch rand.IntN(3) {
	case 0:
		how = "logout"
		_, err = m.Logout(request(before))
	case 1:
		how = "revoke"
		err = m.Revoke(ctx, b.userID, b.sessionID)
	case 2:
		how = "revoke user"
		err = m.RevokeUser(ctx, b.userID)
	}
	wg.Wait()
	if err != nil {
		if definite(err) {
			f.Errorf("%s of user %s: %v", how, b.userID, err)
		}
		f.unknown.Add(1)
		if how == "revoke user" {
			f.pending.Store(b.userID, true)
		}
		return
	}
	f.ended.Add(1)
	f.mu.Lock()
	f.over = append(f.over, ending{b.sessionID, how})
	f.mu.Unlock()
	for i, store := range f.stores {
		snap, err := store.Find(ctx, id(f.T, b.sessionID))
		if err == nil && snap.Record.RevokedAt.IsZero() {
			f.resurrected.Add(1)
			f.Errorf("after %s of user %s database node %d did not know of it", how, b.userID, i+1)
		}
	}
	// What a thief had copied before, and what late answers have left. An app's
	// node remembers a refresh for a moment.
	time.Sleep(accessTTL/12 + 50*time.Millisecond)
	for _, cookies := range []map[string]cookie{before, b.stolen()} {
		for i, m := range f.managers {
			if in, asked := f.asks(m, cookies); asked && in {
				f.resurrected.Add(1)
				f.Errorf("after %s user %s was let in by node %d", how, b.userID, i+1)
			}
		}
	}
}

func id(t *testing.T, text string) session.ID {
	id, err := session.ParseID(text)
	if err != nil {
		t.Error(err)
	}
	return id
}

// asks authenticates by the cookies. No answer can be had for a while when a
// node is dead.
func (f *fleet) asks(m *session.Manager, cookies map[string]cookie) (in, asked bool) {
	for range 3 {
		_, err := m.Authenticate(request(cookies))
		if err == nil || errors.Is(err, session.ErrUnauthenticated) {
			return err == nil, true
		}
	}
	return false, false
}

// judge looks at all rows on each node when everything is quiet.
func (f *fleet) judge() {
	for i, db := range f.dbs {
		for _, e := range f.over {
			id := id(f.T, e.sessionID)
			var revokedAt sql.Null[int64]
			if err := db.QueryRow("SELECT revoked_at FROM sessions WHERE id = ?", id[:]).Scan(&revokedAt); err != nil {
				f.Fatalf("node %d: %v", i+1, err)
			}
			if !revokedAt.Valid {
				f.resurrected.Add(1)
				f.Errorf("on node %d a session is not over that was ended by %s", i+1, e.how)
			}
		}
		for _, b := range f.alive {
			if b == nil {
				continue // which login has told
			}
			if in, asked := f.asks(f.managers[i], b.stolen()); (!asked || !in) && !f.endedLate(b) {
				f.loggedOut.Add(1)
				f.Errorf("in the end user %s is let in by node %d: %v, answered: %v", b.userID, i+1, in, asked)
			}
		}
	}
	if n := f.count(session.EventReuse).Load(); n > 0 {
		f.Errorf("%d honest users were taken for thieves", n)
	}
}
