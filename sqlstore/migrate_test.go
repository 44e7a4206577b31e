package sqlstore_test

import (
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// wantFaults checks that Migrate fails with all these faults and no others.
func wantFaults(t *testing.T, s *sqlstore.Store, faults ...string) {
	t.Helper()
	err := s.Migrate(t.Context())
	if err == nil {
		t.Fatalf("Migrate succeeded; want an error with %q", faults)
	}
	for _, fault := range faults {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("the error does not say %q", fault)
		}
	}
	if n := strings.Count(err.Error(), "sqlstore: Migrate: "); n != len(faults) {
		t.Errorf("%d faults; want %d", n, len(faults))
	}
	if t.Failed() {
		t.Logf("the error is:\n%v", err)
	}
}

func TestMigrate_MayRunRepeatedlyAndOnManyNodesAtOnce(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, integerUsers)
	a.Store = newStore(t, a.db, sqlstore.Config{})
	for range 3 {
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if err := a.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	// Existing rows stay as they are.
	if err := a.RevokeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if snap, err := a.Find(t.Context(), newID()); err != nil || snap.GlobalEpoch != 1 {
		t.Errorf("the epoch is %d, %v; want 1", snap.GlobalEpoch, err)
	}
}

func TestMigrate_OnlyReadsWhenNothingIsMissing(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.db.SetMaxOpenConns(1)
	before := a.written(t)
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if after := a.written(t); after != before {
		t.Errorf("Migrate wrote: the counters were %s, and are %s", before, after)
	}
}

func TestStore_EveryMethodAsksForAMissingMigrate(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, store.User{})
	a.exec(t, "DELETE FROM sessions_epoch")
	_, find := a.Find(t.Context(), newID())
	_, _, device := a.FindDeviceLogin(t.Context(), newID())
	_, _, code := a.FindUserCode(t.Context(), newDigest())
	_, changes := a.Changes(t.Context(), time.Hour, store.Cursor{}, 1000)
	create := a.Create(t.Context(), store.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour})
	for name, err := range map[string]error{"Find": find, "FindDeviceLogin": device, "FindUserCode": code, "Changes": changes, "Create": create, "RevokeAll": a.RevokeAll(t.Context()), "RefreshAll": a.RefreshAll(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "run Migrate") || errors.Is(err, session.ErrUserDisabled) {
			t.Errorf("%s: %v; want an error that says to run Migrate", name, err)
		}
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Find(t.Context(), newID()); err != nil {
		t.Error(err)
	}
}

func TestMigrate_NamesTheColumnsThatTheUsersTableLacks(t *testing.T) {
	a := app{db: open(t)}
	a.Store = newStore(t, a.db, sqlstore.Config{Users: "people", Attrs: map[string]string{"name": "full_name", "tenant": "(u.no_such)"}})
	wantFaults(t, a.Store, "there is no table `people`")
	a.exec(t, "CREATE TABLE people (id INT PRIMARY KEY)")
	alters := []string{
		"ALTER TABLE `people` ADD COLUMN `session_epoch` BIGINT UNSIGNED NOT NULL DEFAULT 1",
		"ALTER TABLE `people` ADD COLUMN `disabled` BOOLEAN NOT NULL DEFAULT FALSE",
		"ALTER TABLE `people` ADD COLUMN `roles` VARCHAR(255) NOT NULL DEFAULT ''",
		"ALTER TABLE `people` ADD COLUMN `full_name` VARCHAR(255) NOT NULL DEFAULT ''",
	}
	wantFaults(t, a.Store, append(alters, `cannot read Config.Attrs["tenant"] ((u.no_such)): `)...)

	a.Store = newStore(t, a.db, sqlstore.Config{Users: "people", Attrs: map[string]string{"name": "full_name"}})
	for _, alter := range alters {
		wantFaults(t, a.Store, alters...)
		a.exec(t, alter)
		alters = alters[1:]
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Errorf("after the statements from its error: %v", err)
	}
}

// The columns of the sessions table depend on the type of the user id and on the
// settings of the connection. While one of these is wrong, it is not created.
func TestMigrate_CreatesTablesOnlyWhenTheirColumnsAreCertain(t *testing.T) {
	for _, c := range []struct {
		name, users, param string
		cfg                sqlstore.Config
		created            bool
	}{
		{"no id", integerUsers, "", sqlstore.Config{ID: "user_id"}, false},
		{"no text id", integerUsers, "", sqlstore.Config{ID: "user_id", IDKind: sqlstore.Text}, false},
		{"another kind of id", usersWithID("VARCHAR(20)"), "", sqlstore.Config{}, false},
		{"no strict mode", integerUsers, "sql_mode=%27%27", sqlstore.Config{}, false},
		{"another column", strings.Replace(integerUsers, "disabled", "banned", 1), "", sqlstore.Config{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := app{db: open(t, c.param)}
			a.exec(t, c.users)
			if err := newStore(t, a.db, c.cfg).Migrate(t.Context()); err == nil {
				t.Fatal("Migrate succeeded")
			}
			_, err := a.db.ExecContext(t.Context(), "DO (SELECT COUNT(*) FROM sessions)")
			if created := err == nil; created != c.created {
				t.Errorf("the sessions table was created: %v; want %v", created, c.created)
			}
		})
	}
}

