package sqlstore_test

import (
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// refuses migrates, which must fail for all the reasons given and no others.
func refuses(t *testing.T, s *sqlstore.Store, reasons ...string) {
	t.Helper()
	err := s.Migrate(t.Context())
	if err == nil {
		t.Fatalf("Migrate succeeded; want an error with %q", reasons)
	}
	for _, reason := range reasons {
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("the error does not say %q", reason)
		}
	}
	if n := strings.Count(err.Error(), "sqlstore: Migrate: "); n != len(reasons) {
		t.Errorf("%d faults; want %d", n, len(reasons))
	}
	if t.Failed() {
		t.Logf("the error is:\n%v", err)
	}
}

func TestMigrateMayBeRepeatedAndRunOnManyNodesAtOnce(t *testing.T) {
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
	// It leaves what is there alone.
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

func TestMigrateOnlyReadsWhereAllIsInPlace(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.db.SetMaxOpenConns(1)
	a.exec(t, "SET SESSION TRANSACTION READ ONLY")
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryMethodSaysThatMigrateIsMissing(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.setUser(t, 1, session.User{})
	a.exec(t, "DELETE FROM sessions_epoch")
	_, find := a.Find(t.Context(), newID())
	_, changes := a.Changes(t.Context(), time.Hour)
	create := a.Create(t.Context(), session.NewSession{ID: newID(), UserID: "1", Lifetime: time.Hour, KeepFor: time.Hour})
	for name, err := range map[string]error{"Find": find, "Changes": changes, "Create": create, "RevokeAll": a.RevokeAll(t.Context())} {
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

func TestMigrateNamesTheColumnsThatTheAppsTableLacks(t *testing.T) {
	a := app{db: open(t)}
	a.Store = newStore(t, a.db, sqlstore.Config{Users: "people", Attrs: map[string]string{"name": "full_name", "tenant": "(u.no_such)"}})
	refuses(t, a.Store, "there is no table `people`")
	a.exec(t, "CREATE TABLE people (id INT PRIMARY KEY)")
	alters := []string{
		"ALTER TABLE `people` ADD COLUMN session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1",
		"ALTER TABLE `people` ADD COLUMN disabled BOOLEAN NOT NULL DEFAULT FALSE",
		"ALTER TABLE `people` ADD COLUMN roles VARCHAR(255) NOT NULL DEFAULT ''",
		"ALTER TABLE `people` ADD COLUMN full_name VARCHAR(255) NOT NULL DEFAULT ''",
	}
	refuses(t, a.Store, append(alters, `Config.Attrs["tenant"] ((u.no_such)) cannot be read`)...)

	a.Store = newStore(t, a.db, sqlstore.Config{Users: "people", Attrs: map[string]string{"name": "full_name"}})
	for _, alter := range alters {
		refuses(t, a.Store, alters...)
		a.exec(t, alter)
		alters = alters[1:]
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Errorf("after the ALTERs that it asked for: %v", err)
	}
}

func TestMigrateRefusesUsersThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		name, users string
		cfg         sqlstore.Config
		reasons     []string
		made        bool
	}{
		{"no id", integerUsers, sqlstore.Config{ID: "user_id"}, []string{"`users` has no column user_id"}, false},
		{"no text id", integerUsers, sqlstore.Config{ID: "user_id", IDKind: sqlstore.Text}, []string{"`users` has no column user_id"}, false},
		{"a text for a number", usersWithID("VARCHAR(20)"), sqlstore.Config{}, []string{"`users`.id is varchar(20)"}, false},
		{"a number for a text", integerUsers, sqlstore.Config{IDKind: sqlstore.Text}, []string{"`users`.id is bigint unsigned"}, false},
		{"a text for a UUID", usersWithID("CHAR(36)"), sqlstore.Config{IDKind: sqlstore.UUID}, []string{"`users`.id is char(36)"}, false},
		{"a text for a truth", strings.Replace(integerUsers, "disabled BOOLEAN NOT NULL DEFAULT FALSE", "disabled VARCHAR(9)", 1),
			sqlstore.Config{}, []string{"`users`.disabled is varchar(9)"}, true},
		{"expressions that mean nothing", integerUsers, sqlstore.Config{Disabled: "(u.x)", Roles: "(SELECT)", Epoch: "(u.id" + ")"},
			[]string{"Config.Disabled", "Config.Roles"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := app{db: open(t)}
			a.exec(t, c.users)
			refuses(t, newStore(t, a.db, c.cfg), c.reasons...)
			_, err := a.db.ExecContext(t.Context(), "DO (SELECT COUNT(*) FROM sessions)")
			if made := err == nil; made != c.made {
				t.Errorf("the sessions table was made: %v; want %v, as it takes after the user's id", made, c.made)
			}
		})
	}
}

func TestMigrateRefusesTablesThatAreNotTheKits(t *testing.T) {
	for name, change := range map[string]string{
		"`sessions` is not the kit's: id is varchar(36)":       "CREATE TABLE sessions (id VARCHAR(36) PRIMARY KEY, data TEXT)",
		"there is no previous (BINARY(32) NULL)":               "ALTER TABLE sessions DROP COLUMN previous",
		"generation is int unsigned, not bigint unsigned":      "ALTER TABLE sessions MODIFY generation INT UNSIGNED NOT NULL",
		"ends_at is datetime(6), not bigint;":                  "ALTER TABLE sessions MODIFY ends_at DATETIME(6) NOT NULL",
		"confirmed is varchar(32)":                             "ALTER TABLE sessions MODIFY confirmed VARCHAR(32) NOT NULL",
		"user_id is bigint, not bigint unsigned":               "ALTER TABLE sessions MODIFY user_id BIGINT NOT NULL",
		"`sessions_epoch` is not the kit's: there is no epoch": "ALTER TABLE sessions_epoch DROP COLUMN epoch",
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, integerUsers, sqlstore.Config{})
			if strings.HasPrefix(change, "CREATE") {
				a.exec(t, "DROP TABLE sessions")
			}
			a.exec(t, change)
			refuses(t, a.Store, name)
		})
	}
}

// Between two collations a join reads the whole table, and nobody would notice
// until there are many users.
func TestMigrateNoticesThatATextIDChangedItsCollation(t *testing.T) {
	a := newApp(t, usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"), sqlstore.Config{IDKind: sqlstore.Text})
	a.exec(t, "ALTER TABLE users MODIFY id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	refuses(t, a.Store, "user_id is varchar(255) character set utf8mb4 collate utf8mb4_unicode_ci, not varchar(255) character set utf8mb4 collate utf8mb4_bin")
}

func TestMigrateRefusesConnectionsThatLoseData(t *testing.T) {
	for param, reason := range map[string]string{
		"sql_mode=%27%27":                   "STRICT_TRANS_TABLES",
		"sql_mode=%27ONLY_FULL_GROUP_BY%27": "STRICT_TRANS_TABLES",
		"autocommit=0":                      "autocommit is off",
	} {
		a := app{db: open(t, param)}
		a.exec(t, integerUsers)
		refuses(t, newStore(t, a.db, sqlstore.Config{}), reason)
	}
}

func TestTablesInOtherDatabases(t *testing.T) {
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
	for range 2 { // the second is a repetition
		if err := s.Create(t.Context(), session.NewSession{ID: id, UserID: "1", Lifetime: time.Hour, KeepFor: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.List(t.Context(), "1"); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
}
