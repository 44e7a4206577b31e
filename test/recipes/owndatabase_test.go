package recipes

import (
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// tables are where the app has its users. main passes the same Config to sqlstore.New.
var tables = sqlstore.Config{Dialect: sqlstore.SQLite}

// createTables is what the app's migrations do.
func createTables(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE users (
		id            INTEGER PRIMARY KEY AUTOINCREMENT,
		password      TEXT NOT NULL,
		roles         TEXT NOT NULL DEFAULT '[]',
		disabled      INTEGER NOT NULL DEFAULT 0,
		session_epoch INTEGER NOT NULL DEFAULT 1)`)
	return err
}

// newPasswordApp is an app that writes its users table.
func newPasswordApp(sessions *session.Manager, db *sql.DB) (http.Handler, error) {
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", account)
	mux.Handle("POST /password", guard.RequireRecentLogin(5*time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		var epoch uint64
		err := db.QueryRowContext(r.Context(), `UPDATE users SET password = ?, session_epoch = session_epoch + 1
			WHERE id = ? RETURNING session_epoch`, "in an app: a hash of "+r.FormValue("new"), s.UserID).Scan(&epoch)
		if err == nil {
			err = guard.PasswordChanged(w, r, epoch)
		}
		if err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, "/account", http.StatusSeeOther)
	})))
	return guard.Protect(mux), nil
}

// newDatabase returns an empty database with the tables of the app and of the kit, a Manager on
// it, and what controls its store.
func newDatabase(t *testing.T) (*sql.DB, *session.Manager, *sessiontest.Store) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=busy_timeout(1500)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := createTables(t.Context(), db); err != nil { // in an app: its migrations
		t.Fatal(err)
	}
	rows, err := sqlstore.New(db, tables)
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	store := sessiontest.NewStore(rows)
	sessions, err := session.New(keys, store, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return db, sessions, store
}

func TestPassword_EndsTheOtherSessions(t *testing.T) {
	db, sessions, store := newDatabase(t)
	app, err := newPasswordApp(sessions, db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO users (id, password) VALUES (7, '')`); err != nil {
		t.Fatal(err)
	}
	laptop, phone := sessiontest.NewBrowser(app), sessiontest.NewBrowser(app)
	old := laptop.Login(t, sessions, session.Login{UserID: "7"})
	phone.Login(t, sessions, session.Login{UserID: "7"})

	store.AgeLogin(old.ID, 10*time.Minute)
	laptop.ExpireAccess()
	answer := laptop.PostForm("/password", nil)
	if got, want := answer.Header.Get("Location"), "/login?reauth=1"; got != want {
		t.Errorf("with an old login: %s to %q; want %q", answer.Status, got, want)
	}
	laptop.Login(t, sessions, session.Login{UserID: "7"})
	if answer := laptop.PostForm("/password", url.Values{"new": {"a long password"}}); answer.StatusCode != http.StatusSeeOther {
		t.Fatalf("the new password: %s", answer.Status)
	}
	for name, c := range map[string]struct {
		browser *sessiontest.Browser
		want    int
	}{"the laptop": {laptop, http.StatusOK}, "the phone": {phone, http.StatusSeeOther}} {
		if answer := c.browser.Get("/account"); answer.StatusCode != c.want {
			t.Errorf("%s: %s; want %d", name, answer.Status, c.want)
		}
	}
}
