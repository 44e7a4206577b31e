package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
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

// refreshes compares the Manager's refreshes with a bare loop that sends the same
// two statements, does nothing with what it reads, and decides nothing.
func refreshes(ctx context.Context, db *database, p plan) (kit, loop []pace) {
	address := db.dsn(kitParams)
	store := must(openStore(ctx, address))
	pool := must(sql.Open("mysql", address))
	defer pool.Close()
	keepConnections(pool)

	contenders := []struct {
		do    func() (refresh func())
		paces *[]pace
	}{
		{managed(must(session.New(keys, store, session.Config{AccessTTL: surfTTL}))), &kit},
		{twoStatements(ctx, store, pool), &loop},
	}
	for range p.refreshRounds {
		for _, i := range rand.Perm(len(contenders)) {
			c := contenders[i]
			*c.paces = append(*c.paces, measurePace(db, c.do, p.httpTurn))
		}
	}
	return kit, loop
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
		jar  jar
		seen time.Time
	}
	resting := make(chan user, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) { resting <- user{issue(sessions, userID(i%users)), time.Now()} }
	})
	refresh := func() {
		u := <-resting
		time.Sleep(time.Until(u.seen.Add(surfTTL)))
		u.jar = u.jar.keep(lines(must(sessions.Authenticate(requestWith(u.jar.refreshOnly().header())))))
		u.seen = time.Now()
		resting <- u
	}
	// The first one after a login has nothing to confirm.
	inParallel(refreshing, func() func(int) { return func(int) { refresh() } })
	return func() func() { return refresh }
}

func requestWith(cookie string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: http.Header{"Cookie": {cookie}}}
}

// twoStatements sends what the store would send, for sessions of its own.
func twoStatements(ctx context.Context, store *sqlstore.Store, pool *sql.DB) func() func() {
	find, confirm := statementsOf(ctx)
	type row struct {
		id         session.ID
		generation uint64
		confirmed  session.Digest
	}
	waiting := make(chan *row, refreshing)
	inParallel(refreshing, func() func(int) {
		return func(i int) {
			r := &row{}
			binary.BigEndian.PutUint64(r.id[:], uint64(i))
			check(store.Create(ctx, session.NewSession{ID: r.id, UserID: userID(i % users), Lifetime: time.Hour, KeepFor: time.Hour}))
			waiting <- r
		}
	})
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
			r := <-waiting
			rows := must(pool.QueryContext(ctx, find, r.id[:]))
			for rows.Next() {
				check(rows.Scan(into...))
			}
			check(rows.Err())
			next := session.Digest(sha256.Sum256(r.confirmed[:]))
			r.generation++
			result := must(pool.ExecContext(ctx, confirm, next[:], time.Hour.Microseconds(), r.generation,
				r.id[:], r.generation, r.generation, r.confirmed[:]))
			if must(result.RowsAffected()) != 1 {
				fail(errors.New("the statement of the bare loop has changed no row: are its parameters still in that order?"))
			}
			r.confirmed = next
			waiting <- r
		}
	}
}
