package sqlstore_test

import (
	"bytes"
	"crypto/rand"

	"log/slog"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
	"github.com/sessionkit/sessionkit/sqlstore/mysqltest"
)

// fault is one thing that is wrong with a database that was good before.
type fault struct {
	name   string
	users  string   // the table; empty: integerUsers
	params []string // of the DSN
	cfg    sqlstore.Config
	breaks []string // statements that bring the fault about
	grants []string // what an account that is not root may do; {db} is the database

	says []string // the fault's place and its remedy, all in one error
}

func faults() []fault {
	const all = "SELECT, INSERT, UPDATE, DELETE"
	users := func(old, new string) string { return strings.Replace(integerUsers, old, new, 1) }
	return []fault{
		// The connection.
		{name: "no strict mode", params: []string{"sql_mode=%27%27"}, says: []string{`sql_mode is ""`, "STRICT_TRANS_TABLES"}},
		{name: "another mode", params: []string{"sql_mode=%27ANSI_QUOTES%27"}, says: []string{`sql_mode is "ANSI_QUOTES"`, "STRICT_TRANS_TABLES"}},
		{name: "one byte a letter", params: []string{"charset=latin1"}, says: []string{"character set is latin1", "choose utf8mb4"}},
		{name: "no autocommit", params: []string{"autocommit=0"}, says: []string{"autocommit is off", "take it out of the DSN"}},

		// The app's table.
		{name: "no such table", cfg: sqlstore.Config{Users: "people"}, says: []string{"no table `people`", "Config.Users"}},
		{name: "no id", cfg: sqlstore.Config{ID: "uid"}, says: []string{"no column uid", "Config.ID"}},
		{name: "text for a number", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "VARCHAR(20)"), says: []string{"`users`.id is varchar(20)", "no Integer", "set Config.IDKind to sqlstore.Text"}},
		{name: "number for a text", cfg: sqlstore.Config{IDKind: sqlstore.Text}, says: []string{"`users`.id is bigint unsigned", "no Text", "set Config.IDKind to sqlstore.Integer"}},
		{name: "text for a UUID", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "CHAR(36)"), cfg: sqlstore.Config{IDKind: sqlstore.UUID}, says: []string{"`users`.id is char(36)", "no UUID", "set Config.IDKind to sqlstore.Text"}},
		{name: "id without an index", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX users_id ON `users` (id)"}},
		{name: "id that is not unique", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL, KEY (id)"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX users_id ON `users` (id)"}},
		{name: "id second in an index", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL, tenant INT, UNIQUE (tenant, id)"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX users_id ON `users` (id)"}},
		{name: "no epoch", breaks: []string{"ALTER TABLE users DROP session_epoch"}, says: []string{"no column session_epoch", "ALTER TABLE `users` ADD COLUMN session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1"}},
		{name: "epoch that may be NULL", breaks: []string{"ALTER TABLE users MODIFY session_epoch INT NULL"}, says: []string{"session_epoch may be NULL", "UPDATE `users` SET session_epoch = 1 WHERE", "ALTER TABLE `users` MODIFY session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1"}},
		{name: "no disabled", breaks: []string{"ALTER TABLE users DROP disabled"}, says: []string{"no column disabled", "ALTER TABLE `users` ADD COLUMN disabled BOOLEAN NOT NULL DEFAULT FALSE"}},
		{name: "no roles", breaks: []string{"ALTER TABLE users DROP roles"}, says: []string{"no column roles", "ALTER TABLE `users` ADD COLUMN roles VARCHAR(255) NOT NULL DEFAULT ''"}},
		{name: "no attribute", cfg: sqlstore.Config{Attrs: map[string]string{"mail": "email"}}, says: []string{"no column email", `Config.Attrs["mail"]`}},
		{name: "text for an epoch", breaks: []string{"ALTER TABLE users MODIFY session_epoch VARCHAR(9)"}, says: []string{"session_epoch is varchar(9)", "not an integer", "Config.Epoch"}},
		{name: "time for an epoch", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY session_epoch DATETIME"}, says: []string{"session_epoch is datetime", "not an integer", "Config.Epoch"}},
		{name: "fraction for an epoch", breaks: []string{"ALTER TABLE users MODIFY session_epoch DECIMAL(9,2)"}, says: []string{"session_epoch is decimal(9,2)", "not an integer", "Config.Epoch"}},
		{name: "text for a truth", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY disabled ENUM('no', 'yes')"}, says: []string{"disabled is enum", "not a number", "Config.Disabled"}},
		{name: "number for roles", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY roles INT"}, says: []string{"roles is int", "not a text", "Config.Roles"}},
		{name: "expression over nothing", cfg: sqlstore.Config{Disabled: "(u.banned)"}, says: []string{"Config.Disabled", "u.banned"}},
		{name: "expression that is none", cfg: sqlstore.Config{Roles: "(SELECT)"}, says: []string{"Config.Roles", "cannot be read"}},
		{name: "ambiguous expression", cfg: sqlstore.Config{Attrs: map[string]string{"a": "(id)"}}, says: []string{`Config.Attrs["a"]`, "ambiguous"}},

		// The kit's tables.
		{name: "another's table", breaks: []string{"DROP TABLE sessions", "CREATE TABLE sessions (id VARCHAR(36) PRIMARY KEY, data TEXT)"}, says: []string{"`sessions` is not the kit's: id is varchar(36)", "Config.Sessions"}},
		{name: "column gone", breaks: []string{"ALTER TABLE sessions DROP previous"}, says: []string{"there is no previous (BINARY(32) NULL)", "drop it"}},
		{name: "narrow number", breaks: []string{"ALTER TABLE sessions MODIFY generation INT UNSIGNED NOT NULL"}, says: []string{"generation is int unsigned, not bigint unsigned"}},
		{name: "time that has a zone", breaks: []string{"ALTER TABLE sessions MODIFY ends_at DATETIME(6) NOT NULL"}, says: []string{"ends_at is datetime(6), not bigint"}},
		{name: "secret with a collation", breaks: []string{"ALTER TABLE sessions MODIFY confirmed VARCHAR(32) NOT NULL"}, says: []string{"confirmed is varchar(32)", "not binary(32)"}},
		{name: "user_id of another sign", breaks: []string{"ALTER TABLE sessions MODIFY user_id BIGINT NOT NULL"}, says: []string{"user_id is bigint, not bigint unsigned"}},
		{name: "user_id of another collation", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"), cfg: sqlstore.Config{IDKind: sqlstore.Text},
			breaks: []string{"ALTER TABLE sessions MODIFY user_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL"}, says: []string{"collate utf8mb4_general_ci, not varchar(255) character set utf8mb4 collate utf8mb4_bin"}},
		{name: "id not unique", breaks: []string{"ALTER TABLE sessions DROP PRIMARY KEY"}, says: []string{"`sessions` has no unique index on id", "CREATE UNIQUE INDEX sessions_id ON `sessions` (id)"}},
		{name: "no index by user", breaks: []string{"ALTER TABLE sessions DROP KEY by_user"}, says: []string{"CREATE INDEX sessions_user_id ON `sessions` (user_id)"}},
		{name: "no index by change", breaks: []string{"ALTER TABLE sessions DROP KEY by_change"}, says: []string{"CREATE INDEX sessions_changed_at ON `sessions` (changed_at)"}},
		{name: "no index by expiry", breaks: []string{"ALTER TABLE sessions DROP KEY by_expiry"}, says: []string{"CREATE INDEX sessions_expires_at ON `sessions` (expires_at)"}},
		{name: "no epoch's column", breaks: []string{"ALTER TABLE sessions_epoch DROP epoch"}, says: []string{"`sessions_epoch` is not the kit's: there is no epoch"}},
		{name: "epochs not unique", breaks: []string{"ALTER TABLE sessions_epoch DROP PRIMARY KEY"}, says: []string{"`sessions_epoch` has no unique index on id", "CREATE UNIQUE INDEX sessions_epoch_id"}},

		// The account's rights.
		{name: "no SELECT", grants: []string{"INSERT, UPDATE, DELETE ON {db}.sessions", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `sessions`"}},
		{name: "no INSERT", grants: []string{"SELECT, UPDATE, DELETE ON {db}.sessions", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"INSERT command denied", "GRANT INSERT ON `sessions`"}},
		{name: "no UPDATE", grants: []string{"SELECT, INSERT, DELETE ON {db}.sessions", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"UPDATE command denied", "GRANT UPDATE ON `sessions`"}},
		{name: "no DELETE", grants: []string{"SELECT, INSERT, UPDATE ON {db}.sessions", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"DELETE command denied", "GRANT DELETE ON `sessions`"}},
		{name: "no SELECT of the epoch", grants: []string{all + " ON {db}.sessions", "UPDATE ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `sessions_epoch`"}},
		{name: "no UPDATE of the epoch", grants: []string{all + " ON {db}.sessions", "SELECT ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"UPDATE command denied", "GRANT UPDATE ON `sessions_epoch`"}},
		{name: "nothing on the kit's tables", grants: []string{"SELECT ON {db}.users"}, says: []string{"CREATE command denied", "SELECT, INSERT, UPDATE and DELETE on both"}},
		{name: "no SELECT on users", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_epoch", "INSERT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `users`"}},
		{name: "nothing on users", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_epoch"}, says: []string{"no table `users`, or none that this account may read", "grant SELECT"}},
		{name: "no SELECT on one column", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_epoch", "SELECT (id, session_epoch, roles) ON {db}.users"}, says: []string{"no column disabled (or none that this account may read)"}},
	}
}

// bring makes a database that is good, and then f; it returns a store on it, and
// root's way to it.
func (f fault) bring(t *testing.T) (broken *sqlstore.Store, root app) {
	t.Helper()
	dsn := mysqltest.Database(t)
	root = app{db: openDSN(t, dsn)}
	users := f.users
	if users == "" {
		users = integerUsers
	}
	root.exec(t, users)
	root.exec(t, "INSERT INTO users (id) VALUES (1)")
	good := sqlstore.Config{IDKind: f.cfg.IDKind}
	_ = newStore(t, root.db, good).Migrate(t.Context()) // where users is wrong from the beginning it cannot
	for _, statement := range f.breaks {
		root.exec(t, statement)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if f.grants != nil {
		cfg.User, cfg.Passwd = "kit_"+strings.ToLower(rand.Text()[:12]), ""
		root.exec(t, "CREATE USER "+cfg.User)
		t.Cleanup(func() { _, _ = root.db.Exec("DROP USER " + cfg.User) })
		for _, grant := range f.grants {
			root.exec(t, "GRANT "+strings.ReplaceAll(grant, "{db}", cfg.DBName)+" TO "+cfg.User)
		}
	}
	return newStore(t, openDSN(t, cfg.FormatDSN()+"?"+strings.Join(f.params, "&")), f.cfg), root
}

// definition is the app's table and what stands in it, as the server has it.
func (a app) definition(t *testing.T) string {
	t.Helper()
	var table, create, sum string
	if err := a.db.QueryRowContext(t.Context(), "SHOW CREATE TABLE users").Scan(&table, &create); err != nil {
		t.Fatal(err)
	}
	if err := a.db.QueryRowContext(t.Context(), "CHECKSUM TABLE users").Scan(&table, &sum); err != nil {
		t.Fatal(err)
	}
	return create + sum
}

// Somebody who starts an app on a database that will not do is told what is
// wrong with it and what to do, before the first login fails; and nothing of
// theirs was touched.
func TestEachFaultOfADatabaseStopsTheStart(t *testing.T) {
	count := 0
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			broken, root := f.bring(t)
			before := root.definition(t)
			err := broken.Migrate(t.Context())
			if err == nil {
				t.Fatal("Migrate succeeded")
			}
			for _, words := range f.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("the error does not say %q:\n%v", words, err)
				}
			}
			if n := strings.Count(err.Error(), "sqlstore: Migrate: "); n != 1 {
				t.Errorf("%d faults are named; want 1:\n%v", n, err)
			}
			if after := root.definition(t); after != before {
				t.Errorf("the app's table was\n%s\nand is\n%s", before, after)
			}
			if !t.Failed() {
				count++
			}
		})
	}
	t.Logf("%d faults, each refused by its name", count)
}

// Who has to mend ten things wants to hear of ten, not of one ten times.
func TestManyFaultsAtOnceAreAllNamed(t *testing.T) {
	f := fault{
		users:  strings.Replace(integerUsers, "AUTO_INCREMENT PRIMARY KEY", "NOT NULL", 1),
		params: []string{"sql_mode=%27%27", "autocommit=0"},
		cfg: sqlstore.Config{
			Disabled: "(u.banned)", Attrs: map[string]string{"mail": "email", "none": "(u.none)"},
		},
		breaks: []string{
			"ALTER TABLE users DROP roles, MODIFY session_epoch VARCHAR(9)",
			"ALTER TABLE sessions DROP KEY by_user, DROP KEY by_change",
			"ALTER TABLE sessions_epoch MODIFY epoch INT NOT NULL",
		},
	}
	// The kit's tables were made while users was good.
	good := f
	good.users, good.breaks = "", append([]string{"ALTER TABLE users MODIFY id BIGINT UNSIGNED NOT NULL", "ALTER TABLE users DROP PRIMARY KEY"}, f.breaks...)
	broken, root := good.bring(t)
	before := root.definition(t)
	reasons := []string{
		"sql_mode is", "autocommit is off",
		"`users` has no unique index on id", "session_epoch is varchar(9)", "no column roles", "no column email", "Config.Disabled", `Config.Attrs["none"]`,
		"`sessions` has no index on user_id", "`sessions` has no index on changed_at", "`sessions_epoch` is not the kit's: epoch is int",
	}
	refuses(t, broken, reasons...)
	if after := root.definition(t); after != before {
		t.Errorf("the app's table was\n%s\nand is\n%s", before, after)
	}
	t.Logf("%d faults in one error", len(reasons))
}

func TestTheLeastRightsAreEnough(t *testing.T) {
	for name, grants := range map[string][]string{
		"tables": {"SELECT, INSERT, UPDATE, DELETE ON {db}.sessions", "SELECT, UPDATE ON {db}.sessions_epoch", "SELECT ON {db}.users"},
		"columns": {"SELECT, INSERT, UPDATE, DELETE ON {db}.sessions", "SELECT, UPDATE ON {db}.sessions_epoch",
			"SELECT (id, session_epoch, disabled, roles) ON {db}.users"},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := fault{grants: grants}.bring(t)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			a := app{s, root.db}
			a.setUser(t, 1, session.User{})
			rec := a.login(t)
			for method, call := range a.methods(rec) {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s: %v", method, err)
				}
			}
		})
	}
}

// A view has no indexes of its own, and nobody can forbid its columns NULL.
func TestUsersMayBeAView(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, strings.Replace(integerUsers, "users", "people", 1))
	a.exec(t, "CREATE VIEW users AS SELECT id, NULLIF(session_epoch, 0) AS session_epoch, disabled, roles FROM people")
	if err := newStore(t, a.db, sqlstore.Config{}).Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// A replica lags, and what it is written is lost.
func TestAServerThatIsReadOnlyStopsTheStart(t *testing.T) {
	server := mysqltest.Start(t)
	dsn := server.Database(t)
	a := appOn(t, dsn, integerUsers, sqlstore.Config{})
	a.exec(t, "SET GLOBAL read_only = 1")
	refuses(t, a.Store, "the server is read-only, as replicas are (read_only = 1, innodb_read_only = 0): open the primary")
	a.exec(t, "SET GLOBAL read_only = 0")
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	server.Stop(t)
	server.RestartWith(t, "--innodb-read-only")
	refuses(t, a.Store, "(read_only = 0, innodb_read_only = 1)")
}

func TestAConnectionThatIsReadOnlyStopsTheStart(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.db.SetMaxOpenConns(1)
	a.exec(t, "SET SESSION TRANSACTION READ ONLY")
	refuses(t, a.Store, "INSERT on `sessions` is refused", "UPDATE on `sessions` is refused", "DELETE on `sessions` is refused", "UPDATE on `sessions_epoch` is refused")
}

// On purpose or not, it is told of, and nobody is stopped.
func TestADatabaseThatForgetsCommitsIsToldOf(t *testing.T) {
	server := mysqltest.Start(t)
	a := appOn(t, server.Database(t), integerUsers, sqlstore.Config{})
	log := new(bytes.Buffer)
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	for setting, want := range map[string]int{"0": 1, "1": 0, "2": 1} {
		log.Reset()
		a.exec(t, "SET GLOBAL innodb_flush_log_at_trx_commit = "+setting)
		if err := a.Migrate(t.Context()); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != want || want > 0 && !strings.Contains(log.String(), "innodb_flush_log_at_trx_commit="+setting) {
			t.Errorf("%s: %d warnings, want %d: %s", setting, n, want, log)
		}
	}
}
