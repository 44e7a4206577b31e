package scaling

import (
	"context"
	"database/sql"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// connections is the number of parallel statements.
const connections = 32

// database is a real database that contains many sessions.
type database struct {
	*testing.T
	db       *sql.DB
	store    *sqlstore.Store
	keepFor  time.Duration
	sessions []storedSession
}

type storedSession struct {
	id         store.ID
	generation uint64
	confirmed  store.Digest
}

// openDatabase creates a database with the given number of sessions, two for each
// user on average.
func openDatabase(t *testing.T, kind sqlstore.IDKind, sessions int, keepFor time.Duration) *database {
	db, err := sql.Open("mysql", dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	d := &database{T: t, db: db, keepFor: keepFor, sessions: make([]storedSession, sessions)}
	// The table must fit into memory, as in production.
	d.exec("SET GLOBAL innodb_buffer_pool_size = 512 * 1024 * 1024")
	id := "BIGINT UNSIGNED"
	if kind == sqlstore.Text {
		id = "VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin"
	}
	d.exec("CREATE TABLE users (id " + id + ` PRIMARY KEY, session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1,
		disabled BOOLEAN NOT NULL DEFAULT FALSE, roles VARCHAR(255) NOT NULL DEFAULT '["reader"]')`)
	if d.store, err = sqlstore.New(db, sqlstore.Config{IDKind: kind}); err != nil {
		t.Fatal(err)
	}
	d.must(d.store.Migrate(t.Context()))

	users := make([]string, max(1, sessions/2))
	for i := range users {
		users[i] = userID(i)
		if kind == sqlstore.Text {
			users[i] = randomText(26)
		}
	}
	for rest := users; len(rest) > 0; {
		n := min(len(rest), 1000)
		ids := make([]any, n)
		for i := range ids {
			ids[i] = rest[i]
		}
		d.exec("INSERT INTO users (id) VALUES (?)"+strings.Repeat(", (?)", n-1), ids...)
		rest = rest[n:]
	}
	d.each(func(ctx context.Context, s *storedSession) {
		random(s.id[:])
		random(s.confirmed[:])
		d.must(d.store.Create(ctx, store.NewSession{
			ID: s.id, UserID: users[rand.IntN(len(users))], Confirmed: s.confirmed, Lifetime: 12 * time.Hour, RetainFor: keepFor,
			UserAgent: agents[rand.IntN(len(agents))], IP: randomIP(),
		}))
	})
	return d
}

func (d *database) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *database) exec(query string, args ...any) {
	d.Helper()
	_, err := d.db.Exec(query, args...)
	d.must(err)
}

// each calls do for every session, in random order, on all connections in parallel.
func (d *database) each(do func(context.Context, *storedSession)) {
	var all sync.WaitGroup
	var begun atomic.Int64
	order := rand.Perm(len(d.sessions))
	for range connections {
		all.Go(func() {
			for i := begun.Add(1) - 1; i < int64(len(order)); i = begun.Add(1) - 1 {
				do(d.Context(), &d.sessions[order[i]])
			}
		})
	}
	all.Wait()
}

// confirm confirms the next ticket of a session, as each refresh except the first
// does.
func (d *database) confirm(ctx context.Context, s *storedSession) {
	p := store.PresentedTicket{ID: s.id, Generation: s.generation + 1, Parent: s.confirmed, RetainFor: d.keepFor}
	random(p.Digest[:])
	if won, err := d.store.Confirm(ctx, p); err != nil || !won {
		d.Errorf("confirm: %v, %v", won, err)
	}
	s.generation, s.confirmed = p.Generation, p.Digest
}

// refresh executes the two statements of a refresh, S (Find) and U1 (Confirm).
func (d *database) refresh(ctx context.Context, s *storedSession) {
	if found, err := d.store.Find(ctx, s.id); err != nil || found.Record == nil {
		d.Errorf("find: %v, %v", found.Record, err)
	}
	d.confirm(ctx, s)
}

func random(b []byte) {
	for i := range len(b) / 8 {
		binary.LittleEndian.PutUint64(b[8*i:], rand.Uint64())
	}
}

func randomText(n int) string {
	const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// randomIP is an address of IPv4 or IPv6, each with probability 1/2.
func randomIP() string {
	var b [16]byte
	random(b[:])
	if rand.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte(b[:4])).String()
	}
	b[0], b[1] = 0x20, 0x01
	return netip.AddrFrom16(b).String()
}
