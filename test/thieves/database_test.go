package thieves

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// databaseClock is the clock of the database server: the clock of the bubble, moved by
// an offset. It is safe for concurrent use.
type databaseClock struct {
	offset  atomic.Int64
	forward atomic.Int64 // when it was set forward last, by the clock of the bubble
}

// move sets the clock forward, or back if d is negative.
func (c *databaseClock) move(d time.Duration) {
	c.offset.Add(int64(d))
	if d > 0 {
		c.forward.Store(time.Now().UnixNano())
	}
}

// wasSetForward reports whether the clock was set forward within the last d.
func (c *databaseClock) wasSetForward(d time.Duration) bool {
	return time.Since(time.Unix(0, c.forward.Load())) < d
}

func (c *databaseClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// connector makes connections whose statements see the time of a databaseClock. The
// server's UTC_TIMESTAMP, from which the store takes all its times, obeys the session
// variable timestamp. It is set before each statement, if the time has changed.
type connector struct {
	driver.Connector
	clock *databaseClock
}

// open returns a connection pool of its own, as each node has one. It is closed at the
// end of the test.
func open(t *testing.T, dsn string, clock *databaseClock) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.InterpolateParams = true // so that each statement is one call of the connection
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector{inner, clock})
	db.SetMaxIdleConns(50)
	t.Cleanup(func() { db.Close() })
	return db
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := inner.(mysqlConn)
	if !ok {
		inner.Close()
		return nil, fmt.Errorf("a connection of the driver, %T, lacks a method", inner)
	}
	return &connection{mysqlConn: conn, clock: c.clock}, nil
}

// mysqlConn is what database/sql uses of the driver's connections.
type mysqlConn interface {
	driver.Conn
	driver.Pinger
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.QueryerContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

type connection struct {
	mysqlConn
	clock *databaseClock
	at    time.Time // the time that the server was told last
}

func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	return c.mysqlConn.QueryContext(ctx, query, args)
}

func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	return c.mysqlConn.ExecContext(ctx, query, args)
}

// begin counts a statement for the request that causes it, and tells the server the time.
func (c *connection) begin(ctx context.Context) error {
	if n, ok := ctx.Value(statementsKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	now := c.clock.now()
	if now.Equal(c.at) {
		return nil
	}
	_, err := c.mysqlConn.ExecContext(ctx, fmt.Sprintf("SET timestamp = %d.%06d", now.Unix(), now.Nanosecond()/1000), nil)
	if err == nil {
		c.at = now
	}
	return err
}

type statementsKey struct{}

// counting returns a context whose statements are counted in n.
func counting(ctx context.Context, n *atomic.Int64) context.Context {
	return context.WithValue(ctx, statementsKey{}, n)
}
