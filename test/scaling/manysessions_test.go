package scaling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The users of the two databases that are compared, beside those of openDatabase.
const (
	testedUser = "1000001" // has very many sessions in one database and few in the other
	otherUser  = "1000002" // has few in both
	equalUser  = "1000003" // has so many that a login and a page have as much to do as with very many
)

// few is how many sessions of each kind, of browsers and of programs, the limits leave a
// user.
const few = 20

// answersWithin is the time that the Manager gives to all statements of a call.
const answersWithin = 2 * time.Second

// A node lists so many changes at most, and polls no faster.
const (
	maxListed    = 100_000
	shortestPoll = 800 * time.Millisecond // the time between two polls
)

// manyDatabase is a database in which one user may have very many sessions.
type manyDatabase struct {
	*database
	store   *revokingStore
	manager *session.Manager
	revoked chan struct{} // receives a value when Run has finished a RevokeUser
}

// revokingStore records the calls of RevokeUser.
type revokingStore struct {
	*sqlstore.Store
	mu    sync.Mutex // guards calls
	calls []revokeCall
}

type revokeCall struct {
	found int
	took  time.Duration
	err   error
}

func (s *revokingStore) RevokeUser(ctx context.Context, r store.UserRevocation) (int, error) {
	begin := time.Now()
	n, err := s.Store.RevokeUser(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, revokeCall{n, time.Since(begin), err})
	return n, err
}

// openMany opens a database whose testedUser and equalUser have the given numbers of live
// sessions of each kind.
func openMany(t *testing.T, tested, equal int, keepFor time.Duration) *manyDatabase {
	d := &manyDatabase{database: openDatabase(t, sqlstore.Integer, 200, keepFor), revoked: make(chan struct{}, 1)}
	d.store = &revokingStore{Store: d.database.store}
	d.exec("CREATE TABLE numbers (n INT PRIMARY KEY)")
	d.exec("INSERT INTO numbers VALUES (0)")
	for n := 1; n < max(tested, equal); n *= 2 {
		d.exec("INSERT INTO numbers SELECT n + ? FROM numbers", n)
	}
	for user, n := range map[string]int{testedUser: tested, otherUser: few, equalUser: equal} {
		d.exec("INSERT INTO users (id) VALUES (?)", user)
		for kind := range 2 {
			d.exec(`INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed,
				confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip)
				SELECT UNHEX(LEFT(SHA2(CONCAT(?, '-', ?, '-', n), 256), 32)), ?, 1, 0, 0, REPEAT('x', 32), at, at, at, at + 12 * 3600e6, at + ?, 0, ?, ?, ''
				FROM (
					SELECT n, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) - 1000 * (n + 1) AS at
					FROM numbers WHERE n < ?
				) times`, user, kind, user, keepFor.Microseconds(), kind, agents[0], n)
		}
	}
	d.exec("ANALYZE TABLE sessions, users")
	key, err := session.ParseKeys(session.GenerateKey())
	d.must(err)
	d.manager, err = session.New(key, d.store, session.Config{OnEvent: func(e session.Event) {
		if e.Kind == session.EventRevoked && e.SessionID == "" {
			d.revoked <- struct{}{}
		}
	}})
	d.must(err)
	d.db.SetMaxOpenConns(1) // rowsRead counts one connection
	return d
}

func (d *manyDatabase) login(user string, program bool) {
	d.Helper()
	_, err := d.manager.Issue(request(sessiontest.NewBrowser(nil)), session.Login{UserID: user, NonInteractive: program})
	d.must(err)
}

// page reads a page of the user's list and returns the id of its last session.
func (d *manyDatabase) page(user, after string, length int) string {
	d.Helper()
	devices, err := d.manager.List(d.Context(), user, after)
	d.must(err)
	if len(devices) != length {
		d.Fatalf("a page of %d devices; want %d", len(devices), length)
	}
	return devices[length-1].ID
}

