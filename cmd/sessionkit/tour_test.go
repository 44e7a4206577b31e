package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// seenWithin bounds how long the tour may serve a session that a command has ended. It asks the database once a
// second, and the machine may be busy.
const seenWithin = 3 * time.Second

// Each command runs beside example/tour, on the same database: the app sees what a command changes, and nothing else
// changes. What differs between the databases has a golden file for each.
func TestTour(t *testing.T) {
	t.Parallel()
	programs := buildPrograms(t)
	tenants := func(aggregate string) string {
		return "(SELECT " + aggregate + " FROM members m WHERE m.user_id = u.id)"
	}
	for _, c := range []struct {
		dialect, driver, tenants string
		dsn                      func(t *testing.T, folder string) string
	}{
		{"sqlite", "sqlite", tenants("group_concat(m.tenant ORDER BY m.tenant)"), func(_ *testing.T, folder string) string {
			return "file:" + filepath.Join(folder, "app.db") + "?_pragma=busy_timeout(1500)&_pragma=journal_mode(WAL)"
		}},
		{"mysql", "mysql", tenants("group_concat(m.tenant ORDER BY m.tenant)"), func(t *testing.T, _ string) string { return dbtest.Database(t, "interpolateParams=true") }},
		{"postgres", "pgx", tenants("string_agg(m.tenant, ',' ORDER BY m.tenant)"), func(t *testing.T, _ string) string { return dbtest.PostgresDatabase(t) }},
	} {
		t.Run(c.dialect, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			w := &tour{world: &world{folder: folder, dialect: c.dialect, dsn: c.dsn(t, folder)}, programs: programs, keys: filepath.Join(folder, "app.keys")}
			w.args = []string{"-oidc", startProvider(t) + "," + providerClient + "," + providerSecret}
			w.env = map[string]string{"DATABASE_DSN": w.dsn, "SUDO_USER": "alice", "SESSIONKIT_CONFIG": w.writeConfig(t, `{
				"dialect": "`+c.dialect+`", "dsn_env": "DATABASE_DSN",
				"attrs": {"name": "name", "email": "email", "tenants": "`+c.tenants+`"}
			}`)}
			w.start(t)
			var err error
			if w.db, err = sql.Open(c.driver, w.dsn); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.db.Close() })
			dbtest.Suite(t, w.db, "the command line beside the tour")

			w.preparesTheDatabase(t)
			w.showsAndEndsSessions(t)
			w.changesTheKey(t)
		})
	}
}

// preparesTheDatabase takes the kit's tables away from the app's, and makes them again.
func (w *tour) preparesTheDatabase(t *testing.T) {
	w.stop(t)
	for _, table := range []string{"sessions", "sessions_devices", "sessions_epoch"} {
		w.exec(t, "DROP TABLE "+table)
	}
	w.prints(t, "doctor-no-tables."+w.dialect+".txt", exitFailed, "doctor")
	w.prints(t, "migrate-without-yes."+w.dialect+".txt", exitUsage, "migrate")
	w.prints(t, "migrate.txt", exitDone, "migrate", "-yes")
	w.prints(t, "migrate-again.txt", exitDone, "migrate")
	w.prints(t, "schema."+w.dialect+".txt", exitDone, "schema")
	w.start(t)
}

