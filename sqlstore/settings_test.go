package sqlstore_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// setting is one way in which an operator may have configured a server or a connection.
type setting struct {
	name  string
	only  string // the server that knows it, MariaDB or MySQL; empty: both
	param string // of the DSN, for the store's connections; several are separated by &
	text  string // the character set and collation of the database; empty: utf8mb4

	capitals bool   // the tables have capital letters in their names, and others in statements
	check    string // a query of one value, which is 1 if the setting is in effect
}

// sessionSettings are those of a connection or of a database.
var sessionSettings = []setting{
	{name: "sql_mode ANSI", param: "sql_mode='ANSI,STRICT_TRANS_TABLES'", check: "SELECT @@sql_mode LIKE '%ANSI_QUOTES%'"},
	{name: "sql_mode ANSI, interpolated", param: "sql_mode='ANSI,STRICT_TRANS_TABLES'&interpolateParams=true", check: "SELECT @@sql_mode LIKE '%ANSI_QUOTES%'"},
	{name: "sql_mode NO_BACKSLASH_ESCAPES", param: "sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'", check: "SELECT @@sql_mode LIKE '%NO_BACKSLASH%'"},
	{name: "sql_mode NO_BACKSLASH_ESCAPES, interpolated", param: "sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'&interpolateParams=true", check: "SELECT @@sql_mode LIKE '%NO_BACKSLASH%'"},
	{
		name: "sql_mode TRADITIONAL and the odd ones",
		param: "sql_mode='TRADITIONAL,ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION," +
			"REAL_AS_FLOAT,NO_AUTO_VALUE_ON_ZERO,NO_DIR_IN_CREATE'",
		check: "SELECT @@sql_mode LIKE '%HIGH_NOT%'",
	},
	{name: "sql_mode TIME_TRUNCATE_FRACTIONAL", only: "MySQL", param: "sql_mode='TRADITIONAL,TIME_TRUNCATE_FRACTIONAL'", check: "SELECT @@sql_mode LIKE '%TRUNCATE_F%'"},
	{
		name: "sql_mode of MariaDB alone", only: "MariaDB", param: "sql_mode='STRICT_ALL_TABLES,SIMULTANEOUS_ASSIGNMENT,TIME_ROUND_FRACTIONAL'",
		check: "SELECT @@sql_mode LIKE '%SIMULTANEOUS%'",
	},
	{name: "SERIALIZABLE", param: "{isolation}='SERIALIZABLE'", check: "SELECT @@{isolation} = 'SERIALIZABLE'"},
	{name: "READ COMMITTED", param: "{isolation}='READ-COMMITTED'", check: "SELECT @@{isolation} = 'READ-COMMITTED'"},
	{name: "READ UNCOMMITTED", param: "{isolation}='READ-UNCOMMITTED'", check: "SELECT @@{isolation} = 'READ-UNCOMMITTED'"},
	{name: "compress", param: "compress=true", check: "SELECT VARIABLE_VALUE = 'ON' FROM {status} WHERE VARIABLE_NAME = 'Compression'"},
	{name: "max_join_size", param: "max_join_size=100000", check: "SELECT @@max_join_size = 100000 AND NOT @@sql_big_selects"},
	{name: "sql_safe_updates", param: "sql_safe_updates=1", check: "SELECT @@sql_safe_updates"},
	{name: "sql_require_primary_key", only: "MySQL", param: "sql_require_primary_key=1", check: "SELECT @@sql_require_primary_key"},
	{name: "a database in latin1", text: "latin1", check: "SELECT @@character_set_database = 'latin1'"},
	{
		name: "utf8mb4_0900_bin", only: "MySQL", text: "utf8mb4 COLLATE utf8mb4_0900_bin", param: "collation_connection='utf8mb4_0900_bin'",
		check: "SELECT @@collation_database = 'utf8mb4_0900_bin' AND @@collation_connection = 'utf8mb4_0900_bin'",
	},
	{
		name: "utf8mb4_nopad_bin", only: "MariaDB", text: "utf8mb4 COLLATE utf8mb4_nopad_bin", param: "collation_connection='utf8mb4_nopad_bin'",
		check: "SELECT @@collation_database = 'utf8mb4_nopad_bin' AND @@collation_connection = 'utf8mb4_nopad_bin'",
	},
}

