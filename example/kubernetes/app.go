package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// app is what the handlers share.
type app struct {
	db       *sql.DB
	rows     *sqlstore.Store
	sessions *session.Manager
	guard    *nethttp.Guard
	health   *health
	log      *slog.Logger

	closing    context.Context // ends when the server stops accepting requests
	endStreams context.CancelFunc

	turns chan struct{} // a hash takes 19 MiB and a processor: only two are computed at a time
	dummy string        // stands in for the hash of an unknown user
}

// hashParams are the minimum that OWASP recommends for argon2id: about 30 ms.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const usersTable = `CREATE TABLE IF NOT EXISTS users (
	id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
	email         VARCHAR(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
	password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	roles         VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '[]',
	disabled      BOOLEAN NOT NULL DEFAULT FALSE,
	session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1
) ENGINE = InnoDB`

// newApp connects the parts. It asks the database nothing.
func newApp(keys session.Keys, db *sql.DB, opts options, h *health, log *slog.Logger) (*app, error) {
	a := &app{db: db, health: h, log: log, turns: make(chan struct{}, 2)}
	a.closing, a.endStreams = context.WithCancel(context.Background())
	var err error
	if a.dummy, err = argon2id.CreateHash(rand.Text(), hashParams); err != nil {
		return nil, err
	}
	if a.rows, err = sqlstore.New(db, sqlstore.Config{}); err != nil {
		return nil, err
	}
	logged := session.LogEvents(log)
	a.sessions, err = session.New(keys, a.rows, session.Config{AccessTTL: opts.accessTTL, OnEvent: func(e session.Event) {
		logged(e)
		h.observe(e)
	}})
	if err != nil {
		return nil, err
	}
	a.guard, err = nethttp.New(a.sessions, nethttp.Config{Public: []string{"/{$}"}})
	return a, err
}

// prepare tries to create the tables until it succeeds, or reports false because ctx has ended. A
// database that is down during the start is no reason to end: the pod is not ready, and says why.
func (a *app) prepare(ctx context.Context, demoPassword string) bool {
	for {
		err := a.createTables(ctx, demoPassword)
		if err == nil {
			return true
		}
		a.health.setStartup(err)
		a.log.Warn("the start waits for the database", "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
		}
	}
}

func (a *app) createTables(ctx context.Context, demoPassword string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := a.db.ExecContext(ctx, usersTable); err != nil {
		return err
	}
	if err := a.rows.Migrate(ctx); err != nil {
		return err
	}
	if demoPassword == "" {
		return nil
	}
	hash, err := argon2id.CreateHash(demoPassword, hashParams)
	if err != nil {
		return err
	}
	_, err = a.db.ExecContext(ctx, "INSERT IGNORE INTO users (email, password_hash) VALUES ('demo@example.com', ?)", hash)
	return err
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "Log in at /login.")
	})
	mux.HandleFunc("GET /login", a.loginPage)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.guard.Logout)
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintln(w, "user", s.UserID)
	})
	mux.HandleFunc("GET /events", a.events)
	return closing(a.health, http.MaxBytesHandler(a.guard.Protect(mux), 64<<10))
}

func (a *app) loginPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	fmt.Fprint(w, `<!doctype html><html lang="en"><title>Log in</title><form method="post">
<label>E-mail <input name="email" type="email" autocomplete="username" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button></form></html>`)
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form cannot be read.", http.StatusBadRequest)
		return
	}
	login, known, err := a.check(r.Context(), strings.ToLower(r.PostFormValue("email")), r.PostFormValue("password"))
	if err == nil && !known {
		http.Error(w, "No user has this e-mail address and this password.", http.StatusUnauthorized)
		return
	}
	if err == nil {
		err = a.guard.Issue(w, r, login)
	}
	if err != nil {
		a.log.Error("login failed", "error", err)
		a.guard.WriteError(w, r, err)
		return
	}
	http.Redirect(w, r, a.guard.ReturnTo(r, "/me"), http.StatusSeeOther)
}

// check returns the login of the user who has this e-mail address and this password.
func (a *app) check(ctx context.Context, email, password string) (login session.Login, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	hash := a.dummy
	err = a.db.QueryRowContext(ctx, "SELECT id, session_epoch, password_hash FROM users WHERE email = ? AND NOT disabled", email).
		Scan(&login.UserID, &login.Epoch, &hash)
	found := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return login, false, fmt.Errorf("%w: the users: %w", session.ErrStoreUnavailable, err)
	}
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-ctx.Done():
		return login, false, fmt.Errorf("%w: too many logins at once", session.ErrStoreUnavailable)
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	return login, found && match, err
}

// events is a stream that ends with the session, and with the server: a browser connects again by
// itself, and then reaches another pod.
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(a.closing, cancel)()
	over := a.sessions.Done(ctx)

	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	ticks := time.NewTicker(10 * time.Second)
	defer ticks.Stop()
	for {
		_ = stream.SetWriteDeadline(time.Now().Add(30 * time.Second)) // the server's limit is for whole answers
		fmt.Fprint(w, "data: still here\n\n")
		if stream.Flush() != nil {
			return
		}
		select {
		case <-over:
			return
		case <-ticks.C:
		}
	}
}
