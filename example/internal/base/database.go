package base

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// Database is one pool, for the app's own tables and for the session store.
type Database struct {
	*sql.DB
	Dialect sqlstore.Dialect
}

// Open opens the database of a DSN of MySQL or of PostgreSQL, or else an SQLite file, and makes
// sure that it answers. The errors name the flags and the environment variables of the DSNs.
func Open(ctx context.Context, file, mysqlDSN, postgresDSN string) (db Database, err error) {
	switch {
	case mysqlDSN != "" && postgresDSN != "":
		err = errors.New("-mysql and -postgres, or SESSION_MYSQL and SESSION_POSTGRES, name two databases: keep one")
	case mysqlDSN != "":
		db.Dialect = sqlstore.MySQL
		db.DB, err = openMySQL(mysqlDSN)
	case postgresDSN != "":
		db.Dialect = sqlstore.PostgreSQL
		db.DB, err = openPostgres(postgresDSN)
	default:
		db.Dialect = sqlstore.SQLite
		db.DB, err = openSQLite(file)
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
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 2*time.Second) // statements have time limits of their own
	return stdlib.OpenDB(*cfg), nil
}

// Bind writes the placeholders of a query as this database expects them. For PostgreSQL
// they have numbers: $1, $2 and so on.
func (db Database) Bind(query string) string {
	if db.Dialect != sqlstore.PostgreSQL {
		return query
	}
	parts := strings.Split(query, "?")
	for i := range parts[1:] {
		parts[i] += "$" + strconv.Itoa(i+1)
	}
	return strings.Join(parts, "")
}
