// This app shows what an app with sessions needs in Kubernetes: keys from a mounted secret that
// changes, probes that tell a database that is down from a process that is not ready, and a
// shutdown in which no request fails. It is on net/http, and MySQL or MariaDB.
//
// Read keys.go first, then health.go, and serve below. manifests has the objects for the cluster.
// app.go has the logins. They are shorter than those of the first example: copy from there what
// limits failed logins.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/example/internal/base"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	slog.SetDefault(log)
	opts, err := parseFlags(flag.CommandLine, os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
		err = run(ctx, opts, log)
	}
	if err != nil {
		log.Error("the app ends", "error", err)
		os.Exit(1)
	}
}

// options is the command line.
type options struct {
	addr, probes string        // what to listen on
	keys, dsn    string        // files of the mounted secret
	every        time.Duration // between two looks at the keys
	pause, grace time.Duration // of the shutdown
	accessTTL    time.Duration // checked by session.New
	demoPassword string        // from the environment; empty: no demo user is created
}

func parseFlags(flags *flag.FlagSet, args []string) (o options, err error) {
	flags.StringVar(&o.addr, "addr", ":8080", "`address` for users: plain HTTP, behind an ingress that serves HTTPS")
	flags.StringVar(&o.probes, "probes", ":8081", "`address` for /livez and /readyz, which belongs in no Service")
	flags.StringVar(&o.keys, "keys", "/etc/app/secret/keys", "`file` with the keys, one a line: the first one seals cookies")
	flags.StringVar(&o.dsn, "dsn", "/etc/app/secret/dsn", "`file` with the DSN of MySQL or MariaDB")
	flags.DurationVar(&o.every, "every", 2*time.Second, "how often the file of the keys is read")
	flags.DurationVar(&o.pause, "pause", 10*time.Second, "how long a shutdown waits for the balancer to send no more requests")
	flags.DurationVar(&o.grace, "grace", 20*time.Second, "how long a shutdown waits for the running requests after that")
	flags.DurationVar(&o.accessTTL, "access-ttl", 2*time.Minute, "how long an access cookie is accepted without asking the database")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: the app takes flags only", flags.Arg(0))
	}
	if o.every <= 0 || o.pause < 0 || o.grace <= 0 {
		return o, errors.New("-every and -grace must be above 0, and -pause must not be below 0")
	}
	o.demoPassword = os.Getenv("DEMO_PASSWORD")
	return o, nil
}

// run serves until ctx ends, and then shuts down.
func run(ctx context.Context, opts options, log *slog.Logger) error {
	health := newHealth()
	probes, err := net.Listen("tcp", opts.probes)
	if err != nil {
		return fmt.Errorf("-probes: %w", err)
	}
	checks := base.NewServer(health.routes())
	go checks.Serve(probes)
	defer checks.Close() // last, so that the probes get answers during the whole shutdown
	log.Info("answering probes", "address", probes.Addr().String())

	file := &keyFile{name: opts.keys, log: log, report: health.setKeys}
	keys, err := file.load()
	if err != nil {
		return fmt.Errorf("-keys: %w", err)
	}
	db, err := openDatabase(opts.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := newApp(keys, db, opts, health, log)
	if err != nil {
		return err
	}
	if !a.prepare(ctx, opts.demoPassword) {
		return nil // nothing has begun
	}
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}

	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var work sync.WaitGroup
	work.Go(func() { a.sessions.Run(working) })
	work.Go(func() { file.watch(working, a.sessions, opts.every) })
	health.setStage(serving)
	log.Info("serving", "address", listener.Addr().String())

	err = serve(ctx, a, listener, opts)
	stopWork()
	work.Wait() // Run says which revocations never reached the database
	err = errors.Join(err, db.Close())
	log.Info("stopped")
	return err
}

// serve answers requests until ctx ends. Then no probe calls this pod ready any more, the balancer
// gets time to notice that, running requests are served, and event streams are ended. The work in
// the background and the database end after it.
func serve(ctx context.Context, a *app, listener net.Listener, opts options) error {
	server := base.NewServer(a.routes())
	server.RegisterOnShutdown(a.endStreams) // or Shutdown would wait for them

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.health.setStage(stopping)
	a.log.Info("shutting down", "pause", opts.pause.String())
	time.Sleep(opts.pause)

	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.grace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("requests that ran for longer than -grace were cut off: %w", err), server.Close())
	}
	return nil
}

// openDatabase reads the DSN from a file. No error shows the DSN, which holds a password. A pod
// does not follow a DSN that changes: let both passwords be valid during a roll-out.
func openDatabase(file string) (*sql.DB, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-dsn: %w", err)
	}
	cfg, err := mysql.ParseDSN(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("-dsn: %s holds no DSN such as user:password@tcp(db:3306)/app", file)
	}
	// A server that hangs sends no error. Without these a connection waits for ever.
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 2*time.Second, 5*time.Second, 5*time.Second
	cfg.InterpolateParams = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("-dsn: %s holds a DSN that the driver refuses", file)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// closing asks clients, such as a balancer, to use their connection for no further request once the
// shutdown has begun. To close idle connections instead could meet a request that is on its way.
func closing(h *health, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.isStopping() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
