package stores

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// manyRows is the number of sessions in a large table, as in the tests of MySQL.
func manyRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SESSIONKIT_TEST_ROWS")
	if text == "" {
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10_000 {
		t.Fatalf("SESSIONKIT_TEST_ROWS is %q: use a number, 10000 or more", text)
	}
	return n
}

// PostgreSQL chooses another plan for a statement that has run some times: one for every
// value of its parameters. Both must use the indexes.
func TestPostgreSQL_RowsReadDoNotGrow(t *testing.T) {
	dbtest.Suite(t, postgres(t), "rows read do not grow")
	large := manyRows(t)
	for name, c := range map[string]struct {
		column, number string // the type of the id, and SQL that makes one of n
		kind           sqlstore.IDKind
		id             func(n int) string
	}{
		"bigint":  {"BIGINT", "n", sqlstore.Integer, strconv.Itoa},
		"uuid":    {"UUID", "lpad(to_hex(n), 32, '0')::uuid", sqlstore.UUID, func(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012x", n) }},
		"varchar": {`VARCHAR(99) COLLATE "en-x-icu"`, "'user' || n", sqlstore.Text, func(n int) string { return "user" + strconv.Itoa(n) }},
	} {
		if testing.Short() && name != "varchar" {
			continue
		}
		for _, plans := range []string{"force_custom_plan", "force_generic_plan"} {
			t.Run(name+", "+plans, func(t *testing.T) {
				db := postgres(t, "plan_cache_mode="+plans)
				db.SetMaxOpenConns(1)
				rows := newPostgres(t, db, pgUsersWithID(c.column), sqlstore.Config{IDKind: c.kind})
				from := 0
				var counts []map[string]int
				for _, to := range []int{1000, large} {
					execute(t, db, fmt.Sprintf(`INSERT INTO users (id) SELECT DISTINCT %[1]s FROM (SELECT n / 4 AS n FROM generate_series(%[2]d, %[3]d) n) x ON CONFLICT DO NOTHING;
						INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed, confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip, external_id)
						SELECT decode(md5(x::text), 'hex'), %[1]s, 1, 0, 0, sha256(x::text::bytea), 1, x, 1, 9e15, 9e15, 0, 0, '', '', x::text::bytea
						FROM (SELECT n / 4 AS n, n AS x FROM generate_series(%[2]d, %[3]d) n) y;
						INSERT INTO sessions_devices (id, user_code, confirmed, live, client, user_agent, ip, network, created_at, ends_at, poll_interval)
						SELECT decode(md5(n::text), 'hex'), sha256(n::text::bytea), sha256('x'), sha256('x'), '', '', '', (n / 4)::text::bytea, n, 9e15, 1
						FROM generate_series(%[2]d, %[3]d) n`, c.number, from, to-1))
					from = to
					execute(t, db, "ANALYZE users, sessions, sessions_devices, sessions_epoch")
					counts = append(counts, pgRowsRead(t, db, rows, c.id(100)))
				}
				// The planner itself reads a few entries of an index, and not always the same number.
				for call, n := range counts[1] {
					if n > 60 {
						t.Errorf("%s reads %d rows of %d, and %d of 1000", call, n, large, counts[0][call])
					}
				}
				t.Logf("rows read of 1000: %v, and of %d: %v", counts[0], large, counts[1])
			})
		}
	}
}

// pgRowsRead returns how many rows and entries of indexes each method reads.
func pgRowsRead(t *testing.T, db *sql.DB, rows *sqlstore.Store, user string) map[string]int {
	t.Helper()
	read := func() (n int) {
		t.Helper()
		execute(t, db, "SELECT pg_stat_force_next_flush()")
		if err := db.QueryRowContext(t.Context(), `SELECT (SELECT COALESCE(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables)
			+ (SELECT COALESCE(SUM(idx_tup_read), 0) FROM pg_stat_user_indexes)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	counts := map[string]int{}
	count := func(name string, call func() error) {
		t.Helper()
		before := read()
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		counts[name] = read() - before
	}
	login := store.NewSession{UserID: user, Lifetime: time.Hour, RetainFor: time.Hour}
	rand.Read(login.ID[:])
	count("Create", func() error { return rows.Create(t.Context(), login) })
	count("Find", func() error { _, err := rows.Find(t.Context(), login.ID); return err })
	ticket := store.PresentedTicket{ID: login.ID, Generation: 1, Digest: store.Digest{1}, RetainFor: time.Hour}
	count("Confirm", func() error { _, err := rows.Confirm(t.Context(), ticket); return err })
	count("FindAndConfirm", func() error {
		next := store.PresentedTicket{ID: login.ID, Generation: 2, Digest: store.Digest{2}, Parent: ticket.Digest, RetainFor: time.Hour, Until: time.Now().Add(time.Hour)}
		_, confirmed, err := rows.FindAndConfirm(t.Context(), next)
		if !confirmed {
			t.Errorf("FindAndConfirm has not confirmed, %v", err)
		}
		return err
	})
	count("RecordLate", func() error { _, err := rows.RecordLate(t.Context(), ticket); return err })
	count("RevokeReused", func() error { _, err := rows.RevokeReused(t.Context(), ticket); return err })
	count("List", func() error { _, err := rows.List(t.Context(), user, store.ID{}, 10); return err })
	count("List, second page", func() error { _, err := rows.List(t.Context(), user, login.ID, 10); return err })
	count("Newest", func() error { _, err := rows.Newest(t.Context(), user, false, 10); return err })
	count("Reload", func() error { _, err := rows.Reload(t.Context(), user, 10); return err })
	count("Update", func() error { _, err := rows.Update(t.Context(), login.ID, nil); return err })
	count("Revoke", func() error { _, err := rows.Revoke(t.Context(), login.ID, user, store.ReasonLogout); return err })
	count("RevokeUser", func() error {
		_, err := rows.RevokeUser(t.Context(), store.UserRevocation{UserID: user, Reason: store.ReasonRevoked, Limit: 1})
		return err
	})
	count("RevokeUser by external id", func() error {
		_, err := rows.RevokeUser(t.Context(), store.UserRevocation{ExternalID: "7", Reason: store.ReasonRevoked, Limit: 10})
		return err
	})
	count("Changes", func() error {
		_, err := rows.Changes(t.Context(), time.Minute, store.Cursor{}, 1000)
		return err
	})
	count("Prune", func() error { _, err := rows.Prune(t.Context(), 100); return err })
	count("RevokeAll", func() error { return rows.RevokeAll(t.Context()) })
	device := store.NewDeviceLogin{ID: login.ID, UserCode: sha256.Sum256(login.ID[:]), Network: "7", Lifetime: time.Hour}
	count("CreateDeviceLogin", func() error { _, err := rows.CreateDeviceLogin(t.Context(), device, 10); return err })
	count("FindDeviceLogin", func() error { _, _, err := rows.FindDeviceLogin(t.Context(), device.ID); return err })
	count("FindUserCode", func() error { _, _, err := rows.FindUserCode(t.Context(), device.UserCode); return err })
	count("RecordPoll", func() error {
		_, err := rows.RecordPoll(t.Context(), device.ID, time.Time{}, time.Second)
		return err
	})
	count("DecideDeviceLogin", func() error {
		_, err := rows.DecideDeviceLogin(t.Context(), device.ID, store.Approved)
		return err
	})
	count("PruneDeviceLogins", func() error { _, err := rows.PruneDeviceLogins(t.Context(), 100); return err })
	return counts
}
