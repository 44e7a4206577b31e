// The example is a small app with logins, on sessionkit, echo, and SQLite, MySQL or
// PostgreSQL.
// Start it from the root of the repository:
//
//	go run -C example .
//
// Read app.go first: the wiring and the routes, which is what an app of your own
// needs too. Then login.go, inspector.go, account.go and admin.go: the pages. The other
// files and internal/base hold what every app has: users, passwords, a database, keys, a
// server.
package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/base"
)

func main() {
	opts, err := parseFlags(flag.CommandLine, os.Args[1:])
	if err == nil {
		// Debug shows each refresh of a session. In production the default is better:
		// there are as many refreshes as active users.
		slog.SetLogLoggerLevel(slog.LevelDebug)
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
		err = run(ctx, opts, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sessionkit example:", err)
		os.Exit(1)
	}
}

// options is the command line.
type options struct {
	addr string
	db   string // the SQLite file; the key file is beside it, also with another database
	tls  bool

	mysql, postgres string // a DSN, which holds a password; both empty: SQLite

	accessTTL, refreshTTL, maxLifetime time.Duration // checked by session.New
}

const help = `
Set a DSN with a real password as SESSION_MYSQL or SESSION_POSTGRES in the environment:
every user of the machine can read the flags in the list of processes.

The keys that seal the cookies come from SESSION_KEYS, or else from a file beside the
database that ends in .keys, one key per line. To change the key without logging anybody
out, take three steps, and send SIGHUP to every process after each (with SESSION_KEYS:
restart it):
  1. add a new key as the last line (openssl rand -base64 32)
  2. when every process has it, move it to the first line
  3. remove the old key 30 days later, when its last cookie has expired
`

func parseFlags(flags *flag.FlagSet, args []string) (o options, err error) {
	folder, err := os.UserCacheDir()
	if err != nil {
		folder = "." // no home directory
	}
	flags.StringVar(&o.addr, "addr", "localhost:8080", "`address` to listen on; port 0 takes a free one; only a loopback address has the demo users")
	flags.StringVar(&o.db, "db", filepath.Join(folder, "sessionkit", "example.db"), "SQLite `file`; the key file is beside it")
	flags.StringVar(&o.mysql, "mysql", "", "use MySQL instead: a `DSN` such as user:password@tcp(127.0.0.1:3306)/app; default: SESSION_MYSQL")
	flags.StringVar(&o.postgres, "postgres", "", "use PostgreSQL instead: a `DSN` such as postgres://user:password@127.0.0.1:5432/app; default: SESSION_POSTGRES")
	flags.BoolVar(&o.tls, "tls", false, "serve HTTPS with a self-signed certificate")
	flags.DurationVar(&o.accessTTL, "access-ttl", 2*time.Minute, "how long an access cookie is accepted without asking the database")
	flags.DurationVar(&o.refreshTTL, "refresh-ttl", 30*time.Minute, "how long a session lives without a request")
	flags.DurationVar(&o.maxLifetime, "max-lifetime", 12*time.Hour, "how long a session lives at most")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "The example is a small app with logins. Its flags:")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), help)
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.mysql == "" && o.postgres == "" { // no defaults of the flags: -h prints defaults
		o.mysql, o.postgres = os.Getenv("SESSION_MYSQL"), os.Getenv("SESSION_POSTGRES")
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: the example takes flags only", flags.Arg(0))
	}
	return o, nil
}

// run serves until ctx ends. It prints the URL to out when the port is open.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with -addr, such as localhost:0)", err)
	}
	defer listener.Close()
	scheme, loopback := "http", listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	if opts.tls {
		config, err := selfSigned()
		if err != nil {
			return err
		}
		scheme, listener = "https", tls.NewListener(listener, config)
	} else if !loopback {
		return fmt.Errorf("%s is not a loopback address, and plain HTTP shows every session to the network: add -tls, or use -addr localhost:8080", listener.Addr())
	}

	source := keySource{env: os.Getenv("SESSION_KEYS"), file: keyFileFor(opts.db)}
	keys, err := source.load()
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	a, err := newApp(ctx, keys, db, opts, loopback)
	if err != nil {
		return err
	}

	// They stop in this order: the server, the background work, the database.
	ctx, stopServer := context.WithCancel(ctx)
	defer stopServer()
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stopBackground()
	running.Go(func() { a.sessions.Run(background) }) // learns of revocations by other processes
	source.reloadOnHangup(ctx, a.sessions, stopServer)

	host, _, _ := net.SplitHostPort(opts.addr)                // Listen has accepted it
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // the flag may say 0
	fmt.Fprintf(out, "sessionkit example: %s://%s\n", scheme, net.JoinHostPort(cmp.Or(host, "localhost"), port))
	for _, u := range a.demoUsers {
		fmt.Fprintf(out, "  %-17s  %-19s  %s\n", u.Email, u.Password, u.Role)
	}
	if !loopback {
		fmt.Fprintln(out, "  no demo users, because this is not a loopback address: add users to the table users")
	}
	return base.Serve(ctx, base.NewServer(a.routes()), listener)
}
