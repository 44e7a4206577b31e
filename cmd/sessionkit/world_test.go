package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	printWarnings()
	m.Run()
}

const sqliteUsers = `CREATE TABLE users (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	session_epoch INTEGER NOT NULL DEFAULT 1,
	disabled INTEGER NOT NULL DEFAULT 0,
	roles TEXT NOT NULL DEFAULT '')`

// world is a database with users 1 to 3, an app on it, and what the commands get.
type world struct {
	folder  string
	dialect string
	dsn     string
	db      *sql.DB
	store   *sqlstore.Store
	app     *session.Manager
	env     map[string]string

	terminal bool
	wrap     func(store.Store) store.Store

	masked map[string]string // what differs between runs, and what golden files have for it
}

// newWorld returns a world on an SQLite file. It is migrated, and the app's Run polls.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := newDatabase(t)
	w.start(t)
	return w
}

// newDatabase returns a world with the app's table only.
func newDatabase(t *testing.T) *world {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "app.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := "file:" + file + "?_pragma=busy_timeout(1500)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	return worldOn(t, folder, "sqlite", "sqlite", dsn, sqliteUsers)
}

func worldOn(t *testing.T, folder, dialect, driver, dsn, users string) *world {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{folder: folder, dialect: dialect, dsn: dsn, db: db}
	w.exec(t, users)
	w.exec(t, "INSERT INTO users (id) VALUES (1), (2), (3)")
	w.env = map[string]string{"DATABASE_DSN": dsn, "SESSIONKIT_CONFIG": w.writeConfig(t, `{"dialect": "`+dialect+`", "dsn_env": "DATABASE_DSN"}`)}
	if w.store, err = sqlstore.New(db, sqlstore.Config{Dialect: dialects[dialect]}); err != nil {
		t.Fatal(err)
	}
	return w
}

// start migrates the database, and starts the app.
func (w *world) start(t *testing.T) {
	t.Helper()
	w.prepare(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.app.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// prepare migrates the database, and makes the app, whose Run does not prune the rows.
func (w *world) prepare(t *testing.T) {
	t.Helper()
	if err := w.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	if w.app, err = session.New(keys, w.store, session.Config{MaxSessions: -1}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) exec(t *testing.T, query string) {
	t.Helper()
	if _, err := w.db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// count runs a query for one number.
func (w *world) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := w.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// writeConfig writes a configuration, and returns its name.
func (w *world) writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(w.folder, "config.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// login logs a user in, and returns the session and a browser that has it.
func (w *world) login(t *testing.T, l session.Login, agent string) (session.Session, *sessiontest.Browser) {
	t.Helper()
	b := sessiontest.NewBrowser(nil)
	b.UserAgent = agent
	return b.Login(t, w.app, l), b
}

// isLive reports whether the app still serves a browser that asks on, with its access cookie.
func (w *world) isLive(b *sessiontest.Browser) bool {
	_, err := w.app.Authenticate(b.NewRequest("GET", "/", nil))
	return err == nil
}

// answer is what a command has left.
type answer struct {
	code     int
	out, err string
}

// run runs a command with the environment of the world.
func (w *world) run(t *testing.T, args ...string) answer {
	t.Helper()
	return w.runWith(t, "", args...)
}

// runWith is run with a standard input.
func (w *world) runWith(t *testing.T, in string, args ...string) answer {
	t.Helper()
	var out, errs bytes.Buffer
	e := &env{in: strings.NewReader(in), out: &out, err: &errs, getenv: func(name string) string { return w.env[name] }, terminal: w.terminal, wrap: w.wrap}
	code := e.run(t.Context(), args)
	return answer{code, out.String(), errs.String()}
}

// want fails unless a command ended with a code, and printed some texts in one of its outputs.
func (a answer) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if a.code != code {
		t.Errorf("the exit code is %d; want %d\n%s%s", a.code, code, a.out, a.err)
	}
	for _, text := range texts {
		if !strings.Contains(a.out+a.err, text) {
			t.Errorf("there is no %q in:\n%s%s", text, a.out, a.err)
		}
	}
}

// decode reads what a command has printed as JSON.
func (a answer) decode(t *testing.T, value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.out), value); err != nil {
		t.Fatalf("%v: %s%s", err, a.out, a.err)
	}
}

var (
	sessionID = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	aTime     = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	anOffset  = regexp.MustCompile(`\d+ ms (ahead of|behind)`)
	anAge     = regexp.MustCompile(`was [0-9hms]+ ago`)
	aKey      = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`)
	aKeyName  = regexp.MustCompile(`\b[0-9a-f]{8}\b`)
	aNumber   = regexp.MustCompile(`("clock_ahead_ms"|"microseconds"): -?\d+`)
)

// golden compares a text with a file of testdata, after what differs between runs has been replaced: ids by their
// order, times, and durations.
func (w *world) golden(t *testing.T, name, got string) {
	t.Helper()
	ids := map[string]string{}
	got = sessionID.ReplaceAllStringFunc(got, func(id string) string {
		if ids[id] == "" {
			ids[id] = strings.Repeat(strconv.Itoa(len(ids)+1), 32)
		}
		return ids[id]
	})
	got = aTime.ReplaceAllString(got, "2026-01-02T03:04:05Z")
	got = aNumber.ReplaceAllString(got, "${1}: 0")
	got = anOffset.ReplaceAllString(got, "0 ms ahead of")
	got = anAge.ReplaceAllString(got, "was 0s ago")
	got = aKey.ReplaceAllString(got, "KEY")
	got = aKeyName.ReplaceAllString(got, "KEY-NAME")
	for text, mask := range w.masked {
		got = strings.ReplaceAll(got, text, mask)
	}
	got = strings.ReplaceAll(got, w.folder, "FOLDER")
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the tests with -update if that is meant. Got:\n%s\nwant:\n%s", file, got, want)
	}
}

// ofClient adds a session with tokens, which another app on the same tables has begun.
func (w *world) ofClient(t *testing.T, l session.Login) session.Session {
	t.Helper()
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.New(keys, w.store, session.Config{TokenTTL: time.Minute, MaxSessions: -1, App: "tokens"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Tokens().Issue(httptest.NewRequest("POST", "https://app.test/", nil), l)
	if err != nil {
		t.Fatal(err)
	}
	return g.Session
}