// serverOptions are those of a server that has all settings that only a server can have.
var serverOptions = map[string][]string{
	"both": {
		"--lower-case-table-names=1", "--character-set-server=latin1", "--collation-server=latin1_swedish_ci",
		"--log-bin=binlog", "--server-id=1", "--innodb-strict-mode=ON",
	},
	"MySQL":   {"--gtid-mode=ON", "--enforce-gtid-consistency=ON"},
	"MariaDB": {"--gtid-strict-mode=ON", "--innodb-force-primary-key=ON"},
}

// serverSettings are run on that server.
var serverSettings = []setting{
	{name: "binlog ROW, GTID, lower_case_table_names=1, latin1", param: "binlog_format=ROW", capitals: true, check: onServer + " AND @@binlog_format = 'ROW'"},
	{name: "binlog STATEMENT, GTID, lower_case_table_names=1, latin1", param: "binlog_format=STATEMENT", capitals: true, check: onServer + " AND @@binlog_format = 'STATEMENT'"},
	{
		name: "binlog MIXED, SERIALIZABLE, a database in latin1", param: "binlog_format=MIXED&{isolation}='SERIALIZABLE'", text: "latin1",
		check: onServer + " AND @@binlog_format = 'MIXED' AND @@{isolation} = 'SERIALIZABLE' AND @@character_set_database = 'latin1'",
	},
}

const onServer = "SELECT @@log_bin AND @@lower_case_table_names = 1 AND @@character_set_server = 'latin1' AND {gtid}"

// placeholders are what the two servers call differently.
var placeholders = map[string]*strings.Replacer{
	"MySQL":   strings.NewReplacer("{isolation}", "transaction_isolation", "{status}", "performance_schema.session_status", "{gtid}", "@@gtid_mode = 'ON'"),
	"MariaDB": strings.NewReplacer("{isolation}", "tx_isolation", "{status}", "information_schema.SESSION_STATUS", "{gtid}", "@@gtid_strict_mode"),
}

// app is an app with integer ids, whose store has the setting. The app's own statements
// have not: the contract also needs some that a setting may forbid.
func (s setting) app(t *testing.T, newDSN func(tb testing.TB, params ...string) string) app {
	t.Helper()
	dsn := newDSN(t)
	a := app{db: openDSN(t, dsn)}
	users := integerUsers
	cfg := sqlstore.Config{Attrs: map[string]string{"name": "name"}}
	if s.capitals {
		users = strings.Replace(users, "TABLE users", "TABLE Users", 1)
		cfg.Users, cfg.Sessions = "Users", "Sessions"
	}
	if s.text != "" {
		a.exec(t, "ALTER DATABASE CHARACTER SET "+s.text)
	}
	a.exec(t, users)

	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	db := openDSN(t, dsn+separator+s.param)
	if value := ask(t, db, s.check); value != "1" {
		t.Fatalf("the setting is not in effect: %s: %s", s.check, value)
	}
	a.Store = newStore(t, db, cfg)
	for range 2 { // the second time, it finds its tables
		if err := a.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// emptied returns the app without its rows.
func (a app) emptied(t *testing.T) storetest.Backend {
	t.Helper()
	for _, statement := range []string{"DELETE FROM users", "DELETE FROM sessions", "DELETE FROM sessions_devices", "UPDATE sessions_epoch SET epoch = 1, refresh_epoch = 1"} {
		a.exec(t, statement)
	}
	return a.backend()
}

func TestStore_KeepsTheContractWithEverySetting(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute")
	}
	kind := "MySQL"
	if version := ask(t, open(t), "SELECT VERSION()"); strings.Contains(version, "MariaDB") {
		kind = "MariaDB"
	}
	var ran, unknown []string
	run := func(settings []setting, newDSN func(tb testing.TB, params ...string) string) {
		for _, s := range settings {
			if s.only != "" && s.only != kind {
				unknown = append(unknown, s.name)
				continue
			}
			s.param, s.check = placeholders[kind].Replace(s.param), placeholders[kind].Replace(s.check)
			if t.Run(s.name, func(t *testing.T) {
				storetest.Run(t, s.app(t, newDSN).emptied)
			}) {
				ran = append(ran, s.name)
			}
		}
	}
	run(sessionSettings, dbtest.Database)
	run(serverSettings, dbtest.StartWith(t, slices.Concat(serverOptions["both"], serverOptions[kind])...).Database)
	const report = "the contract of the store with the settings of a server"
	for about, names := range map[string][]string{"passed": ran, "not known to " + kind: unknown} {
		t.Logf("%s: %s", about, strings.Join(names, ", "))
		dbtest.Report(t, report, about+": "+strings.Join(names, ", "))
	}
}

// ask returns the value that a query returns.
func ask(t *testing.T, db *sql.DB, query string) (value string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}
