package sqlstore_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The error names the fault and its remedy, before the first login fails. The app's
// table stays as it is.
func TestMigrate_NamesEachFaultAndItsRemedy(t *testing.T) {
	suite(t, "start-up checks")
	refused, repaired := 0, 0
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			broken, root := f.create(t)
			before := root.usersTable(t)
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
				t.Errorf("the error names %d faults; want 1:\n%v", n, err)
			}
			if after := root.usersTable(t); after != before {
				t.Errorf("the app's table was\n%s\nand became\n%s", before, after)
			}
			if statements := remedies(err); len(statements) > 0 {
				for _, statement := range statements {
					root.exec(t, statement)
				}
				repaired++
				if again := broken.Migrate(t.Context()); again != nil {
					t.Errorf("after the statements of the error\n%v\nMigrate says\n%v", err, again)
				}
			}
			if !t.Failed() {
				refused++
			}
		})
	}
	t.Logf("%d faults, each of them named; the statements for %d of them do what they should", refused, repaired)
}

// remedies returns the statements that an error tells the operator to run.
func remedies(err error) (statements []string) {
	var text strings.Builder
	for line := range strings.Lines(err.Error() + "\n") {
		if statement, ok := strings.CutPrefix(line, "\t"); ok {
			text.WriteString(statement)
		}
	}
	for statement := range strings.SplitSeq(text.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// Otherwise an operator with ten faults starts the app ten times.
func TestMigrate_NamesAllFaultsAtOnce(t *testing.T) {
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
	// The kit's tables were created while users was right.
	right := f
	right.users, right.breaks = "", append([]string{"ALTER TABLE users MODIFY id BIGINT UNSIGNED NOT NULL", "ALTER TABLE users DROP PRIMARY KEY"}, f.breaks...)
	broken, root := right.create(t)
	before := root.usersTable(t)
	says := []string{
		"sql_mode is", "autocommit is off",
		"`users` has no unique index on id", "session_epoch is varchar(9)", "no column roles", "no column email", "Config.Disabled", `Config.Attrs["none"]`,
		"`sessions` has no index on user_id", "`sessions` has no index on changed_at", "`sessions_epoch` is not the kit's",
	}
	wantFaults(t, broken, says...)
	if after := root.usersTable(t); after != before {
		t.Errorf("the app's table was\n%s\nand became\n%s", before, after)
	}
	t.Logf("%d faults in one error", len(says))
}

// A view has no indexes, and its columns cannot be declared NOT NULL.
func TestMigrate_AcceptsAView(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, strings.Replace(integerUsers, "users", "people", 1))
	a.exec(t, "CREATE VIEW users AS SELECT id, NULLIF(session_epoch, 0) AS session_epoch, disabled, roles FROM people")
	if err := newStore(t, a.db, sqlstore.Config{}).Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// A replica lags, and loses what is written to it.
func TestMigrate_RefusesAServerThatIsReadOnly(t *testing.T) {
	server := dbtest.Start(t)
	dsn := server.Database(t)
	a := appOn(t, dsn, integerUsers, sqlstore.Config{})
	a.exec(t, "SET GLOBAL read_only = 1")
	wantFaults(t, a.Store, "the server is read-only, as replicas are (read_only = 1, innodb_read_only = 0): open the primary")
	a.exec(t, "SET GLOBAL read_only = 0")
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	server.Stop(t)
	server.RestartWith(t, "--innodb-read-only")
	wantFaults(t, a.Store, "(read_only = 0, innodb_read_only = 1)")

	// What keeps the account from writing is no privilege, and the message does not say so.
	server.Stop(t)
	server.RestartWith(t, "--log-bin", "--binlog-format=STATEMENT", "--transaction-isolation=READ-COMMITTED")
	err := a.Migrate(t.Context())
	if err == nil || strings.Contains(err.Error(), "GRANT") || !strings.Contains(err.Error(), "no privilege is missing; the server writes statements to its binary log") {
		t.Errorf("with a binary log of statements: %v", err)
	}

	// The remedies name the place where a setting is.
	server.Stop(t)
	server.RestartWith(t, "--autocommit=0", "--sql-mode=PAD_CHAR_TO_FULL_LENGTH", "--innodb-default-row-format=COMPACT")
	const here = "the server sets it: change it there, or add "
	wantFaults(t, a.Store, "autocommit is off, so no change would be kept; "+here+"autocommit=1 to the DSN",
		"cuts values to fit; "+here+"sql_mode='STRICT_TRANS_TABLES' to the DSN", "CHAR; "+here+"an sql_mode without it to the DSN")
	// The DSN can mend them, and the server's row format does not matter.
	dsn = server.Database(t, "autocommit=1", "sql_mode=%27STRICT_TRANS_TABLES%27")
	appOn(t, dsn, strings.Replace(integerUsers, "BIGINT UNSIGNED AUTO_INCREMENT", "VARCHAR(191) CHARACTER SET utf8mb4", 1), sqlstore.Config{IDKind: sqlstore.Text})
}

func TestMigrate_RefusesAConnectionThatIsReadOnly(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.db.SetMaxOpenConns(1)
	a.exec(t, "SET SESSION TRANSACTION READ ONLY")
	if err := a.Migrate(t.Context()); err == nil || strings.Contains(err.Error(), "GRANT") || strings.Count(err.Error(), ": no privilege is missing; the transactions of this connection are read-only") != 7 {
		t.Errorf("Migrate: %v", err)
	}
	wantFaults(t, a.Store, "INSERT on `sessions` is refused", "UPDATE on `sessions` is refused", "DELETE on `sessions` is refused",
		"INSERT on `sessions_devices` is refused", "UPDATE on `sessions_devices` is refused", "DELETE on `sessions_devices` is refused", "UPDATE on `sessions_epoch` is refused")
}

// It may be intended, so it is a warning and not an error.
func TestMigrate_WarnsOfADatabaseThatMayLoseCommits(t *testing.T) {
	server := dbtest.Start(t)
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

// A Disabled that names the opposite refuses every user. It may be intended, so it is a
// warning.
func TestMigrate_WarnsIfEveryUserIsDisabled(t *testing.T) {
	for name, c := range map[string]struct {
		disabled string
		users    []string // the values of is_active
		want     int
	}{
		"nobody":                  {"is_active", nil, 0},
		"everybody":               {"is_active", []string{"1", "1"}, 1},
		"all but one":             {"is_active", []string{"1", "0", "1"}, 0},
		"the opposite":            {"(NOT u.is_active)", []string{"1", "1"}, 0},
		"NULL":                    {"is_active", []string{"NULL", "1"}, 0},
		"more than it looks at":   {"is_active", append(slices.Repeat([]string{"1"}, 100), "0"), 1},
		"the last it looks at":    {"is_active", append(slices.Repeat([]string{"1"}, 99), "0", "1"), 0},
		"an expression of a text": {"(u.state = 'open')", []string{"1"}, 1},
	} {
		a := newApp(t, `CREATE TABLE users (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, session_epoch BIGINT NOT NULL DEFAULT 1,
			is_active BOOLEAN, state VARCHAR(9) DEFAULT 'open', roles VARCHAR(20) NOT NULL DEFAULT '')`, sqlstore.Config{Disabled: c.disabled})
		if len(c.users) > 0 {
			a.exec(t, "INSERT INTO users (is_active) VALUES ("+strings.Join(c.users, "), (")+")")
		}
		log := new(bytes.Buffer)
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
		err := a.Migrate(t.Context())
		slog.SetDefault(before)
		if n := strings.Count(log.String(), "refuses all of the first "+strconv.Itoa(min(len(c.users), 100))+" users"); err != nil || n != c.want || strings.Count(log.String(), "level=WARN") != c.want {
			t.Errorf("%s: %v, the log is %q; want %d warnings", name, err, log, c.want)
		}
	}
}

// A user whose row the kit cannot read is kept out, and so is one whose id has been padded.
func TestMigrate_WarnsOfUsersWhoCannotLogIn(t *testing.T) {
	signed := strings.Replace(integerUsers, "session_epoch BIGINT UNSIGNED", "session_epoch BIGINT", 1)
	binary := strings.Replace(integerUsers, "BIGINT UNSIGNED AUTO_INCREMENT", "BINARY(9)", 1)
	text := sqlstore.Config{IDKind: sqlstore.Text}
	for name, c := range map[string]struct {
		users, insert string
		cfg           sqlstore.Config
		says          string
	}{
		"nobody":              {binary, "DELETE FROM users", text, ""},
		"an epoch":            {signed, "INSERT INTO users (session_epoch) VALUES (0), (7)", sqlstore.Config{}, ""},
		"a negative epoch":    {signed, "INSERT INTO users (session_epoch) VALUES (7), (-1)", sqlstore.Config{}, "Config.Epoch"},
		"roles":               {signed, `INSERT INTO users (roles) VALUES ('admin,staff'), ('["admin"]'), ('')`, sqlstore.Config{}, ""},
		"roles in braces":     {signed, "INSERT INTO users (roles) VALUES ('{admin}')", sqlstore.Config{}, "Config.Roles"},
		"a number in an id":   {binary, "INSERT INTO users (id) VALUES ('123456789')", text, ""},
		"an id that is short": {binary, "INSERT INTO users (id) VALUES ('123456789'), ('ada')", text, "1 of the first 100 ids in `users`.id end with zero bytes"},
	} {
		a := newApp(t, c.users, c.cfg)
		a.exec(t, c.insert)
		log, before := new(bytes.Buffer), slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
		err := a.Migrate(t.Context())
		slog.SetDefault(before)
		if want := min(len(c.says), 1); err != nil || strings.Count(log.String(), "level=WARN") != want || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %v, the log is %s", name, err, log)
		}
	}
}

// A subquery that gives several rows for one user, or any other expression that fails for one,
// keeps that user out. It may be what a user has written, so it does not stop the start.
func TestMigrate_WarnsOfExpressionsThatFailForAUser(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  sqlstore.Config
		says string
	}{
		"no fault":      {sqlstore.Config{Roles: "(SELECT GROUP_CONCAT(r.role) FROM user_roles r WHERE r.user_id = u.id)"}, ""},
		"several roles": {sqlstore.Config{Roles: "(SELECT r.role FROM user_roles r WHERE r.user_id = u.id)"}, "Config.Roles"},
		"an attribute":  {sqlstore.Config{Roles: "(NULL)", Attrs: map[string]string{"a": "(SELECT r.role FROM user_roles r WHERE r.user_id = u.id)"}}, `Config.Attrs["a"]`},
		"disabled":      {sqlstore.Config{Roles: "(NULL)", Disabled: "((SELECT r.role FROM user_roles r WHERE r.user_id = u.id) = 'banned')"}, "Config.Disabled"},
	} {
		a := newApp(t, integerUsers, sqlstore.Config{})
		a.exec(t, "CREATE TABLE user_roles (user_id BIGINT UNSIGNED, role VARCHAR(20))")
		a.exec(t, "INSERT INTO users (id, name, session_epoch, disabled, roles) VALUES (1, 'a', 1, 0, ''), (2, 'b', 1, 0, '')")
		a.exec(t, "INSERT INTO user_roles VALUES (1, 'x'), (2, 'x'), (2, 'y')")
		log := new(bytes.Buffer)
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
		err := newStore(t, a.db, c.cfg).Migrate(t.Context())
		slog.SetDefault(before)
		text, want := strings.ReplaceAll(log.String(), `\"`, `"`), 1
		if c.says == "" {
			want = 0
		}
		if err != nil || strings.Count(text, "level=WARN") != want || !strings.Contains(text, c.says) || want > 0 && !strings.Contains(text, "more than 1 row") {
			t.Errorf("%s: %v, the log is %s", name, err, text)
		}
	}
}
