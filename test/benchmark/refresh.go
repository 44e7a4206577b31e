package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// refreshing is the number of sessions that are refreshed in turn. A session may be
// refreshed again after surfTTL, so this is also the maximum of refreshes per second.
const refreshing = 12_000

// pace is the result of a turn of refreshes: refreshes per second, and for each refresh
// the CPU time of this process and of the database, in seconds.
type pace struct{ rate, cpu, databaseCPU float64 }

// refreshPaces are the results of the Manager (kit) and of a bare loop that sends the
// same two statements and ignores the result. The loop has a deadline for each refresh,
// as the Manager has (loop), or none (endless). A deadline costs CPU time, because
// package sql and the driver each start a goroutine for it.
type refreshPaces struct{ kit, loop, endless []pace }

func refreshes(ctx context.Context, db *database, p plan) (paces refreshPaces) {
	address := db.dsn(kitParams)
	store := must(openStore(ctx, address))
	pool := must(sql.Open("mysql", address))
	defer pool.Close()
	keepConnections(pool)

	sessions := bareSessions(ctx, store)
	contenders := []struct {
		do    func() (refresh func())
		paces *[]pace
	}{
		{managed(must(session.New(keys, store, session.Config{AccessTTL: surfTTL}))), &paces.kit},
		{twoStatements(ctx, pool, sessions, 2*time.Second), &paces.loop}, // the Manager has the same deadline
		{twoStatements(ctx, pool, sessions, 0), &paces.endless},
	}
	for range p.refreshRounds {
		for _, i := range rand.Perm(len(contenders)) {
			c := contenders[i]
			*c.paces = append(*c.paces, measurePace(db, c.do, p.httpTurn))
		}
	}
	return paces
}

func measurePace(db *database, do func() func(), length time.Duration) pace {
	var over atomic.Bool
	var done atomic.Int64
	var all sync.WaitGroup
	time.AfterFunc(length, func() { over.Store(true) })
	here, there, begin := cpuTime(os.Getpid()), cpuTime(db.pid), time.Now()
	for range connections {
		all.Go(func() {
			for refresh := do(); !over.Load(); {
				refresh()
				done.Add(1)
			}
		})
	}
	all.Wait()
	n, took := float64(done.Load()), time.Since(begin)
	return pace{n / took.Seconds(), (cpuTime(os.Getpid()) - here).Seconds() / n, (cpuTime(db.pid) - there).Seconds() / n}
}

// managed returns a function that lets the Manager refresh the session whose last
// refresh is the oldest.
func managed(sessions *session.Manager) func() func() {
	type user struct {
		newest string    // the refresh cookie of the last answer
		cookie string    // both refresh cookies
		seen   time.Time // of the last refresh
	}
	resting := make(chan user, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) {
			login := issue(sessions, userID(i%users)).refreshOnly()[0]
			resting <- user{login, login, time.Now()}
		}
	})
	refresh := func() {
		u := <-resting
		time.Sleep(time.Until(u.seen.Add(surfTTL)))
		v := must(sessions.Authenticate(requestWith(u.cookie)))
		newest := v.Cookies[1].Name + "=" + v.Cookies[1].Value
		resting <- user{newest, u.newest + "; " + newest, time.Now()}
	}
	// The first refresh after a login confirms nothing, so it is not measured.
	inParallel(refreshing, func() func(int) { return func(int) { refresh() } })
	return func() func() { return refresh }
}

func requestWith(cookie string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {cookie}}}
}

// bareSession is the state of a session of the bare loops.
type bareSession struct {
	id         store.ID
	generation uint64
	confirmed  store.Digest
}

func bareSessions(ctx context.Context, rows *sqlstore.Store) chan *bareSession {
	waiting := make(chan *bareSession, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) {
			// The ids must be random, as those of real sessions: sequential ids would
			// put successive rows into the same pages.
			digest := sha256.Sum256([]byte(userID(i)))
			s := &bareSession{id: store.ID(digest[:16])}
			check(rows.Create(ctx, store.NewSession{ID: s.id, UserID: userID(i % users), Lifetime: time.Hour, RetainFor: time.Hour}))
			waiting <- s
		}
	})
	return waiting
}

// twoStatements sends the two statements of a refresh. A deadline of 0 means none.
func twoStatements(ctx context.Context, pool *sql.DB, waiting chan *bareSession, deadline time.Duration) func() func() {
	find, confirm := statementsOf(ctx)
	rows := must(pool.QueryContext(ctx, find, make([]byte, 16)))
	fields := must(rows.Columns())
	check(rows.Close())
	return func() func() {
		values := make([]sql.RawBytes, len(fields))
		into := make([]any, len(fields))
		for i := range values {
			into[i] = &values[i]
		}
		return func() {
			s := <-waiting
			ctx := ctx
			if deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, deadline)
				defer cancel()
			}
			rows := must(pool.QueryContext(ctx, find, s.id[:]))
			for rows.Next() {
				check(rows.Scan(into...))
			}
			check(rows.Err())
			next := store.Digest(sha256.Sum256(s.confirmed[:]))
			s.generation++
			result := must(pool.ExecContext(ctx, confirm, next[:], time.Hour.Microseconds(), s.generation,
				s.id[:], s.generation, 0, s.generation, s.confirmed[:], time.Now().UnixMicro()))
			if must(result.RowsAffected()) != 1 {
				fail(errors.New("the UPDATE of the bare loop has changed no row: check the order of its parameters"))
			}
			s.confirmed = next
			waiting <- s
		}
	}
}