// revokeSome ends one page of the user's sessions.
func (d *manyDatabase) revokeSome(user string) {
	d.Helper()
	n, err := d.database.store.RevokeUser(d.Context(), store.UserRevocation{UserID: user, Reason: store.ReasonRevoked, Limit: pollPage})
	if d.must(err); n != pollPage {
		d.Fatalf("%d sessions ended; want %d", n, pollPage)
	}
}

// changes reads a full page of a poll and returns the position of its end.
func (d *manyDatabase) changes(after store.Cursor) store.Cursor {
	d.Helper()
	c, err := d.store.Changes(d.Context(), time.Hour, after, pollPage)
	if d.must(err); len(c.Sessions) != pollPage {
		d.Fatalf("a page of %d changes; want %d", len(c.Sessions), pollPage)
	}
	return c.Sessions[pollPage-1].Cursor()
}

// rowsRead returns how many rows the server reads while do runs, those of full scans and
// of temporary tables included.
func (d *manyDatabase) rowsRead(do func()) int {
	d.Helper()
	read := func() (n int) {
		rows, err := d.db.Query("SHOW SESSION STATUS LIKE 'Handler_read%'")
		d.must(err)
		defer rows.Close()
		for rows.Next() {
			var name string
			var v int
			d.must(rows.Scan(&name, &v))
			n += v
		}
		d.must(rows.Err())
		return n
	}
	first := read()
	before := read() // SHOW reads a temporary table itself
	do()
	return read() - before - (before - first)
}

// enoughPairs is how many pairs of runs a comparison of times needs. Other programs of the
// machine, or work of the server after the inserts, may disturb most of a few.
const enoughPairs = 100

// step is something that is done in both databases.
type step struct {
	name        string
	fewer, many func()
	onlyShown   bool // fewer has less to do, whatever the number of sessions
	pairs       int  // 0: the plan's
	more        int  // rows that it may read more
}

// compare does each step in both databases by turns. The rows that are read must not
// depend on the number of sessions; the median times may differ by a factor of two.
func (p plan) compare(t *testing.T, fewer, many *manyDatabase, lines *table, steps []step) {
	for _, s := range steps {
		rowsFewer, rowsMany := fewer.rowsRead(s.fewer), many.rowsRead(s.many)
		timed := func(do func()) time.Duration { begin := time.Now(); do(); return time.Since(begin) }
		var tookFewer, tookMany []time.Duration
		pairs := s.pairs
		if pairs == 0 {
			pairs = p.pairs
		}
		for i := range pairs {
			if i%2 == 0 {
				tookFewer = append(tookFewer, timed(s.fewer))
			}
			tookMany = append(tookMany, timed(s.many))
			if i%2 == 1 {
				tookFewer = append(tookFewer, timed(s.fewer))
			}
		}
		ratio, shown := float64(median(tookMany))/float64(median(tookFewer)), "-"
		if pairs >= enoughPairs {
			shown = number(ratio, 2)
		}
		lines.row(s.name, number(float64(rowsFewer), 0), number(float64(rowsMany), 0), fmt.Sprint(pairs), shown)
		if s.onlyShown {
			continue
		}
		// A tenth more is the optimizer's choice of how to sort a page.
		if rowsMany > rowsFewer+max(2, rowsFewer/10)+s.more || rowsFewer < 1 {
			t.Errorf("%s reads %d rows, and %d with very many sessions", s.name, rowsFewer, rowsMany)
		}
		if ratio > 2 && pairs >= enoughPairs {
			t.Errorf("%s takes %.2f times as long with very many sessions", s.name, ratio)
		}
	}
}

