// The example is a small app with logins: one echo server on sessionkit, on
// SQLite or MySQL. Start it from the repository's root:
//
//	go run -C example .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	sessionmw "github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the second one ends the process at once.
	context.AfterFunc(ctx, stop)

	// The refreshes too, which are half of what there is to see here. Elsewhere
	// the default is right: they are as many as there are users at work.
	slog.SetLogLoggerLevel(slog.LevelDebug)

	opts, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2) // the flag package has said why
	}
	if err := run(ctx, opts, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sessionkit example:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints the address to out once a browser can
// reach it.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with -addr, such as localhost:0)", err)
	}
	defer listener.Close()
	loopback := isLoopback(listener.Addr())
	if !opts.tls && !loopback {
		return fmt.Errorf("%s is not a loopback address, and plain HTTP would show every session to the network: add -tls, or use -addr localhost:8080", listener.Addr())
	}

	env := os.Getenv("SESSION_KEYS")
	keys, err := loadKeys(env, opts.db)
	if err != nil {
		return err
	}
	db, err := openDatabases(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	a, err := newApp(ctx, keys, db, opts, loopback)
	if err != nil {
		return err
	}
	// Revocations by other processes reach this one, and dead rows go. It must
	// have ended before the database is closed.
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { a.sessions.Run(ctx) })
	hangups := newHangups()
	background.Go(func() {
		hangups.watch(ctx, func() { reloadKeys(a.sessions, env, opts.db) }, cancel)
	})
	defer background.Wait()
	defer cancel()

	return serve(ctx, listener, a.routes(), opts, func(url string) {
		fmt.Fprintf(out, "sessionkit example: %s\n", url)
		for _, u := range demoUsers {
			fmt.Fprintf(out, "  %-17s  %-19s  %s\n", u.Email, u.Password, u.Role)
		}
	})
}

// newApp wires the parts together: this is what an app of your own would do too.
// When ctx ends, so do the app's streams.
func newApp(ctx context.Context, keys session.Keys, db *databases, opts options, loopback bool) (*app, error) {
	users := &userTable{db: db.app, sql: db.dialect}
	passwords := newHasher(ownerParams)
	if err := users.prepare(ctx, passwords); err != nil {
		return nil, err
	}

	store, err := sqlstore.New(db.sessions, sqlstore.Config{
		Dialect: db.dialect.store,
		Attrs:   map[string]string{"name": "name", "email": "email"},
	})
	if err != nil {
		return nil, err
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("the sessions table: %w", err)
	}

	sessions, err := session.New(keys, store, session.Config{
		AccessTTL:            opts.accessTTL,
		IdleTimeout:          opts.refreshTTL,
		AbsoluteTimeout:      opts.maxLifetime,
		RememberIdleTimeout:  rememberIdle,
		OnEvent:              session.LogEvents(slog.Default()),
		DangerouslyAllowHTTP: !opts.tls && loopback,
	})
	if err != nil {
		return nil, err
	}
	credentials := &credentials{users: users, passwords: passwords, throttle: newThrottle()}
	guard, err := sessionmw.New(sessions, sessionmw.Config{
		LoginPath:   "/login",
		Public:      []string{"/", "/static/:file", "/healthz"},
		Credentials: credentials.ofRequest,
		Answer:      answerRefusal,
	})
	if err != nil {
		return nil, err
	}

	return &app{
		users:       users,
		credentials: credentials,
		sessions:    sessions,
		guard:       guard,
		db:          db,
		costs:       newCostLog(),
		refreshTTL:  opts.refreshTTL,
		maxLifetime: opts.maxLifetime,
		tls:         opts.tls,
		showDemo:    loopback,
		started:     time.Now(),
		stopping:    ctx.Done(),
	}, nil
}
