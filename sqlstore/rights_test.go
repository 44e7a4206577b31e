package sqlstore_test

import (
	"crypto/rand"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// documented returns the lines of the first code block after a heading of docs/operations.md.
func documented(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### "+heading+"\n")
	_, block, opened := strings.Cut(section, "\n```")
	_, block, _ = strings.Cut(block, "\n")
	block, _, closed := strings.Cut(block, "\n```")
	if !found || !opened || !closed {
		t.Fatalf("docs/operations.md has no code block below %q", heading)
	}
	return strings.Split(block, "\n")
}

// account creates an account with these grants, which name it app. It returns a Store of that
// account, with a pool of one connection.
func (a app) account(t *testing.T, dsn string, cfg sqlstore.Config, grants ...string) app {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c.User, c.Passwd = "app_"+strings.ToLower(rand.Text()[:12]), ""
	a.exec(t, "CREATE USER "+c.User)
	t.Cleanup(func() { _, _ = a.db.Exec("DROP USER " + c.User) })
	for _, grant := range grants {
		named := strings.Replace(grant, " TO app;", " TO "+c.User, 1)
		if named == grant {
			t.Fatalf("%s gives nothing to app", grant)
		}
		a.exec(t, named)
	}
	limited := app{db: openDSN(t, c.FormatDSN())}
	limited.db.SetMaxOpenConns(1)
	limited.Store = newStore(t, limited.db, cfg)
	return limited
}

// The documented rights are enough for all that the kit does once the tables exist, and a pool
// of one connection is.
func TestStore_KeepsTheContractWithTheDocumentedRightsAndOneConnection(t *testing.T) {
	suite(t, "documented rights suffice")
	grants := documented(t, "The account's rights")
	grants[0] = strings.Replace(grants[0], "roles)", "roles, name)", 1) // an attribute
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		dsn := dbtest.Database(t)
		root := appOn(t, dsn, integerUsers, sqlstore.Config{})
		limited := root.account(t, dsn, sqlstore.Config{Attrs: map[string]string{"name": "name"}}, grants...)
		if err := limited.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return storetest.Backend{
			Store:      limited.Store,
			SetUser:    func(t *testing.T, id string, u store.User) { root.setUser(t, id, u) },
			RemoveUser: func(t *testing.T, id string) { root.exec(t, "DELETE FROM users WHERE id = ?", id) },

			LoseRevokeAll: root.loseRevokeAll,
			ExpiresAt:     root.expiresAt,

			Alice:  "1",
			Bob:    "18446744073709551615",
			Nobody: "1 OR 1=1",
		}
	})
}

var grantLine = regexp.MustCompile(`^GRANT (SELECT \(.*\)|[A-Z, ]+) (ON \w+ TO app;)$`)

// Without any one of the documented rights Migrate fails, and its error has the GRANT.
func TestMigrate_NamesTheGrantThatIsMissing(t *testing.T) {
	dsn := dbtest.Database(t)
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	grants := documented(t, "The account's rights")
	tried := 0
	for i, grant := range grants {
		parts := grantLine.FindStringSubmatch(grant)
		if parts == nil {
			t.Fatalf("%s is no GRANT", grant)
		}
		privileges := strings.Split(parts[1], ", ")
		if list, ok := strings.CutPrefix(parts[1], "SELECT ("); ok {
			privileges = strings.Split(strings.TrimSuffix(list, ")"), ", ")
		}
		for p, missing := range privileges {
			rest := append([]string{}, privileges[:p]...)
			rest = append(rest, privileges[p+1:]...)
			without := append([]string{}, grants...)
			without[i] = "GRANT " + strings.Join(rest, ", ") + " " + parts[2]
			if strings.HasPrefix(parts[1], "SELECT (") {
				without[i] = "GRANT SELECT (" + strings.Join(rest, ", ") + ") " + parts[2]
			}
			tried++
			limited := root.account(t, dsn, sqlstore.Config{}, without...)
			err := limited.Migrate(t.Context())
			if err == nil {
				t.Errorf("without %s %s Migrate succeeds", missing, parts[2])
				continue
			}
			statements := remedies(err)
			if len(statements) != 1 || !strings.HasPrefix(statements[0], "GRANT ") || !strings.Contains(statements[0], missing) {
				t.Errorf("without %s %s the error has %q:\n%v", missing, parts[2], statements, err)
				continue
			}
			root.exec(t, statements[0])
			if err := limited.Migrate(t.Context()); err != nil {
				t.Errorf("after %s: %v", statements[0], err)
			}
		}
	}
	t.Logf("%d rights", tried)
}

// What the account must be able to do is little: it cannot change the app's table.
func TestMigrate_DocumentedRightsDoNotChangeUsers(t *testing.T) {
	dsn := dbtest.Database(t)
	root := appOn(t, dsn, integerUsers, sqlstore.Config{})
	limited := root.account(t, dsn, sqlstore.Config{}, documented(t, "The account's rights")...)
	for _, statement := range []string{"UPDATE users SET disabled = 0", "DELETE FROM users", "SELECT name FROM users", "DROP TABLE sessions", "CREATE TABLE more (a INT)"} {
		if _, err := limited.db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "denied") {
			t.Errorf("%s: %v; want it denied", statement, err)
		}
	}
}
