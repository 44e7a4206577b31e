// The tour is a second small app. It shows what the first example leaves out: logins of
// clients that are not browsers, such as a command line, a device or another service; and
// what a session knows beside its user, such as a second factor.
// Start it from the root of the repository:
//
//	go run -C example ./tour
//
// It uses SQLite, or MySQL or PostgreSQL as the first example does. With -oidc
// issuer,client,secret users can log in with an identity provider, too: provider.go.
//
// Read app.go first: the wiring and the routes. Then device.go and tokens.go, the pages, and
// clients.go, who may use the endpoints of OAuth. A file each has the second factor (factor.go),
// the switch between tenants (tenant.go), and administrators who act as a user (people.go). audit.go has
// the audit log, and mails to users whom it concerns. The other files hold what every app has. They are shorter than those of the first example: copy
// from there what limits failed logins.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/session"
)

func main() {
	opts, err := parseFlags(flag.CommandLine, os.Args[1:])
	if err == nil {
		slog.SetLogLoggerLevel(slog.LevelDebug) // shows each refresh of a session
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // a second signal ends the process at once
		err = run(ctx, opts, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sessionkit tour:", err)
		os.Exit(1)
	}
}

// options are what the command line and the environment say.
type options struct {
	addr                string
	db                  string        // the SQLite file; the key file is beside it, also with another database
	accessTTL, tokenTTL time.Duration // checked by session.New
	secret              string        // of the client billing; empty: run makes one
	provider            *provider     // nil: there is none
	keys                string        // what seals cookies and tokens; empty: the key file counts

	mysql, postgres string // a DSN, which holds a password; both empty: SQLite
}

func parseFlags(flags *flag.FlagSet, args []string) (o options, err error) {
	folder, err := os.UserCacheDir()
	if err != nil {
		folder = "." // no home directory
	}
	flags.StringVar(&o.addr, "addr", "localhost:8081", "loopback `address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.db, "db", filepath.Join(folder, "sessionkit", "tour.db"), "SQLite `file`; the key file is beside it")
	flags.StringVar(&o.mysql, "mysql", "", "use MySQL instead: a `DSN`; default: SESSION_MYSQL, which other users of the machine cannot read")
	flags.StringVar(&o.postgres, "postgres", "", "use PostgreSQL instead: a `DSN`; default: SESSION_POSTGRES, which other users of the machine cannot read")
	flags.DurationVar(&o.accessTTL, "access-ttl", 2*time.Minute, "how long an access cookie is accepted without asking the database")
	flags.DurationVar(&o.tokenTTL, "token-ttl", 10*time.Minute, "how long an access token is accepted without asking the database")
	flags.Func("oidc", "`issuer,client,secret` of an identity provider to log in with", func(text string) error {
		p, err := parseProvider(text)
		o.provider = &p
		return err
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.mysql == "" && o.postgres == "" { // no defaults of the flags: -h prints defaults
		o.mysql, o.postgres = os.Getenv("SESSION_MYSQL"), os.Getenv("SESSION_POSTGRES")
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: the tour takes flags only", flags.Arg(0))
	}
	o.secret, o.keys = os.Getenv(secretVariable), os.Getenv("SESSION_KEYS")
	return o, nil
}

// run serves until ctx ends. It prints the URL to out when the port is open.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	listener, err := net.Listen("tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with -addr, such as localhost:0)", err)
	}
	defer listener.Close()
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return fmt.Errorf("%s is not a loopback address, and the tour has plain HTTP and public passwords: use -addr localhost:8081", listener.Addr())
	}
	host, _, _ := net.SplitHostPort(opts.addr)                // Listen has accepted it
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // the flag may say 0
	url := "http://" + net.JoinHostPort(cmp.Or(host, "localhost"), port)

	db, err := base.Open(ctx, opts.db, opts.mysql, opts.postgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if opts.keys == "" {
		opts.keys, err = keyFile(strings.TrimSuffix(opts.db, filepath.Ext(opts.db)) + ".keys")
	}
	if err != nil {
		return err
	}
	keys, err := session.ParseKeys(opts.keys)
	if err != nil {
		return fmt.Errorf("SESSION_KEYS, or the key file: %w", err)
	}
	made := opts.secret == ""
	if made {
		opts.secret = rand.Text()
	}
	a, err := newApp(ctx, keys, db, opts, url)
	if err != nil {
		return err
	}

	// They stop in this order: the server, the background work, the database.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stopBackground()
	running.Go(func() { a.sessions.Run(background) }) // removes what has expired, such as the codes of devices

	fmt.Fprintln(out, "sessionkit tour:", url)
	for _, u := range demoUsers {
		fmt.Fprintf(out, "  %-17s  %s\n", u.email, u.password)
	}
	if made {
		fmt.Fprintf(out, "The secret of the service billing, until the tour stops:\n  export %s=%s\n", secretVariable, opts.secret)
	}
	if opts.provider != nil {
		fmt.Fprintf(out, "URLs to register at %s:\n  redirect             %s\n  back-channel logout  %s\n  post-logout redirect %s\n", opts.provider.issuer, url+providerCallback, url+providerLogout, url+"/")
	}
	return base.Serve(ctx, base.NewServer(a.routes()), listener)
}

// keyFile returns the keys in a file. It creates the file, so that a restart logs nobody out.
func keyFile(name string) (string, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(session.GenerateKey() + "\n")
		err = os.WriteFile(name, text, 0o600)
	}
	return strings.TrimSpace(string(text)), err
}
