package main

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/middleware"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// The same app with three configurations. kit measures requests between refreshes: no
// access cookie may expire, so AccessTTL is one hour. kitFirst has the same
// configuration for users who are new to the process. It is a separate site, because
// hundreds of thousands of users who visit once must not fill the caches of kit. kitSurfed
// measures requests with refreshes. Its AccessTTL is only surfTTL, and a visitor sends
// its 26 requests faster in proportion; nothing else differs.
var (
	kit       = kitSite("sessionkit between refreshes", lasting)
	kitFirst  = kitSite("sessionkit, newcomers", lasting)
	kitSurfed = kitSite("sessionkit, one refresh in 26 requests", session.Config{AccessTTL: surfTTL})
)

var lasting = session.Config{AccessTTL: time.Hour, IdleTimeout: 2 * time.Hour}

const surfTTL = time.Second

// keys are the keys of all Managers in this process.
var keys = must(session.ParseKeys(session.GenerateKey()))

// kitParams are the DSN parameters that the README recommends.
var kitParams = []string{"interpolateParams=true"}

func kitSite(name string, cfg session.Config) *site {
	return &site{name: name, params: kitParams, build: func(ctx context.Context, dsn string) (*echo.Echo, error) {
		store, err := openStore(ctx, dsn)
		if err != nil {
			return nil, err
		}
		sessions, err := session.New(keys, store, cfg)
		if err != nil {
			return nil, err
		}
		guard, err := middleware.New(sessions, middleware.Config{})
		if err != nil {
			return nil, err
		}
		go func() { _ = sessions.Run(ctx) }()

		e := echo.New()
		e.Use(guard.Protect)
		who := func(c echo.Context) (string, []string) {
			s, _ := session.FromContext(c.Request().Context())
			return s.UserID, s.Roles
		}
		login := func(c echo.Context, user string) error { return guard.Issue(c, session.Login{UserID: user}) }
		return routes(e, who, login), nil
	}}
}

// usersTable creates the users table of the app.
const usersTable = `CREATE TABLE IF NOT EXISTS users (
	id VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
	session_epoch BIGINT UNSIGNED NOT NULL DEFAULT 1,
	disabled BOOLEAN NOT NULL DEFAULT FALSE,
	roles VARCHAR(255) NOT NULL DEFAULT '["reader","editor","billing"]')`

// openStore opens a database, and adds all users to it.
func openStore(ctx context.Context, dsn string) (*sqlstore.Store, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	keepConnections(db)
	if _, err := db.Exec(usersTable); err != nil {
		return nil, err
	}
	ids := make([]any, users)
	for n := range ids {
		ids[n] = userID(n)
	}
	if _, err := db.Exec("INSERT IGNORE INTO users (id) VALUES (?)"+strings.Repeat(", (?)", users-1), ids...); err != nil {
		return nil, err
	}
	store, err := sqlstore.New(db, sqlstore.Config{IDKind: sqlstore.Text})
	if err != nil {
		return nil, err
	}
	return store, store.Migrate(ctx)
}
