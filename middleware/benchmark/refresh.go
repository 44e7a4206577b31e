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
	"github.com/sessionkit/sessionkit/sqlstore"
)

// refreshing is how many sessions are refreshed in turn: so many that each has a
// rest of surfTTL at that many refreshes a second.
const refreshing = 12_000

// pace is what came of a turn of refreshes: how many a second, and the CPU time
// of this process and of the database for each, in seconds.
type pace struct{ rate, cpu, databaseCPU float64 }

// refreshPaces are the Manager's, and those of a bare loop that sends the same two
// statements, does nothing with what it reads, and decides nothing. The loop has
// a deadline for each refresh, as the Manager has and whoever must answer in time,
// or none: package sql and the driver have a goroutine each look after it.
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
		{twoStatements(ctx, pool, sessions, 2*time.Second), &paces.loop}, // as long as the Manager has
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

// managed has a Manager refresh the session that had the longest rest.
func managed(sessions *session.Manager) func() func() {
	type user struct {
		cookie string // the refresh cookie alone
		seen   time.Time
	}
	resting := make(chan user, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) { resting <- user{issue(sessions, userID(i%users)).refreshOnly().header(), time.Now()} }
	})
	refresh := func() {
		u := <-resting
		time.Sleep(time.Until(u.seen.Add(surfTTL)))
		v := must(sessions.Authenticate(requestWith(u.cookie)))
		c := v.Cookies[1]
		resting <- user{c.Name + "=" + c.Value, time.Now()}
	}
	// The first one after a login has nothing to confirm.
	inParallel(refreshing, func() func(int) { return func(int) { refresh() } })
	return func() func() { return refresh }
}

func requestWith(cookie string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {cookie}}}
}

// bareSession is what the bare loops know of a session of theirs.
type bareSession struct {
	id         session.ID
	generation uint64
	confirmed  session.Digest
}

func bareSessions(ctx context.Context, store *sqlstore.Store) chan *bareSession {
	waiting := make(chan *bareSession, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) {
			// As random as a session's: rows in the order of their ids share pages.
			digest := sha256.Sum256([]byte(userID(i)))
			s := &bareSession{id: session.ID(digest[:16])}
			check(store.Create(ctx, session.NewSession{ID: s.id, UserID: userID(i % users), Lifetime: time.Hour, KeepFor: time.Hour}))
			waiting <- s
		}
	})
	return waiting
}

// twoStatements sends what the store would send. A deadline of 0 is none.
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
			next := session.Digest(sha256.Sum256(s.confirmed[:]))
			s.generation++
			result := must(pool.ExecContext(ctx, confirm, next[:], time.Hour.Microseconds(), s.generation,
				s.id[:], s.generation, s.generation, s.confirmed[:]))
			if must(result.RowsAffected()) != 1 {
				fail(errors.New("the statement of the bare loop has changed no row: are its parameters still in that order?"))
			}
			s.confirmed = next
			waiting <- s
		}
	}
}