// While the row is missing, every method returns an error. So an app that ignores the
// error of Migrate lets nobody in.
func TestMigrate_AddsTheEpochRowOnlyWhenAllChecksPass(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, strings.Replace(integerUsers, "disabled", "banned", 1))
	a.Store = newStore(t, a.db, sqlstore.Config{})
	epochRows := func() (n int) {
		t.Helper()
		if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions_epoch").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 {
		wantFaults(t, a.Store, "no column disabled")
		if n := epochRows(); n != 0 {
			t.Fatalf("the epoch table has %d rows after a fault; want none", n)
		}
	}
	a.exec(t, "ALTER TABLE users CHANGE banned disabled BOOLEAN NOT NULL DEFAULT FALSE")
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := epochRows(); n != 1 {
		t.Errorf("the epoch table has %d rows; want 1", n)
	}
}

func TestMigrate_IgnoresTheCaseOfColumnNames(t *testing.T) {
	for name, c := range map[string]struct {
		users string
		cfg   sqlstore.Config
	}{
		"Config in capitals": {integerUsers, sqlstore.Config{
			ID: "ID", Epoch: "SESSION_EPOCH", Disabled: "Disabled", Roles: "ROLES", Attrs: map[string]string{"name": "NAME"},
		}},
		"table in capitals": {
			strings.NewReplacer("id BIGINT", "ID BIGINT", "session_epoch", "Session_Epoch", "disabled", "DISABLED", "roles", "ROLES", "name ", "NAME ").Replace(integerUsers),
			sqlstore.Config{Attrs: map[string]string{"name": "name"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, c.users, c.cfg)
			a.exec(t, "INSERT INTO users (id, name, session_epoch, roles) VALUES (1, 'Ada', 3, 'admin')")
			if u := a.login(t).User; u.Epoch != 3 || len(u.Roles) != 1 || u.Attrs["name"] != "Ada" {
				t.Errorf("user = %+v", u)
			}
		})
	}
}

// Whoever renames or drops the other program's table must not meet half of the kit's
// tables.
func TestMigrate_CreatesNothingBesideATableOfAnotherProgram(t *testing.T) {
	for name, missing := range map[string]string{"sessions": "sessions_epoch", "sessions_epoch": "sessions", "sessions_devices": "sessions"} {
		t.Run(name, func(t *testing.T) {
			a := app{db: open(t)}
			a.exec(t, integerUsers)
			a.exec(t, "CREATE TABLE "+name+" (id VARCHAR(36) PRIMARY KEY, data TEXT)")
			wantFaults(t, newStore(t, a.db, sqlstore.Config{}), "the table `"+name+"` is not the kit's")
			var n int
			if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?", missing).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d tables %s, %v; want none", n, missing, err)
			}
		})
	}
}

// While one table is missing, another node may be creating both: it may be about to
// create the missing indexes.
func TestMigrate_ReportsNoIndexWhileATableIsMissing(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, integerUsers)
	if err := newStore(t, a.db, sqlstore.Config{}).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.exec(t, "ALTER TABLE sessions DROP KEY by_user")
	a.exec(t, "DROP TABLE sessions_epoch")
	a.db.SetMaxOpenConns(1)
	a.exec(t, "SET SESSION sql_mode = ''") // so that Migrate creates nothing
	wantFaults(t, newStore(t, a.db, sqlstore.Config{}), `sql_mode is ""`)
}

func TestStore_WorksWithTablesInOtherDatabases(t *testing.T) {
	crm, kit := open(t), open(t)
	var crmName, kitName string
	for db, name := range map[*sql.DB]*string{crm: &crmName, kit: &kitName} {
		if err := db.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(name); err != nil {
			t.Fatal(err)
		}
	}
	app{db: crm}.exec(t, strings.Replace(integerUsers, "users", "people", 1))
	app{db: crm}.exec(t, "INSERT INTO people (id) VALUES (1)")
	s := newStore(t, open(t), sqlstore.Config{Users: crmName + ".people", Sessions: kitName + ".logins"})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := newID()
	for range 2 { // repeating Create must not conflict
		if err := s.Create(t.Context(), store.NewSession{ID: id, UserID: "1", Lifetime: time.Hour, RetainFor: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.List(t.Context(), "1", store.ID{}, 100); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
}
