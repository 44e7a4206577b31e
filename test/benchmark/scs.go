package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
)

var scsMemory = &site{name: "scs, memstore", build: func(context.Context, string) (*echo.Echo, error) {
	return withSCS(scs.New()), nil
}}

// scs with its MySQL store: with the DSN of its documentation, and with other settings
// of the DSN, of IdleTimeout and of the connection pool.
var (
	scsDefault = scsMySQL("scs, mysqlstore", keepConnections, 0, "parseTime=true")
	scsTuned   = scsMySQL("scs, mysqlstore, interpolateParams", keepConnections, 0, "parseTime=true", "interpolateParams=true")
	scsIdle    = scsMySQL("scs, mysqlstore, IdleTimeout", keepConnections, 20*time.Minute, "parseTime=true")
	scsPool    = scsMySQL("scs, mysqlstore, database/sql's own pool", func(*sql.DB) {}, 0, "parseTime=true")
)

func keepConnections(db *sql.DB) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
}

// scsTable is from mysqlstore's documentation.
const scsTable = `CREATE TABLE IF NOT EXISTS sessions (
	token CHAR(43) PRIMARY KEY,
	data BLOB NOT NULL,
	expiry TIMESTAMP(6) NOT NULL,
	KEY sessions_expiry_idx (expiry))`

func scsMySQL(name string, pool func(*sql.DB), idle time.Duration, params ...string) *site {
	return &site{name: name, params: params, build: func(_ context.Context, dsn string) (*echo.Echo, error) {
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			return nil, err
		}
		pool(db)
		if _, err := db.Exec(scsTable); err != nil {
			return nil, err
		}
		manager := scs.New()
		manager.Store = mysqlstore.New(db)
		manager.IdleTimeout = idle
		return withSCS(manager), nil
	}}
}

func withSCS(manager *scs.SessionManager) *echo.Echo {
	e := echo.New()
	e.Use(echo.WrapMiddleware(manager.LoadAndSave))
	who := func(c echo.Context) (string, []string) {
		ctx := c.Request().Context()
		has, _ := manager.Get(ctx, "roles").([]string)
		return manager.GetString(ctx, "user"), has
	}
	login := func(c echo.Context, user string) error {
		ctx := c.Request().Context()
		if err := manager.RenewToken(ctx); err != nil {
			return err
		}
		manager.Put(ctx, "user", user)
		manager.Put(ctx, "roles", roles)
		return nil
	}
	return routes(e, who, login)
}
