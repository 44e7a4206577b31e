package skins

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
	"github.com/sessionkit/sessionkit/test/internal/report"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// databases are what the apps of the suite have their sessions in.
var databases = []struct {
	name string
	open func(t *testing.T) *database
}{
	{"MySQL", openMySQL},
	{"SQLite", openSQLite},
	{"PostgreSQL", openPostgreSQL},
}

// database is a database with the app's users and the kit's tables.
type database struct {
	*sql.DB
	dialect sqlstore.Dialect
	store   store.Store
	last    int // the id of the newest user
}

func openMySQL(t *testing.T) *database {
	db, err := sql.Open("mysql", dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	return prepare(t, db, sqlstore.MySQL)
}

func openSQLite(t *testing.T) *database {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	return prepare(t, db, sqlstore.SQLite)
}

func openPostgreSQL(t *testing.T) *database {
	db, err := sql.Open("pgx", dbtest.PostgresDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	return prepare(t, db, sqlstore.PostgreSQL)
}

func prepare(t *testing.T, db *sql.DB, dialect sqlstore.Dialect) *database {
	t.Helper()
	t.Cleanup(func() { db.Close() })
	d := &database{DB: db, dialect: dialect}
	d.exec(t, `CREATE TABLE users (id INTEGER PRIMARY KEY, session_epoch BIGINT NOT NULL, disabled BOOLEAN NOT NULL, roles VARCHAR(200) NOT NULL)`)
	rows, err := sqlstore.New(db, sqlstore.Config{Dialect: dialect})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.store = rows
	return d
}

// exec runs a statement, in which each ? is a parameter.
func (d *database) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if parts := strings.Split(query, "?"); d.dialect == sqlstore.PostgreSQL {
		query = parts[0]
		for i, part := range parts[1:] {
			query += "$" + strconv.Itoa(i+1) + part
		}
	}
	if _, err := d.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// newUser returns the id of a new user with these roles.
func (d *database) newUser(t *testing.T, roles ...string) string {
	t.Helper()
	list, err := json.Marshal(slices.Concat([]string{}, roles))
	if err != nil {
		t.Fatal(err)
	}
	d.last++
	d.exec(t, `INSERT INTO users (id, session_epoch, disabled, roles) VALUES (?, 1, FALSE, ?)`, d.last, string(list))
	return strconv.Itoa(d.last)
}

// world is an app on a database, with users of its own.
type world struct {
	*testing.T
	skin       skin
	database   *database
	store      *sessiontest.Store // stands before the database's
	sessions   *session.Manager
	app        http.Handler
	ada, grace string // the ids of a user with the role staff and of one with staff and admin
	clock      time.Duration
}

// later moves the store's clock on by the life of an access cookie: a refresh that follows
// gets a refresh cookie.
func (w *world) later() {
	w.clock += 2 * time.Minute
	w.store.SetClock(w.clock)
}

// settings is what differs from one behaviour to another.
type settings struct {
	setup
	config session.Config
}

func newWorld(t *testing.T, s skin, d *database, with settings) *world {
	t.Helper()
	w := &world{T: t, skin: s, database: d, store: sessiontest.NewStore(d.store), ada: d.newUser(t, "staff"), grace: d.newUser(t, "admin", "staff")}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err == nil {
		w.sessions, err = session.New(keys, w.store, with.config)
	}
	if err == nil {
		w.app, err = s.app(w.sessions, with.setup)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// kind is the headers that a kind of client sends.
type kind map[string]string

var (
	page    = kind{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
	program = kind{}
	htmx    = kind{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "HX-Request": "true", "HX-Current-URL": "https://app.test/here"}
)

// client sends requests of a kind, and keeps cookies as a browser does.
type client struct {
	*sessiontest.Browser
	w    *world
	kind kind
}

func (w *world) client(k kind) *client {
	return &client{sessiontest.NewBrowser(w.app), w, k}
}

// loggedIn returns a page client after the login of a user.
func (w *world) loggedIn(user string) *client {
	w.Helper()
	c := w.client(page)
	c.login(user)
	return c
}

func (c *client) login(user string) {
	c.w.Helper()
	c.want(303, "", "POST", "/login", form("user", user))
}

// as returns a client of another kind with a copy of the cookies.
func (c *client) as(k kind) *client { return &client{c.Clone(), c.w, k} }

// form returns the values of a form, or of a query, by name.
func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// answer is what a client gets.
type answer struct {
	status int
	body   string
	header http.Header
	set    []string // the names of the cookies that the answer sets
}

// send makes a request. body is a form, or nil; more holds further headers.
func (c *client) send(method, path string, body url.Values, more ...string) answer {
	r := c.NewRequest(method, path, strings.NewReader(body.Encode()))
	for _, name := range []string{"Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "Accept"} {
		r.Header.Del(name)
	}
	for name, value := range c.kind {
		r.Header.Set(name, value)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	got := c.Do(r)
	text, _ := io.ReadAll(got.Body) // of a reader in memory
	a := answer{status: got.StatusCode, body: string(text), header: got.Header}
	for _, cookie := range got.Cookies() {
		if cookie.Value != "" && cookie.MaxAge >= 0 {
			a.set = append(a.set, cookie.Name)
		}
	}
	return a
}

// want makes a request, and expects a status, and a part of the body, or of where a redirect
// leads to.
func (c *client) want(status int, part, method, path string, body url.Values, more ...string) answer {
	c.w.Helper()
	a := c.send(method, path, body, more...)
	if text := a.body; a.status != status || !strings.Contains(text+" "+a.header.Get("Location"), part) {
		c.w.Errorf("%s %s: %d %q, to %q; want %d and %q", method, path, a.status, text, a.header.Get("Location"), status, part)
	}
	return a
}

// get is want for a GET.
func (c *client) get(status int, part, path string) answer {
	c.w.Helper()
	return c.want(status, part, "GET", path, nil)
}

// passed has the behaviours that an app has shown.
var passed struct {
	sync.Mutex
	by map[[2]string][]string // the databases, by behaviour and skin
}

func TestSkins_BehaveTheSame(t *testing.T) {
	for _, db := range databases {
		if testing.Short() && db.name != "SQLite" {
			continue // make mutants tries many changes, and needs no server
		}
		t.Run(db.name, func(t *testing.T) {
			d := db.open(t)
			dbtest.Suite(t, d.DB, "behaviours of the guards")
			for _, s := range skins {
				for _, b := range behaviours {
					t.Run(s.name+"/"+b.name, func(t *testing.T) {
						var with settings
						if b.with != nil {
							with = b.with(t)
						}
						b.test(newWorld(t, s, d, with))
						if !t.Failed() {
							passed.Lock()
							passed.by[[2]string{b.name, s.name}] = append(passed.by[[2]string{b.name, s.name}], db.name)
							passed.Unlock()
						}
					})
				}
			}
		})
	}
}

func TestMain(m *testing.M) {
	passed.by = map[[2]string][]string{}
	code := m.Run()
	if err := report.Print("what was seen behind each guard", matrix()); err != nil {
		fmt.Fprintln(os.Stderr, "tests of the skins:", err)
		code = 1
	}
	os.Exit(code)
}

// matrix shows which behaviour was seen with which skin and on which databases.
func matrix() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "behaviour")
	for _, s := range skins {
		fmt.Fprint(table, "\t", s.name)
	}
	fmt.Fprintln(table)
	for _, b := range behaviours {
		fmt.Fprint(table, b.name)
		for _, s := range skins {
			seen := strings.Join(passed.by[[2]string{b.name, s.name}], ", ")
			if seen == "" {
				seen = "-"
			}
			fmt.Fprint(table, "\t", seen)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	return text.String()
}
