package stores

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// privacyPage returns docs/privacy.md.
func privacyPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// statements returns the SQL below a heading of the page.
func statements(t *testing.T, page, heading string) (all []string) {
	t.Helper()
	_, section, found := strings.Cut(page, "\n### "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n#")
	for i, part := range strings.Split(section, "```") {
		if block, isSQL := strings.CutPrefix(part, "sql\n"); isSQL && i%2 == 1 {
			for statement := range strings.SplitSeq(block, ";\n") {
				if statement != "" {
					all = append(all, statement)
				}
			}
		}
	}
	if !found || len(all) == 0 {
		t.Fatalf("docs/privacy.md has no SQL below %q", heading)
	}
	return all
}

// forKind returns what replaces user_id = 42 for another IDKind, by the table of the page.
func forKind(t *testing.T, page string, kind sqlstore.IDKind, column int) string {
	t.Helper()
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| `"+kind.String()+"` |") {
			return strings.Trim(strings.Split(line, "|")[column], " `")
		}
	}
	t.Fatalf("docs/privacy.md has no line for %s", kind)
	return ""
}

// text returns the columns of a query, and its rows, one a line.
func text(t *testing.T, on *sql.Conn, query string) (columns []string, lines string) {
	t.Helper()
	rows, err := on.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if v.Valid {
				fmt.Fprintf(&all, "%s=%s ", columns[i], v.String)
			}
		}
		all.WriteString("\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns, all.String()
}

// privacyWorld is a database in which each text that concerns a person begins with that person's
// name: ann, whose id is that of the page, bob, and an administrator.
type privacyWorld struct {
	*testing.T
	rows *sqlstore.Store
	log  *sqlstore.AuditLog
}

// session adds a session of a user; the texts of its client begin with who.
func (w privacyWorld) session(id byte, userID, who, client string, actor string) {
	w.Helper()
	n := store.NewSession{
		ID: store.ID{id, 0xfe}, UserID: userID, Lifetime: time.Hour, RetainFor: time.Hour, UserAgent: client + "-agent", IP: client + "-ip",
		Fingerprint: store.Digest{id, 0xfd},
		Facts:       store.Facts{Methods: []string{who + "-method"}, ExternalID: who + "-external", Client: who + "-client", Data: map[string]string{"x": who + "-data"}, Actor: actor},
	}
	if actor != "" {
		n.ActorSession = store.ID{0xac, id}
	}
	if err := w.rows.Create(w.Context(), n); err != nil {
		w.Fatal(err)
	}
}

// device adds the login of a device from which the session began.
func (w privacyWorld) device(id byte, who string) {
	w.Helper()
	done, err := w.rows.CreateDeviceLogin(w.Context(), store.NewDeviceLogin{
		ID: store.ID{id, 0xfe}, UserCode: store.Digest{id}, Client: who + "-tv", UserAgent: who + "-tvagent", IP: who + "-tvip", Network: who + "-network",
		Lifetime: time.Minute, Interval: time.Second,
	}, 10)
	if err != nil || !done {
		w.Fatal(done, err)
	}
}

func (w privacyWorld) entry(id byte, userID, actor, who, client string) {
	w.Helper()
	e := store.AuditEntry{ID: store.ID{8: id}, At: time.Now(), Action: store.AuditUserEnded, UserID: userID, Actor: actor, IP: client + "-auditip", UserAgent: client + "-auditagent", Detail: who + "-detail"}
	if actor != "" {
		e.ActorSession = store.ID{0xac, id}
	}
	if err := w.log.Append(w.Context(), []store.AuditEntry{e}); err != nil {
		w.Fatal(err)
	}
}

// secret are the columns that no export has: digests of random numbers.
var secret = []string{"confirmed", "previous", "live", "user_code"}

