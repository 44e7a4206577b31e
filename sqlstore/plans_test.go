package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// No statement that runs in a request, or once a second, reads more than a few rows of
// a large table.
func TestStore_EveryStatementUsesAnIndex(t *testing.T) {
	text := func(collation string) string {
		return usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE " + collation + " DEFAULT ''")
	}
	for _, c := range []struct {
		name, users string
		kind        sqlstore.IDKind
		numberToID  string // SQL over n
		userID      string // of user 500
	}{
		{"unsigned", integerUsers, sqlstore.Integer, "n", "500"},
		{"signed", usersWithID("BIGINT"), sqlstore.Integer, "n", "500"},
		{"int", usersWithID("INT"), sqlstore.Integer, "n", "500"},
		{"uuid", usersWithID("BINARY(16)"), sqlstore.UUID, "UNHEX(LPAD(HEX(n), 32, '0'))", "00000000-0000-0000-0000-0000000001f4"},
		{"text", text("utf8mb4_bin"), sqlstore.Text, "CONCAT('user', n)", "user500"},
		{"text that ignores case", text("utf8mb4_unicode_ci"), sqlstore.Text, "CONCAT('user', n)", "user500"},
		{"latin text", usersWithID("VARCHAR(64) CHARACTER SET latin1"), sqlstore.Text, "CONCAT('user', n)", "user500"},
		{"binary text", usersWithID("VARBINARY(64)"), sqlstore.Text, "CONCAT('user', n)", "user500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, c.users, sqlstore.Config{IDKind: c.kind}, "interpolateParams=true")
			a.fill(t, c.numberToID)
			list, err := a.List(t.Context(), c.userID, store.ID{}, 100)
			if err != nil || len(list) != 3 {
				t.Fatalf("user 500 has %d sessions, %v; want 3", len(list), err)
			}
			// As in use: a few rows have changed, and a few have expired.
			if _, err := a.RevokeUser(t.Context(), store.UserRevocation{UserID: c.userID, Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
				t.Fatal(err)
			}
			a.exec(t, "UPDATE sessions SET expires_at = 1 LIMIT 5")
			a.exec(t, "ANALYZE TABLE sessions, users, sessions_devices, sessions_epoch")

			user := []any{c.userID}
			switch c.kind {
			case sqlstore.Text:
				user = []any{c.userID, c.userID}
			case sqlstore.UUID:
				user = []any{[]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xf4")}
			case sqlstore.Integer:
				user = []any{500}
			}
			id := list[0].ID[:]
			digest, device := newDigest(), sha256.Sum256([]byte("500"))
			var seven []any // more than the expired rows
			for range 7 {
				other := newDigest()
				seven = append(seven, other[:16])
			}
			for name, args := range map[string][]any{
				"find": {id}, "changes": {time.Minute.Microseconds(), 0, 0, id, 1000}, "findExpired": {200}, "prune": seven,
				"forgetThese":   append([]any{"", ""}, seven...), // findClients reads a page of the primary key: see forget_test.go
				"confirm":       {digest[:], 1, 1, id, 1, 0, 1, digest[:], 0},
				"recordLate":    {id, 1, digest[:], 1, 1},
				"findUnrevoked": append(slices.Clip(user), int64(math.MaxInt64), 1000), "findReload": append(slices.Clip(user), 1000),
				"revokeThese": append([]any{"reason", 1, 1}, seven...), "reloadThese": seven,
				"list":      slices.Concat(user, user, []any{100}, user, user, []any{100, 100}),
				"listAfter": slices.Concat(user, []any{id}, user, []any{100}, user, []any{id}, user, []any{100, 100}),
				"newest":    append(slices.Clone(user), 0, 41),

				"findExternal": {[]byte("sid"), int64(math.MaxInt64), 1000}, "update": {[]byte("{}"), id}, "version": {},

				"pendingDevices": {[]byte("network 50"), 10}, "hasDevice": {device[:16]}, "findDevice": {device[:16]}, "findUserCode": {device[:]},
				"recordPoll": {1, device[:16], 0}, "decideDevice": {[]byte("approved"), device[:16]}, "findOverDevices": {1, 200}, "pruneDevices": seven,
			} {
				plan := a.plan(t, a.Statements()[name], args...)
				for _, step := range plan {
					if step.rows > 20 {
						t.Errorf("%s reads %d rows of %s by %s, with index %q", name, step.rows, step.table, step.access, step.key)
					}
					// Two nodes that lock rows in different orders may deadlock.
					if byID := strings.HasSuffix(name, "These") || strings.HasPrefix(name, "prune"); byID && step.key != "PRIMARY" {
						t.Errorf("%s finds rows by %s, with index %q; want PRIMARY", name, step.access, step.key)
					}
				}
			}
		})
	}
}

// fill adds 1000 users with three sessions each, and 1000 device logins of 100 networks.
func (a app) fill(t *testing.T, numberToID string) {
	t.Helper()
	a.exec(t, "CREATE TABLE digits (d INT)")
	a.exec(t, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
	const numbers = "(SELECT 1 + x.d + 10 * y.d + 100 * z.d AS n FROM digits x, digits y, digits z) numbers"
	a.exec(t, "INSERT INTO users (id) SELECT "+numberToID+" FROM "+numbers)
	for i := range 3 {
		a.exec(t, fmt.Sprintf(`INSERT INTO sessions (id, user_id, user_epoch, global_epoch, generation, confirmed,
			confirmed_at, created_at, authenticated_at, ends_at, expires_at, reload, non_interactive, user_agent, ip)
			SELECT UNHEX(LEFT(SHA2(CONCAT(n, '/', %d), 256), 32)), %s, 1, 0, 0, REPEAT('x', 32), 1, 1, 1, 9e15, 9e15, 0, 0, '', '' FROM %s`, i, numberToID, numbers))
	}
	a.exec(t, `INSERT INTO sessions_devices (id, user_code, confirmed, live, client, user_agent, ip, network, created_at, ends_at, poll_interval)
		SELECT UNHEX(LEFT(SHA2(n, 256), 32)), UNHEX(SHA2(n, 256)), REPEAT('x', 32), REPEAT('x', 32), '', '', '', CONCAT('network ', n % 100), 1, 9e15, 1 FROM `+numbers)
}

type step struct {
	table, access, key string
	rows               int
}

// plan returns how the server would run a statement.
func (a app) plan(t *testing.T, query string, args ...any) (plan []step) {
	t.Helper()
	rows, err := a.db.QueryContext(context.Background(), "EXPLAIN FORMAT=TRADITIONAL "+query, args...)
	if err != nil {
		t.Fatalf("EXPLAIN %s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		var s step
		for i, column := range columns {
			switch column {
			case "table":
				s.table = values[i].String
			case "type":
				s.access = values[i].String
			case "key":
				s.key = values[i].String
			case "rows":
				fmt.Sscan(values[i].String, &s.rows)
			}
		}
		if s.table == "" || s.access == "" {
			t.Fatalf("EXPLAIN %s: the columns %q lack the table or the access type", query, columns)
		}
		plan = append(plan, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
