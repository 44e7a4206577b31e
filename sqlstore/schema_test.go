package sqlstore_test

import (
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

const binaryType = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

// schemaCases are Configs whose schemas differ, with a users table for each and the
// IDColumnType that the function Schema needs.
var schemaCases = map[string]struct {
	users        string
	cfg          sqlstore.Config
	idColumnType string
}{
	"integer":     {integerUsers, sqlstore.Config{}, ""},
	"other names": {integerUsers, sqlstore.Config{Sessions: "logins"}, ""},
	"UUID":        {usersWithID("BINARY(16)"), sqlstore.Config{IDKind: sqlstore.UUID}, ""},
	"text":        {usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"), sqlstore.Config{IDKind: sqlstore.Text}, binaryType},
	"case-insensitive text": {usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"), sqlstore.Config{IDKind: sqlstore.Text},
		"VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"},
	"latin text":  {usersWithID("CHAR(26) CHARACTER SET latin1 COLLATE latin1_bin"), sqlstore.Config{IDKind: sqlstore.Text}, "VARCHAR(255) CHARACTER SET latin1 COLLATE latin1_bin"},
	"binary text": {usersWithID("VARBINARY(64)"), sqlstore.Config{IDKind: sqlstore.Text}, "VARBINARY(255)"},
}

// A migration tool runs the SQL of Schema before the app starts. Migrate must find
// nothing to create, and the tables must be the same as those that Migrate creates.
func TestSchema_LeavesMigrateNothingToDo(t *testing.T) {
	for name, c := range schemaCases {
		t.Run(name, func(t *testing.T) {
			a := app{db: open(t, "multiStatements=true")}
			a.exec(t, c.users)
			a.Store = newStore(t, a.db, c.cfg)
			text := a.schema(t)
			for range 2 { // it may be run again
				a.exec(t, text)
			}
			a.db.SetMaxOpenConns(1)
			before := a.written(t)
			if err := a.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if after := a.written(t); after != before {
				t.Errorf("Migrate wrote: the counters were %s, and are %s", before, after)
			}

			other := newApp(t, c.users, c.cfg)
			for _, table := range []string{"sessions", "sessions_devices", "sessions_epoch"} {
				if c.cfg.Sessions != "" {
					table = strings.Replace(table, "sessions", c.cfg.Sessions, 1)
				}
				if got, want := a.table(t, table), other.table(t, table); got != want {
					t.Errorf("Schema creates\n%s\nMigrate creates\n%s", got, want)
				}
			}
		})
	}
}

func TestSchema_IsTheSameWithAndWithoutADatabase(t *testing.T) {
	for name, c := range schemaCases {
		t.Run(name, func(t *testing.T) {
			a := app{db: open(t)}
			a.exec(t, c.users)
			a.Store = newStore(t, a.db, c.cfg)
			fromDatabase := a.schema(t)
			cfg := c.cfg
			cfg.IDColumnType = c.idColumnType
			text, err := sqlstore.Schema(cfg)
			if err != nil || text != fromDatabase {
				t.Errorf("Schema(cfg) returns %v and\n%s\nStore.Schema returns\n%s", err, text, fromDatabase)
			}
			a.Store = newStore(t, a.db, cfg)
			if got := a.schema(t); got != text {
				t.Errorf("with IDColumnType Store.Schema returns\n%s\nwant\n%s", got, text)
			}
		})
	}
}

func TestSchema_ChangesNothing(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, usersWithID("VARCHAR(64)"))
	a.Store = newStore(t, a.db, sqlstore.Config{IDKind: sqlstore.Text})
	a.db.SetMaxOpenConns(1)
	before := a.written(t)
	a.schema(t)
	if after := a.written(t); after != before {
		t.Errorf("Schema wrote: the counters were %s, and are %s", before, after)
	}
}

// Every migration tool can tell the statements apart: none has a comment, and each
// ends with the only semicolon in it.
func TestSchema_IsStatementsThatEndWithASemicolon(t *testing.T) {
	for d := range sqlstore.Dialects {
		text, err := sqlstore.Schema(sqlstore.Config{Dialect: d})
		if err != nil {
			t.Fatal(err)
		}
		statements := strings.SplitAfter(text, ";\n")
		if last := len(statements) - 1; statements[last] != "" {
			t.Errorf("%v: the schema ends with %q; want a semicolon and a newline", d, statements[last])
		} else {
			statements = statements[:last]
		}
		for _, statement := range statements {
			if strings.Count(statement, ";") != 1 || strings.Contains(statement, "--") || strings.ContainsAny(statement, "{}") {
				t.Errorf("%v: the statement has a comment, a placeholder or a semicolon:\n%s", d, statement)
			}
			if !strings.HasPrefix(statement, "CREATE ") && !strings.HasPrefix(statement, "INSERT INTO ") {
				t.Errorf("%v: the statement does not begin with CREATE or INSERT:\n%s", d, statement)
			}
		}
	}
}

func TestSchema_NeedsTheTypeOfATextIDInMySQL(t *testing.T) {
	text, err := sqlstore.Schema(sqlstore.Config{IDKind: sqlstore.Text})
	if text != "" || err == nil || !strings.Contains(err.Error(), "Config.IDColumnType: is empty") || !strings.Contains(err.Error(), binaryType) {
		t.Errorf("Schema returned %q, %v; want an error that names Config.IDColumnType and an example", text, err)
	}
	if text, err := sqlstore.Schema(sqlstore.Config{Dialect: sqlstore.SQLite, IDKind: sqlstore.Text}); err != nil || !strings.Contains(text, "user_id          TEXT NOT NULL") {
		t.Errorf("in SQLite: %v\n%s", err, text)
	}
}

func TestSchema_ReportsWhyTheTypeOfATextIDCannotBeRead(t *testing.T) {
	a := app{db: open(t)}
	a.Store = newStore(t, a.db, sqlstore.Config{IDKind: sqlstore.Text})
	fails := func(want string) {
		t.Helper()
		if text, err := a.Schema(t.Context()); text != "" || err == nil || !strings.HasPrefix(err.Error(), "sqlstore: Schema: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("Schema returned %q, %v; want the error %q", text, err, want)
		}
	}
	fails("`users` has no column id")
	a.exec(t, integerUsers)
	fails("`users`.id is bigint unsigned, which is no Text: set Config.IDKind to sqlstore.Integer")
	a.db.Close()
	fails("reading the columns of `users`: sql: database is closed")
}

// The statements are in the error, so that somebody with more privileges can run them.
func TestMigrate_ErrorWithoutCreateContainsTheSchema(t *testing.T) {
	s, root := fault{grants: []string{"SELECT ON {db}.users"}}.create(t)
	root.exec(t, "DROP TABLE sessions, sessions_devices, sessions_epoch")
	text, err := s.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	migrateErr := s.Migrate(t.Context())
	if migrateErr == nil || !strings.Contains(strings.ReplaceAll(migrateErr.Error(), "\n\t", "\n"), strings.TrimSpace(text)) {
		t.Errorf("the error is %v; want one that contains\n%s", migrateErr, text)
	}
}

func TestMigrate_UsesTheIDColumnType(t *testing.T) {
	users := usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	cfg := sqlstore.Config{IDKind: sqlstore.Text, IDColumnType: "varchar(99) character set utf8mb4 collate utf8mb4_bin"}
	a := newApp(t, users, cfg)
	if got := a.table(t, "sessions"); !strings.Contains(got, "`user_id` varchar(99) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL") {
		t.Errorf("Migrate created\n%s", got)
	}
	a.setUser(t, "1", store.User{Epoch: 1})
	if rec := a.login(t); rec == nil || rec.UserID != "1" {
		t.Errorf("the login has the record %+v", rec)
	}
	if err := a.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	wantFaults(t, newStore(t, a.db, sqlstore.Config{IDKind: sqlstore.Text}), "user_id is varchar(99)")
}

// No query uses an index to compare two collations.
func TestMigrate_RefusesAnIDColumnTypeOfAnotherCollation(t *testing.T) {
	a := app{db: open(t)}
	a.exec(t, usersWithID("VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
	for _, columnType := range []string{
		"VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_bin", "VARBINARY(255)",
	} {
		s := newStore(t, a.db, sqlstore.Config{IDKind: sqlstore.Text, IDColumnType: columnType})
		wantFaults(t, s, "Config.IDColumnType is \""+columnType+"\", but `users`.id is varchar(64) character set utf8mb4 collate utf8mb4_bin")
		wantFaults(t, s, "set it to \""+binaryType+"\"")
	}
	if n := a.tables(t); n != 1 {
		t.Errorf("%d tables; want no more than the app's", n)
	}
}

func (a app) schema(t *testing.T) string {
	t.Helper()
	text, err := a.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// table returns the definition of a table.
func (a app) table(t *testing.T, name string) (definition string) {
	t.Helper()
	if err := a.db.QueryRowContext(t.Context(), "SHOW CREATE TABLE "+name).Scan(new(string), &definition); err != nil {
		t.Fatal(err)
	}
	return definition
}

// tables returns the number of tables.
func (a app) tables(t *testing.T) (n int) {
	t.Helper()
	if err := a.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// written returns what the app's only connection has written, as counters.
func (a app) written(t *testing.T) (counters string) {
	t.Helper()
	for _, counter := range []string{"Handler_write", "Handler_update", "Handler_delete", "Com_create_table", "Com_alter_table", "Com_insert"} {
		var name, n string
		if err := a.db.QueryRowContext(t.Context(), "SHOW SESSION STATUS LIKE '"+counter+"'").Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		counters += name + " " + n + " "
	}
	return counters
}