func (w *tour) showsAndEndsSessions(t *testing.T) {
	firefox := w.login(t, "Firefox", "ada")
	chromium := w.login(t, "Chromium", "ada")
	script := chromium.mint(t, "backup script")
	safari := w.login(t, "Safari", "grace")
	acting := safari.act(t, "Safari, as Ada", "1")
	edge := w.loginByProvider(t, "Edge")

	w.prints(t, "stats.txt", exitDone, "stats")
	w.prints(t, "stats.json", exitDone, "stats", "-json")
	w.prints(t, "list.txt", exitDone, "list", "-user", "1")
	w.prints(t, "list.json", exitDone, "list", "-user", "1", "-json")
	w.prints(t, "show.txt", exitDone, "show", firefox.id)
	w.prints(t, "show.json", exitDone, "show", script.id, "-json")
	w.prints(t, "show-acting.txt", exitDone, "show", acting.id)
	w.prints(t, "doctor."+w.dialect+".txt", exitDone, "doctor")
	w.prints(t, "doctor."+w.dialect+".json", exitDone, "doctor", "-user", "1", "-json")
	var found []shownSession
	w.run(t, "list", "-user", edge.user, "-json").decode(t, &found)
	if len(found) != 1 || found[0].ExternalID == "" {
		t.Fatalf("the session by the provider is listed as %+v", found)
	}
	w.masked = map[string]string{found[0].ExternalID: "EXTERNAL-ID"}

	all := []*client{firefox, chromium, script, safari, acting, edge}
	serves(t, all...)
	w.prints(t, "revoke-without-yes.txt", exitUsage, "revoke", "-user", "1")
	w.prints(t, "revoke-not-found.txt", exitNotFound, "revoke", firefox.id, "-user", "2", "-yes")
	w.prints(t, "revoke-nobody.txt", exitDone, "revoke", "-user", "99", "-yes")
	serves(t, all...)
	var took []string
	end := func(file string, ended []*client, args ...string) {
		t.Helper()
		others := slices.DeleteFunc(slices.Clone(all), func(c *client) bool { return slices.Contains(ended, c) })
		took = append(took, fmt.Sprintf("%s %d ms", strings.TrimSuffix(file, filepath.Ext(file)), w.ends(t, file, ended, others, args...).Milliseconds()))
		all = others
	}
	end("revoke-session.txt", []*client{firefox}, "revoke", firefox.id, "-user", "1", "-yes")
	end("revoke-program.json", []*client{script}, "revoke", script.id, "-user", "1", "-yes", "-json")
	w.prints(t, "show-revoked.txt", exitDone, "show", firefox.id)
	w.prints(t, "show-revoked.json", exitDone, "show", firefox.id, "-json")
	end("revoke-external.json", []*client{edge}, "revoke", "-external", found[0].ExternalID, "-yes", "-json")
	end("revoke-administrator.txt", []*client{safari, acting}, "revoke", "-user", "2", "-yes")
	w.prints(t, "show-acting-over.txt", exitDone, "show", acting.id)

	firefox = w.login(t, "Firefox", "ada")
	safari = w.login(t, "Safari", "grace")
	all = append(all, firefox, safari)
	end("revoke-user-except.json", []*client{firefox}, "revoke", "-user", "1", "-except", chromium.id, "-yes", "-json")
	end("revoke-all.txt", []*client{chromium, safari}, "revoke-all", "-yes")
	w.prints(t, "list-none.json", exitDone, "list", "-user", "1", "-json")

	all = []*client{w.login(t, "Firefox", "ada"), w.login(t, "Safari", "grace")}
	end("revoke-user.txt", all[:1], "revoke", "-user", "1", "-yes")
	end("revoke-all.json", all, "revoke-all", "-yes", "-json")
	w.prints(t, "audit.txt", exitDone, "audit", "-actor", "operator alice")
	w.prints(t, "audit.json", exitDone, "audit", "-actor", "operator alice", "-json")

	t.Logf("after a command has ended, the tour refuses the sessions within: %s", strings.Join(took, ", "))
	dbtest.Report(t, "how soon the tour sees a command", w.dialect+": "+strings.Join(took, ", "))
}

// changesTheKey changes the key of the running tour's file. A restart loads it.
func (w *tour) changesTheKey(t *testing.T) {
	before, err := os.ReadFile(w.keys)
	if err != nil {
		t.Fatal(err)
	}
	restart := func() {
		t.Helper()
		w.stop(t)
		w.start(t)
	}
	rotate := func(file string, code int, args ...string) {
		t.Helper()
		w.prints(t, file, code, append([]string{"key", "rotate", "-file", w.keys, "-step"}, args...)...)
	}
	w.prints(t, "key-new.txt", exitDone, "key", "new")
	w.prints(t, "key-new.json", exitDone, "key", "new", "-json")
	w.prints(t, "key-check.txt", exitDone, "key", "check", "-file", w.keys)
	w.prints(t, "key-check.json", exitDone, "key", "check", "-file", w.keys, "-json")

	old := w.login(t, "Firefox", "ada")
	rotate("key-add-without-yes.txt", exitUsage, "add")
	rotate("key-add.txt", exitDone, "add", "-yes")
	restart()
	serves(t, old)
	rotate("key-use.txt", exitDone, "use", "-yes")
	restart()
	serves(t, old)
	later := w.login(t, "Safari", "grace")
	rotate("key-drop-early.txt", exitFailed, "drop", "-yes")
	rotate("key-drop.txt", exitDone, "drop", "-unused", "-yes")
	restart()
	serves(t, later)
	refuses(t, old) // its cookies are of the old key, and the command was told that there are none
	after, err := os.ReadFile(w.keys)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(splitKeys(string(after))); n != 1 || strings.Contains(string(after), strings.TrimSpace(string(before))) {
		t.Errorf("there are %d keys, or the old one is among them", n)
	}
}
