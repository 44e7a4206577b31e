package main

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// connectTimeout bounds how long a command waits for the first connection.
const connectTimeout = 5 * time.Second

// database is the app's database, as the configuration names it.
type database struct {
	cfg   *config
	db    *sql.DB
	watch *watch
	store *sqlstore.Store
}

// openDatabase connects to the database of the configuration.
func (i *invocation) openDatabase(ctx context.Context) (*database, error) {
	cfg, err := i.loadConfig()
	if err != nil {
		return nil, err
	}
	dsn, err := cfg.dsn(i.getenv)
	if err != nil {
		return nil, err
	}
	connector, err := connectorFor(cfg.store.Dialect, dsn)
	if err != nil {
		return nil, err
	}
	d := &database{cfg: cfg, watch: &watch{}}
	d.db = sql.OpenDB(watchedConnector{connector, d.watch})
	d.db.SetMaxOpenConns(2)
	if d.store, err = sqlstore.New(d.db, cfg.store); err != nil {
		d.close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := d.db.PingContext(ctx); err != nil {
		d.close()
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return d, nil
}

func (d *database) close() { d.db.Close() }

// connectorFor returns a connector. No error quotes the DSN, whose text can hold a password.
func connectorFor(dialect sqlstore.Dialect, dsn string) (driver.Connector, error) {
	switch dialect {
	case sqlstore.MySQL:
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, errors.New("the DSN is not one of MySQL, such as user:password@tcp(127.0.0.1:3306)/app")
		}
		// A server that hangs sends no error. Without these a connection waits for ever.
		cfg.Timeout = cmp.Or(cfg.Timeout, 2*time.Second)
		cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, time.Minute)
		cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 5*time.Second)
		cfg.Logger = &mysql.NopLogger{} // the errors say the same
		return mysql.NewConnector(cfg)
	case sqlstore.PostgreSQL:
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, errors.New("the DSN is not one of PostgreSQL, such as postgres://user:password@127.0.0.1:5432/app")
		}
		cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 2*time.Second)
		return stdlib.GetConnector(*cfg), nil
	}
	if err := checkSQLiteFile(dsn); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return sqliteConnector{db.Driver(), dsn}, nil
}

// checkSQLiteFile makes sure that the file exists: SQLite would create an empty one, and the app's sessions would seem
// to be gone.
func checkSQLiteFile(dsn string) error {
	name, _, _ := strings.Cut(dsn, "?")
	if u, err := url.Parse(dsn); err == nil && u.Scheme == "file" {
		if name = cmp.Or(u.Path, u.Opaque); u.Opaque != "" {
			if plain, err := url.PathUnescape(u.Opaque); err == nil {
				name = plain
			}
		}
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the DSN names no SQLite file that exists: %w", errUnavailable, errors.Unwrap(err))
	case info.IsDir():
		return fmt.Errorf("%w: the DSN names a folder, not an SQLite file", errUnavailable)
	}
	return nil
}

type sqliteConnector struct {
	driver driver.Driver
	dsn    string
}

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return c.driver }

// sessions returns a Manager. Its keys are thrown away: only cookies need those of the app. It sets no limit of
// sessions, so that the login of doctor ends none of the user's.
func (i *invocation) sessions(ctx context.Context, d *database) (*session.Manager, error) {
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		return nil, err
	}
	var s store.Store = d.store
	if i.wrap != nil {
		s = i.wrap(s)
	}
	return session.New(keys, s, i.audited(ctx, d, session.Config{MaxSessions: -1}))
}

// withSessions opens the database, and calls f with a Manager on it.
// What f ends is in the audit log then, if the app has one.
func (i *invocation) withSessions(ctx context.Context, f func(*database, *session.Manager) error) error {
	d, err := i.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	sessions, err := i.sessions(ctx, d)
	if err != nil {
		return err
	}
	return errors.Join(f(d, sessions), checkAudit(sessions))
}

// find reads a session and the clock of the database.
func (d *database) find(ctx context.Context, id store.ID) (store.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	snap, err := d.store.Find(ctx, id)
	if err != nil {
		return snap, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return snap, nil
}