func median(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

// One user with very many sessions costs other users nothing, and costs a login, a page
// of the list and a page of a poll no more than another user does. All these sessions can
// be ended, and meanwhile other users are served.
func TestScaling_ManySessionsOfOneUserCostOthersNothing(t *testing.T) {
	p := fast
	if *full {
		p = whole
	}
	keepFor := loginKeepsRow(t)
	fewer, many := openMany(t, few, p.equal, keepFor), openMany(t, p.ofOneUser, p.equal, keepFor)

	say("## One user with very many sessions")
	say("Two databases on one server. In one of them a user has %s live sessions of browsers and as many of programs, in the other %d and %d. "+
		"Each step runs in both by turns, on one connection. The rows are those that the server counts as read, temporary tables included, and the ratio is that of the median times, if there are %d pairs. "+
		"A step marked with * is compared with that of a user with %s sessions of each kind, because it has less to do for a user with %d.",
		number(float64(p.ofOneUser), 0), few, few, enoughPairs, number(float64(p.equal), 0), few)
	lines := table{{"step", "rows read, few sessions", "rows read, very many", "pairs", "time, ratio"}}
	next := 0
	refresh := func(d *manyDatabase) func() {
		return func() { next++; d.refresh(d.Context(), &d.sessions[next/2%len(d.sessions)]) }
	}
	login := func(user string, program bool) func(d *manyDatabase) func() {
		return func(d *manyDatabase) func() { return func() { d.login(user, program) } }
	}
	others := func(when string) []step {
		return []step{
			{name: "another user's refresh" + when, fewer: refresh(fewer), many: refresh(many)},
			{name: "another user's login" + when, fewer: login(otherUser, false)(fewer), many: login(otherUser, false)(many)},
			{name: "another user's login by a program" + when, fewer: login(otherUser, true)(fewer), many: login(otherUser, true)(many)},
		}
	}
	p.compare(t, fewer, many, &lines, others(""))
	p.compare(t, fewer, many, &lines, []step{
		{name: "that user's login", fewer: login(testedUser, false)(fewer), many: login(testedUser, false)(many), onlyShown: true},
		{name: "that user's login *", fewer: login(equalUser, false)(fewer), many: login(testedUser, false)(many)},
		{name: "that user's login by a program *", fewer: login(equalUser, true)(fewer), many: login(testedUser, true)(many)},
	})
	const length = 100
	endFewer, endMany := fewer.page(equalUser, "", length), many.page(testedUser, "", length)
	p.compare(t, fewer, many, &lines, []step{
		{name: "first page of the list *", fewer: func() { fewer.page(equalUser, "", length) }, many: func() { many.page(testedUser, "", length) }},
		{name: "second page of the list *", fewer: func() { fewer.page(equalUser, endFewer, length) }, many: func() { many.page(testedUser, endMany, length) }},
		{name: "1,000 sessions of RevokeUser *", fewer: func() { fewer.revokeSome(equalUser) }, many: func() { many.revokeSome(testedUser) }, pairs: 3},
	})

	ended := many.revokeAllOf(testedUser)
	positionFewer, positionMany := fewer.changes(store.Cursor{}), many.changes(store.Cursor{})
	p.compare(t, fewer, many, &lines, []step{
		{name: "first page of a poll after RevokeUser *", fewer: func() { fewer.changes(store.Cursor{}) }, many: func() { many.changes(store.Cursor{}) }},
		// It may begin in the middle of a batch, whose rows have one time: they are read again.
		{name: "second page of a poll *", fewer: func() { fewer.changes(positionFewer) }, many: func() { many.changes(positionMany) }, more: pollPage},
	})
	p.compare(t, fewer, many, &lines, others(", after RevokeUser"))
	p.compare(t, fewer, many, &lines, []step{
		{name: "that user's login, after RevokeUser", fewer: login(testedUser, false)(fewer), many: login(testedUser, false)(many), onlyShown: true},
	})
	lines.print()
	ended.print()
}

// endedSessions is the result of Manager.RevokeUser, which Run has finished.
type endedSessions struct {
	sessions            int
	calls               []revokeCall
	raises              int // of the refresh epoch
	refreshes, failures int // of other users meanwhile
	slowest             time.Duration
}

// revokeAllOf ends all sessions of a user while other users refresh.
func (d *manyDatabase) revokeAllOf(user string) (e endedSessions) {
	d.Helper()
	d.db.SetMaxOpenConns(connections)
	defer d.db.SetMaxOpenConns(1)
	const live = "SELECT COUNT(*) FROM sessions WHERE user_id = ? AND revoked_at IS NULL"
	d.value(&e.sessions, live, user)
	begun := time.Now()
	before, err := d.store.Find(d.Context(), store.ID{})
	d.must(err)

	ctx, cancel := context.WithCancel(d.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = d.manager.Run(ctx) })
	all.Go(func() {
		for ctx.Err() == nil {
			s := &d.sessions[e.refreshes%len(d.sessions)]
			begin := time.Now()
			if err := d.refreshInTime(s); err != nil {
				e.failures++
				d.Errorf("another user's refresh: %v", err)
			}
			e.refreshes++
			e.slowest = max(e.slowest, time.Since(begin))
			time.Sleep(10 * time.Millisecond) // at most 100 refreshes a second, those of 12,000 users
		}
	})
	err = d.manager.RevokeUser(d.Context(), user)
	if errors.Is(err, session.ErrUnfinished) {
		select {
		case <-d.revoked:
			err = nil
		case <-time.After(5 * time.Minute):
		}
	}
	cancel()
	all.Wait()
	d.must(err)
	e.calls = d.store.calls

	var left, found, failed int
	d.value(&left, live, user)
	for _, c := range e.calls {
		found += c.found
		if c.err != nil {
			failed++
		}
		if c.found > pollPage {
			d.Errorf("one call changed %d rows; want at most %d", c.found, pollPage)
		}
	}
	if most := e.sessions/pollPage + 1; left != 0 || found != e.sessions || len(e.calls)-failed > most {
		d.Errorf("%d calls ended %d of %d sessions and left %d; want all in %d calls", len(e.calls)-failed, found, e.sessions, left, most)
	}
	after, err := d.store.Find(d.Context(), store.ID{})
	d.must(err)
	// RevokeUser raises it once. The node does so too while new changes find no room in its
	// list, at most once a poll.
	e.raises = int(after.RefreshEpoch - before.RefreshEpoch)
	most := 1
	if e.sessions > maxListed {
		most += 1 + int(time.Since(begun)/shortestPoll)
	}
	if e.raises < 1 || e.raises > most {
		d.Errorf("the refresh epoch rose %d times; want 1 to %d", e.raises, most)
	}
	return e
}

