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
	written := func() (rows string) {
		t.Helper()
		var name, n string
		for _, counter := range []string{"Handler_write", "Handler_update", "Handler_delete", "Com_create_table", "Com_alter_table"} {
			if err := a.db.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE '"+counter+"'").Scan(&name, &n); err != nil {
				t.Fatal(err)
			}
			rows += name + " " + n + " "
		}
		return rows
	}
	before := written()
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	if after := written(); after != before {
		t.Errorf("the server counted %s, and now %s", before, after)
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

// The sessions table takes after the user's id, and after how the connection is
// set up: it is not made while one of these is wrong.
func TestTheKitsTablesAreNotMadeTooEarly(t *testing.T) {
	for _, c := range []struct {
		name, users, param string
		cfg                sqlstore.Config
		made               bool
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
			if made := err == nil; made != c.made {
				t.Errorf("the sessions table was made: %v; want %v", made, c.made)
			}
		})
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
