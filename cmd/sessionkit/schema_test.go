package main

import (
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

const kitTables = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sessions%'"

func TestMigrate_AsksOnlyIfItChangesSomething(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	w.run(t, "migrate").want(t, exitUsage, "pass -yes", "CREATE TABLE IF NOT EXISTS")
	w.terminal = true
	w.runWith(t, "no\n", "migrate").want(t, exitFailed, "nothing was done")
	w.run(t, "doctor").want(t, exitFailed, "migrate would change them", "run sessionkit migrate", "not measured: the database is not ready")
	if n := w.count(t, kitTables); n != 0 {
		t.Fatalf("there are %d tables of the kit", n)
	}
	w.runWith(t, "yes\n", "migrate").want(t, exitDone, "done: the tables are those of this release")
	if n := w.count(t, kitTables); n != 3 {
		t.Fatalf("there are %d tables of the kit", n)
	}
	w.terminal = false
	w.run(t, "migrate").want(t, exitDone, "nothing to do")
	w.run(t, "doctor").want(t, exitDone, "as this release needs them")

	w.exec(t, "DELETE FROM sessions_epoch")
	w.run(t, "migrate").want(t, exitUsage, "pass -yes", "INSERT INTO")
	w.run(t, "doctor").want(t, exitFailed, "INSERT INTO")
	w.run(t, "migrate", "-yes").want(t, exitDone)
	if n := w.count(t, "SELECT COUNT(*) FROM sessions_epoch"); n != 1 {
		t.Errorf("the epoch table has %d rows", n)
	}
}

// Both commands name all faults of the app's table, with the statements that mend them.
func TestMigrate_PrintsTheRemedies(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	w.exec(t, "ALTER TABLE users DROP COLUMN session_epoch")
	w.exec(t, "ALTER TABLE users DROP COLUMN roles")
	w.run(t, "doctor").want(t, exitFailed, "fault: ", "ADD COLUMN `session_epoch`", "ADD COLUMN `roles`", "each one above says what to do")
	if n := w.count(t, kitTables); n != 0 {
		t.Fatalf("there are %d tables of the kit", n)
	}
	w.run(t, "migrate", "-yes").want(t, exitFailed, "ADD COLUMN `session_epoch`", "ADD COLUMN `roles`")
	var d diagnosis
	a := w.run(t, "doctor", "-json")
	a.want(t, exitFailed)
	a.decode(t, &d)
	if len(d.Faults) != 2 || d.ClockAhead != nil || d.Refresh != nil || d.NotMeasured == "" {
		t.Errorf("the diagnosis is %+v", d)
	}
}

func TestDoctor_PrintsWarnings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(t, "UPDATE users SET disabled = 1")
	var d diagnosis
	a := w.run(t, "doctor", "-json")
	a.want(t, exitDone, "warning: ", "refuses all of the first 3 users")
	a.decode(t, &d)
	if len(d.Warnings) != 1 {
		t.Errorf("the warnings are %q", d.Warnings)
	}
	if n := strings.Count(w.run(t, "migrate").err, "warning: "); n != 1 {
		t.Errorf("migrate warns %d times", n)
	}
	w.run(t, "doctor", "-user", "1").want(t, exitFailed, "not measured", "disabled")
}

// The login of doctor ends no session of the user's, and its own ends with it.
func TestDoctor_LeavesSessionsAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const others = 21 // more than a Manager with the defaults lets live
	_, b := w.login(t, session.Login{UserID: "1"}, "")
	for range others - 1 {
		w.login(t, session.Login{UserID: "1"}, "")
	}
	w.run(t, "doctor", "-user", "1").want(t, exitDone, "2 statements in", "the session of this login was ended")
	if n := w.count(t, "SELECT COUNT(*) FROM sessions WHERE revoked_at IS NULL"); n != others {
		t.Errorf("%d sessions are live; want %d", n, others)
	}
	if n := w.count(t, "SELECT COUNT(*) FROM sessions WHERE revoked_at IS NOT NULL"); n != 1 {
		t.Errorf("%d sessions have ended; want that of doctor", n)
	}
	if !w.isLive(b) {
		t.Error("a session has ended")
	}
}

func TestSchema_IsThatOfTheConfiguration(t *testing.T) {
	t.Parallel()
	w := newDatabase(t)
	w.env = map[string]string{"SESSIONKIT_CONFIG": w.writeConfig(t, `{"dialect": "postgres", "dsn_env": "NONE", "sessions": "logins", "id_kind": "uuid"}`)}
	want, err := sqlstore.Schema(sqlstore.Config{Dialect: sqlstore.PostgreSQL, Sessions: "logins", IDKind: sqlstore.UUID})
	if err != nil {
		t.Fatal(err)
	}
	a := w.run(t, "schema") // no database is needed
	a.want(t, exitDone)
	if a.out != want {
		t.Errorf("the schema is\n%s", a.out)
	}
}

func TestWatch_RefusesChangesOnly(t *testing.T) {
	t.Parallel()
	w := &watch{}
	refused := w.examine(func() {
		for query, want := range map[string]bool{
			"SELECT 1": true, "EXPLAIN DELETE FROM t": true, "SELECT created_at FROM t": true, "DO GET_LOCK('x', 1)": true, "SET SESSION lock_wait_timeout = 1": true,
			"CREATE TABLE t (id INT)": false, "\n\tUPDATE t SET a = 1": false, "insert into t values (1)": false, "ALTER TABLE t ADD a INT": false, "DELETE FROM t": false,
		} {
			if err := w.pass(query); (err == nil) != want {
				t.Errorf("%q: %v", query, err)
			}
		}
	})
	if len(refused) != 5 {
		t.Errorf("refused: %q", refused)
	}
	if err := w.pass("DELETE FROM t"); err != nil {
		t.Errorf("after the examination: %v", err)
	}
}