// refreshInTime is refresh with the deadline of the Manager, but without its retries.
func (d *manyDatabase) refreshInTime(s *storedSession) error {
	ctx, cancel := context.WithTimeout(d.Context(), answersWithin)
	defer cancel()
	if _, err := d.store.Find(ctx, s.id); err != nil {
		return err
	}
	p := store.PresentedTicket{ID: s.id, Generation: s.generation + 1, Parent: s.confirmed, RetainFor: d.keepFor}
	random(p.Digest[:])
	won, err := d.store.Confirm(ctx, p)
	if err != nil {
		return err
	}
	if !won {
		return errors.New("not confirmed")
	}
	s.generation, s.confirmed = p.Generation, p.Digest
	return nil
}

func (e endedSessions) print() {
	failed := 0
	var took []time.Duration
	for _, c := range e.calls {
		took = append(took, c.took)
		if c.err != nil {
			failed++
		}
	}
	half := len(took) / 2
	first, last := median(slices.Clone(took[:half])), median(slices.Clone(took[half:]))
	say("RevokeUser, and then Run, ended %s sessions in %d calls of the store, each a SELECT and an UPDATE of at most %s rows; %d calls failed and were repeated. "+
		"The median call of the second half took %s times as long as that of the first. The refresh epoch, which makes everybody refresh, rose by %d: by 1 at the end, and by 1 at most with each poll while new changes find no room among the %s of the list.",
		number(float64(e.sessions), 0), len(e.calls), number(pollPage, 0), failed, number(float64(last)/float64(first), 2),
		e.raises, number(maxListed, 0))
	say("Meanwhile other users refreshed %s times, each with a deadline of %v for both statements: %d failed, and the slowest took %s %% of that time.",
		number(float64(e.refreshes), 0), answersWithin, e.failures, number(100*e.slowest.Seconds()/answersWithin.Seconds(), 0))
}
