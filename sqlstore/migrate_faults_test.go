package sqlstore_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// fault is one thing that is wrong with a database that was right before.
type fault struct {
	name   string
	users  string   // the table; empty: integerUsers
	params []string // of the DSN
	cfg    sqlstore.Config
	breaks []string // statements that cause the fault
	grants []string // privileges of an account that is not root; {db} is the database

	says []string // what the error names: the place and the remedy
}

func faults() []fault {
	const all = "SELECT, INSERT, UPDATE, DELETE"
	users := func(old, new string) string { return strings.Replace(integerUsers, old, new, 1) }
	return []fault{
		// The connection.
		{name: "no strict mode", params: []string{"sql_mode=%27%27"}, says: []string{`sql_mode is ""`, "STRICT_TRANS_TABLES"}},
		{name: "another mode", params: []string{"sql_mode=%27ANSI_QUOTES%27"}, says: []string{`sql_mode is "ANSI_QUOTES"`, "STRICT_TRANS_TABLES"}},
		{name: "character set of one byte", params: []string{"charset=latin1"}, says: []string{"character set is latin1", "set charset=utf8mb4 in the DSN"}},
		{name: "another character set of results", params: []string{"character_set_results=utf8mb3"}, says: []string{"character set is utf8mb3", "set charset=utf8mb4 in the DSN"}},
		{name: "another character set of parameters", params: []string{"character_set_client=latin1"}, says: []string{"character set is latin1"}},
		{name: "another character set of what CAST makes", params: []string{"character_set_connection=latin1"}, says: []string{"character set is latin1"}},
		{name: "characters of three bytes", params: []string{"charset=utf8mb3"}, says: []string{"character set is utf8mb3"}},
		{name: "padded ids", params: []string{"sql_mode=%27STRICT_TRANS_TABLES,PAD_CHAR_TO_FULL_LENGTH%27"}, says: []string{"PAD_CHAR_TO_FULL_LENGTH appends spaces", "the DSN sets it: change it to an sql_mode without it"}},
		{name: "no autocommit", params: []string{"autocommit=0"}, says: []string{"autocommit is off", "the DSN sets it: change it to autocommit=1 there"}},

		// The app's table.
		{name: "no such table", cfg: sqlstore.Config{Users: "people"}, says: []string{"no table `people`", "Config.Users"}},
		{name: "no id", cfg: sqlstore.Config{ID: "uid"}, says: []string{"no column uid", "Config.ID"}},
		{name: "text for a number", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "VARCHAR(20)"), says: []string{"`users`.id is varchar(20)", "no Integer", "set Config.IDKind to sqlstore.Text"}},
		{name: "number for a text", cfg: sqlstore.Config{IDKind: sqlstore.Text}, says: []string{"`users`.id is bigint unsigned", "no Text", "set Config.IDKind to sqlstore.Integer"}},
		{name: "text for a UUID", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "CHAR(36)"), cfg: sqlstore.Config{IDKind: sqlstore.UUID}, says: []string{"`users`.id is char(36)", "no UUID", "set Config.IDKind to sqlstore.Text"}},
		{name: "id without an index", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX `users_id` ON `users` (`id`)"}},
		{name: "id that is not unique", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL, KEY (id)"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX `users_id` ON `users` (`id`)"}},
		{name: "id second in an index", users: users("AUTO_INCREMENT PRIMARY KEY", "NOT NULL, tenant INT, UNIQUE (tenant, id)"), says: []string{"`users` has no unique index on id", "CREATE UNIQUE INDEX `users_id` ON `users` (`id`)"}},
		{name: "no epoch", breaks: []string{"ALTER TABLE users DROP session_epoch"}, says: []string{"no column session_epoch", "ALTER TABLE `users` ADD COLUMN `session_epoch` BIGINT UNSIGNED NOT NULL DEFAULT 1"}},
		{name: "epoch that may be NULL", breaks: []string{"ALTER TABLE users MODIFY session_epoch INT NULL"}, says: []string{"session_epoch may be NULL", "UPDATE `users` SET `session_epoch` = 1 WHERE", "ALTER TABLE `users` MODIFY `session_epoch` int"}},
		{name: "no disabled", breaks: []string{"ALTER TABLE users DROP disabled"}, says: []string{"no column disabled", "ALTER TABLE `users` ADD COLUMN `disabled` BOOLEAN NOT NULL DEFAULT FALSE"}},
		{name: "no roles", breaks: []string{"ALTER TABLE users DROP roles"}, says: []string{"no column roles", "ALTER TABLE `users` ADD COLUMN `roles` VARCHAR(255) NOT NULL DEFAULT ''"}},
		{name: "no attribute", cfg: sqlstore.Config{Attrs: map[string]string{"mail": "email"}}, says: []string{"no column email", `Config.Attrs["mail"]`}},
		{name: "text for an epoch", breaks: []string{"ALTER TABLE users MODIFY session_epoch VARCHAR(9)"}, says: []string{"session_epoch is varchar(9)", "not an integer", "Config.Epoch"}},
		{name: "time for an epoch", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY session_epoch DATETIME"}, says: []string{"session_epoch is datetime", "not an integer", "Config.Epoch"}},
		{name: "fraction for an epoch", breaks: []string{"ALTER TABLE users MODIFY session_epoch DECIMAL(9,2)"}, says: []string{"session_epoch is decimal(9,2)", "not an integer", "Config.Epoch"}},
		{name: "text for disabled", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY disabled ENUM('no', 'yes')"}, says: []string{"disabled is enum", "not a number", "Config.Disabled"}},
		{name: "number for roles", breaks: []string{"DELETE FROM users", "ALTER TABLE users MODIFY roles INT"}, says: []string{"roles is int", "not a text", "Config.Roles"}},
		{name: "expression over a missing column", cfg: sqlstore.Config{Disabled: "(u.banned)"}, says: []string{"Config.Disabled", "u.banned"}},
		{name: "expression with a syntax error", cfg: sqlstore.Config{Roles: "(SELECT u.)"}, says: []string{"Config.Roles", "cannot read"}},
		{name: "ambiguous expression", cfg: sqlstore.Config{Attrs: map[string]string{"a": "(id)"}}, says: []string{`Config.Attrs["a"]`, "ambiguous"}},

		// The kit's tables.
		{name: "table of another program", breaks: []string{"DROP TABLE sessions", "CREATE TABLE sessions (id VARCHAR(36) PRIMARY KEY, data TEXT)"}, says: []string{"`sessions` is not the kit's: if it belongs to another program, give Config.Sessions another name", "differs in this: id is varchar(36)", "not binary(16); there is no user_id", "; and 25 more"}},
		{name: "missing column", breaks: []string{"ALTER TABLE sessions DROP previous"}, says: []string{"there is no previous (BINARY(32) NULL)", "drop it"}},
		{name: "number too narrow", breaks: []string{"ALTER TABLE sessions MODIFY generation INT UNSIGNED NOT NULL"}, says: []string{"generation is int unsigned, not bigint unsigned"}},
		{name: "time in a time zone", breaks: []string{"ALTER TABLE sessions MODIFY ends_at DATETIME(6) NOT NULL"}, says: []string{"ends_at is datetime(6), not bigint"}},
		{name: "secret with a collation", breaks: []string{"ALTER TABLE sessions MODIFY confirmed VARCHAR(32) NOT NULL"}, says: []string{"confirmed is varchar(32)", "not binary(32)"}},
		{name: "user_id that is signed", breaks: []string{"ALTER TABLE sessions MODIFY user_id BIGINT NOT NULL"}, says: []string{"user_id is bigint, not bigint unsigned"}},
		{name: "user_id of another collation", users: users("BIGINT UNSIGNED AUTO_INCREMENT", "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"), cfg: sqlstore.Config{IDKind: sqlstore.Text},
			breaks: []string{"ALTER TABLE sessions MODIFY user_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL"}, says: []string{"collate utf8mb4_general_ci, not varchar(255) character set utf8mb4 collate utf8mb4_bin"}},
		{name: "id not unique", breaks: []string{"ALTER TABLE sessions DROP PRIMARY KEY"}, says: []string{"`sessions` has no unique index on id", "CREATE UNIQUE INDEX `sessions_id` ON `sessions` (`id`)"}},
		{name: "no index by user", breaks: []string{"ALTER TABLE sessions DROP KEY by_user"}, says: []string{"CREATE INDEX `sessions_user_id` ON `sessions` (`user_id`, `revoked_at`, `non_interactive`, `created_at`)"}},
		{name: "index by user that lacks columns", breaks: []string{"ALTER TABLE sessions DROP KEY by_user, ADD KEY by_user (user_id, revoked_at, created_at)"}, says: []string{"`sessions` has no index on user_id, revoked_at, non_interactive, created_at"}},
		{name: "no index by external id", breaks: []string{"ALTER TABLE sessions DROP KEY by_external"}, says: []string{"CREATE INDEX `sessions_external_id` ON `sessions` (`external_id`)"}},
		{name: "no index by change", breaks: []string{"ALTER TABLE sessions DROP KEY by_change"}, says: []string{"CREATE INDEX `sessions_changed_at` ON `sessions` (`changed_at`)"}},
		{name: "no index by expiry", breaks: []string{"ALTER TABLE sessions DROP KEY by_expiry"}, says: []string{"CREATE INDEX `sessions_expires_at` ON `sessions` (`expires_at`)"}},
		{name: "no column of a user code", breaks: []string{"ALTER TABLE sessions_devices DROP user_code"}, says: []string{"`sessions_devices` is not the kit's", "there is no user_code (BINARY(32) NOT NULL)"}},
		{name: "interval too narrow", breaks: []string{"ALTER TABLE sessions_devices MODIFY poll_interval INT NOT NULL"}, says: []string{"poll_interval is int, not bigint"}},
		{name: "device logins not unique", breaks: []string{"ALTER TABLE sessions_devices DROP PRIMARY KEY"}, says: []string{"`sessions_devices` has no unique index on id", "CREATE UNIQUE INDEX `sessions_devices_id` ON `sessions_devices` (`id`)"}},
		{name: "no index by user code", breaks: []string{"ALTER TABLE sessions_devices DROP KEY by_code"}, says: []string{"CREATE UNIQUE INDEX `sessions_devices_user_code` ON `sessions_devices` (`user_code`)"}},
		{name: "user codes not unique", breaks: []string{"ALTER TABLE sessions_devices DROP KEY by_code, ADD KEY by_code (user_code)"}, says: []string{"`sessions_devices` has no unique index on user_code"}},
		{name: "no index by network", breaks: []string{"ALTER TABLE sessions_devices DROP KEY by_network"}, says: []string{"CREATE INDEX `sessions_devices_network` ON `sessions_devices` (`network`, `ends_at`)"}},
		{name: "no index by end", breaks: []string{"ALTER TABLE sessions_devices DROP KEY by_end"}, says: []string{"CREATE INDEX `sessions_devices_ends_at` ON `sessions_devices` (`ends_at`)"}},
		{name: "no epoch column", breaks: []string{"ALTER TABLE sessions_epoch DROP epoch"}, says: []string{"`sessions_epoch` is not the kit's", "it differs in this: there is no epoch"}},
		{name: "epochs not unique", breaks: []string{"ALTER TABLE sessions_epoch DROP PRIMARY KEY"}, says: []string{"`sessions_epoch` has no unique index on id", "CREATE UNIQUE INDEX `sessions_epoch_id`"}},

		// The account's rights.
		{name: "no SELECT", grants: []string{"INSERT, UPDATE, DELETE ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `sessions` TO `kit_"}},
		{name: "no INSERT", grants: []string{"SELECT, UPDATE, DELETE ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"INSERT command denied", "GRANT INSERT ON `sessions` TO `kit_"}},
		{name: "no UPDATE", grants: []string{"SELECT, INSERT, DELETE ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"UPDATE command denied", "GRANT UPDATE ON `sessions` TO `kit_"}},
		{name: "no DELETE", grants: []string{"SELECT, INSERT, UPDATE ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"DELETE command denied", "GRANT DELETE ON `sessions` TO `kit_"}},
		{name: "no SELECT of the epoch", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_devices", "UPDATE ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `sessions_epoch` TO `kit_"}},
		{name: "no UPDATE of the epoch", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_devices", "SELECT ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"UPDATE command denied", "GRANT UPDATE ON `sessions_epoch` TO `kit_"}},
		{name: "no SELECT of device logins", grants: []string{all + " ON {db}.sessions", "INSERT, UPDATE, DELETE ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `sessions_devices` TO `kit_"}},
		{name: "no INSERT of device logins", grants: []string{all + " ON {db}.sessions", "SELECT, UPDATE, DELETE ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"INSERT command denied", "GRANT INSERT ON `sessions_devices` TO `kit_"}},
		{name: "no UPDATE of device logins", grants: []string{all + " ON {db}.sessions", "SELECT, INSERT, DELETE ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"UPDATE command denied", "GRANT UPDATE ON `sessions_devices` TO `kit_"}},
		{name: "no DELETE of device logins", grants: []string{all + " ON {db}.sessions", "SELECT, INSERT, UPDATE ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"DELETE command denied", "GRANT DELETE ON `sessions_devices` TO `kit_"}},
		{name: "nothing on the kit's tables", grants: []string{"SELECT ON {db}.users"}, says: []string{"CREATE command denied", "GRANT SELECT, INSERT, UPDATE, DELETE ON `sessions` TO `kit_", "GRANT SELECT, INSERT, UPDATE, DELETE ON `sessions_devices` TO", "GRANT SELECT, UPDATE ON `sessions_epoch` TO"}},
		{name: "no DELETE on tables that Migrate creates", breaks: []string{"DROP TABLE sessions, sessions_devices, sessions_epoch"}, grants: []string{"CREATE, SELECT, INSERT, UPDATE ON {db}.sessions", "CREATE, " + all + " ON {db}.sessions_devices", "CREATE, " + all + " ON {db}.sessions_epoch", "SELECT ON {db}.users"}, says: []string{"DELETE command denied", "GRANT DELETE ON `sessions` TO `kit_"}},
		{name: "no SELECT on users", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "INSERT ON {db}.users"}, says: []string{"SELECT command denied", "GRANT SELECT ON `users` TO `kit_"}},
		{name: "nothing on users", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch"}, says: []string{"no table `users`, or this account may not read it", "GRANT SELECT ON `users` TO `kit_"}},
		{name: "no SELECT on one column", grants: []string{all + " ON {db}.sessions", all + " ON {db}.sessions_devices", all + " ON {db}.sessions_epoch", "SELECT (id, session_epoch, roles) ON {db}.users"}, says: []string{"this account may not read `users`.disabled", "GRANT SELECT (`disabled`) ON `users` TO"}},
	}
}

// create creates a database that is right, and then breaks it. It returns a Store on
// it, and an app that is root.
func (f fault) create(t *testing.T) (broken *sqlstore.Store, root app) {
	t.Helper()
	dsn := dbtest.Database(t)
	root = app{db: openDSN(t, dsn)}
	users := f.users
	if users == "" {
		users = integerUsers
	}
	root.exec(t, users)
	root.exec(t, "INSERT INTO users (id) VALUES (1)")
	// An error is expected where f.users itself is wrong.
	_ = newStore(t, root.db, sqlstore.Config{IDKind: f.cfg.IDKind}).Migrate(t.Context())
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

// usersTable returns the definition of the app's table and a checksum of its rows.
func (a app) usersTable(t *testing.T) string {
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
