package cluster

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

const (
	users    = 80
	parallel = 4 // parallel requests of a page

	// Twice the time that a request may wait for the store. A request that is delayed
	// for less than AccessTTL cannot undo a logout, so every logout must persist here.
	accessTTL = 4 * time.Second
)

// fleet is three nodes of an app. Each has its own database node.
type fleet struct {
	*testing.T
	app
	managers []*session.Manager
	log      *logbook
	events   sync.Map // session.EventKind to *atomic.Int64
	pending  sync.Map // ids of users whose RevokeUser failed with a store error

	pages, unavailable          atomic.Int64
	loggedOut                   atomic.Int64 // users logged out without a revocation
	ended, unknown, resurrected atomic.Int64
	late                        atomic.Int64 // sessions ended by an earlier RevokeUser that had failed with a store error

	mu    sync.Mutex
	over  []ending // confirmed by the store
	alive []*browser
}

// ending is a session that was revoked, and whose revocation the store confirmed.
type ending struct {
	sessionID string
	how       string
}

func (f *fleet) count(kind session.EventKind) *atomic.Int64 {
	n, _ := f.events.LoadOrStore(kind, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func (f *fleet) any() *session.Manager { return f.managers[rand.IntN(len(f.managers))] }

// surf lets many browsers load pages for the given duration, and revokes many of
// their sessions while they refresh. It runs fault meanwhile, unless that is nil.
func surf(t *testing.T, c *dbtest.Cluster, results *results, duration time.Duration, fault func(app), params ...string) {
	f := &fleet{T: t, app: newApp(t, c, append(params, settings...)...), log: newLogbook()}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, node := range f.stores {
		m, err := session.New(keys, watch{node, f.log}, session.Config{
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
	results.add("%d users, %d pages of %d requests: %d requests found the store unavailable; %d users were logged out without a reason; %d were reported for reuse",
		users, f.pages.Load(), parallel, f.unavailable.Load(), f.loggedOut.Load(), f.count(session.EventReuse).Load())
	results.add("%d sessions were ended while they refreshed; %d more attempts failed with a store error, of which %d took effect after the next login; %d ended sessions became valid again", f.ended.Load(), f.unknown.Load(), f.late.Load(), f.resurrected.Load())
	refreshed := f.count(session.EventRefreshed).Load() + f.count(session.EventGrace).Load()
	asked := refreshed + f.count(session.EventEnded).Load()
	results.add("%d refreshes, %d refused; %.2f statements for each; %d confirmed; longest time without a confirmation %.1f s; rows behind %d",
		refreshed, asked-refreshed, float64(f.log.calls["Find"]+f.log.calls["Confirm"]+f.log.calls["RecordLate"])/float64(asked), len(f.log.confirmed), f.log.longestGap().Seconds(), f.count(session.EventStoreBehind).Load())
	results.add("store errors, all answered as unavailable or repeated: %s", counts(f.log.errors))
	if refreshed == 0 || f.ended.Load() == 0 || len(f.log.confirmed) == 0 {
		t.Error("there was no refresh, or no session was ended")
	}
	if fault != nil && len(f.log.errors) == 0 {
		t.Error("the fault caused no store error")
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

// live is the activity of one user until end: page loads, logouts and logins.
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

// visit loads a page. Each answer must be the user's own page or "store
// unavailable". visit reports whether the user is still logged in.
func (f *fleet) visit(b *browser) bool {
	p := b.load(f.managers, parallel)
	f.pages.Add(1)
	f.unavailable.Add(int64(p.unavailable))
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

// endedLate reports whether the session was ended by an earlier RevokeUser that had
// failed with a store error. The database may still execute such a statement seconds
// later, and it then also ends sessions that began meanwhile. Only RevokeUser can
// affect the user's next session in this way.
func (f *fleet) endedLate(b *browser) bool {
	if _, pending := f.pending.Load(b.userID); !pending {
		return false
	}
	for _, node := range f.stores {
		if snap, err := node.Find(context.Background(), id(f.T, b.sessionID)); err == nil && snap.Record.Reason == store.ReasonRevoked {
			return true
		}
	}
	return false
}

// login logs a user in. It repeats the login for 20 s as long as the store is
// unavailable, and returns nil after that.
func (f *fleet) login(user int) *browser {
	b := newBrowser(strconv.Itoa(user))
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		v, err := f.any().Issue(b.NewRequest(http.MethodPost, "/login", nil), session.Login{UserID: b.userID})
		if err == nil {
			b.Receive(v.Cookies)
			b.sessionID = v.Session().ID
			return b
		}
		if definite(err) {
			f.Errorf("login of user %s: %v", b.userID, err)
		}
	}
	f.Errorf("user %s could not log in for 20 s", b.userID)
	return nil
}

// endWhileRefreshing ends a session in one of three ways while its browser loads a
// page. It then checks that no cookie of the session is accepted.
func (f *fleet) endWhileRefreshing(b *browser) {
	before := b.copyRefresh()
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
	for i, node := range f.stores {
		snap, err := node.Find(ctx, id(f.T, b.sessionID))
		if err == nil && snap.Record.RevokedAt.IsZero() {
			f.resurrected.Add(1)
			f.Errorf("after %s of user %s the session is not revoked on database node %d", how, b.userID, i+1)
		}
	}
	// The cookie that was copied before the end, and the cookie that late answers have
	// set. A Manager answers a refresh cookie from its ticket cache for a short time.
	time.Sleep(accessTTL/12 + 50*time.Millisecond)
	for _, copied := range []*sessiontest.Browser{before, b.copyRefresh()} {
		for i, m := range f.managers {
			if in, asked := f.asks(m, copied); asked && in {
				f.resurrected.Add(1)
				f.Errorf("after %s user %s is authenticated by node %d", how, b.userID, i+1)
			}
		}
	}
}

func id(t *testing.T, text string) store.ID {
	id, err := store.ParseID(text)
	if err != nil {
		t.Error(err)
	}
	return id
}

// asks sends a request with the cookies of b, up to three times. asked is false if
// the store was unavailable each time, which is possible after the loss of a node.
func (f *fleet) asks(m *session.Manager, b *sessiontest.Browser) (in, asked bool) {
	for range 3 {
		_, err := m.Authenticate(request(b))
		if err == nil || errors.Is(err, session.ErrUnauthenticated) {
			return err == nil, true
		}
	}
	return false, false
}

// judge checks all sessions on each node when no request is in progress.
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
				f.Errorf("node %d: a session that was ended by %s is not revoked", i+1, e.how)
			}
		}
		for _, b := range f.alive {
			if b == nil {
				continue // login has reported the error
			}
			if in, asked := f.asks(f.managers[i], b.copyRefresh()); (!asked || !in) && !f.endedLate(b) {
				f.loggedOut.Add(1)
				f.Errorf("at the end: user %s is authenticated by node %d: %v, store available: %v", b.userID, i+1, in, asked)
			}
		}
	}
	if n := f.count(session.EventReuse).Load(); n > 0 {
		f.Errorf("%d reuse events for users whose cookies were not copied", n)
	}
}
