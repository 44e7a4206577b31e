package main

import (
	"context"
	_ "embed"

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

// database is the pool, and the SQL that creates the app's own table.
type database struct {
	base.Database
	usersTable string
}

// openDatabase opens the database and makes sure that it answers.
func openDatabase(ctx context.Context, opts options) (db database, err error) {
	db.Database, err = base.Open(ctx, opts.db, opts.mysql, opts.postgres)
	db.usersTable = map[sqlstore.Dialect]string{
		sqlstore.MySQL: mysqlUsers, sqlstore.PostgreSQL: postgresUsers, sqlstore.SQLite: sqliteUsers,
	}[db.Dialect]
	return db, err
}
