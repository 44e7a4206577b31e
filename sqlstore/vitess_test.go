package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// vtgate opens connections to a MariaDB that answers like vtgate when it is asked for its
// version and for the vschema. make drill-vitess has a real one.
type vtgate struct {
	driver.Connector
	answers map[string][][]driver.Value // by query; a table that is missing is not in the vschema
	changes *atomic.Int64               // counts the statements that change rows by a list of ids
	ahead   int                         // how many microseconds the clock of the epoch's shard is ahead of the others
}

func (v vtgate) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := v.Connector.Connect(ctx)
	return vtgateConn{conn, v}, err
}

type vtgateConn struct {
	driver.Conn
	vtgate vtgate
}

func (c vtgateConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if rows, ok := c.vtgate.answers[query]; ok {
		return &answer{rows}, nil
	}
	if strings.HasPrefix(query, "SHOW VSCHEMA VINDEXES ON") {
		return nil, errors.New("Error 1146 (42S02): VT05005: table 'x' does not exist in keyspace 'app'")
	}
	query = strings.Replace(query, "SELECT g.clock", fmt.Sprintf("SELECT g.clock + %d", c.vtgate.ahead), 1)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// CheckNamedValue lets large numbers pass, which database/sql alone would refuse.
func (c vtgateConn) CheckNamedValue(v *driver.NamedValue) error {
	return c.Conn.(driver.NamedValueChecker).CheckNamedValue(v)
}

func (c vtgateConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.vtgate.changes != nil && strings.Contains(query, "id IN (") {
		c.vtgate.changes.Add(1)
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

type answer struct{ rows [][]driver.Value }

func (a *answer) Columns() []string { return make([]string, len(a.rows[0])) }
func (a *answer) Close() error      { return nil }
func (a *answer) Next(dest []driver.Value) error {
	if len(a.rows) == 0 {
		return io.EOF
	}
	copy(dest, a.rows[0])
	a.rows = a.rows[1:]
	return nil
}

const vtgateVersion = "SELECT COALESCE(DATABASE(), ''), CONCAT(VERSION(), ' ', @@version_comment)"

func TestMigrate_PrintsTheVschemaThatIsMissing(t *testing.T) {
	const (
		keyspaces = "SHOW VSCHEMA KEYSPACES"
		users     = "ALTER VSCHEMA ON `app`.`users` ADD VINDEX `xxhash` (`id`) USING `xxhash`"
		epochs    = "ALTER VSCHEMA ON `app`.`sessions_epoch` ADD VINDEX `xxhash` (`id`) USING `xxhash`"
		devices   = "ALTER VSCHEMA ON `app`.`sessions_devices` ADD VINDEX `xxhash` (`id`) USING `xxhash`"
		ids       = "CREATE TABLE IF NOT EXISTS `app`.`sessions_ids` (id BINARY(16) NOT NULL PRIMARY KEY, keyspace_id VARBINARY(16) NOT NULL)"
		idsByID   = "ALTER VSCHEMA ON `app`.`sessions_ids` ADD VINDEX `xxhash` (`id`) USING `xxhash`"
		sessions  = "ALTER VSCHEMA ON `app`.`sessions` ADD VINDEX `xxhash` (`user_id`) USING `xxhash`"
		lookup    = "ALTER VSCHEMA ON `app`.`sessions` ADD VINDEX `sessions_ids` (`id`) USING `consistent_lookup_unique` WITH owner=`sessions`, table=`app.sessions_ids`, from=id, to=keyspace_id"
	)
	on := func(table string) string { return "SHOW VSCHEMA VINDEXES ON `app`.`" + table + "`" }
	row := func(column, name, kind string) []driver.Value { return []driver.Value{column, name, kind, "", ""} }
	type rows = [][]driver.Value
	byID := rows{row("id", "xxhash", "xxhash")}
	placed := map[string]rows{
		on("users"): byID, on("sessions_epoch"): byID, on("sessions_devices"): byID, on("sessions_ids"): byID,
		on("sessions"): {row("user_id", "xxhash", "xxhash"), row("id", "sessions_ids", "consistent_lookup_unique")},
	}
	for _, c := range []struct {
		name    string
		sharded string
		vschema map[string]rows
		want    []string // statements
		fault   string
	}{
		{"a single database", "false", nil, nil, ""},
		{"nothing", "true", nil, []string{users, epochs, devices, ids, idsByID, sessions, lookup}, ""},
		{"all", "true", placed, nil, ""},
		{"users by another vindex", "true", map[string]rows{on("users"): {row("id", "by_hash", "hash")}},
			[]string{epochs, devices, ids, idsByID, strings.ReplaceAll(strings.Replace(sessions, "USING `xxhash`", "USING `hash`", 1), "VINDEX `xxhash`", "VINDEX `by_hash`"), lookup}, ""},
		{"users by a vindex with parameters", "true", map[string]rows{on("users"): {{"id", "by_map", "region_json", "a=b; c=d", ""}}},
			[]string{epochs, devices, ids, idsByID, "ALTER VSCHEMA ON `app`.`sessions` ADD VINDEX `by_map` (`user_id`) USING `region_json` WITH a=b, c=d", lookup}, ""},
		{"users by another column", "true", map[string]rows{on("users"): {row("tenant", "hash", "hash")}}, []string{epochs, devices, ids, idsByID, sessions, lookup}, ""},
		{"no lookup", "true", map[string]rows{on("users"): byID, on("sessions_epoch"): byID, on("sessions_devices"): byID, on("sessions_ids"): byID, on("sessions"): {row("user_id", "xxhash", "xxhash")}}, []string{lookup}, ""},
		{"sessions by id", "true", map[string]rows{on("users"): byID, on("sessions"): byID}, nil, "the vschema places the rows of `app`.`sessions` by `xxhash` (`id`) USING `xxhash`: place them as those of the users, by the vindex `xxhash` (`user_id`) USING `xxhash`"},
		{"sessions by another vindex", "true", map[string]rows{on("users"): byID, on("sessions"): {row("user_id", "hash", "hash")}}, nil, "place them as those of the users"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := mysql.ParseDSN(dbtest.Database(t, "interpolateParams=true"))
			if err != nil {
				t.Fatal(err)
			}
			inner, err := mysql.NewConnector(cfg)
			if err != nil {
				t.Fatal(err)
			}
			answers := map[string]rows{vtgateVersion: {{"app", "8.4.6-Vitess"}}, keyspaces: {{"other", "true", "", ""}, {"app", c.sharded, "", ""}}}
			for query, rows := range c.vschema {
				answers[query] = rows
			}
			var changes atomic.Int64
			a := app{db: sql.OpenDB(vtgate{Connector: inner, answers: answers, changes: &changes})}
			defer a.db.Close()
			a.exec(t, integerUsers)
			a.Store = newStore(t, a.db, sqlstore.Config{})
			switch err := a.Migrate(t.Context()); {
			case c.fault != "":
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v; want %s", err, c.fault)
				}
			case c.want == nil:
				if err != nil {
					t.Fatal(err)
				}
				// Of rows on several shards one is changed at a time.
				want := int64(1)
				if c.sharded == "true" {
					want = 3
				}
				a.setUser(t, 1, store.User{Epoch: 1})
				for range 3 {
					a.login(t)
				}
				if _, err := a.RevokeUser(t.Context(), store.UserRevocation{UserID: "1", Reason: store.ReasonRevoked, Limit: 1000}); err != nil {
					t.Fatal(err)
				}
				if n := changes.Load(); n != want {
					t.Errorf("3 sessions were revoked by %d statements; want %d", n, want)
				}
				if list, err := a.List(t.Context(), "1", store.ID{}, 100); err != nil || len(list) > 0 {
					t.Errorf("%d sessions are left, %v", len(list), err)
				}
			default:
				if want := "\n\t" + strings.Join(c.want, ";\n\t") + ";"; err == nil || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("%v; want at the end%s", err, want)
				}
			}
		})
	}
}

