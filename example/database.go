package main

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/sqlstore"
)

var (
	//go:embed schema/users.mysql.sql
	mysqlUsers string
	//go:embed schema/users.postgres.sql
	postgresUsers string
	//go:embed schema/users.sqlite.sql
	sqliteUsers string
)

// database is one pool, for the app's own table and for the session store, and what
// differs between SQLite, MySQL and PostgreSQL.
type database struct {
	*sql.DB
	dialect    sqlstore.Dialect
	usersTable string // the SQL that creates it
}

// openDatabase opens the database and makes sure that it answers.
func openDatabase(ctx context.Context, opts options) (db database, err error) {
	switch {
	case opts.mysql != "" && opts.postgres != "":
		err = errors.New("-mysql and -postgres, or SESSION_MYSQL and SESSION_POSTGRES, name two databases: keep one")
	case opts.mysql != "":
		db.dialect, db.usersTable = sqlstore.MySQL, mysqlUsers
		db.DB, err = openMySQL(opts.mysql)
	case opts.postgres != "":
		db.dialect, db.usersTable = sqlstore.PostgreSQL, postgresUsers
		db.DB, err = openPostgres(opts.postgres)
	default:
		db.dialect, db.usersTable = sqlstore.SQLite, sqliteUsers
		db.DB, err = base.OpenSQLite(opts.db)
	}
	if err != nil {
		return db, err
	}
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	db.SetConnMaxIdleTime(time.Minute)
	for range 20 { // SQLite refuses some of several processes that create the file at once
		if err = db.PingContext(ctx); err == nil {
			return db, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	db.Close()
	return db, fmt.Errorf("the database does not answer: %w", err)
}

func openMySQL(dsn string) (*sql.DB, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil { // its text can hold the password
		return nil, errors.New("-mysql or SESSION_MYSQL is not a DSN such as user:password@tcp(127.0.0.1:3306)/app")
	}
	// A server that hangs sends no error. Without these a connection waits for ever.
	cfg.Timeout = cmp.Or(cfg.Timeout, 2*time.Second)
	cfg.ReadTimeout = cmp.Or(cfg.ReadTimeout, 5*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 5*time.Second)
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("-mysql or SESSION_MYSQL: %w", err)
	}
	return sql.OpenDB(connector), nil
}

func openPostgres(dsn string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil { // its text can hold the password
		return nil, errors.New("-postgres or SESSION_POSTGRES is not a DSN such as postgres://user:password@127.0.0.1:5432/app")
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 2*time.Second) // for the rest see userTable
	return stdlib.OpenDB(*cfg), nil
}

// bind writes the placeholders of a query as this database expects them. For PostgreSQL
// they have numbers: $1, $2 and so on.
func (db database) bind(query string) string {
	if db.dialect != sqlstore.PostgreSQL {
		return query
	}
	parts := strings.Split(query, "?")
	for i := range parts[1:] {
		parts[i] += "$" + strconv.Itoa(i+1)
	}
	return strings.Join(parts, "")
}
