package main

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// testDatabase is an SQLite database of the test's own.
func testDatabase(t *testing.T) database {
	t.Helper()
	db, err := openDatabase(t.Context(), options{db: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// testUsers is a users table with the demo users.
func testUsers(t *testing.T) *userTable {
	t.Helper()
	db := testDatabase(t)
	users := &userTable{db}
	if err := users.prepare(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	return users
}

// testApp is the whole app in this process.
func testApp(t *testing.T, key string, accessTTL time.Duration) *app {
	t.Helper()
	keys, err := session.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	opts := options{accessTTL: accessTTL, refreshTTL: 30 * time.Minute, maxLifetime: 12 * time.Hour}
	a, err := newApp(t.Context(), keys, testDatabase(t), opts, true)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serveApp serves a handler as run does.
func serveApp(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = base.NewServer(handler)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func testServer(t *testing.T) (*app, *httptest.Server) {
	t.Helper()
	a := testApp(t, session.GenerateKey(), 2*time.Minute)
	return a, serveApp(t, a.routes())
}

// browser loads pages, sends forms, and follows no redirect.
type browser struct {
	*sessiontest.Browser
	t *testing.T
}

func newBrowser(t *testing.T, server *httptest.Server) *browser {
	return &browser{&sessiontest.Browser{Jar: &sessiontest.Jar{}, Origin: server.URL, Transport: server.Client().Transport}, t}
}

// answer is a response whose body has been read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) read(response *http.Response) answer {
	b.t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(body)}
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.read(b.Get(path)) }

// post sends a form, given as names and values.
func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.read(b.PostForm(path, form))
}

func (b *browser) login(email, password string) {
	b.t.Helper()
	b.post("/login", "email", email, "password", password).leadsTo(b.t, "/")
}

// shows fails unless the answer has the status and its page has the texts.
func (a answer) shows(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s %s: status %d; want %d", a.Request.Method, a.Request.URL, a.StatusCode, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s %s: the page does not have %q:\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

func (a answer) leadsTo(t *testing.T, location string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || got != location {
		t.Errorf("%s %s: %d to %q; want 303 to %q", a.Request.Method, a.Request.URL, a.StatusCode, got, location)
	}
}

const (
	ada, adaPassword     = "ada@example.com", "ada-demo-password"
	grace, gracePassword = "grace@example.com", "grace-demo-password"
)

// lockedLog is a log that a test reads while the app writes.
type lockedLog struct {
	mu    sync.Mutex // guards buf
	buf   bytes.Buffer
	lines chan struct{} // gets a value after each line that the test has not waited for
}

// captureLog sends the app's log to the test, until the test ends. Call it before the
// app is made.
func captureLog(t *testing.T) *lockedLog {
	t.Helper()
	l := &lockedLog{lines: make(chan struct{}, 1)}
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(out) // SetDefault has changed both, and does not restore them
		log.SetFlags(flags)
	})
	return l
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	select {
	case l.lines <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// waitFor returns when the log has the text.
func (l *lockedLog) waitFor(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.lines:
		case <-time.After(20 * time.Second):
			t.Fatalf("the log does not have %q:\n%s", text, l)
		}
	}
}