// vtgate takes the unsigned parameters of prepared statements for signed ones.
func TestMigrate_RefusesAServerThatMisreadsLargeParameters(t *testing.T) {
	db := open(t)
	const query = "SELECT ? = 9223372036854775808"
	for parameter, want := range map[any]bool{uint64(1 << 63): true, int64(-1 << 63): false} {
		var exact bool
		if err := db.QueryRowContext(t.Context(), query, parameter).Scan(&exact); err != nil || exact != want {
			t.Errorf("%T %d: %v, %v; want %v", parameter, parameter, exact, err, want)
		}
	}
	cfg, err := mysql.ParseDSN(dbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := app{db: sql.OpenDB(vtgate{Connector: inner, answers: map[string][][]driver.Value{vtgateVersion: {{"app", "8.4.6-Vitess"}}, query: {{int64(0)}}}})}
	defer a.db.Close()
	a.exec(t, integerUsers)
	wantFaults(t, newStore(t, a.db, sqlstore.Config{}), "interpolateParams=true")
}

// The times of a row are compared with the clock that they are from.
func TestStore_FindReadsTheClockOfTheRowsShard(t *testing.T) {
	cfg, err := mysql.ParseDSN(dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := app{db: sql.OpenDB(vtgate{Connector: inner, ahead: int(time.Hour.Microseconds())})}
	defer a.db.Close()
	a.exec(t, integerUsers)
	a.Store = newStore(t, a.db, sqlstore.Config{})
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.setUser(t, 1, store.User{Epoch: 1})
	rec := a.login(t)
	snap, err := a.Find(t.Context(), rec.ID)
	if err != nil || snap.Record == nil {
		t.Fatal(snap.Record, err)
	}
	if ago := snap.Now.Sub(rec.CreatedAt); ago < 0 || ago > time.Minute {
		t.Errorf("the session began %v ago", ago)
	}
	if none, err := a.Find(t.Context(), newID()); err != nil || none.Now.Sub(snap.Now) < time.Hour {
		t.Errorf("without a row the clock is %v, %v; want that of the epoch's shard", none.Now, err)
	}
	n := store.NewDeviceLogin{ID: newID(), UserCode: newDigest(), Lifetime: time.Hour}
	if ok, err := a.CreateDeviceLogin(t.Context(), n, 1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	now, d, err := a.FindDeviceLogin(t.Context(), n.ID)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	if ago := now.Sub(d.CreatedAt); ago < 0 || ago > time.Minute {
		t.Errorf("the login of a device began %v ago", ago)
	}
	if none, _, err := a.FindDeviceLogin(t.Context(), newID()); err != nil || none.Sub(now) < time.Hour {
		t.Errorf("without a row the clock is %v, %v; want that of the epoch's shard", none, err)
	}
}

// The unique index of a shard does not know of the other shards. One database stands for all
// of them here, so its index is made an ordinary one.
func TestStore_GivesAUserCodeOnceOnAllShards(t *testing.T) {
	cfg, err := mysql.ParseDSN(dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const on = "SHOW VSCHEMA VINDEXES ON `app`."
	byID := [][]driver.Value{{"id", "xxhash", "xxhash", "", ""}}
	a := app{db: sql.OpenDB(vtgate{Connector: inner, answers: map[string][][]driver.Value{
		vtgateVersion: {{"app", "8.4.6-Vitess"}}, "SHOW VSCHEMA KEYSPACES": {{"app", "true", "", ""}},
		on + "`users`": byID, on + "`sessions_epoch`": byID, on + "`sessions_devices`": byID, on + "`sessions_ids`": byID,
		on + "`sessions`": {{"user_id", "xxhash", "xxhash", "", ""}, {"id", "sessions_ids", "consistent_lookup_unique", "", ""}},
	}})}
	defer a.db.Close()
	a.exec(t, integerUsers)
	a.Store = newStore(t, a.db, sqlstore.Config{})
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.exec(t, "ALTER TABLE sessions_devices DROP KEY by_code, ADD KEY by_code (user_code)")
	create := func(what string, n store.NewDeviceLogin, want bool) {
		t.Helper()
		if ok, err := a.CreateDeviceLogin(t.Context(), n, 10); ok != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", what, ok, err, want)
		}
	}
	there := func(what string, n store.NewDeviceLogin, want bool) {
		t.Helper()
		if _, d, err := a.FindDeviceLogin(t.Context(), n.ID); err != nil || (d != nil) != want || d != nil && d.UserCode != n.UserCode {
			t.Errorf("%s: found %+v, %v; want it there: %v", what, d, err, want)
		}
	}
	first := store.NewDeviceLogin{ID: newID(), UserCode: newDigest(), Lifetime: time.Hour}
	create("a login", first, true)
	create("the same again", first, true)
	second := first
	second.ID = newID()
	create("another one with its code", second, false)
	there("the first", first, true)
	there("the second", second, false)
	other := store.NewDeviceLogin{ID: newID(), UserCode: newDigest(), Lifetime: time.Hour}
	create("another code", other, true)
	again := other
	again.UserCode = first.UserCode
	create("a login that is there, with the code of another one", again, true)
	there("that login", other, true)
	there("the first", first, true)
}
