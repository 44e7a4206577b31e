package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// options is what the command line says.
type options struct {
	addr  string
	db    string // the SQLite file; the key file stands beside it in any case
	mysql string // a DSN; empty: SQLite
	tls   bool

	// Passed straight to session.Config, which knows what is too long.
	accessTTL, refreshTTL, maxLifetime time.Duration
}

// usageOfKeys is how an operator changes the key; see session.ParseKeys.
const usageOfKeys = `
The keys that seal the cookies are in SESSION_KEYS, or else in a file beside the
database that ends in .keys, one to a line: the first one seals, all open. To
change the key without logging anybody out, take three steps, and after each one
send SIGHUP to every process (from SESSION_KEYS: restart it):
  1. add a new key as the last line (head -c 32 /dev/urandom | base64)
  2. when every process has it, move it to the first line
  3. 30 days later, when the last cookie under the old key has run out, remove that
Write the file elsewhere and move it into place: half of it is not to be read.
`

func parseOptions(args []string, errOut io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("sessionkit example", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&o.addr, "addr", "localhost:8080", "`address` to listen on; port 0 takes any that is free")
	fs.StringVar(&o.db, "db", "", "SQLite `file` (default: sessionkit/example.db in the user's cache folder)")
	fs.StringVar(&o.mysql, "mysql", "", "use MySQL instead: a `DSN` such as user:password@tcp(127.0.0.1:3306)/app")
	fs.BoolVar(&o.tls, "tls", false, "serve HTTPS with a certificate made on the spot")
	fs.DurationVar(&o.accessTTL, "access-ttl", 2*time.Minute, "how long an access cookie is believed")
	fs.DurationVar(&o.refreshTTL, "refresh-ttl", 30*time.Minute, "how long a session lives without a request")
	fs.DurationVar(&o.maxLifetime, "max-lifetime", 12*time.Hour, "how long a session lives at most")
	fs.Usage = func() {
		fmt.Fprintln(errOut, "The example is a small app with logins. It takes these flags:")
		fs.PrintDefaults()
		fmt.Fprint(errOut, usageOfKeys)
	}
	if err := fs.Parse(args); err != nil {
		return options{}, err // flag.ErrHelp, if that was asked for
	}
	if fs.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q: the example takes flags only", fs.Arg(0))
		fmt.Fprintln(errOut, err)
		return options{}, err
	}
	if o.db == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			err = fmt.Errorf("no cache folder for the database (%w): name a file with -db", err)
			fmt.Fprintln(errOut, err)
			return options{}, err
		}
		o.db = filepath.Join(cache, "sessionkit", "example.db")
	}
	return o, nil
}