// The statements of docs/privacy.md export all of one person and nothing of another, and after
// the deletion nothing is left of that person, and everything of the other.
func TestPrivacy_StatementsExportAndDeleteOnePerson(t *testing.T) {
	page := privacyPage(t)
	number := func(id string) string { return id }
	quoted := func(id string) string { return "'" + id + "'" }
	digits := func(id string) string { return "x'" + strings.ReplaceAll(id, "-", "") + "'" }
	for i, d := range []struct {
		name     string
		dialect  sqlstore.Dialect
		open     func(*testing.T) *sql.DB
		uuidType string
		uuid     func(string) string
		textType string
	}{
		{"MySQL and MariaDB", sqlstore.MySQL, func(t *testing.T) *sql.DB {
			db, err := sql.Open("mysql", dbtest.Database(t, "multiStatements=true"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		}, "BINARY(16)", digits, "VARCHAR(50)"},
		{"PostgreSQL", sqlstore.PostgreSQL, func(t *testing.T) *sql.DB { return postgres(t) }, "UUID", quoted, "TEXT"},
		{"SQLite", sqlstore.SQLite, sqlite, "BLOB", digits, "TEXT"},
	} {
		for _, k := range []struct {
			kind     sqlstore.IDKind
			column   string
			value    func(string) string
			ann, bob string
		}{
			{sqlstore.Integer, "INTEGER", number, "42", "987654321"},
			{sqlstore.UUID, d.uuidType, d.uuid, "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8c", "0190b5a8-7c1e-7b1a-8c6f-3d2f1e0a9b8d"},
			{sqlstore.Text, d.textType, quoted, "ada", "bob"},
		} {
			t.Run(d.name+"/"+k.kind.String(), func(t *testing.T) {
				isAnn := "user_id = 42"
				if k.kind != sqlstore.Integer {
					isAnn = forKind(t, page, k.kind, i+2)
				}
				ofAnn := strings.NewReplacer("user_id = 42", isAnn, "'42'", quoted(k.ann))

				db := d.open(t)
				execute(t, db, "CREATE TABLE users (id "+k.column+" NOT NULL PRIMARY KEY, session_epoch BIGINT NOT NULL, disabled BOOLEAN NOT NULL, roles VARCHAR(50))")
				execute(t, db, "INSERT INTO users VALUES ("+k.value(k.ann)+", 1, FALSE, ''), ("+k.value(k.bob)+", 1, FALSE, '')")
				rows, err := sqlstore.New(db, sqlstore.Config{Dialect: d.dialect, IDKind: k.kind})
				if err != nil {
					t.Fatal(err)
				}
				w := privacyWorld{t, rows, rows.AuditLog(0)}
				if err := errors.Join(rows.Migrate(t.Context()), w.log.Migrate(t.Context())); err != nil {
					t.Fatal(err)
				}
				w.session(1, k.ann, "ann", "ann", "")
				w.session(2, k.ann, "ann2", "ann2", "admin")   // the administrator acts as Ann
				w.session(3, k.bob, "bob", "annacting", k.ann) // Ann acts as Bob
				w.session(4, k.bob, "bob", "bob", "")
				w.device(1, "ann")
				w.device(4, "bob")
				w.device(5, "stranger") // nobody has approved it
				w.entry(1, k.ann, "", "ann", "ann")
				w.entry(2, k.bob, k.ann, "bob", "annacting")
				w.entry(3, k.bob, "", "bob", "bob")
				w.entry(4, k.bob, "admin", "bob", "admin")

				on, err := db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer on.Close()
				all := func(table string) string {
					_, lines := text(t, on, "SELECT * FROM "+table)
					return lines
				}

				var export string
				exported := map[string][]string{} // the columns of the first export of each table
				for _, query := range statements(t, page, "Export: "+d.name) {
					columns, lines := text(t, on, ofAnn.Replace(query))
					export += lines
					table := strings.Fields(query[strings.Index(query, "FROM "):])[1]
					if exported[table] == nil {
						exported[table] = columns
					}
				}
				for _, want := range []string{
					store.ID{1, 0xfe}.String(), store.ID{2, 0xfe}.String(), store.ID{3, 0xfe}.String(), fmt.Sprintf("%x", store.Digest{1, 0xfd}),
					"ann-agent", "ann-ip", "ann-method", "ann-external", "ann-client", "ann-data", "ann2-agent", "annacting-agent", "annacting-ip", "actor=admin",
					"ann-tv ", "ann-tvagent", "ann-tvip", "ann-network", "ann-auditip", "ann-auditagent", "ann-detail", "annacting-auditip", "annacting-auditagent",
				} {
					if !strings.Contains(export, want) {
						t.Errorf("the export lacks %q: %q", want, export)
					}
				}
				for _, other := range []string{"bob", "stranger", "admin-audit", k.bob, store.ID{4, 0xfe}.String()} {
					if strings.Contains(export, other) {
						t.Errorf("the export has %q of somebody else: %q", other, export)
					}
				}
				for _, table := range []string{"sessions", "sessions_devices", "sessions_audit"} {
					columns, _ := text(t, on, "SELECT * FROM "+table+" WHERE 1 = 0")
					for _, c := range columns {
						if !slices.Contains(exported[table], c) && !slices.Contains(secret, c) {
							t.Errorf("the export has no column %s of %s", c, table)
						}
						if !strings.Contains(page, "`"+c+"`") {
							t.Errorf("docs/privacy.md does not say what %s of %s is", c, table)
						}
					}
				}

				before, err := rows.Find(t.Context(), store.ID{4, 0xfe})
				if err != nil {
					t.Fatal(err)
				}
				for _, statement := range statements(t, page, "Delete: "+d.name) {
					if _, err := on.ExecContext(t.Context(), ofAnn.Replace(statement)); err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
				}
				left := all("sessions") + all("sessions_devices") + all("sessions_audit")
				for _, gone := range []string{"ann", "user_id=" + k.ann + " ", "actor=" + k.ann + " "} {
					if strings.Contains(left, gone) {
						t.Errorf("%q is left after the deletion: %q", gone, left)
					}
				}
				after, err := rows.Find(t.Context(), store.ID{4, 0xfe})
				if err != nil || after.Record == nil || !reflect.DeepEqual(after.Record, before.Record) {
					t.Errorf("Bob's session is %+v, %v; want %+v", after.Record, err, before.Record)
				}
				if list, err := rows.List(t.Context(), k.bob, store.ID{}, 10); err != nil || len(list) != 1 {
					t.Errorf("Bob has the sessions %v, %v; want one", list, err)
				}
				for _, id := range []byte{4, 5} {
					if _, device, err := rows.FindDeviceLogin(t.Context(), store.ID{id, 0xfe}); err != nil || device == nil {
						t.Errorf("the device %d of somebody else: %v, %v", id, device, err)
					}
				}
				entries, err := w.log.Entries(t.Context(), sqlstore.AuditQuery{})
				var actors []string // and their sessions and addresses
				for _, e := range entries {
					if e.UserID == k.bob && e.Detail == "bob-detail" {
						actors = append(actors, fmt.Sprintf("%s %t %s", e.Actor, e.ActorSession.IsZero(), e.IP))
					}
				}
				if want := []string{"deleted true ", " true bob-auditip", "admin false admin-auditip"}; err != nil || len(entries) != 3 || !slices.Equal(actors, want) {
					t.Errorf("the log has %+v, %v; want that of Bob, by %q", entries, err, want)
				}
			})
		}
	}
}
