package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// databases are two pools on one database: the app's own, and the session
// store's, whose statements are counted. They are apart only for the counting;
// one pool for both is what an app would have.
type databases struct {
	app      *sql.DB
	sessions *sql.DB
	counter  *counter
	dialect  dialect
}

func (d *databases) Close() error {
	return errors.Join(d.sessions.Close(), d.app.Close())
}

// dialect is what differs between the engines in this app's own statements.
type dialect struct {
	store       sqlstore.Dialect
	createUsers string
	insertUser  string // does nothing when the e-mail is taken
}

var (
	//go:embed schema/users.mysql.sql
	mysqlUsers string
	//go:embed schema/users.sqlite.sql
	sqliteUsers string

	mysqlDialect = dialect{
		store:       sqlstore.MySQL,
		createUsers: mysqlUsers,
		insertUser: `INSERT INTO users (email, password_hash, name, roles) VALUES (?, ?, ?, ?)
			ON DUPLICATE KEY UPDATE email = email`,
	}
	sqliteDialect = dialect{
		store:       sqlstore.SQLite,
		createUsers: sqliteUsers,
		insertUser: `INSERT INTO users (email, password_hash, name, roles) VALUES (?, ?, ?, ?)
			ON CONFLICT (email) DO NOTHING`,
	}
)

// openDatabases opens both pools and makes sure that the database answers.
func openDatabases(ctx context.Context, opts options) (*databases, error) {
	connector, dialect, err := sqliteConnector(opts.db)
	if opts.mysql != "" {
		connector, dialect, err = mysqlConnector(opts.mysql)
	}
	if err != nil {
		return nil, err
	}
	db := &databases{counter: &counter{}, dialect: dialect}
	db.app = newPool(connector)
	db.sessions = newPool(db.counter.count(connector))

	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := errors.Join(db.app.PingContext(ctx), db.sessions.PingContext(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("the database does not answer: %w", err), db.Close())
	}
	return db, nil
}

func newPool(connector driver.Connector) *sql.DB {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(time.Minute)
	return db
}

func mysqlConnector(dsn string) (driver.Connector, dialect, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("-mysql: %w", err)
	}
	// A server that falls silent, as a cluster does while it agrees on its
	// members, sends no error. Without these a connection would wait for ever.
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = 5 * time.Second
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 5 * time.Second
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("-mysql: %w", err)
	}
	return connector, mysqlDialect, nil
}

func sqliteConnector(file string) (driver.Connector, dialect, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("-db: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, dialect{}, fmt.Errorf("-db: %w", err)
	}
	// SQLite would make it readable by everybody; its other files follow this one.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, dialect{}, fmt.Errorf("-db: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, dialect{}, fmt.Errorf("-db: %w", err)
	}
	return sqliteFile{dsn: sqliteDSN(file)}, sqliteDialect, nil
}

// sqliteDSN asks for WAL, so that readers never wait for a writer; for a wait
// instead of an error when two write at once, shorter than the store's patience;
// and for transactions that take the write lock first, so that none fails halfway.
func sqliteDSN(file string) string {
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: url.Values{
		"_pragma": {"busy_timeout(1500)", "journal_mode(WAL)"},
		"_txlock": {"immediate"},
	}.Encode()}
	return dsn.String()
}

// sqliteFile is the driver.Connector that modernc.org/sqlite does not have.
type sqliteFile struct{ dsn string }

func (s sqliteFile) Driver() driver.Driver { return new(sqlite.Driver) }

// Connect tries again where the file is busy. Of connections that turn a new
// file to WAL at once, SQLite lets all but one fail, however long its
// busy_timeout is.
func (s sqliteFile) Connect(ctx context.Context) (driver.Conn, error) {
	const busy = 5 // SQLITE_BUSY
	for range 100 {
		conn, err := s.Driver().Open(s.dsn)
		if e, ok := errors.AsType[*sqlite.Error](err); !ok || e.Code()&0xff != busy {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil, errors.New("SQLite: another process has locked the file")
}
