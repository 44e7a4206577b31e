package sqlstore_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

func (a app) auditLog(t *testing.T, keep time.Duration) *sqlstore.AuditLog {
	t.Helper()
	log := a.AuditLog(keep)
	for range 2 { // the second time it only reads
		if err := log.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func entries(t *testing.T, log *sqlstore.AuditLog, q sqlstore.AuditQuery) []store.AuditEntry {
	t.Helper()
	found, err := log.Entries(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAuditLog_KeepsTheContract(t *testing.T) {
	suite(t, "audit log")
	storetest.RunAudit(t, func(t *testing.T) (store.AuditLog, func() []store.AuditEntry) {
		log := newApp(t, integerUsers, sqlstore.Config{}).auditLog(t, time.Hour)
		return log, func() []store.AuditEntry { return entries(t, log, sqlstore.AuditQuery{}) }
	})
}

func TestAuditLog_EntriesByUserActorAndTimePageByPage(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	log := a.auditLog(t, 0)
	var all []store.AuditEntry
	for i := range 12 {
		all = append(all, store.AuditEntry{
			ID: newID(), At: noon.Add(time.Duration(i/2) * time.Second), Action: store.AuditUserEnded, // two of each moment
			UserID: fmt.Sprint(i % 3), Actor: []string{"", "admin"}[i%4/3], Detail: fmt.Sprint(i),
		})
	}
	if err := log.Append(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		query sqlstore.AuditQuery
		want  string
	}{
		{"all", sqlstore.AuditQuery{}, "0 1 2 3 4 5 6 7 8 9 10 11"},
		{"of a user", sqlstore.AuditQuery{UserID: "1"}, "1 4 7 10"},
		{"by an actor", sqlstore.AuditQuery{Actor: "admin"}, "3 7 11"},
		{"by an actor to a user", sqlstore.AuditQuery{Actor: "admin", UserID: "1"}, "7"},
		{"since a moment", sqlstore.AuditQuery{Since: noon.Add(4 * time.Second)}, "8 9 10 11"},
		{"since a microsecond later", sqlstore.AuditQuery{Since: noon.Add(4*time.Second + time.Microsecond)}, "10 11"},
		{"of another user", sqlstore.AuditQuery{UserID: "1' OR '1'='1"}, ""},
	} {
		for _, limit := range []int{1, 5, 1000} {
			q, got := c.query, []string(nil)
			for q.Limit = limit; ; {
				page := entries(t, log, q)
				if len(page) == 0 {
					break
				}
				for _, e := range page {
					got = append(got, e.Detail)
				}
				q.After = page[len(page)-1]
			}
			slices.SortFunc(got, func(a, b string) int { // two of one moment have any order
				return cmp.Or(len(a)-len(b), strings.Compare(a, b))
			})
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%s, %d a page: %q; want %q", c.name, limit, text, c.want)
			}
		}
	}
	if _, err := log.Entries(t.Context(), sqlstore.AuditQuery{Limit: 1001}); err == nil {
		t.Error("a page of 1001 entries; want an error")
	}
	if err := log.Append(t.Context(), []store.AuditEntry{{ID: newID(), At: time.Now().AddDate(-20, 0, 0), Action: store.AuditLogin}}); err != nil {
		t.Fatal(err)
	}
	if n, err := log.Prune(t.Context(), 100); n != 0 || err != nil {
		t.Errorf("Prune removed %d, %v; want none of a log that keeps all", n, err)
	}
}

// The log grows for years. No query reads more than its page.
func TestAuditLog_EveryStatementUsesAnIndex(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{}, "interpolateParams=true")
	log := a.auditLog(t, time.Hour)
	for i := range 20 {
		batch := make([]store.AuditEntry, 100)
		for j := range batch {
			batch[j] = store.AuditEntry{ID: newID(), At: noon.Add(time.Duration(100*i+j) * time.Second), UserID: fmt.Sprint(j), Actor: fmt.Sprint(-j)}
		}
		if err := log.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	a.exec(t, "ANALYZE TABLE sessions_audit")
	key := make([]byte, 16)
	for query, args := range map[string][]any{
		a.Statements()["listAudit"] + " AND user_id = ? ORDER BY id LIMIT ?": {key, []byte("5"), 10},
		a.Statements()["listAudit"] + " AND actor = ? ORDER BY id LIMIT ?":   {key, []byte("-5"), 10},
		a.Statements()["findOldAudit"]:                                       {key, 10},
		a.Statements()["pruneAudit"]:                                         {key, key, key, key, key, key, key},
	} {
		for _, step := range a.plan(t, query, args...) {
			if step.rows > 40 || step.key == "" {
				t.Errorf("%s reads %d rows of %s by %s, with index %q", query, step.rows, step.table, step.access, step.key)
			}
		}
	}
}

// An account without UPDATE and DELETE can write the log, and change nothing that it has written.
func TestAuditLog_NeedsFewRights(t *testing.T) {
	dsn := dbtest.Database(t)
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	root.auditLog(t, 0)
	limited := root.account(t, dsn, sqlstore.Config{}, "GRANT SELECT, INSERT ON sessions_audit TO app;")
	if err := limited.AuditLog(0).Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	log := limited.AuditLog(time.Hour)
	if err := log.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "GRANT DELETE ON") {
		t.Errorf("%v; want the GRANT that is missing", err)
	}
	e := store.AuditEntry{ID: newID(), At: noon, Action: store.AuditLogin, Detail: "first"}
	for _, detail := range []string{"first", "forged"} {
		e.Detail = detail
		if err := log.Append(t.Context(), []store.AuditEntry{e}); err != nil {
			t.Error(err)
		}
	}
	if got := entries(t, log, sqlstore.AuditQuery{}); len(got) != 1 || got[0].Detail != "first" {
		t.Errorf("%+v; want the first entry", got)
	}
}

func TestAuditLog_MigrateRefusesAnotherTable(t *testing.T) {
	a := newApp(t, integerUsers, sqlstore.Config{})
	a.exec(t, "CREATE TABLE sessions_audit (id INT PRIMARY KEY, note TEXT)")
	err := a.AuditLog(0).Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is not the kit's") {
		t.Errorf("%v; want that the table is not the kit's", err)
	}
	a.exec(t, "DROP TABLE sessions_audit")
	log := a.auditLog(t, 0)
	a.exec(t, "DROP INDEX by_actor ON sessions_audit")
	if err := log.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "CREATE INDEX") {
		t.Errorf("%v; want the index that is missing", err)
	} else {
		a.exec(t, remedies(err)[0])
	}
	if err := log.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

// A log that keeps entries for longer than there are computers keeps them.
func TestAuditLog_TimesBefore1970AreTheOldest(t *testing.T) {
	log := newApp(t, integerUsers, sqlstore.Config{}).auditLog(t, 100*365*24*time.Hour)
	if err := log.Append(t.Context(), []store.AuditEntry{{ID: newID(), At: noon, Action: store.AuditLogin}}); err != nil {
		t.Fatal(err)
	}
	if n, err := log.Prune(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("Prune of a log that keeps entries for 100 years removed %d, %v; want none", n, err)
	}
	if got := entries(t, log, sqlstore.AuditQuery{Since: time.Unix(-1, 0)}); len(got) != 1 {
		t.Errorf("%d entries since 1969; want 1", len(got))
	}
}

// Two entries without an ID would be one.
func TestAuditLog_RefusesWhatItWouldLose(t *testing.T) {
	log := newApp(t, integerUsers, sqlstore.Config{}).auditLog(t, 0)
	for _, e := range []store.AuditEntry{{ID: newID()}, {At: noon}} {
		if err := log.Append(t.Context(), []store.AuditEntry{e}); err == nil || !strings.Contains(err.Error(), "set both") {
			t.Errorf("%+v: %v; want an error", e, err)
		}
	}
	if got := entries(t, log, sqlstore.AuditQuery{}); len(got) != 0 {
		t.Errorf("%+v; want no entry", got)
	}
}
